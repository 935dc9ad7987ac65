"""Records that the log cannot take: kept, shown, appended later in order, exactly once."""

import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tests.unit.audit.help import end, python, start, writer
from tests.waiting import wait_for
from tray.audit import spool
from tray.audit.entry import Draft
from tray.audit.store import AuditLog
from tray.audit.verify.check import verify
from tray.core import clock, paths
from tray.core.errors import AuditUnavailableError
from tray.core.model import Outcome
from tray.core.paths import Places


def blocked(places: Places) -> Path:
    """Make a log that cannot be written: its key is unusable."""
    with writer(places):
        pass
    kept = places.audit_key.read_bytes()
    places.audit_key.write_text("no key")
    aside = places.state / "kept"
    aside.write_bytes(kept)
    return aside


def unblock(places: Places, aside: Path) -> None:
    """Give the log its key back."""
    places.audit_key.write_bytes(aside.read_bytes())


def runs(places: Places) -> list[str]:
    """The runs in the order of their entries."""
    with AuditLog.read(places.audit_db) as log:
        return [entry.data["run"] for entry in log.entries(0, 1000) if entry.data["run"]]


def test_a_record_goes_into_the_log(places: Places) -> None:
    """The usual case: made on first use, no spool."""
    assert spool.record(places, [start("a"), end("a")]) == [2, 3]
    assert spool.pending(places) == []
    assert not places.spools[0].exists()


def test_what_the_log_cannot_take_waits_and_is_appended_in_order(places: Places) -> None:
    """An unwritable log costs nothing but a delay: the records follow in order, before the next new one."""
    aside = blocked(places)
    assert spool.record(places, [start("a"), end("a")]) is None
    at = clock.now_ms()
    wait_for(lambda: clock.now_ms() > at)
    failed = end("b", outcome=Outcome.FAILED)
    assert spool.record(places, [failed]) is None
    assert [draft.action for draft in spool.pending(places)] == ["run.started", "run.finished", "run.finished"]
    assert spool.pending(places)[2] == failed
    unblock(places, aside)
    assert spool.record(places, [end("c")]) == [5]
    assert runs(places) == ["a", "a", "b", "c"]
    assert spool.pending(places) == []
    assert spool.drain(places) == 0


def test_drain_appends_all_that_waits(places: Places) -> None:
    """The tray drains as soon as the log can be written again."""
    aside = blocked(places)
    spool.record(places, [end("a")])
    with pytest.raises(AuditUnavailableError):
        spool.drain(places)
    assert len(spool.pending(places)) == 1
    unblock(places, aside)
    assert (spool.drain(places), spool.drain(places)) == (1, 0)
    assert runs(places) == ["a"]


def test_order_holds_across_folders(places: Places) -> None:
    """Records that fell into different folders come back by the time they were made."""
    aside = blocked(places)
    first, second, third = (end(name) for name in "abc")
    spool.record(places, [second])
    os.chmod(places.spools[0], 0o755)  # others may enter: not trusted any more
    spool.record(places, [first, third])
    assert sorted(len(list(folder.glob("*.json"))) for folder in places.spools[:2]) == [1, 2]
    os.chmod(places.spools[0], 0o700)
    unblock(places, aside)
    assert [draft.id for draft in spool.pending(places)] == sorted([first.id, second.id, third.id])
    assert spool.drain(places) == 3
    assert sorted(runs(places)) == ["a", "b", "c"]


def test_garbage_in_the_spool_is_kept_and_reported_and_blocks_nobody(places: Places) -> None:
    """A damaged record is set aside under another name; the others go on."""
    aside = blocked(places)
    spool.record(places, [end("a")])
    folder = places.spools[0]
    (folder / "0.json").write_bytes(b"\x00\xff{")
    (folder / "1.json").write_bytes(b"[" * 100_000)
    (folder / "2.json").write_bytes(end("other name").to_line())
    (folder / "half.tmp").write_bytes(b"{")
    (folder / "loop.json").symlink_to(folder / "loop.json")
    os.mkfifo(folder / "pipe.json")
    assert [draft.run for draft in spool.pending(places)] == ["a"]
    assert [path.name for path in spool.pending_bad(places)] == ["0.json", "1.json", "2.json"]
    unblock(places, aside)
    assert spool.drain(places) == 1
    assert [path.name for path in spool.pending_bad(places)] == ["0.json.bad", "1.json.bad", "2.json.bad"]
    assert (folder / "0.json.bad").read_bytes() == b"\x00\xff{"
    assert runs(places) == ["a"]


def test_half_written_files_are_cleared_a_day_later(places: Places) -> None:
    """The next record clears the rest of a writer that was killed while spooling, but not the file of a writer at work."""
    spool.record(places, [end("a")])
    folder = paths.private(places.spools[0])
    for name, age in (("old", 2 * clock.DAY_MS), ("new", 0)):
        file = folder / f".{name}.json.1.ff.tmp"
        file.write_bytes(b"{")
        os.utime(file, ns=((clock.now_ms() - age) * 1_000_000,) * 2)
    spool.record(places, [end("b")])
    assert [file.name for file in folder.iterdir()] == [".new.json.1.ff.tmp"]


