"""Real rsync through the wrapper: the same output and exit code as bare rsync, and the truth on record."""

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

SLOW = ("rsync", "-a", "--bwlimit=2500")  # KiB/s


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    """Two folders with the same files, and a remote shell that runs the far side here."""
    pair = make_twins(tmp_path)
    for folder in (pair.bare, pair.wrapped):
        (folder / "shell").write_text('#!/bin/sh\necho "$@" >> commands\nshift\nexec "$@"\n')
        (folder / "shell").chmod(0o700)
    return pair


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A tree that takes about two seconds."""
    return make_tree(tmp_path / "big", files=20, size=250_000)


SCENARIOS = {
    "first": (["-a", "source/", "dst"], 0, "succeeded"),
    "again": (["-a", "source/", "dst"], 0, "succeeded"),
    "names": (["-av", "source/", "names"], 0, "succeeded"),
    "statistics": (["-ai", "--stats", "source/", "stats"], 0, "succeeded"),
    "odd names": (["-avh", "odd/", "odd2"], 0, "succeeded"),
    "deletes": (["-av", "--delete", "odd/", "dst"], 0, "succeeded"),
    "no changes": (["-anv", "source/", "dry"], 0, "succeeded"),
    "progress": (["-a", "--info=progress2", "--no-h", "odd/", "odd3"], 0, "succeeded"),
    "one missing": (["-a", "source", "missing", "x/"], 23, "warning"),
    "missing": (["-av", "missing/", "y/"], 23, "failed"),
    "no target": (["-a", "source/", "no/such/z"], 11, "failed"),
    "skipped": (["source", "w"], 0, "failed"),
    "wrong flag": (["-a", "--no-such-flag", "source/", "v"], 1, "failed"),
    "nobody there": (["-a", "source/", "rsync://127.0.0.1:9/x"], 10, "failed"),
}


def test_the_caller_sees_the_output_of_bare_rsync(twins: Twins) -> None:
    """The caller sees the text that the user asked rsync for, without our progress and figures; the exit code is rsync's."""
    for job, (arguments, code, _) in SCENARIOS.items():
        bare, wrapped = (comparable(ran, twins) for ran in twins.run("rsync", *arguments, job=job))
        assert wrapped == bare, job
        assert wrapped.code == code, job
    ended = {job["job"].removesuffix(" (dry-run)"): job["last"] for job in status()["jobs"]}
    assert {job: run["outcome"] for job, run in ended.items()} == {job: want for job, (_, _, want) in SCENARIOS.items()}
    assert (ended["first"]["files"], ended["first"]["bytes_processed"]) == (12, 12 * 3000)
    assert "missing" in ended["one missing"]["reason"]
    assert "-r or -a" in ended["skipped"]["reason"]


def comparable(ran: Ran, twins: Twins) -> Ran:
    """Drop text that differs from run to run: folders, times, rates, and the order of lines from different processes."""
    return Ran(ran.code, _comparable(ran.out, twins), b"".join(sorted(_comparable(ran.err, twins).splitlines(True))))


def _comparable(text: bytes, twins: Twins) -> bytes:
    for folder in (twins.bare, twins.wrapped):
        text = text.replace(bytes(folder), b"/twin")
    text = re.sub(rb"\.[A-Za-z0-9]{6}\"", b'.XXXXXX"', text)
    text = re.sub(rb"[\d.,]+[KMG]? bytes/sec|(?<=time: )[\d.]+| +[\d.]+[kMG]B/s +\S+", b"#", text)
    return re.sub(rb"(sent|received):? [\d.,]+[KMG]?|(?<=size: )[\d,]+$|speedup is \S+", b"#", text, flags=re.MULTILINE)


def test_unreadable_files_and_a_closed_target_are_told_apart(twins: Twins) -> None:
    """rsync's exit code 23 does not tell them apart: one run copied all but two files, the other one nothing."""
    for job, arguments in (
        ("shut", ["-av", "shut/", "dst"]),
        ("again", ["-a", "shut/", "dst"]),
        ("closed", ["-r", "source/", "/proc/sys"]),  # a folder of its own rsync would open for itself
    ):
        bare, wrapped = (comparable(ran, twins) for ran in twins.run(*READS_NO_MORE, "rsync", *arguments, job=job))
        assert wrapped == bare, job
        assert wrapped.code == 23
    ended = {job["job"]: job["last"] for job in status()["jobs"]}
    assert {job: run["outcome"] for job, run in ended.items()} == {
        "shut": "warning",
        "again": "warning",
        "closed": "failed",
    }
    assert (ended["shut"]["errors"], ended["again"]["errors"]) == (2, 2)
    assert "shut/d" in ended["shut"]["reason"]


def test_the_output_is_the_same_with_one_stream(twins: Twins) -> None:
    """`2>&1` in a crontab: the same lines, none of ours; rsync's own buffer mixes their order as it likes."""
    bare, wrapped = (ran.out for ran in twins.run(*READS_NO_MORE, "rsync", "-av", "shut/", "dst", merged=True))
    assert sorted(_comparable(wrapped, twins).splitlines()) == sorted(_comparable(bare, twins).splitlines())
    assert (last()["outcome"], last()["errors"]) == ("warning", 2)


