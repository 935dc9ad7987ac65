import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tray import runs
from tray.audit import spool
from tray.core import clock, locks
from tray.core.errors import RunNotFoundError
from tray.core.paths import Places
from tray.recording import close_lost, run_entries
from tray.runs import Process, RunFolder, RunInfo


def info(**changes: object) -> RunInfo:
    """Return what a wrapper writes about its run."""
    from tray.core.dataclass import replace

    mine = Process(os.getpid(), locks.process_start(os.getpid()))
    made = RunInfo(clock.new_id(), "home", "restic", "backup", clock.now_ms(), locks.boot_id(), mine)
    return replace(made, **changes)  # type: ignore[arg-type]


def created(places: Places, about: RunInfo) -> RunFolder:
    """Make a run folder."""
    folder, roomy = runs.create(places, about)
    assert folder is not None
    assert roomy
    return folder


def test_a_new_folder_is_locked_from_the_first_moment_it_is_seen(places: Places) -> None:
    """No process takes a run that just begins for a lost one."""
    about = info(command=("restic", "backup"), sources=("/home",), repository="/r")
    folder = created(places, about)
    assert [found.run for found in runs.live(places)] == [about.run]
    assert folder.wrapped
    assert folder.info() == about
    assert not FolderLock(folder).acquire()
    folder.lock.release()
    assert not folder.wrapped


def FolderLock(folder: RunFolder) -> locks.FileLock:  # noqa: N802 - reads like the class it makes
    """Another's attempt on the lock."""
    return locks.FileLock(folder.path / "lock")


def test_a_closed_run_keeps_its_log_and_nothing_else_that_grows(places: Places) -> None:
    """The spool goes, the log stays."""
    about = info()
    folder = created(places, about)
    folder.spool("out").write_text("x")
    folder.log.write_text("one\ntwo\n")
    folder.close()
    assert list(runs.live(places)) == []
    assert sorted(path.name for path in runs.find(places, about.run).path.iterdir()) == ["log", "run.json"]
    assert runs.read_log(places, about.run) == ("one\ntwo\n", 8)
    assert runs.read_log(places, about.run, 4) == ("two\n", 8)


def test_a_long_log_is_read_in_whole_lines(places: Places) -> None:
    """A window that reads in pieces never shows half a character."""
    about = info()
    folder = created(places, about)
    folder.log.write_text("grün\n" * 1000)
    text, offset, pieces = "", 0, 0
    while True:
        piece, after = runs.read_log(places, about.run, offset, limit=101)
        if after == offset:
            break
        assert piece.endswith("\n")
        text, offset, pieces = text + piece, after, pieces + 1
    assert text == "grün\n" * 1000
    assert pieces > 10
    folder.close()


def test_a_run_does_not_look_alive_again_while_somebody_closes_it(places: Places) -> None:
    """Who closes a run holds its lock, as its wrapper did; the run is over all the same."""
    folder = created(places, info(wrapper=Process(1, None)))
    assert folder.running(folder.info())
    folder.lock.release()
    assert not folder.running(folder.info())
    closer = RunFolder(folder.path)
    assert closer.lock.acquire()
    closer.mark_closing()
    assert not folder.running(folder.info())
    closer.close()
    assert sorted(path.name for path in runs.find(places, folder.run).path.iterdir()) == ["run.json"]


@pytest.mark.parametrize("bad", ["", "../../etc", "*", "zz", "01/02"])
def test_only_the_beginning_of_an_id_finds_a_run(places: Places, bad: str) -> None:
    """An id that a user types does not walk through the file system."""
    with pytest.raises(RunNotFoundError):
        runs.find(places, bad)


@pytest.mark.process
def test_a_run_goes_on_while_its_engine_does(places: Places) -> None:
    """With the wrapper dead, pid and start time in the same boot tell."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    about = runs.with_child(info(), child.pid)
    folder = created(places, about)
    folder.lock.release()
    assert folder.running(about)
    assert not folder.running(info(child=Process(child.pid, "another start")))
    assert not folder.running(info(child=about.child, boot="another boot"))
    child.communicate(b"\n")
    assert not folder.running(about)


def test_a_damaged_or_newer_run_file_is_refused(places: Places) -> None:
    """The reader refuses a file that it does not understand instead of guessing."""
    folder = created(places, info())
    good = json.loads((folder.path / "run.json").read_text())
    for text in ("", "[]", "{}", '{"schema": 99}', '{"schema": 1, "wrapper": 3}', "\xff"):
        (folder.path / "run.json").write_text(text, encoding="latin-1")
        with pytest.raises(ValueError):
            folder.info()
    for key, value in (("command", [1]), ("job", 5), ("kind", None), ("started_ms", "x"), ("repository", [1])):
        (folder.path / "run.json").write_text(json.dumps({**good, key: value}))
        with pytest.raises(ValueError):
            folder.info()
    folder.close()


def test_the_output_of_a_dead_wrapper_is_not_held_in_memory(places: Places) -> None:
    """A spool may be larger than the memory of the tray that looks at it."""
    about = info(command=("dump",), engine="command")
    folder = created(places, about)
    folder.spool("err").write_bytes((b"x" * 999 + b"\n") * 20_000)
    tracemalloc.start()
    try:
        close_lost.conclude(folder, about)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
        folder.close()


def test_a_root_without_room_gets_no_spool(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk under a spool would fail the backup; the folder alone is small."""
    monkeypatch.setattr(runs, "SPOOL_ROOM", 1 << 62)
    folder, roomy = runs.create(places, info())
    assert folder is not None
    assert (folder.path.parent.parent, roomy) == (places.runs, False)
    folder.close()


def test_the_next_root_serves_when_the_first_cannot(places: Places) -> None:
    """A file where our folder should be costs the run nothing."""
    places.state.mkdir(mode=0o700, parents=True)
    places.runs.write_text("in the way")
    folder = created(places, info())
    assert folder.path.parent.parent == places.run_roots[1]
    folder.close()


def test_an_unreadable_lock_counts_as_held(tmp_path: Path) -> None:
    """Who cannot know does not declare a run lost."""
    assert not locks.is_held(tmp_path / "missing")
    assert locks.is_held(tmp_path / ("x" * 300))


@pytest.mark.process
def test_a_process_is_told_from_its_successor() -> None:
    """A pid is used again; its start time is not."""
    me = locks.process_start(os.getpid())
    assert me is not None
    assert locks.process_start(2**22 + 1) is None
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert locks.process_start(child.pid) != me


def test_a_wrapper_that_was_killed_in_its_first_moment_leaves_beginning_and_end(places: Places) -> None:
    """The record has both, once each, whichever process writes them."""
    from tray.audit.store import AuditLog

    dead = Process(2**22 + 1, "1")
    for known in (False, True):
        folder = created(places, info(wrapper=dead))
        if known:
            spool.record(places, [run_entries.started(folder.info())])
        folder.lock.release()
        assert close_lost.close(places) == 1
        log = AuditLog.read(places.audit_db)
        actions = [entry.data["action"] for entry in log.entries() if entry.data["run"] == folder.run]
        log.close()
        assert actions == ["run.started", "run.closed"]
