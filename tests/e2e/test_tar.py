"""tar under watch: real archives, the caller's output, and the record."""

import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.e2e.program import TRAY, engine_pid, last, make_tree, start, status
from tests.e2e.twins import READS_NO_MORE, Ran, Twins, make_twins
from tests.mounts import mounted
from tests.waiting import wait_for
from tray import runs
from tray.core.paths import Places


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    """Two folders with the same files."""
    return make_twins(tmp_path)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A compressor that reads a part of the archive and waits for the file `open` before it reads on."""
    script = tmp_path / "gate"
    script.write_text(
        f"#!/bin/sh\nhead -c 12000000 >/dev/null\nuntil [ -e {tmp_path}/open ]; do sleep 0.02; done\ncat >/dev/null\n"
    )
    script.chmod(0o700)
    return script


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A tree that is larger than the gate lets through at once."""
    return make_tree(tmp_path / "big", files=8, size=3_000_000)


SCENARIOS = {
    "first": (["-cf", "a.tar", "source"], "succeeded"),
    "names": (["-cvf", "b.tar", "source"], "succeeded"),
    "old form": (["cvzf", "c.tgz", "source"], "succeeded"),
    "long form": (["--create", "--file=d.tar", "odd"], "succeeded"),
    "odd names": (["-cvf", "e.tar", "odd"], "succeeded"),
    "incremental": (["-cf", "f.tar", "--listed-incremental=state", "source"], "succeeded"),
    "own totals": (["-cf", "g.tar", "--totals", "source"], "succeeded"),
    "one source missing": (["-cf", "h.tar", "source", "missing"], "warning"),
    "source missing": (["-cf", "i.tar", "missing"], "failed"),
    "folder missing": (["-cf", "missing/a.tar", "source"], "failed"),
    "wrong flag": (["-cf", "j.tar", "--no-such-flag", "source"], "failed"),
}


def test_the_caller_sees_the_output_of_bare_tar(twins: Twins) -> None:
    """The caller does not see the totals that the wrapper asks for: both streams, the exit code and the archive are the same."""
    for job, (arguments, _) in SCENARIOS.items():
        bare, wrapped = (without_speed(ran) for ran in twins.run("tar", *arguments, job=job))
        assert wrapped == bare, job
    ended = {job["job"]: job["last"] for job in status()["jobs"]}
    assert {job: run["outcome"] for job, run in ended.items()} == {job: want for job, (_, want) in SCENARIOS.items()}
    assert all(run["bytes_processed"] > 0 for run in ended.values() if run["outcome"] == "succeeded")
    archives = sorted({path.name for path in twins.bare.glob("*.tar")} - {"f.tar"})  # an incremental one holds times
    assert len(archives) == 7
    for name in archives:
        assert (twins.wrapped / name).read_bytes() == (twins.bare / name).read_bytes()


def without_speed(ran: Ran) -> Ran:
    """Drop text that differs from run to run: the speed."""
    return Ran(ran.code, ran.out, re.sub(rb"[\d.]+[KMGT]?i?B/s", b"#", ran.err))


def test_the_output_is_the_same_with_one_stream(twins: Twins) -> None:
    """`2>&1` in a crontab keeps tar's own order."""
    bare, wrapped = twins.run("tar", "-cvf", "a.tar", "source", "missing", merged=True)
    assert wrapped == bare
    assert (twins.bare / "a.tar").read_bytes() == (twins.wrapped / "a.tar").read_bytes()
    assert last()["outcome"] == "warning"


def test_an_archive_on_stdout_is_not_touched(twins: Twins) -> None:
    """`tar c | ssh`: every byte of the archive goes where it went without us, and its size is on record."""
    bare, wrapped = twins.run("tar", "cv", "source")
    assert len(wrapped.out) > 10_240
    assert wrapped == bare
    assert (last()["outcome"], last()["bytes_processed"]) == ("succeeded", len(wrapped.out))


