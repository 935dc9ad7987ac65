"""The plain text that a caller sees in place of the JSON that we asked for."""

from typing import Any

import pytest

from tests.unit.engines.captures import load
from tests.unit.engines.test_restic import begin, feed
from tray.engines.base import Stream
from tray.engines.restic.text import format_bytes, format_seconds


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (704, "704 B"),
        (1023, "1023 B"),
        (1024, "1.000 KiB"),
        (1533535, "1.462 MiB"),
        (996147200, "950.000 MiB"),
        (1554076168, "1.447 GiB"),
        (10 * 10**12, "9.095 TiB"),
        (10**16, "9094.947 TiB"),
    ],
)
def test_sizes_are_written_as_restic_writes_them(size: int, text: str) -> None:
    """Binary units with three decimals, bytes without."""
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (0.99, "0:00"),
        (2.9, "0:02"),
        (61, "1:01"),
        (3599.9, "59:59"),
        (3600, "1:00:00"),
        (100_000, "27:46:40"),
    ],
)
def test_durations_are_written_as_restic_writes_them(seconds: float, text: str) -> None:
    """Minutes and seconds, with hours where there are any; nothing is rounded up."""
    assert format_seconds(seconds) == text


def _summary(**fields: Any) -> dict[str, Any]:
    return {"message_type": "summary", "data_added": 0, "data_added_packed": 0, **fields}


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        (
            "restic019-fps1-text-notty",
            _summary(
                files_new=4,
                dirs_new=2,
                data_added=704,
                data_added_packed=576,
                total_files_processed=4,
                total_bytes_processed=996147200,
                total_duration=3.2,
                snapshot_id="99339fc2" + "0" * 56,
            ),
        ),
        (
            "restic014-unreadable-text",
            {
                "message_type": "summary",
                "files_unmodified": 12,
                "dirs_unmodified": 2,
                "total_files_processed": 12,
                "total_bytes_processed": 200086222,
                "total_duration": 0.5,
                "snapshot_id": "e4637c64",
            },
        ),
        (
            "restic019-text-notty",
            _summary(
                files_unmodified=20219,
                dirs_unmodified=2216,
                total_files_processed=20219,
                total_bytes_processed=1554076168,
                total_duration=2.1,
                snapshot_id="e51ca378" + "0" * 56,
            ),
        ),
    ],
)
def test_the_summary_block_is_restics_own(name: str, summary: dict[str, Any]) -> None:
    """A cron mail reads as before; of the parent snapshot only the id is unknown."""
    recorded = load(name).out.decode().splitlines()
    recorded = [line for line in recorded if not line.startswith(("[", "/"))]
    told = feed(begin(), summary).relay.decode().splitlines()
    assert told[1:] == recorded[1:]
    assert recorded[0].startswith(told[0])


def test_what_json_does_not_say_is_left_out() -> None:
    """Before 0.18 the stored size is not in the JSON, so it is not invented."""
    text = feed(begin(), {"message_type": "summary", "data_added": 3_000_000, "snapshot_id": "ab12cd34"}).relay.decode()
    assert "Added to the repository: 2.861 MiB\n" in text
    assert "stored" not in text


def test_dry_run_quiet_and_stdin_read_as_restic_writes_them() -> None:
    """Each of these changes what restic prints."""
    summary = _summary(files_new=1, total_files_processed=1, snapshot_id="ab12cd34")
    dry = feed(begin("restic backup -n /x"), {**summary, "dry_run": True}).relay.decode()
    assert "Would add to the repository: 0 B   (0 B   stored)" in dry
    assert "saved" not in dry
    assert feed(begin("restic backup -q /x"), summary).relay == b""
    assert feed(begin("restic backup --stdin"), summary).relay.startswith(b"\nFiles:  ")
    skipped = feed(begin("restic backup --skip-if-unchanged /x"), _summary()).relay.decode()
    assert skipped.endswith("skipped creating snapshot\n")


def test_errors_of_the_scan_are_silent_as_in_plain_text() -> None:
    """restic names them without -v only when it reads the item."""
    message = {"message_type": "error", "error": {"message": "no"}, "during": "scan", "item": "/x"}
    assert feed(begin(), message, Stream.ERR).relay == b""


@pytest.mark.parametrize("name", ["restic019-unreadable-json", "restic014-unreadable-json"])
def test_recorded_errors_read_like_the_recorded_text(name: str) -> None:
    """The same run with and without JSON puts the same lines on stderr; only what 0.14 prints as {} has lost its words."""
    capture = load(name)
    plain = load(name.replace("json", "text")).err.decode().splitlines()
    session = begin()
    told = "".join(
        session.feed(line, stream).relay.decode() for line, stream in capture.lines if stream is Stream.ERR
    ).splitlines()
    same = [line for line in plain if line != "error: Open: open src_u/closed: permission denied"]
    assert [line for line in told if line != "error: src_u/closed: could not be read"] == same
    assert len(told) == len(plain)


def test_progress_is_printed_only_where_the_user_asked_for_it() -> None:
    """RESTIC_PROGRESS_FPS of the user's own puts progress into restic's plain text; ours must not."""
    message = {
        "message_type": "status",
        "seconds_elapsed": 1,
        "seconds_remaining": 1,
        "total_files": 4,
        "total_bytes": 996147200,
        "bytes_done": 524024807,
        "current_files": ["/src/big/vm0.img", "/src/big/vm1.img"],
    }
    asked = begin(RESTIC_PROGRESS_FPS="1")
    recorded = load("restic014-fps1-text-notty").out.decode().splitlines()
    assert feed(asked, message).relay.decode().splitlines() == recorded[2:5]
    scanning = {"message_type": "status", "total_files": 1, "total_bytes": 419430400}
    assert feed(asked, scanning).relay.decode().splitlines() == recorded[1:2]
    assert (
        feed(asked, {"message_type": "status", "files_done": 2, "bytes_done": 5}).relay
        == b"[0:00] 2 files, 5 B, 0 errors\n"
    )
    assert feed(begin(), message).relay == b""


def test_relayed_text_never_holds_json() -> None:
    """Who did not ask for JSON sees none, whatever happens in the run."""
    for name in (
        "restic014-incr-json",
        "restic019-first-json",
        "restic019-unreadable-json",
        "restic019-nosource-json",
        "restic019-sigINT-json",
    ):
        session = begin()
        for line, stream in load(name).lines:
            relay = session.feed(line, stream).relay
            assert not relay.startswith(b"{")
            assert relay == b"" or relay.endswith(b"\n")
