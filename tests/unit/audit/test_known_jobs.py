"""Histories and good runs, read again in part: a reader that has followed the log knows the same as one that has just come."""

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.audit.attacks import places_in
from tests.unit.audit.help import end, start, tamper, writer
from tray.audit.entry import Action, Draft
from tray.audit.search import good_runs
from tray.audit.search.good_runs import GoodRuns, Known
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.model import Outcome
from tray.core.paths import Places

HOUR = 3_600_000
JOBS = (("home",), ("photos",), ("home", "photos"), ("nothing",))


def fresh(places: Places) -> tuple[object, object]:
    """Return all that a reader knows who has just opened the log."""
    with AuditLog.read(places.audit_db) as log:
        return log.known_jobs(), log.good_runs(JOBS)


@pytest.fixture
def log(places: Places) -> Iterator[AuditLog]:
    """Return a log that stays open for reading, with two runs in it."""
    with writer(places) as appending:
        appending.append([start("a"), end("a"), start("b", "photos"), end("b", "photos", Outcome.FAILED)])
    with AuditLog.read(places.audit_db) as reading:
        reading.known_jobs()
        reading.good_runs(JOBS)
        yield reading


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["home", "photos", "mail"]),
        st.sampled_from([*Outcome, "start", "closed", "seen", "forgotten"]),
        st.sampled_from(["backup", "check"]),
        st.integers(-400 * HOUR, HOUR),
    ),
    min_size=1,
    max_size=12,
)


def _draft(number: int, step: tuple[str, object, str, int], open_runs: list[str]) -> Draft:
    job, how, kind, at = step
    time_ms = clock.now_ms() + at
    if how in ("seen", "forgotten"):
        action = Action.JOB_SEEN if how == "seen" else Action.JOB_FORGOTTEN
        return Draft(action, time_ms=time_ms, job=job, kind=kind if number % 2 else None)
    if how == "start":
        open_runs.append(f"open-{number}")
        return start(open_runs[-1], job, time_ms=time_ms)
    if how == "closed":
        run = open_runs.pop(0) if open_runs else f"closed-{number}"
        return end(run, job, Outcome.LOST, action=Action.RUN_CLOSED, time_ms=time_ms)
    return end(f"run-{number}", job, Outcome(str(how)), time_ms=time_ms, duration_ms=HOUR + number)


@settings(max_examples=40, deadline=None)
@given(steps=_STEPS, apart=st.integers(1, 4))
def test_a_reader_that_follows_the_log_knows_the_same_as_a_new_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object, str, int]], apart: int
) -> None:
    """Whatever comes, in whatever order of time, and however many entries at once."""
    places = places_in(tmp_path_factory.mktemp("log"))
    open_runs: list[str] = []
    drafts = [_draft(number, step, open_runs) for number, step in enumerate(steps)]
    with writer(places) as appending, AuditLog.read(places.audit_db) as reading:
        for begin in range(0, len(drafts), apart):
            appending.append(drafts[begin : begin + apart])
            assert (reading.known_jobs(), reading.good_runs(JOBS)) == fresh(places)


