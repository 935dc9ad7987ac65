"""The events that a status brings: stories of jobs, and random walks of their states."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.model import (
    CHECK,
    DRY_RUN,
    AuditStanding,
    EndedRun,
    Expected,
    Instance,
    JobHistory,
    JobStatus,
    Outcome,
    State,
    Status,
    Word,
)
from tray.core.model.events import Event, EventKind
from tray.core.model.expectation import Expectation
from tray.core.model.judge import judge, with_run
from tray.notify.news import Known, News, job_of, key

NOW = 1_796_000_000_000
F, W, D, B = EventKind.FAILURE, EventKind.WARNING, EventKind.OVERDUE, EventKind.BREACH
R, S, C = EventKind.RECOVERED, EventKind.SUCCESS, EventKind.CLEARED
ERROR = {"code": "X", "what": "It failed.", "why": "Why.", "next": "Next."}


def run(name: str, outcome: Outcome = Outcome.SUCCEEDED, at_ms: int = NOW, job: str = "home", **more: Any) -> EndedRun:
    """A run that has ended."""
    return EndedRun(name, job, "restic", outcome, at_ms - 1000, at_ms, **more)


def job(state: State, last: EndedRun | None, name: str = "home", **more: Any) -> JobStatus:
    """A job in a state."""
    return JobStatus(name, state, last, **more)


OK = run("ok", at_ms=NOW - DAY_MS)
BAD, WARNED = run("bad", Outcome.FAILED), run("warned", Outcome.WARNING)
FINE, FAILED = job(State.OK, OK), job(State.FAILED, BAD)
LATE = job(State.OVERDUE, OK, overdue_since_ms=NOW - DAY_MS, why="the arithmetic")


class Watcher:
    """Looks again and again, with a memory."""

    def __init__(self) -> None:
        self.memory: dict[str, Known] = {}
        self.looks = 0

    def look(self, *jobs: JobStatus, **more: Any) -> list[Event]:
        """Return the events that these jobs bring."""
        status = Status(State.NONE, NOW + self.looks * 60_000, jobs=jobs)
        return self.see(status, **more)

    def see(self, status: Status, **more: Any) -> list[Event]:
        """Return the events that *status* brings."""
        news = News(self.memory, status, looked_ms=NOW + max(0, self.looks - 1) * 60_000, **more)
        self.memory = {name: Known.from_json(known.to_json()) for name, known in news.memory.items()}
        self.looks += 1
        return news.events


def kinds(events: Sequence[Event]) -> list[EventKind | str]:
    """The kinds of *events*; "again" for a further bad run."""
    return ["again" if event.again else event.kind for event in events]


AGAIN = replace(FAILED, last=run("bad2", Outcome.FAILED))
STORIES: dict[str, list[tuple[JobStatus | None, list[EventKind | str]]]] = {
    "an old success at the first look is no news": [(FINE, []), (FINE, []), (job(State.OK, run("ok2")), [S])],
    "a success of this moment is, also at the first look": [(job(State.OK, run("ok2")), [S])],
    "a success that was recorded late": [(FINE, []), (job(State.OK, run("ok2", at_ms=NOW - DAY_MS)), [S])],
    "an old failure is news at the first look": [(FAILED, [F]), (FAILED, [])],
    "a failure, another one, a success": [(FAILED, [F]), (AGAIN, ["again"]), (job(State.OK, run("x")), [R])],
    "a failure whose acknowledgement takes it away": [(FAILED, [F]), (job(State.NONE, BAD, seen=True), [C])],
    "a failure of a job that is turned off": [(FAILED, [F]), (job(State.NONE, BAD), [C])],
    "a failure of a job that is forgotten": [(FAILED, [F]), (None, [C]), (FINE, []), (job(State.OK, run("x")), [S])],
    "a failure that a cancelled run follows": [
        (FAILED, [F]),
        (replace(FAILED, last=run("c", Outcome.CANCELLED), decides=BAD), []),
    ],
    "a first run that the user cancelled": [(None, []), (job(State.NONE, run("c", Outcome.CANCELLED)), [])],
    "a warning that becomes a failure": [(job(State.WARNING, WARNED), [W]), (FAILED, [F]), (FINE, [R])],
    "a failure that becomes a warning of another run": [
        (FAILED, [F]),
        (job(State.WARNING, run("u", Outcome.UNKNOWN)), ["again"]),
        (FINE, [R]),
    ],
    "a recovery with warnings, which the recovery tells": [
        (FAILED, [F]),
        (job(State.WARNING, WARNED), [R]),
        (job(State.WARNING, run("w2", Outcome.WARNING)), ["again"]),
        (FINE, [R]),
    ],
    "a recovery although the repository is in doubt": [
        (FAILED, [F]),
        (job(State.WARNING, OK, concern="It is locked."), [R, W]),
    ],
    "a success that is overdue again before the next look": [(FAILED, [F]), (LATE, [R, D])],
    "overdue, then a success": [(FINE, []), (LATE, [D]), (LATE, []), (job(State.OK, run("x")), [R])],
    "overdue, then a failure, then acknowledged": [
        (LATE, [D]),
        (FAILED, [F]),
        (job(State.NONE, BAD, seen=True), [C]),
        (job(State.OVERDUE, BAD, seen=True), [D]),
    ],
    "overdue, acknowledged, and overdue again before the next look": [(LATE, [D]), (replace(LATE, seen=True), [C, D])],
    "overdue while its run goes on": [
        (LATE, [D]),
        (job(State.RUNNING, OK), []),
        (job(State.OK, run("x")), [R]),
    ],
    "overdue, and its run fails": [(LATE, [D]), (job(State.RUNNING, OK), []), (FAILED, [F])],
    "a job that never ran": [(job(State.OVERDUE, None), [D]), (job(State.OVERDUE, None), []), (FINE, [R])],
    "a run that stands still, and goes on": [
        (FINE, []),
        (job(State.STALLED, OK, concern="No progress for 12 min."), [W]),
        (job(State.RUNNING, OK), []),
        (job(State.OK, run("x")), [R]),
    ],
    "a dry run that failed": [(job(State.FAILED, BAD, "home (dry-run)", kind=DRY_RUN), [])],
    "a run of another user": [(job(State.FAILED, run("bad", Outcome.FAILED, user="eve")), [])],
    "a check that failed": [(job(State.FAILED, BAD, "home (check)", kind=CHECK), [F])],
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story(story: str) -> None:
    """Each look tells only the events that are new."""
    watcher = Watcher()
    for number, (seen, expected) in enumerate(STORIES[story]):
        events = watcher.look(*() if seen is None else (seen,))
        assert kinds(events) == expected, f"look {number}"


def test_an_incident_has_one_id_from_its_begin_to_its_end() -> None:
    """Mails of one incident are one thread, and the end tells since when the job was not fine."""
    watcher = Watcher()
    (warned,) = watcher.look(job(State.WARNING, run("w", Outcome.WARNING, NOW - 7000)))
    (failed,) = watcher.look(FAILED)
    (again,) = watcher.look(AGAIN)
    (over,) = watcher.look(FINE)
    assert {event.incident for event in (warned, failed, again, over)} == {warned.id}
    assert {event.since_ms for event in (warned, failed, again, over)} == {NOW - 7000}
    assert over.facts["was"] == [W, F]


def test_an_event_has_the_id_of_its_entry_and_the_facts_of_its_run() -> None:
    """A mail and a webhook lead to the same entry of the audit log."""
    last = run("bad", Outcome.FAILED, reason="the disk is gone", entry=12, errors=3)
    status = Status(State.FAILED, NOW, jobs=(job(State.FAILED, last, last_good=OK, streak=2),))
    (event,) = News({}, status, find_id=lambda ended: f"entry of {ended.run}").events
    assert (event.id, event.run, event.entry, event.reason) == ("entry of bad", "bad", 12, "the disk is gone")
    assert (event.errors, event.streak, event.last_good_ms, event.at_ms) == (3, 2, NOW - DAY_MS, NOW)
    assert Event.from_json(event.to_json()) == event


def test_a_stalled_run_is_not_told_as_the_run_before() -> None:
    """The last run succeeded: a message that names it would say what is not so."""
    watcher = Watcher()
    watcher.look(FINE)
    (event,) = watcher.look(job(State.STALLED, OK, concern="No progress for 12 min."))
    assert (event.run, event.outcome, event.concern) == (None, None, "No progress for 12 min.")


def test_a_run_that_ends_in_the_future_happened_now() -> None:
    """A clock that was ahead dates no event."""
    (event,) = Watcher().look(job(State.FAILED, run("bad", Outcome.FAILED, NOW + DAY_MS)))
    assert event.at_ms == NOW


def test_a_renamed_job_keeps_its_incident() -> None:
    """The failure is not told again under the new name; only the notice under the old one goes."""
    watcher = Watcher()
    (failed,) = watcher.look(FAILED)
    (gone,) = watcher.look(job(State.FAILED, BAD, "house"))
    assert (gone.kind, gone.job) == (C, "home")
    assert watcher.look(job(State.FAILED, BAD, "house")) == []
    (over,) = watcher.look(job(State.OK, OK, "house"))
    assert (over.kind, over.job, over.incident) == (R, "house", failed.id)


def test_of_two_jobs_that_become_one_each_incident_ends() -> None:
    """The one that goes is cleared; the other one goes on."""
    watcher = Watcher()
    watcher.look(FAILED, job(State.FAILED, run("b2", Outcome.FAILED), "house"))
    (gone,) = watcher.look(FAILED)
    assert (gone.kind, gone.job) == (C, "house")
    assert watcher.look(FAILED) == []


def test_a_status_that_cannot_be_had_tells_nothing_of_jobs() -> None:
    """Jobs that are not seen are neither gone nor fine."""
    watcher = Watcher()
    watcher.look(FAILED)
    assert [event.job for event in watcher.see(Status(State.UNAVAILABLE, NOW, error=ERROR))] == [None]
    assert [event.job for event in watcher.look(FAILED)] == [None]
    (over,) = watcher.look(FINE)
    assert (over.kind, over.job) == (R, "home")


def test_jobs_of_the_system_that_cannot_be_seen_are_not_gone() -> None:
    """Its service restarts: nothing is cleared, and nothing told again."""
    watcher, system = Watcher(), replace(FAILED, instance=Instance.SYSTEM)
    watcher.look(FAILED, system)
    assert watcher.look(FAILED, hidden=(Instance.SYSTEM,)) == []
    assert watcher.look(FAILED, system) == []
    (gone,) = watcher.look(FAILED)
    assert (gone.kind, gone.instance, gone.job) == (C, Instance.SYSTEM, "home")


def test_a_fault_in_the_configuration_ends_no_incident() -> None:
    """The rhythm of a job may be unknown for as long as the file is broken."""
    watcher, never = Watcher(), job(State.OVERDUE, None, "never")
    watcher.look(LATE, never)
    assert watcher.look(FINE, doubt=True) == []
    assert watcher.look(LATE, never) == []
    assert kinds(watcher.look(job(State.OK, run("x")), never, doubt=True)) == [R]


def test_after_a_wake_a_job_is_not_overdue_at_once() -> None:
    """It may be caught up within minutes; a failure is told all the same, and so is what was overdue before."""
    watcher = Watcher()
    watcher.look(FINE)
    assert watcher.look(LATE, job(State.FAILED, run("b", Outcome.FAILED), "other"), calm=True)[0].job == "other"
    assert kinds(watcher.look(LATE, replace(FAILED, job="other", last=run("b", Outcome.FAILED)))) == [D]
    assert watcher.look(LATE, calm=True)[0].job == "other"  # gone
    assert watcher.look(LATE, calm=True) == []


def test_a_job_that_was_late_is_not_overdue_during_a_wake_either() -> None:
    """Worse is told only once the machine has been awake for a while."""
    watcher = Watcher()
    late = replace(LATE, state=State.WARNING)
    assert kinds(watcher.look(late)) == [W]
    assert watcher.look(LATE, calm=True) == []
    assert kinds(watcher.look(LATE)) == [D]


def breach(**more: Any) -> AuditStanding:
    """A breach that is not acknowledged."""
    known = {"checked_ms": NOW, "kind": "altered", "first_bad": 17, "breach": True, "since_ms": NOW - 5000}
    return AuditStanding("tampered", entries=20, why="Entry 17 was altered.", **(known | more))


def of(audit: AuditStanding | None) -> Status:
    """A status with this standing."""
    return Status(State.TAMPERED, NOW, audit=audit)


def test_a_breach_is_told_once_until_it_is_acknowledged() -> None:
    """A later check that finds nothing more brings no second message, nor does one that was not possible."""
    watcher = Watcher()
    (event,) = watcher.see(of(breach()))
    assert (event.kind, event.entry, event.at_ms, event.incident) == (B, 17, NOW - 5000, event.id)
    assert watcher.see(of(breach(checked_ms=NOW + 1))) == []
    assert watcher.see(of(breach(kind=None, first_bad=None))) == []
    assert watcher.see(of(None)) == []
    (other,) = watcher.see(of(breach(kind="removed", first_bad=3)))
    assert (other.kind, other.incident) == (B, event.id)
    (over,) = watcher.see(of(breach(breach=False)))
    assert (over.kind, over.incident) == (C, event.id)
    (fresh,) = watcher.see(of(breach(since_ms=NOW)))
    assert fresh.incident == fresh.id


def test_a_breach_of_each_log_has_an_end() -> None:
    """The status shows one log; if that has no breach, the other one has none either."""
    watcher = Watcher()
    watcher.see(of(breach()))
    watcher.see(of(breach(instance=Instance.SYSTEM)))
    assert watcher.see(of(breach(breach=False)), hidden=(Instance.SYSTEM,))[0].instance is Instance.USER
    over = watcher.see(of(breach(breach=False)))
    assert [(event.kind, event.instance) for event in over] == [(C, Instance.SYSTEM)]
    assert watcher.memory == {}


def test_events_of_several_jobs_come_in_the_order_of_their_time() -> None:
    """And those of one job in theirs, whatever the clock said."""
    first, second = run("a", Outcome.FAILED, NOW - 9000, "a"), run("b", Outcome.FAILED, NOW - 5000, "b")
    events = Watcher().look(job(State.FAILED, second, "b"), job(State.FAILED, first, "a"))
    assert [event.job for event in events] == ["a", "b"]


def test_the_job_of_a_check_is_that_of_the_configuration() -> None:
    """Its `notify` holds for both."""
    assert job_of(Event("i", F, NOW, job="home (check)", job_kind=CHECK)) == "home"
    assert job_of(Event("i", F, NOW, job="home (check)")) == "home (check)"
    assert job_of(Event("i", B, NOW)) is None


# -- random walks

OPERATIONS = st.sampled_from(
    [*Outcome, "seen", "off", "on", "overdue", "late", "in time", "forget", "look", "look", "look", "look"]
)


class Walk:
    """One job that runs, is acknowledged, turned off, overdue and forgotten, as `judge` sees it."""

    def __init__(self) -> None:
        self.history: JobHistory | None = None
        self.runs, self.off = 0, False
        self.demand: State | None = None
        self.now_ms = NOW

    def step(self, operation: str) -> None:
        """Do one operation."""
        self.now_ms += 60_000
        if isinstance(operation, Outcome):
            self.runs += 1
            ended = run(f"r{self.runs}", operation, self.now_ms, entry=self.runs)
            self.history = with_run(self.history, ended)
            self.demand = None if operation in (Outcome.SUCCEEDED, Outcome.WARNING) else self.demand
        elif operation == "seen" and self.history is not None:
            self.history, self.demand = replace(self.history, seen=True), None
        elif operation in ("off", "on"):
            self.off = operation == "off"
        elif operation in ("overdue", "late", "in time"):
            self.demand = {"overdue": State.OVERDUE, "late": State.WARNING, "in time": None}[operation]
        elif operation == "forget":
            self.history, self.demand = None, None

    def status(self) -> Status:
        """Return the status of this moment."""
        word = Word.DISABLED if self.off else Word.OVERDUE if self.demand else Word.FINE
        demand = None if self.off else self.demand
        expected = Expected(Expectation(word, demand, anew=demand))
        jobs = [] if self.history is None else [self.history]
        return judge(self.now_ms, (), jobs, expected={("home", "backup"): expected} if jobs else {})


@settings(max_examples=400)
@given(st.lists(OPERATIONS, min_size=10, max_size=60))
def test_a_random_walk_is_told_as_whole_stories(operations: list[str]) -> None:
    """No event is told twice, each incident has one begin and one end, and only a good run recovers anything."""
    walk, memory, told = Walk(), dict[str, Known](), list[Event]()
    looked_ms, seen_runs = NOW, 0
    for operation in [*operations, "look"]:
        walk.step(operation)
        if operation != "look":
            continue
        status = walk.status()
        news = News(memory, status, looked_ms=looked_ms)
        good = [f"r{number}" for number in range(seen_runs + 1, walk.runs + 1)]
        assert all(event.run in good for event in news.events if event.kind in (R, S)), "no new run recovered it"
        memory, looked_ms, seen_runs = news.memory, walk.now_ms, walk.runs
        told += news.events
        bad = [item for item in status.jobs if item.state in (State.FAILED, State.OVERDUE, State.WARNING)]
        assert {key(item) for item in bad} == {name for name, known in memory.items() if known.kind is not None}
        assert News(memory, status).events == [], "a second look told it again"
    of_runs = [(event.incident, event.run, event.kind) for event in told if event.run is not None]
    assert len(of_runs) == len(set(of_runs)), "a run was told twice"
    _assert_whole(told, memory)


def _assert_whole(told: Sequence[Event], memory: dict[str, Known]) -> None:
    """Each incident begins once, gets only worse, and has ended once unless it is still open."""
    ranks = {W: 0, D: 1, F: 2}
    still_open = {known.incident for known in memory.values() if known.kind is not None}
    incidents: dict[str, list[Event]] = {}
    for event in told:
        incidents.setdefault(event.incident, []).append(event)
    for incident, events in incidents.items():
        news = [event for event in events if not event.again]
        ends = [event for event in news if event.kind in (R, C)]
        if news and news[0].kind is S:
            assert len(events) == 1
            continue
        worse = [ranks[event.kind] for event in news if event.kind in ranks]
        assert worse == sorted(set(worse)), f"told twice, or as less: {kinds(news)}"
        assert len(ends) == (incident not in still_open)
        assert not ends or news[-1] is ends[0]


def test_a_status_that_cannot_be_read_is_told_once_and_its_end_too() -> None:
    """While the log is damaged no failure can be seen, and silence would mean that all is well; the end does not say "fine"."""
    watcher, out = Watcher(), Status(State.UNAVAILABLE, NOW, error=ERROR)
    watcher.look(FINE)
    (lost,) = watcher.see(out)
    assert (lost.kind, lost.job, lost.concern, lost.advice) == (F, None, "Why.", "Next.")
    assert watcher.see(out) == []
    (back,) = watcher.look(FINE)
    assert (back.kind, back.job, back.incident, back.facts) == (R, None, lost.id, {"was": ["failure"]})
    assert watcher.look(FINE) == []


def test_a_machine_that_woke_up_only_now_may_not_have_its_disks_yet() -> None:
    """A status that cannot be read then is told by the next look."""
    watcher, out = Watcher(), Status(State.UNAVAILABLE, NOW, error=ERROR)
    assert watcher.see(out, calm=True) == []
    assert kinds(watcher.see(out)) == [F]