def test_without_a_look_at_stderr_nothing_is_asked_for(twins: Twins) -> None:
    """With --no-watch tar prints to the caller directly, so the wrapper adds no flag that makes tar print more."""
    done = subprocess.run(
        [*TRAY, "run", "--no-watch", "--", "tar", "c", "source"], cwd=twins.wrapped, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert last()["outcome"] == "succeeded"


def test_files_that_cannot_be_read_are_a_warning_with_their_names(twins: Twins) -> None:
    """The archive is there, without two things; tar's exit code 2 stays."""
    bare, wrapped = twins.run(*READS_NO_MORE, "tar", "-cf", "a.tar", "shut")
    assert wrapped == bare
    assert wrapped.code == 2
    assert (last()["outcome"], last()["errors"]) == ("warning", 2)
    assert "shut/d" in last()["reason"]


def test_progress_is_how_much_was_written(big: Path, gate: Path, tmp_path: Path) -> None:
    """The status shows the bytes that tar has written, and no total, since tar does not know one."""
    tracker = start("tracker")
    run = start("run", "--", "tar", "-cf", tmp_path / "a.tar", "-I", gate, big)
    shown = wait_for(lambda: [live for live in status()["runs"] if live["bytes_done"]], what="progress")
    assert shown[0]["bytes_done"] >= 5_000_000
    assert (shown[0]["bytes_total"], shown[0]["phase"]) == (None, "copying")
    (tmp_path / "open").touch()
    assert run.wait(timeout=60) == 0
    assert last()["bytes_processed"] > 24_000_000
    tracker.terminate()
    tracker.wait()


def test_a_file_that_vanishes_is_a_warning(big: Path, gate: Path, tmp_path: Path, places: Places) -> None:
    """The archive lacks a file that vanished after tar had listed it."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for number, path in enumerate(sorted(big.rglob("file*"))):
        path.rename(folder / str(number))
    run = start("run", "--", "tar", "-cf", tmp_path / "a.tar", "-I", gate, "--sort=name", "-C", tmp_path, "flat")
    _engine(places)
    (folder / "7").unlink()
    (tmp_path / "open").touch()
    assert run.wait(timeout=60) == 1
    assert "removed before we read it" in last()["reason"]
    assert last()["outcome"] == "warning"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_was_asked_for_is_a_cancel(
    big: Path, gate: Path, tmp_path: Path, places: Places, number: int
) -> None:
    """systemctl stop and Ctrl-C end tar, and the wrapper dies of the same signal."""
    run = start("run", "--", "tar", "-cf", tmp_path / "a.tar", "-I", gate, big)
    _engine(places)
    run.send_signal(number)
    assert run.wait(timeout=60) == -number
    assert last()["outcome"] == "cancelled"
    (tmp_path / "open").touch()


def test_a_killed_tar_is_a_failure(big: Path, gate: Path, tmp_path: Path, places: Places) -> None:
    """The system killed tar (out of memory): a failure, although a part of the archive is there."""
    run = start("run", "--", "tar", "-cf", tmp_path / "a.tar", "-I", gate, big)
    os.kill(_engine(places), signal.SIGKILL)
    assert run.wait(timeout=60) == -signal.SIGKILL
    assert last()["outcome"] == "failed"
    (tmp_path / "open").touch()


def test_a_full_disk_is_a_failure_that_says_so(big: Path, tmp_path: Path) -> None:
    """An archive without its end is none."""
    full = tmp_path / "full"
    full.mkdir()
    mount = f"mount -t tmpfs -o size=1m,mode=777 tmpfs {full}"
    done = subprocess.run(
        mounted(mount, *TRAY, "run", "--", "tar", "-cf", f"{full}/a.tar", str(big)), capture_output=True, check=False
    )
    assert done.returncode == 2
    assert last()["outcome"] == "failed"
    assert "no space left" in last()["reason"]


def test_other_work_has_a_kind_of_its_own(twins: Twins) -> None:
    """An extraction or a comparison does not turn a job green whose backup failed."""
    twins.each(lambda folder: subprocess.run(["tar", "-cf", "good.tar", "source"], cwd=folder, check=True))
    twins.run("tar", "-cf", "a.tar", "missing")
    same = twins.run("tar", "-df", "good.tar", job="same")
    twins.each(lambda folder: (folder / "source/d1/file1").write_text("other"))
    differs = twins.run("tar", "-df", "good.tar", job="differs")
    back = twins.run("tar", "-xvf", "good.tar", job="back")
    assert [ran.code for ran in (*same, *differs, *back)] == [0, 0, 1, 1, 0, 0]
    assert all(bare == wrapped for bare, wrapped in (same, differs, back))
    assert {job["job"]: (job["last"]["kind"], job["last"]["outcome"]) for job in status()["jobs"]} == {
        "home": ("backup", "failed"),
        "same (check)": ("check", "succeeded"),
        "differs (check)": ("check", "warning"),
        "back (restore)": ("restore", "succeeded"),
    }


def _engine(places: Places) -> int:
    """Wait until the engine has written something, and return its process."""
    wait_for(lambda: any(runs.live(places)), what="the run")
    pid = engine_pid(places)
    wait_for(lambda: psutil.Process(pid).io_counters().write_chars > 5_000_000, what="the first megabytes")
    return pid
