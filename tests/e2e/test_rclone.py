"""Real rclone through the wrapper: the same output and exit code as bare rclone, and the truth on record."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import TRAY, engine_pid, last, make_tree, start, status
from tests.e2e.twins import READS_NO_MORE, Ran, Twins, make_twins
from tests.mounts import mounted
from tests.waiting import wait_for
from tray import runs
from tray.core.paths import Places

SLOW = ("rclone", "copy", "--bwlimit", "1M", "--transfers", "1", "--check-first", "--order-by", "name")


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """rclone knows no remote of the user who runs the tests, and writes nothing to that user's home."""
    for name in [name for name in os.environ if name.startswith(("RCLONE_", "INVOCATION_ID"))]:
        monkeypatch.delenv(name)
    (tmp_path / "rclone.conf").touch()
    monkeypatch.setenv("RCLONE_CONFIG", str(tmp_path / "rclone.conf"))
    monkeypatch.setenv("RCLONE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    """Two folders with the same files."""
    pair = make_twins(tmp_path)
    for folder in (pair.bare, pair.wrapped):
        (folder / "source/link").symlink_to("nowhere")
        (folder / "closed").mkdir(mode=0o555)
        (folder / "empty").mkdir()
        (folder / "both").mkdir()
        for path in (folder / "odd").iterdir():
            if "\udcff" in path.name:  # JSON has another character for it than the log
                path.unlink()
    return pair


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A tree that takes about two seconds."""
    return make_tree(tmp_path / "big", files=20, size=100_000)


SCENARIOS = {
    "first": (["sync", "source", "dst"], 0, "warning"),  # of the link rclone says that it cannot follow it
    "again": (["sync", "source", "dst"], 0, "warning"),
    "names": (["copy", "-v", "source", "names"], 0, "warning"),
    "odd names": (["sync", "-v", "--stats-one-line", "odd", "odd2"], 0, "succeeded"),
    "one file": (["copyto", "source/d1/file1", "one"], 0, "succeeded"),
    "moved": (["move", "-v", "names", "moved"], 0, "succeeded"),
    "both ways": (["bisync", "--resync", "--workdir", "work", "source", "both"], 0, "warning"),
    "both ways anew": (["bisync", "--workdir", "work2", "source", "both2"], 2, "failed"),
    "no changes": (["sync", "-n", "odd", "dst"], 0, "succeeded"),
    "quiet": (["sync", "-q", "odd", "dst"], 0, "succeeded"),
    "nothing new": (["copy", "--error-on-no-transfer", "odd", "dst"], 9, "warning"),
    "emptied": (["sync", "empty", "dst"], 0, "warning"),
    "missing": (["sync", "missing", "x"], 3, "failed"),
    "no remote": (["sync", "source", "nowhere:x"], 1, "failed"),
    "wrong flag": (["sync", "--no-such-flag", "source", "y"], 1, "failed"),
}


def test_the_caller_sees_the_output_of_bare_rclone(twins: Twins) -> None:
    """The wrapper turns rclone's JSON back into its plain log, leaves its own statistics out, and returns rclone's exit code."""
    for job, (arguments, code, _) in SCENARIOS.items():
        bare, wrapped = (comparable(ran, twins) for ran in twins.run("rclone", *arguments, job=job))
        assert wrapped == bare, job
        assert wrapped.code == code, job
    ended = {job["job"].removesuffix(" (dry-run)"): job["last"] for job in status()["jobs"]}
    assert {job: run["outcome"] for job, run in ended.items()} == {job: want for job, (_, _, want) in SCENARIOS.items()}
    assert (ended["first"]["files"], ended["first"]["bytes_added"]) == (12, 12 * 3000)
    assert "source does not exist" in ended["missing"]["reason"]
    assert "7 files were deleted from the copy" in ended["emptied"]["reason"]


def comparable(ran: Ran, twins: Twins) -> Ran:
    """Drop text that differs from run to run: folders, times, and the order of simultaneous steps."""
    return Ran(ran.code, _comparable(ran.out, twins), _comparable(ran.err, twins))


def _comparable(text: bytes, twins: Twins) -> bytes:
    for folder in (twins.bare, twins.wrapped):
        text = text.replace(bytes(folder), b"/twin")
    text = re.sub(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", b"DATE", text)
    text = re.sub(rb"(?:failed with|with) (\d+) errors?(?:[: ].*)?", rb"\1 errors", text)
    text = re.sub(rb"Elapsed time: .*|[\d.]+ [KM]?i?B/s.*", b"#", text)
    return b"\n".join(sorted(text.split(b"\n")))


def test_unreadable_files_and_a_closed_target_are_told_apart(twins: Twins) -> None:
    """rclone's exit code does not tell them apart: one run copied all but two files, the other one nothing."""
    for job, arguments in (
        ("shut", ["sync", "shut", "dst"]),
        ("again", ["sync", "-v", "shut", "dst"]),
        ("closed", ["copy", "source", "closed"]),
    ):
        bare, wrapped = (comparable(ran, twins) for ran in twins.run(*READS_NO_MORE, "rclone", *arguments, job=job))
        assert wrapped == bare, job
        assert wrapped.code in (1, 6)
    ended = {job["job"]: job["last"] for job in status()["jobs"]}
    assert {job: run["outcome"] for job, run in ended.items()} == {
        "shut": "warning",
        "again": "warning",
        "closed": "failed",
    }
    assert (ended["shut"]["errors"], ended["again"]["errors"]) == (2, 2)
    assert "permission denied" in ended["closed"]["reason"]


def test_the_output_is_the_same_with_one_stream_and_under_systemd(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines are the same with `2>&1`, and with the journal's priorities in place of dates."""
    monkeypatch.setenv("INVOCATION_ID", "0123456789abcdef")
    bare, wrapped = (comparable(ran, twins) for ran in twins.run("rclone", "sync", "source", "dst", merged=True))
    assert wrapped == bare
    assert b"<5>NOTICE: link: Can't follow symlink" in wrapped.out


def test_json_and_progress_that_the_user_asked_for_are_passed_on(twins: Twins) -> None:
    """A script that parses them goes on working, and the wrapper still knows the outcome."""
    _, wrapped = twins.run("rclone", "copy", "--use-json-log", "-v", "source", "json", job="json")
    assert wrapped.err.count(b'"msg":"Copied (new)"') == 12
    _, wrapped = twins.run("rclone", "copy", "-P", "source", "progress", job="progress")
    assert wrapped.out.count(b"Transferred:") >= 2
    assert [(job["last"]["outcome"], job["last"]["files"]) for job in status()["jobs"]] == [("warning", 12)] * 2


def test_progress_is_seen_while_it_copies(big: Path, tmp_path: Path) -> None:
    """The status shows files and bytes each second, and a percentage once rclone has compared all and knows the totals."""
    tracker = start("tracker")
    run = start("run", "--job", "home", "--", *SLOW, big, tmp_path / "dst", stderr=subprocess.PIPE)
    shown = wait_for(lambda: [live for live in status()["runs"] if live["bytes_done"]], what="progress")[0]
    assert (shown["engine"], shown["repository"], shown["phase"]) == ("rclone", str(tmp_path / "dst"), "copying")
    assert (shown["bytes_total"], shown["files_total"]) == (2_000_000, 20)
    assert 0 < shown["percent"] < 100
    assert shown["current"]
    _, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (0, b"")
    assert (last()["outcome"], last()["files"], last()["bytes_added"]) == ("succeeded", 20, 2_000_000)
    tracker.terminate()
    tracker.wait()


def _engine(places: Places) -> int:
    """Wait until rclone copies, and return its process."""
    wait_for(lambda: b'"transfers":' in _said(places), what="statistics")
    return engine_pid(places)


def _said(places: Places) -> bytes:
    """Return rclone's output so far."""
    return b"".join(folder.spool("err").read_bytes() for folder in runs.live(places) if folder.spool("err").exists())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_was_asked_for_is_a_cancel(big: Path, tmp_path: Path, places: Places, number: int) -> None:
    """systemctl stop and Ctrl-C end rclone as without us."""
    run = start("run", "--", *SLOW, big, tmp_path / "dst", stderr=subprocess.PIPE)
    _engine(places)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (-number, b"")
    assert last()["outcome"] == "cancelled"


def test_a_killed_rclone_is_a_failure(big: Path, tmp_path: Path, places: Places) -> None:
    """The system killed rclone (out of memory); the user did not cancel it."""
    run = start("run", "--", *SLOW, big, tmp_path / "dst", stderr=subprocess.DEVNULL)
    os.kill(_engine(places), signal.SIGKILL)
    assert run.wait(timeout=60) == -signal.SIGKILL
    assert last()["outcome"] == "failed"


def test_a_file_that_vanished_before_the_last_attempt_is_nothing_that_is_missing(
    big: Path, tmp_path: Path, places: Places
) -> None:
    """rclone's last attempt does not miss a file that has vanished; the caller still reads rclone's lines about it."""
    run = start("run", "--", *SLOW, big, tmp_path / "dst", stderr=subprocess.PIPE)
    _engine(places)
    (big / "d4/file9").unlink()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0
    assert b"ERROR : d4/file9: Failed to copy: failed to open source object" in err
    assert b"ERROR : Attempt 2/3 succeeded\n" in err
    assert (last()["outcome"], last()["files"], last()["errors"]) == ("succeeded", 19, 0)


def test_a_full_disk_is_a_failure_that_says_so(big: Path, tmp_path: Path) -> None:
    """rclone copied some files; the full disk is a failure all the same."""
    full = tmp_path / "full"
    full.mkdir()
    mount = f"mount -t tmpfs -o size=1m,mode=777 tmpfs {full}"
    done = subprocess.run(
        mounted(mount, *TRAY, "run", "--", "rclone", "sync", str(big), f"{full}/x"), capture_output=True, check=False
    )
    assert done.returncode == 1
    assert last()["outcome"] == "failed"
    assert "no space left" in last()["reason"]


def test_a_lock_that_bisync_left_behind_is_reported_with_the_way_out(twins: Twins, tmp_path: Path) -> None:
    """rclone itself says only that the file is there."""
    arguments = ["rclone", "bisync", "--workdir", "work", "source", "both"]
    twins.run(*arguments, "--resync", job="begin")
    names = [path.name for path in (twins.wrapped / "work").iterdir()]
    lock = twins.wrapped / "work" / (names[0].partition(".path")[0] + ".lck")
    lock.touch()
    _, wrapped = twins.run(*arguments, job="locked")
    assert wrapped.code == 1
    ended = next(job["last"] for job in status()["jobs"] if job["job"] == "locked")
    assert ended["outcome"] == "failed"
    assert f"`rclone deletefile {lock}`" in ended["advice"]
