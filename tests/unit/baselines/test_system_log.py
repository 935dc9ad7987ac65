"""The languages of system logs, as others read them: journald's native protocol, RFC 5424, and checkpoints on one line."""

import re
import socket
import struct
from pathlib import Path

import pytest

from tray.audit import checkpoint
from tray.audit.checkpoint import Checkpoint, Signer
from tray.baselines import system_log
from tray.baselines.system_log import Receiver
from tray.core import clock

NOON_MS = clock.from_text("2026-11-23T12:00:00.000Z")
SIGNER = Signer(bytes(32))
LOG = "backup-tray/0a4f6c1e-9d7b-4c55-8f0e-3b5a1c2d4e6f"

# RFC 5424, section 6: HEADER SP STRUCTURED-DATA [SP MSG].
_PARAM = r'[!#-<>-\[^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*"'
RFC5424 = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) (?P<host>[!-~]{1,255}) "
    r"(?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
    rf"\[(?P<id>[!#-<>-\[^-~]{{1,32}})(?P<params>(?: {_PARAM})*)\] \ufeff(?P<msg>.*)",
    re.DOTALL,
)


def parsed_syslog(raw: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Read a message as a receiver does: its header with the text, and its structured data."""
    match = RFC5424.fullmatch(raw.decode())
    assert match is not None, raw
    params = re.findall(r'([^ =]+)="((?:[^"\\\]]|\\["\\\]])*)"', match["params"])
    return match.groupdict(), {name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in params}


def parsed_journal(raw: bytes) -> dict[str, str]:
    """Read an entry as journald does: NAME=value lines, or a name, a length and a value with line ends."""
    found = {}
    while raw:
        head, _, rest = raw.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, end, raw = rest[8 : 8 + length], rest[8 + length : 9 + length], rest[9 + length :]
            assert end == b"\n"
        else:
            raw = rest
        assert re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name)
        found[name.decode()] = value.decode()
    return found


def receiving(path: Path) -> socket.socket:
    """A datagram socket at *path*, as journald and syslog have one."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(path))
    made.settimeout(10)
    return made


def test_the_journal_gets_fields_of_its_own_and_of_ours() -> None:
    """`journalctl BACKUP_TRAY_JOB=home -p err` finds what it should."""
    raw = system_log.journal("a line", "error", {"job": "home", "seq": 7, "run": None, "odd-name": "x"})
    assert parsed_journal(raw) == {
        "MESSAGE": "a line",
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "backup-tray",
        "SYSLOG_FACILITY": "13",
        "BACKUP_TRAY_JOB": "home",
        "BACKUP_TRAY_SEQ": "7",
        "BACKUP_TRAY_ODD_NAME": "x",
    }


def test_a_value_with_line_ends_cannot_become_a_field_of_its_own() -> None:
    """A job whose name holds a line end and `PRIORITY=0` stays one value."""
    name = "home\nPRIORITY=0"
    assert parsed_journal(system_log.journal("m", "info", {"job": name}))["BACKUP_TRAY_JOB"] == name


def test_syslog_gets_a_message_of_rfc_5424() -> None:
    """Facility "log audit", the severity, the moment of the event, the action as MSGID, and structured data."""
    raw = system_log.syslog("a line", "critical", {"job": "home", "run": None}, time_ms=NOON_MS, kind="run.finished")
    header, data = parsed_syslog(raw)
    assert header["pri"] == str(13 * 8 + 2)
    assert (header["time"], header["app"], header["msgid"]) == (
        "2026-11-23T12:00:00.000Z",
        "backup-tray",
        "run.finished",
    )
    assert (header["id"], header["msg"]) == ("backup-tray@32473", "a line")
    assert data == {"job": "home"}


@pytest.mark.parametrize("name", ['a "quoted" \\ [name]', "two\nlines", "\x1b[31mred", "übel", "\udcff", "x" * 5000])
def test_no_name_breaks_the_structured_data(name: str) -> None:
    """Whatever a job is called, a receiver reads one message with the same fields."""
    raw = system_log.syslog("m", "info", {"job": name, "seq": 1}, time_ms=NOON_MS, kind="run.started")
    header, data = parsed_syslog(raw)
    assert header["msg"] == "m"
    assert data["seq"] == "1"
    assert "\n" not in data["job"]
    assert "\x1b" not in data["job"]


def test_a_message_stays_as_small_as_receivers_must_take() -> None:
    """Fields that have no room are left out, the text is cut; the rest stays a whole message."""
    raw = system_log.syslog("ü" * 4000, "info", {f"field{n}": "y" * 400 for n in range(30)}, time_ms=NOON_MS, kind="x")
    assert len(raw) <= 2048
    header, data = parsed_syslog(raw)
    assert data["field0"].endswith("…")
    assert header["msg"].startswith("üü")


def test_a_long_message_leaves_room_for_the_fields_on_the_local_socket() -> None:
    """Neither text nor fields are cut in the middle of a character."""
    raw = system_log.local("ü" * 4000, "warning", {"job": "y" * 4000, "seq": 7}, time_ms=NOON_MS)
    assert len(raw) <= 2048
    assert raw.decode().endswith(' seq="7"]')


def test_a_receiver_speaks_the_language_of_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """journald gets its native protocol, /dev/log what syslog(3) writes, a server RFC 5424, each with the line escaped."""
    monkeypatch.setattr(system_log, "JOURNAL_SOCKET", str(tmp_path / "journal"))
    monkeypatch.setattr(system_log, "SYSLOG_SOCKET", str(tmp_path / "log"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        names = ("journald", "syslog", f"udp://127.0.0.1:{server.getsockname()[1]}")
        with receiving(tmp_path / "journal") as journal, receiving(tmp_path / "log") as log:
            for name in names:
                with Receiver(name) as receiver:
                    receiver.send("two\nlines", "info", {"job": "home"}, time_ms=NOON_MS, kind="run.started")
                    receiver.confirm()
            assert parsed_journal(journal.recv(9000))["MESSAGE"] == r"two\nlines"
            assert parsed_syslog(server.recv(9000))[0]["msg"] == r"two\nlines"
            text = r'<110>Nov 2[234] \d\d:\d\d:00 backup-tray\[\d+\]: two\\nlines \[backup-tray@32473 job="home"\]'
            assert re.fullmatch(text, log.recv(9000).decode())


def test_a_receiver_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost silently where the system can tell; UDP tells only while a receiver listens for it."""
    monkeypatch.setattr(system_log, "JOURNAL_SOCKET", str(tmp_path / "none"))
    with pytest.raises(OSError):
        Receiver("journald")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with Receiver(f"udp://127.0.0.1:{port}") as receiver:
        receiver.send("m", "info", {}, time_ms=NOON_MS, kind="x")
        with pytest.raises(ConnectionRefusedError):
            receiver.confirm()


def test_a_checkpoint_survives_being_one_line_of_a_log() -> None:
    """A user can compare the journal's checkpoints with the log years later."""
    note = SIGNER.sign(Checkpoint(LOG, 1204, bytes(32)))
    line = checkpoint.to_line(note)
    assert "\n" not in line
    assert checkpoint.from_line(line) == note
    assert checkpoint.from_line(f"Nov 23 12:00:00 host backup-tray[7]: {line}\n") == note
    told = system_log.local(line, "info", {"log": LOG, "size": 1204}, time_ms=NOON_MS)
    assert checkpoint.from_line(told.decode()) == note


def test_a_file_of_log_lines_holds_all_its_checkpoints() -> None:
    """`journalctl -t backup-tray -o cat > FILE` mixes checkpoints with other lines."""
    notes = [SIGNER.sign(Checkpoint(LOG, size, bytes(32))) for size in (3, 9)]
    content = "\n".join(["run.finished: succeeded", *map(checkpoint.to_line, notes), "checkpoint of something else"])
    assert checkpoint.notes_in(content.encode()) == notes
    assert checkpoint.notes_in(notes[0]) == [notes[0]]
    assert checkpoint.notes_in(b"noise") == [b"noise"]


@pytest.mark.parametrize(
    "line", ["", "checkpoint", "checkpoint log 3", "checkpoint log 3 AAAA name", "checkpoint log x AAAA n AAAA"]
)
def test_a_line_that_holds_no_checkpoint_is_none(line: str) -> None:
    """Anybody can write to a system's log."""
    with pytest.raises(ValueError):
        checkpoint.from_line(line)
