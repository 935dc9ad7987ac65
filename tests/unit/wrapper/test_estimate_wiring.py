"""From engine and audit log to the picture that everybody sees: what a live run says of its end."""

import pytest

from tests.unit.audit.help import end, writer
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import LiveRun, Outcome, Phase
from tray.core.paths import Places
from tray.core.redact import Redactor
from tray.engines.base import Progress
from tray.runs import Process, RunInfo
from tray.wrapper import live_state
from tray.wrapper.estimate import Past
from tray.wrapper.live_state import LiveState

NIGHT = {"duration_ms": 60_000, "files": 1000, "bytes_processed": 5000, "bytes_added": 100}


def info(job: str = "home", engine: str = "restic", kind: str = "backup") -> RunInfo:
    """A run that has just begun."""
    return RunInfo("run", job, engine, kind, 0, "boot", Process(1, 1))


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(clock, "monotonic", lambda: self.now)


def picture(phase: Phase = Phase.SCANNING) -> LiveState:
    """The live state of a run that has just begun."""
    return LiveState(LiveRun("run", "home", "restic", 0, phase=phase), Redactor((), {}))


def test_earlier_runs_come_from_the_audit_log(places: Places) -> None:
    """The last ten that ended well, the newest first, less their pauses; failures tell nothing of how long it takes."""
    with writer(places) as log:
        for seconds in range(1, 15):
            log.append([end(duration_ms=seconds * 1000, files=seconds, bytes_processed=1, bytes_added=2)])
        log.append([end(outcome=Outcome.FAILED, duration_ms=1)])
        log.append([end(job="other", duration_ms=2)])
        log.append([end(outcome=Outcome.WARNING, duration_ms=50_000, body={"reason": "x", "paused_seconds": 5})])
    known = live_state.earlier_runs(places, info())
    assert known == (Past(45.0), *(Past(float(seconds), seconds, 1, 2) for seconds in range(14, 5, -1)))


def test_runs_of_another_engine_or_kind_are_no_measure(places: Places) -> None:
    """Who changes the engine of a job begins anew; what only looks is not estimated at all."""
    with writer(places) as log:
        log.append([end(**NIGHT)])
    assert len(live_state.earlier_runs(places, info())) == 1
    assert live_state.earlier_runs(places, info(engine="borg")) == ()
    assert live_state.earlier_runs(places, info(kind="check")) == ()
    assert live_state.earlier_runs(places, info(kind="other")) == ()


def test_what_copies_only_is_marked(places: Places) -> None:
    """rclone's figures are of what it copied."""
    with writer(places) as log:
        log.append([replace(end(job="cloud", **NIGHT), engine="rclone")])
    assert [one.copied for one in live_state.earlier_runs(places, info("cloud", "rclone"))] == [True]


def test_no_log_and_a_damaged_log_are_no_past(places: Places) -> None:
    """An estimate is a convenience: no run fails or waits for it."""
    assert live_state.earlier_runs(places, info()) == ()
    places.state.mkdir(parents=True, exist_ok=True)
    places.audit_db.write_bytes(b"garbage" * 1000)
    assert live_state.earlier_runs(places, info()) == ()


def test_a_run_is_shown_with_totals_of_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """borg does not count first: total, percentage and time left are those of the last run, and marked so."""
    at, seen = Clock(monkeypatch), picture()
    seen.know([Past(60, 1000, 5000, 100)])
    assert (seen.live.bytes_total, seen.live.totals_are_estimate, seen.live.fraction) == (5000, True, None)
    at.now += 1
    seen.event(Progress(Phase.COPYING, files_done=200, bytes_done=1000))
    assert (seen.live.files_total, seen.live.totals_are_estimate, seen.live.fraction) == (1000, True, 0.2)
    assert (seen.live.eta_seconds, seen.live.eta_is_estimate) == (59, True)
    seen.event(Progress(Phase.COPYING, files_done=1001, bytes_done=5001))
    assert seen.live.fraction == 0.99


def test_the_engines_own_time_left_counts_only_where_nothing_else_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """duplicity tells a time and no total; restic's time is off by half in the first seconds, so it is not shown."""
    at, seen = Clock(monkeypatch), picture()
    for second in range(12):  # like any other prediction, it must be steady before it is shown
        seen.event(Progress(Phase.COPYING, bytes_done=10, eta_seconds=77 - second))
        at.now += 1
    assert (seen.live.eta_seconds, seen.live.eta_is_estimate) == (66, True)
    seen.event(Progress(Phase.COPYING, bytes_done=20, bytes_total=100, eta_seconds=5000))
    assert seen.live.eta_seconds is not None
    assert seen.live.eta_seconds < 100


def test_time_passes_without_a_word_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dump that says nothing comes nearer to its end all the same; nothing changes where nothing is known."""
    at, silent, dump = Clock(monkeypatch), picture(Phase.COPYING), picture(Phase.COPYING)
    before = silent.live
    dump.know([Past(60), Past(61)])
    for _ in range(30):
        at.now += 1
        silent.tick(at.now)
        dump.tick(at.now)
    assert silent.live is before
    assert dump.live.eta_seconds == 30
    dump.tick(at.now, paused=True)
    assert dump.live.eta_seconds is None


def test_reading_the_past_is_quick(places: Places) -> None:
    """One look in an index, however long the log is."""
    with writer(places) as log:
        log.append([end(**NIGHT) for _ in range(50)])
        connection, asked = log._live(), []
        connection.set_trace_callback(asked.append)
        assert len(log.good_ends("home", 3)) == 3
        connection.set_trace_callback(None)
        plans = [connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall() for query in asked if "entries" in query]
        steps = " ".join(step[3] for plan in plans for step in plan)
        assert "SEARCH" in steps
        assert "SCAN" not in steps
        assert "TEMP B-TREE" not in steps
