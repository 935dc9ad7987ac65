"""dar under watch: real archives, the caller's output, and the record."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import TRAY, engine_pid, last, make_tree, start, status, tray
from tests.e2e.twins import READS_NO_MORE, Twins, make_twins
from tests.mounts import mounted
from tests.waiting import wait_for
from tray.core.paths import Places

SCENARIOS = {
    "first": (("-c", "full", "-R", "source"), "succeeded"),
    "incremental": (("-c", "monday", "-A", "full", "-R", "source", "-z"), "succeeded"),
    "odd names": (("-Q", "-v", "-c", "odd-names", "-R", "odd"), "succeeded"),
    "not there": (("-c", "partial", "-R", "source", "-g", "d0", "-g", "gone"), "warning"),
    "exists": (("-c", "full", "-R", "source"), "failed"),
    "missing": (("-c", "none", "-R", "missing"), "failed"),
    "wrong flag": (("--no-such-flag", "-c", "none"), "failed"),
    "test": (("-t", "monday"), "succeeded"),
    "back": (("-x", "full", "-O", "-R", "shut/d0"), "succeeded"),  # without -O an ordinary user is asked about owners
}


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    """Two folders with the same files."""
    return make_twins(tmp_path)


def test_the_caller_sees_the_output_of_bare_dar(twins: Twins) -> None:
    """Both streams and the exit code are dar's own, and each recorded outcome is true."""
    for job, (arguments, _) in SCENARIOS.items():
        bare, wrapped = twins.run("dar", *arguments, job=job)
        assert _placeless(wrapped.out, twins) == _placeless(bare.out, twins), job
        assert (wrapped.code, _placeless(wrapped.err, twins)) == (bare.code, _placeless(bare.err, twins)), job
    ended = {job["job"].partition(" (")[0]: job["last"] for job in status()["jobs"]}
    assert {job: run["outcome"] for job, run in ended.items()} == {job: want for job, (_, want) in SCENARIOS.items()}
    assert ended["first"]["files"] == len(list((twins.wrapped / "source").rglob("*")))
    assert "exists already" in ended["exists"]["reason"]
    assert (ended["test"]["kind"], ended["back"]["kind"]) == ("check", "restore")


def test_files_that_cannot_be_read_are_a_warning_with_their_names(twins: Twins) -> None:
    """Also a folder, of which dar's exit code says nothing."""
    for job, folder, code in (("file", "shut/d1", 5), ("folder", "shut", 5)):
        bare, wrapped = twins.run(*READS_NO_MORE, "dar", "-Q", "-c", job, "-R", folder, job=job)
        assert (wrapped.code, bare.code) == (code, code)
    assert (last()["outcome"], last()["errors"]) == ("warning", 2)
    (twins.wrapped / "shut/d1/file1").chmod(0o600)
    again = (*READS_NO_MORE, "dar", "-Q", "-c", "again", "-R", "shut")
    assert tray("run", "--job", "home", "--", *again, cwd=twins.wrapped).returncode == 0
    assert (last()["outcome"], last()["errors"]) == ("warning", 1)
    assert "shut/d2" in last()["reason"]


def test_an_archive_in_a_pipe_comes_through(twins: Twins) -> None:
    """`dar -c - | …` passes on the bytes of the archive, and the wrapper reads the statistics on stderr."""
    command = [*TRAY, "run", "--", "dar", "-Q", "-c", "-", "-R", "source"]
    with (twins.wrapped / "piped.1.dar").open("wb") as archive:
        done = subprocess.run(command, cwd=twins.wrapped, stdout=archive, stderr=subprocess.PIPE, check=True)
    assert b"inode(s) saved" in done.stderr
    assert last()["outcome"] == "succeeded"
    subprocess.run(["dar", "-Q", "-t", "piped"], cwd=twins.wrapped, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("number", "outcome"),
    [(signal.SIGINT, "cancelled"), (signal.SIGTERM, "cancelled"), (signal.SIGKILL, "failed")],
)
def test_an_archive_that_was_stopped_is_no_success(
    tmp_path: Path, places: Places, number: signal.Signals, outcome: str
) -> None:
    """dar completes the archive with the files so far, which are not all."""
    big = make_tree(tmp_path / "big", files=40, size=1_000_000)
    command = ("dar", "-Q", "-zxz:9", "-c", tmp_path / "x", "-R", big)
    run = start("run", "--", *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for((tmp_path / "x.1.dar").exists, what="the archive")
    if number == signal.SIGKILL:
        os.kill(engine_pid(places), number)
    else:
        run.send_signal(number)
    assert run.wait(timeout=60) != 0
    assert last()["outcome"] == outcome


def test_a_full_disk_is_a_failure(tmp_path: Path) -> None:
    """dar asks whether to go on, and gets no answer."""
    big, full = make_tree(tmp_path / "big", files=3, size=1_000_000), tmp_path / "full"
    full.mkdir()
    mount = f"mount -t tmpfs -o size=1m,mode=777 tmpfs {full}"
    command = mounted(mount, *TRAY, "run", "--", "dar", "-Q", "-c", f"{full}/x", "-R", str(big))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 4
    assert "no space left" in last()["reason"]


def _placeless(text: bytes, twins: Twins) -> list[bytes]:
    """Return the lines without the folder of a twin, sorted: dar goes through a folder in the order of the disk."""
    for folder in (twins.bare, twins.wrapped):
        text = text.replace(os.fsencode(folder), b"HERE")
    return sorted(text.splitlines())