def test_the_other_machine_gets_the_same_command(twins: Twins) -> None:
    """The remote command is the same as without us, so a restricted or old rsync there does not refuse it."""
    for job, arguments in (
        ("push", ["-av", "-e", "./shell", "source/", "host:{}/there"]),
        ("pull", ["-a", "-e", "./shell", "host:{}/odd/", "here"]),
        ("gone", ["-a", "-e", "./shell", "host:{}/missing", "here"]),
    ):
        words = [word.replace("{}", "$PWD") for word in arguments]
        bare, wrapped = twins.run("sh", "-c", f"exec rsync {' '.join(words)}", job=job)
        assert wrapped.code == bare.code
    script = ["rsync", "-a", "-e", "./shell"]
    for folder, begin in ((twins.bare, []), (twins.wrapped, [*TRAY, "run", "--job", "direct", "--"])):
        (folder / "commands").unlink()
        done = subprocess.run(
            [*begin, *script, "source/", f"host:{folder}/direct"], cwd=folder, capture_output=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    commands = [
        (folder / "commands").read_text().replace(str(folder), "/twin") for folder in (twins.bare, twins.wrapped)
    ]
    assert commands[0] == commands[1]
    assert "--server" in commands[0]
    direct = next(job["last"] for job in status()["jobs"] if job["job"] == "direct")
    assert (direct["outcome"], direct["reason"]) == ("succeeded", "12 files were copied.")


def test_progress_is_seen_while_it_copies_and_a_killed_wrapper_costs_nothing(big: Path, tmp_path: Path) -> None:
    """The status shows files and bytes; when the wrapper dies, rsync goes on, and the record of its end has rsync's own figures."""
    tracker = start("tracker")
    slower = ("rsync", "-a", "--bwlimit=800")  # six seconds: rsync must still run when a busy machine has polled
    run = start("run", "--job", "home", "--", *slower, f"{big}/", tmp_path / "dst")
    shown = wait_for(lambda: [live for live in status()["runs"] if live["files_done"]], what="files")[0]
    assert (shown["engine"], shown["repository"], shown["bytes_total"]) == ("rsync", str(tmp_path / "dst"), None)
    assert (shown["files_total"], shown["phase"]) == (26, "copying")
    assert shown["bytes_done"]
    run.kill()
    run.wait()
    wait_for(lambda: not status()["runs"], what="the end")
    ended = wait_for(lambda: [newest for newest in (status()["last"],) if newest], what="the record")[0]
    assert (ended["outcome"], ended["inferred"], ended["files"]) == ("succeeded", True, 20)
    tracker.terminate()
    tracker.wait()


def _engine(places: Places) -> int:
    """Wait until rsync copies, and return its first process."""
    wait_for(lambda: b"% " in _said(places), what="progress")
    return engine_pid(places)


def _said(places: Places) -> bytes:
    """Return rsync's output so far."""
    return b"".join(
        path.read_bytes() for folder in runs.live(places) for path in folder.path.glob("*") if path.is_file()
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_was_asked_for_is_a_cancel(big: Path, tmp_path: Path, places: Places, number: int) -> None:
    """systemctl stop and Ctrl-C end it with rsync's own exit code."""
    run = start("run", "--", *SLOW, f"{big}/", tmp_path / "dst", stderr=subprocess.PIPE)
    _engine(places)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 20
    assert b"code 20" in err
    assert last()["outcome"] == "cancelled"


def test_a_killed_rsync_is_a_failure(big: Path, tmp_path: Path, places: Places) -> None:
    """The system killed rsync (out of memory); the user did not cancel it."""
    run = start("run", "--", *SLOW, f"{big}/", tmp_path / "dst", stderr=subprocess.DEVNULL)
    os.kill(_engine(places), signal.SIGKILL)
    assert run.wait(timeout=60) == -signal.SIGKILL
    assert last()["outcome"] == "failed"


def test_a_file_that_vanishes_is_a_warning(big: Path, tmp_path: Path, places: Places) -> None:
    """The copy lacks a file that vanished after rsync had listed it."""
    run = start("run", "--", *SLOW, f"{big}/", tmp_path / "dst", stderr=subprocess.PIPE)
    _engine(places)
    (big / "d4/file19").unlink()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 24
    assert err.startswith(b"file has vanished: ")
    assert (last()["outcome"], last()["errors"]) == ("warning", 1)
    assert "d4/file19" in last()["reason"]


def test_a_full_disk_is_a_failure_that_says_so(big: Path, tmp_path: Path) -> None:
    """rsync ends with exit code 11, and the reason names the full disk."""
    full = tmp_path / "full"
    full.mkdir()
    mount = f"mount -t tmpfs -o size=1m,mode=777 tmpfs {full}"
    done = subprocess.run(
        mounted(mount, *TRAY, "run", "--", "rsync", "-a", f"{big}/", f"{full}/x"), capture_output=True, check=False
    )
    assert done.returncode == 11
    assert b"No space left on device" in done.stderr
    assert last()["outcome"] == "failed"
    assert "no space left" in last()["reason"]
