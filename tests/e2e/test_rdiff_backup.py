"""rdiff-backup under watch: real repositories, the caller's output, and the record."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import TRAY, engine_pid, last, make_tree, start, status, tray
from tests.e2e.twins import READS_NO_MORE, Ran, Twins, make_twins
from tests.mounts import mounted
from tests.waiting import wait_for
from tray.core.paths import Places


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    """Two folders with the same files."""
    return make_twins(tmp_path)


SCENARIOS = {
    "first": (["backup", "source", "repository"], "succeeded"),
    "old form": (["source", "repository2"], "succeeded"),
    "odd names": (["backup", "odd", "repository3"], "succeeded"),
    "own statistics": (["backup", "--print-statistics", "odd", "repository4"], "succeeded"),
    "source missing": (["backup", "missing", "repository"], "failed"),
    "no repository": (["backup", "odd", "source"], "failed"),
    "wrong flag": (["backup", "--no-such-flag", "source", "repository"], "failed"),
}


def test_the_caller_sees_the_output_of_bare_rdiff_backup(twins: Twins) -> None:
    """The caller does not see the statistics that the wrapper asks for: both streams and the exit code are the same."""
    for job, (arguments, _) in SCENARIOS.items():
        bare, wrapped = (_without_figures(ran) for ran in twins.run("rdiff-backup", *arguments, job=job))
        assert wrapped == bare, job
    ended = {job["job"]: job["last"] for job in status()["jobs"]}
    assert {job: run["outcome"] for job, run in ended.items()} == {job: want for job, (_, want) in SCENARIOS.items()}
    assert (ended["first"]["bytes_processed"], ended["first"]["files"]) == (36_000, 18)
    assert "does not exist" in ended["source missing"]["reason"]
    assert "no rdiff-backup repository" in ended["no repository"]["reason"]


def test_the_repository_is_as_without_the_wrapper(twins: Twins) -> None:
    """An incremental backup under watch can be verified and restored, and an odd name comes back."""
    first = ["rdiff-backup", "--current-time", "1700000000", "backup", "odd", "r"]
    twins.each(lambda folder: subprocess.run(first, cwd=folder, check=True))
    twins.each(lambda folder: (folder / "odd/more").write_text("more"))
    backup = twins.run("rdiff-backup", "-v5", "backup", "odd", "r")
    assert [ran.code for ran in backup] == [0, 0]
    assert b"Session statistics" not in backup[1].out
    for job, arguments in (("check", ("verify", "r")), ("back", ("restore", "r", "back"))):
        assert tray("run", "--job", job, "--", "rdiff-backup", *arguments, cwd=twins.wrapped).returncode == 0
    assert _names(twins.wrapped / "back") == _names(twins.wrapped / "odd")
    assert {job["job"]: (job["last"]["kind"], job["last"]["outcome"]) for job in status()["jobs"]} == {
        "home": ("backup", "succeeded"),
        "check (check)": ("check", "succeeded"),
        "back (restore)": ("restore", "succeeded"),
    }


def test_files_that_cannot_be_read_are_a_warning_with_their_names(twins: Twins) -> None:
    """rdiff-backup ends with exit code 0 without them; its warnings and its own count name the missing files."""
    bare, wrapped = twins.run(*READS_NO_MORE, "rdiff-backup", "backup", "shut", "repository")
    assert wrapped == bare
    # The owner's rdiff-backup gives itself the right to read a file, but not to list a folder; root's never had to.
    shut = ["shut/d1/file1", "shut/d2"] if os.geteuid() == 0 else ["shut/d2"]
    assert (wrapped.code, wrapped.err.count(b"ListError")) == (0, len(shut))
    ended = last()
    assert (ended["outcome"], ended["errors"]) == ("warning", len(shut))
    assert f"{shut[0]} (Permission denied)" in ended["reason"]


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A tree that takes some seconds."""
    return make_tree(tmp_path / "big", files=500, size=1000)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_was_asked_for_is_a_cancel(tmp_path: Path, places: Places, number: int) -> None:
    """systemctl stop and Ctrl-C end rdiff-backup as without us: with exit code 1."""
    big = make_tree(tmp_path / "big", files=4000, size=1000)
    run = start("run", "--", "rdiff-backup", "backup", big, tmp_path / "r", stderr=subprocess.PIPE)
    _engine(places, tmp_path / "r")
    run.send_signal(number)
    assert b"SignalException" in run.communicate(timeout=60)[1]
    assert run.returncode == 1
    assert last()["outcome"] == "cancelled"


def test_a_killed_run_is_a_failure_and_the_next_one_a_warning(tmp_path: Path, places: Places) -> None:
    """rdiff-backup undoes a killed incremental backup at its next run, and says so with exit code 2."""
    big, repository = make_tree(tmp_path / "big", files=150, size=1000), tmp_path / "r"
    subprocess.run(["rdiff-backup", "--current-time", "1700000000", "backup", big, repository], check=True)
    for path in big.rglob("file*"):
        path.write_bytes(b"other" * 500)
    run = start("run", "--", "rdiff-backup", "backup", big, repository)
    wait_for(lambda: len(list(repository.glob("rdiff-backup-data/increments/d0/*"))) > 2, what="an increment")
    os.kill(engine_pid(places), signal.SIGKILL)
    assert run.wait(timeout=60) == -signal.SIGKILL
    assert last()["outcome"] == "failed"
    again = start("run", "--", "rdiff-backup", "backup", big, repository, stderr=subprocess.DEVNULL)
    assert again.wait(timeout=60) == 2
    assert last()["outcome"] == "warning"
    assert "regressing" in last()["reason"]


def test_a_full_disk_is_a_failure(big: Path, tmp_path: Path) -> None:
    """A backup that did not fit on the disk is a failure."""
    full = tmp_path / "full"
    full.mkdir()
    mount = f"mount -t tmpfs -o size=1m,mode=777 tmpfs {full}"
    command = mounted(mount, *TRAY, "run", "--", "rdiff-backup", "backup", str(big), f"{full}/r")
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode not in (0, 2)
    assert last()["outcome"] == "failed"


def _without_figures(ran: Ran) -> Ran:
    """Drop text that differs from run to run: the figures of statistics that the user asked for."""
    return Ran(ran.code, re.sub(rb"(?m)^(\w+) [\d.]+( \(.*\))?$", rb"\1 #", ran.out), ran.err)


def _names(folder: Path) -> set[bytes]:
    return {name for name in os.listdir(os.fsencode(folder)) if name != b"rdiff-backup-data"}


def _engine(places: Places, repository: Path) -> int:
    """Wait until the engine copies."""
    wait_for((repository / "d0").is_dir, what="the first folder in the repository")
    return engine_pid(places)
