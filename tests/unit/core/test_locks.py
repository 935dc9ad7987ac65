"""Locks on files, also where the file system knows none."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tray import ipc, runs
from tray.audit import database
from tray.cli import main as program
from tray.core import locks
from tray.core.errors import AuditUnavailableError, TrackerGoneError
from tray.core.locks import FileLock
from tray.core.paths import Places, private
from tray.icon import launch


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system on which flock(2) answers ENOLCK, as NFS without its lock daemon."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_lock_that_is_taken_is_taken(tmp_path: Path) -> None:
    """The one answer that means so."""
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.acquire()
    assert not other.acquire()
    assert locks.is_held(tmp_path / "lock")
    one.release()
    assert other.acquire()
    other.release()
    assert not locks.is_held(tmp_path / "lock")


def test_where_locks_do_not_work_nobody_is_taken_for_the_holder(tmp_path: Path, no_locks: None) -> None:
    """It is an error with the file's name, not "another process has it", and no descriptor is left open."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="lock") as caught:
        FileLock(tmp_path / "lock").acquire()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOLCK, str(tmp_path / "lock"))
    assert locks.is_held(tmp_path / "lock"), "who cannot know must not call a run lost"
    assert not locks.is_held(tmp_path / "lock", unknown=False)
    assert len(os.listdir("/proc/self/fd")) == before


def test_where_locks_do_not_work_a_tracker_says_so(
    places: Places, no_locks: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """It once ended silently with exit code 0, as if another one ran."""
    assert program.main(["tracker"]) == 2
    said = capsys.readouterr()
    assert "running already" not in said.out
    assert "tracker.lock" in said.err
    with pytest.raises(TrackerGoneError) as caught:
        ipc.Client(places, "cli")
    assert not caught.value.there


def test_where_locks_do_not_work_the_icon_comes_all_the_same(places: Places, no_locks: None) -> None:
    """A second icon is better than none."""
    assert launch._claim(places) is not None


def test_where_locks_do_not_work_a_run_has_no_folder_there(places: Places, no_locks: None) -> None:
    """Otherwise its folder would look alive for ever, and no process could close it."""
    info = runs.RunInfo("0190aaaa", "home", "restic", "backup", 1, "boot", runs.Process(1, "1"))
    assert runs.create(places, info) == (None, False)
    assert list(runs.live(places)) == []


def test_where_locks_do_not_work_the_audit_log_says_so(places: Places, no_locks: None) -> None:
    """At once, with the reason."""
    with pytest.raises(AuditUnavailableError) as caught, database.creation_lock(private(places.state), 5):
        pass
    assert "cannot be locked" in caught.value.why