def test_a_new_entry_has_only_its_own_job_judged_again(
    places: Places, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fifty jobs and a million entries that is the difference between a millisecond and a third of a second."""
    from tray.audit.search import jobs

    judged: list[str] = []
    real = jobs._job
    monkeypatch.setattr(jobs, "_job", lambda *given: judged.append(given[3]) or real(*given))
    with writer(places) as appending:
        appending.append([start("c"), end("c", outcome=Outcome.FAILED)])
    assert [job.last.run for job in log.jobs()] == ["c", "b"]
    assert judged == ["home"]


def test_everything_is_read_anew_after_the_clock_was_set(
    places: Places, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry of before may have been made with a clock that was ahead, which only now shows."""
    with writer(places) as appending:
        now = clock.now_ms()
        with monkeypatch.context() as patch:
            patch.setattr(clock, "now_ms", lambda: now + 400 * 24 * HOUR)
            appending.append([start("ahead", "photos"), end("ahead", "photos")])
            assert log.known_jobs() == fresh(places)[0]
        appending.append([start("c"), end("c")])
    assert log.known_jobs() == fresh(places)[0]
    assert {job.job: job.dated for job in log.jobs()}["photos"] is False


def test_an_entry_that_was_altered_in_its_place_is_not_hidden_by_what_was_known(places: Places, log: AuditLog) -> None:
    """Nothing new came, so everything is read again."""
    assert [job.last.outcome for job in log.jobs()] == [Outcome.SUCCEEDED, Outcome.FAILED]
    tamper(
        places,
        'UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), \'"result":"failed"\', \'"result":"succeeded"\') AS BLOB)',
    )
    assert [job.last.outcome for job in log.jobs()] == [Outcome.SUCCEEDED, Outcome.SUCCEEDED]


def test_a_log_in_the_place_of_another_one_is_read_anew(places: Places, log: AuditLog) -> None:
    """Its entries have the same numbers."""
    other = places.audit_db.with_name("other")
    other.mkdir(mode=0o700)
    with AuditLog.open(other / "audit.db", other / "audit.key") as appending:
        appending.append(
            [start("x", "mail"), end("x", "mail"), start("y", "mail"), end("y", "mail"), start("z", "mail")]
        )
        appending.flush()
    for leftover in places.state.glob("audit.db-*"):
        leftover.unlink()
    (other / "audit.db").replace(places.audit_db)
    assert [job.job for job in log.jobs()] == ["mail"]
    assert [len(known.runs) for known in log.good_runs([("home",), ("mail",)])] == [0, 2]


def test_good_runs_have_begin_and_end_in_the_order_of_recording(places: Places) -> None:
    """Warnings made a backup too; failures, checks and what a user stopped did not."""
    now = clock.now_ms()
    with writer(places) as log:
        for number, outcome in enumerate(Outcome):
            log.append([end(f"r{number}", outcome=outcome, time_ms=now - HOUR + number, duration_ms=1000)])
        log.append([end("check", kind="check", time_ms=now, duration_ms=1)])
        (known,) = log.good_runs([("home",)])
        assert known.runs == ((now - HOUR - 1000, now - HOUR), (now - HOUR - 999, now - HOUR + 1))
        assert known.first_ms == now - HOUR
        assert log.good_runs([("home",)], "check") == [Known(((now - 1, now),), now)]


def test_nothing_is_learnt_from_a_run_with_an_impossible_time(places: Places) -> None:
    """One from the future, one before 2020, and some of a clock that was ahead for a while."""
    now, day = clock.now_ms(), 24 * HOUR
    times = [
        now - 20 * day,
        1000,
        now - 19 * day,
        now - 2 * day,
        now - 3 * day,
        now - 18 * day,
        now - 17 * day,
        now + day,
    ]
    with writer(places) as log:
        log.append([end(f"r{number}", time_ms=at, duration_ms=0) for number, at in enumerate(times)])
        (known,) = log.good_runs([("home",)])
    assert [(now - ended) // day for _, ended in known.runs] == [20, 19, 18, 17]


def test_only_the_newest_runs_are_kept_and_the_old_ones_have_the_usual_duration(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that runs each minute costs no more than others."""
    monkeypatch.setattr(good_runs, "MOST", 6)
    monkeypatch.setattr(good_runs, "EXACT", 3)
    now = clock.now_ms()
    with writer(places) as log:
        log.append([end(f"r{at}", time_ms=now - 100_000 + at * 1000, duration_ms=at) for at in range(10)])
        (known,) = log.good_runs([("home",)])
        assert [ended - begun for begun, ended in known.runs] == [8, 8, 8, 7, 8, 9]
        log.append([end("last", time_ms=now, duration_ms=20)])
        (known,) = log.good_runs([("home",)])
        assert [ended - begun for begun, ended in known.runs][-3:] == [8, 9, 20]
        assert len(known.runs) == 6


def test_runs_under_several_names_are_one_past(places: Places) -> None:
    """A job that was renamed keeps its rhythm."""
    now = clock.now_ms()
    with writer(places) as log:
        for at, job in enumerate(("old", "new", "old")):
            log.append([end(f"r{at}", job, time_ms=now - 9000 + at * 1000, duration_ms=0)])
        (known,) = log.good_runs([("new", "old")])
    assert [ended - now for _, ended in known.runs] == [-9000, -8000, -7000]
    assert known.first_ms == now - 9000


def test_a_quiet_reading_asks_no_index(places: Places, log: AuditLog) -> None:
    """The reader gives the same runs again."""
    good = GoodRuns()
    with sqlite3.connect(places.audit_db) as connection:
        good.refresh(connection)
        before = good.runs(connection, ("home",))
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        good.refresh(connection)
        assert good.runs(connection, ("home",)) is before
    connection.close()
    assert [query for query in asked if "INDEXED" in query] == []


def test_skipped_runs_are_counted_since_the_last_good_one_with_the_last_reason(places: Places) -> None:
    """They are no runs: neither good nor bad."""
    now = clock.now_ms()
    with writer(places) as log:
        for at, reason in ((-9000, "on battery"), (-3000, "on battery"), (-2000, "metered")):
            log.append([Draft(Action.RUN_SKIPPED, time_ms=now + at, result=reason, job="home", kind="backup")])
        (known,) = log.good_runs([("home",)])
        assert (known.runs, known.first_ms, known.skips, known.reason) == ((), now - 9000, 3, "metered")
        log.append([end("r", time_ms=now - 2500, duration_ms=0)])
        (known,) = log.good_runs([("home",)])
        assert (known.skips, known.reason) == (1, "metered")


def test_a_job_that_is_made_again_is_known_since_then(places: Places) -> None:
    """A job of that name that was made and removed long ago does not make it late on its first day."""
    now = clock.now_ms()
    with writer(places) as log:
        log.append([Draft(Action.CONFIG_CHANGED, time_ms=now - 300 * HOUR, result="changed", job="home")])
        log.append([Draft(Action.JOB_CREATED, time_ms=now - 300 * HOUR, job="home")])
        assert log.good_runs([("home",)])[0].first_ms == now - 300 * HOUR
        log.append([Draft(Action.JOB_CREATED, time_ms=now - HOUR, job="home")])
        log.append([Draft(Action.CONFIG_CHANGED, time_ms=now, result="changed", job="home")])
        assert log.good_runs([("home",)])[0].first_ms == now - HOUR
    with AuditLog.read(places.audit_db) as log:
        assert log.good_runs([("home",)])[0].first_ms == now - HOUR