def test_spool_files_of_others_are_not_believed(places: Places) -> None:
    """A folder that others can write could hold forged records; it is neither read nor written."""
    folder = places.spools[0]
    folder.mkdir(parents=True)
    forged = end("forged")
    (folder / f"{forged.id}.json").write_bytes(forged.to_line())
    for level, mode in ((folder, 0o777), (folder.parent, 0o777)):
        os.chmod(folder, 0o700)
        os.chmod(folder.parent, 0o700)
        os.chmod(level, mode)
        assert spool.pending(places) == []
    os.chmod(folder.parent, 0o700)
    assert [draft.run for draft in spool.pending(places)] == ["forged"]


def test_spooled_records_are_private(places: Places) -> None:
    """They hold paths and messages."""
    before = os.umask(0)
    try:
        blocked(places)
        spool.record(places, [end("a")])
    finally:
        os.umask(before)
    (file,) = places.spools[0].iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert places.spools[0].stat().st_mode & 0o777 == 0o700


_DRAIN = """
import sys
from tray.audit import spool
from tray.core.paths import places
print(spool.drain(places(), timeout=30))
"""


@pytest.mark.process
def test_concurrent_drainers_append_each_record_once(places: Places) -> None:
    """Tray, tracker and the next wrapper may all find the same spool at once."""
    aside = blocked(places)
    for number in range(40):
        spool.record(places, [end(f"r{number}")])
    unblock(places, aside)
    running = [subprocess.Popen([sys.executable, "-c", _DRAIN], stdout=subprocess.PIPE) for _ in range(5)]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 5, outputs
    assert runs(places) == [f"r{number}" for number in range(40)]
    assert verify(places.audit_db, places.audit_key).entries == 42
    assert list(places.spools[0].iterdir()) == []


_KILLED = """
import os, pathlib, signal
from tray.audit import spool
from tray.core.paths import places
pathlib.Path.unlink = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
spool.drain(places())
"""


@pytest.mark.process
def test_killed_between_commit_and_removal_appends_nothing_twice(places: Places) -> None:
    """The record is in the log and still in the spool: the next drain only removes it."""
    aside = blocked(places)
    spool.record(places, [start("a"), end("a")])
    unblock(places, aside)
    assert python(_KILLED).returncode == -signal.SIGKILL
    assert runs(places) == ["a", "a"]
    assert len(spool.pending(places)) == 2
    assert spool.record(places, [end("b")]) == [4]
    assert runs(places) == ["a", "a", "b"]
    assert spool.pending(places) == []


_APPENDING = """
import sys
from tests.unit.audit.help import end
from tray.audit import spool
from tray.core.paths import places
here = places()
for number in range(10_000):
    spool.record(here, [end(f"{sys.argv[1]}-{number}")])
    print(number, flush=True)
"""


@pytest.mark.process
def test_no_acknowledged_record_is_lost_to_kill_9(places: Places) -> None:
    """Writers are killed at any moment; what `record` returned from is there, and the log verifies."""
    told: set[str] = set()
    for name in range(6):
        with subprocess.Popen([sys.executable, "-c", _APPENDING, str(name)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3 + name * 2)]
            process.kill()
            lines += process.stdout.readlines()
        told |= {f"{name}-{line.decode().strip()}" for line in lines if line.endswith(b"\n")}
    assert told <= set(runs(places))
    verdict = verify(places.audit_db, places.audit_key)
    assert verdict.kind is None, verdict.why


def test_without_any_folder_the_record_goes_to_syslog_without_its_details(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last resort keeps outcome and run; what may be private stays out of a file that others read."""
    lines: list[str] = []
    fake = types.SimpleNamespace(
        LOG_USER=8, LOG_ERR=3, openlog=lambda *_: None, syslog=lambda _, line: lines.append(line)
    )
    monkeypatch.setattr(spool, "syslog", fake)
    monkeypatch.setattr(Places, "spools", property(lambda _: (Path("/proc/nowhere/spool"), Path("/dev/null/spool"))))
    blocked(places)
    assert spool.record(places, [end("a", outcome=Outcome.FAILED, body={"reason": "hush"})]) == []
    (line,) = lines
    draft = Draft.from_line(line.encode())
    assert (draft.run, draft.result, draft.body) == ("a", "failed", None)
    assert "hush" not in line


@pytest.mark.process
def test_a_missing_library_does_not_lose_the_record(places: Places) -> None:
    """Even a broken installation of SQLite leaves the outcome on record."""
    done = python(
        "import sys; sys.modules['_sqlite3'] = None\n"
        "from tray.audit import spool; from tray.audit.entry import Action, Draft; from tray.core.paths import places\n"
        "print(spool.record(places(), [Draft(Action.RUN_FINISHED, run='a', job='j', result='failed')]))"
    )
    assert done.stdout.strip() == "None", done.stderr
    assert [draft.run for draft in spool.pending(places)] == ["a"]


@pytest.mark.process
def test_recording_loads_no_cryptography(places: Places) -> None:
    """The package takes 9 ms and 5 MiB, which every wrapped backup would pay for two signatures."""
    done = python(
        "import sys; from tray.audit import spool; from tray.audit.entry import Action, Draft\n"
        "from tray.core.paths import places\n"
        "print(spool.record(places(), [Draft(Action.RECORDER_STARTED)]), 'cryptography' in sys.modules)"
    )
    assert done.stdout.strip() == "[2] False", done.stderr
