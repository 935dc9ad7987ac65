"""Many processes write one audit log while others close, prune, verify and export it and change its key; and clocks go wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import CHECKOUT
from tests.unit.audit.help import end, start
from tests.unit.audit.tiles_check import holds
from tray.audit import segments, spool, tlog
from tray.audit.entry import Action
from tray.audit.store import AuditLog
from tray.audit.verify.check import Result, verify
from tray.baselines import all_copies
from tray.core import clock
from tray.core.paths import Places

WRITERS, RECORDS = 8, 40
YEAR = 365 * clock.DAY_MS

_WRITE = f"""
import sys
from tests.unit.audit.help import end, start
from tray.audit import spool
from tray.core.paths import places
for number in range({RECORDS}):
    run = f"{{sys.argv[1]}}-{{number}}"
    for draft in (start(run), end(run)):
        assert spool.record(places(), [draft], timeout=60) is not None, run
        print(draft.id)
"""

_DISTURB = """
import sys
from pathlib import Path
from tray.core import clock
from tray.audit import rotation, segments, tlog
from tray.baselines import all_copies
from tray.audit.store import AuditLog
from tray.audit.verify.verdict import Result; from tray.baselines import recorded_check
from tray.core.paths import places
here, rounds = places(), 0
print("ready", flush=True)
while not Path(sys.argv[1]).exists():
    rounds += 1
    with AuditLog.open(here.audit_db, here.audit_key, timeout=60, copies=here.baselines) as log:
        segments.rotate(log, 256)
        tlog.export(log, Path(sys.argv[2]), details=True)
    segments.prune(here, 365 * clock.DAY_MS, all_copies.notes(here), most=1, timeout=60)
    rotation.rotate(here, timeout=60)
    verdict = recorded_check.check(here, incremental=rounds % 2 == 0, timeout=60)
    assert verdict.result is Result.INTACT, verdict.why
print(rounds)
"""


def verified(places: Places) -> str:
    """Verify with the copies beside the configuration; return the verdict."""
    near = all_copies.notes(places)
    verdict = verify(places.audit_db, places.audit_key, kept=near, pinned=all_copies.pinned(places))
    assert verdict.result is Result.INTACT, verdict.why
    return verdict.result.value


def python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start *code* in a Python of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def aged(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log with 1,000 entries of three years ago."""
    now = clock.now_ms()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: now - 3 * YEAR)
        with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
            log.append([draft for number in range(500) for draft in (start(f"old-{number}"), end(f"old-{number}"))])


def test_eight_writers_are_not_disturbed_by_closing_pruning_exporting_and_a_new_key(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No record fails, waits or is there twice; the log has no gap; log and export verify at every moment."""
    aged(places, monkeypatch)
    stop, out = tmp_path / "stop", tmp_path / "out"
    disturber = python(_DISTURB, stop, out)
    assert disturber.stdout is not None
    assert disturber.stdout.readline() == "ready\n"
    writers = [python(_WRITE, f"writer-{number}") for number in range(WRITERS)]
    acknowledged = []
    for writer in writers:
        said, complaint = writer.communicate(timeout=120)
        assert writer.returncode == 0, complaint
        acknowledged += said.split()
    stop.touch()
    said, complaint = disturber.communicate(timeout=120)
    assert disturber.returncode == 0, complaint
    assert int(said) >= 2
    assert len(acknowledged) == 2 * WRITERS * RECORDS
    with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
        first, size = log.start(), log.head()[0]
        entries = log.entries(0, 10_000)
        tlog.export(log, out, details=True)
        assert first >= 256
        assert [entry.seq for entry in entries] == list(range(first, size))
        ids = [entry.data["id"] for entry in entries]
        assert [ids.count(run) for run in acknowledged] == [1] * len(acknowledged)
        changes = [entry.data["result"] for entry in entries if entry.data["action"] == Action.KEY_ROTATED]
        assert set(changes) == {"rotated"}
        assert holds(out, first, size, log.head()[1])
        assert len(segments.closed(log)) >= 3
    assert spool.pending(places) == []
    assert verified(places) == "intact"


def test_a_clock_that_is_set_back_or_ahead_costs_no_record(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year ahead, back again, a day back: entries keep their order, the newest run is the last one, and all verifies."""
    now = clock.now_ms()
    for number, ahead in enumerate((0, YEAR, 0, -clock.DAY_MS, 0)):
        with monkeypatch.context() as patch:
            patch.setattr(clock, "now_ms", lambda ahead=ahead, number=number: now + ahead + number * 1000)
            spool.keep(places, [end(f"waited-{number}")])
            assert spool.record(places, [start(f"run-{number}"), end(f"run-{number}", job="other")]) is not None
            assert verified(places) == "intact"
            with AuditLog.read(places.audit_db) as log:
                (other,) = [job for job in log.jobs() if job.job == "other"]
                assert other.last.run == f"run-{number}"
    with AuditLog.read(places.audit_db) as log:
        assert len({run.run for run in log.history(100)}) == 10
