"""Compare a status with that of which people were told before: the events that are news. Pure: nothing is read or written.

The events follow the one status that every surface shows, so a message never disagrees with the icon. An *incident* of a job begins
with its first bad state and ends when the job is not bad any more. It is told once at its beginning, again only when it gets worse,
and once at its end. A job that the user renames keeps its incident.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType

from tray.core import clock
from tray.core.clock import SLACK_MS
from tray.core.codec import Coded
from tray.core.dataclass import dataclass, replace
from tray.core.model import (
    CHECK,
    DRY_RUN,
    AuditStanding,
    EndedRun,
    Instance,
    JobStatus,
    Outcome,
    State,
    Status,
)
from tray.core.model.events import Event, EventKind
from tray.core.model.judge import is_good

_OF_STATE = {
    State.FAILED: EventKind.FAILURE,
    State.OVERDUE: EventKind.OVERDUE,
    State.STALLED: EventKind.WARNING,
    State.WARNING: EventKind.WARNING,
}
_RANKS = {EventKind.BREACH: 3, EventKind.FAILURE: 2, EventKind.OVERDUE: 1, EventKind.WARNING: 0}
AUDIT, JOB = "audit", "job"
"""The first word of the key under which a breach of an audit log is remembered, and of that of a job."""
STATUS = f"status:{Instance.USER.value}"
"""The key under which it is remembered that the status cannot be read."""


@dataclass(frozen=True, slots=True)
class Known(Coded):
    """The last that was told of one job, or of one audit log.

    Attributes:
        run: The run that decided its state when it was last looked at.
        incident: Id of the open incident, "" if there is none.
        kind: The worst kind of the open incident, None if there is none.
        since_ms: When the incident began.
        job: The name of the job; None of an audit log.
        told_ms: When people were last told of it by an event; much later where no process of ours ran meanwhile.
        kinds: All kinds of which the incident was told.
        seen: The user had acknowledged the job.
    """

    run: str | None = None
    incident: str = ""
    kind: EventKind | None = None
    since_ms: int | None = None
    job: str | None = None
    told_ms: int | None = None
    kinds: tuple[EventKind, ...] = ()
    seen: bool = False

    JSON_KEYS = MappingProxyType({"told_ms": "told", "since_ms": "since"})

    def closed(self) -> "Known":
        """Return the same without an incident."""
        return Known(self.run, job=self.job, seen=self.seen)


Memory = Mapping[str, Known]


def key(job: JobStatus) -> str:
    """Return the key of *job* in the memory."""
    return f"{JOB}:{job.instance.value}:{job.job}"


class News:
    """The events that one status brings.

    Args:
        memory: All that was told before; empty at the first look.
        looked_ms: When a status was last looked at: of a job that was not known then a success before that is no news.
        find_id: Returns the id of the entry about the end of a run, None if it cannot be found.
        footer: Returns a line that identifies the audit log as it is now.
        calm: The machine woke up only now, and missed runs may be caught up: it is too early to say that a job is late or overdue.
        doubt: The configuration has a fault, so a job may only seem to be fine, or to be gone.
        hidden: Instances whose jobs cannot be seen now.

    Attributes:
        events: In the order in which they happened.
        memory: All that was told once these are.
    """

    def __init__(
        self,
        memory: Memory,
        status: Status,
        *,
        looked_ms: int = 0,
        calm: bool = False,
        doubt: bool = False,
        hidden: Collection[Instance] = (),
        find_id: Callable[[EndedRun], str | None] = lambda _: None,
        base: Event | None = None,
        footer: Callable[[], str] = lambda: "",
    ) -> None:
        self._status, self._calm, self._find_id = status, calm, find_id
        self._looked_ms = min(looked_ms, status.as_of_ms) - SLACK_MS
        self._doubt, self._hidden, self._footer = doubt, hidden, footer
        self.base = base or Event("", EventKind.TEST, status.as_of_ms)
        self.memory = dict(memory)
        self.events = _in_order(self._stories())

    def _stories(self) -> Iterator[Iterable[Event]]:
        """Yield the events of the status itself, of each job and of the audit logs."""
        yield list(self._of_status(self._status.error))
        if self._status.audit is not None:
            yield list(self._of_audit(self._status.audit))
        if self._status.error is None:
            yield list(self._renamed())
        for job in self._status.jobs:
            if job.kind != DRY_RUN and (job.last is None or job.last.user is None):
                yield list(self._of_job(job))
        if self._status.error is None:
            yield list(self._gone())

    def _of_status(self, error: Mapping[str, str] | None) -> Iterator[Event]:
        """While the status cannot be read no job can be judged: an incident of its own, as silence would mean that all is well."""
        before = self.memory.get(STATUS)
        if error is None and before is not None:
            del self.memory[STATUS]
            yield self._ended(before, EventKind.RECOVERED, replace(self.base, outcome=Outcome.SUCCEEDED))
        elif error is not None and before is None and not self._calm:
            event = unknown(self.base, error)
            told_ms = self.base.at_ms
            self.memory[STATUS] = Known(None, event.id, event.kind, event.at_ms, None, told_ms, (event.kind,))
            yield replace(event, incident=event.id, since_ms=event.at_ms)

    # -- audit logs

    def _of_audit(self, audit: AuditStanding) -> Iterator[Event]:
        """Of two logs with a breach the status shows the user's own; if it shows none, neither has one."""
        place = f"{AUDIT}:{audit.instance.value}"
        before = self.memory.get(place, Known())
        about = f"{audit.kind}/{audit.first_bad}/{audit.since_ms}"
        if audit.breach and before.run != about and not (before.incident and audit.kind is None):
            event = breach(self.base, audit, before, self._footer())
            self.memory[place] = Known(
                about, event.incident, event.kind, event.since_ms, None, self._status.as_of_ms, (event.kind,)
            )
            yield event
        elif not audit.breach:
            for name in [name for name in self.memory if name.startswith(f"{AUDIT}:")]:
                instance = Instance(name.split(":")[1])
                if instance is audit.instance or (self._status.error is None and instance not in self._hidden):
                    yield self._ended(self.memory.pop(name), EventKind.CLEARED, replace(self.base, instance=instance))

    # -- jobs

    def _of_job(self, job: JobStatus) -> Iterator[Event]:
        before = self.memory.get(key(job), Known())
        about, bad = job.about, _OF_STATE.get(job.state)
        new = about is not None and about.run != before.run
        if not new and self._waits(job, before, bad):
            return
        known = replace(before, run=None if about is None else about.run, job=job.job, seen=job.seen)
        if bad is None:
            self.memory[key(job)] = known.closed()
            yield from self._of_fine(job, before, new)
        elif before.kind is not None and job.seen and not before.seen:
            yield self._ended(before, EventKind.CLEARED, self._about(job, EventKind.CLEARED, None))
            yield self._tell(job, known.closed(), bad, None)
        elif before.kind is None or _RANKS[bad] > _RANKS[before.kind]:
            brought = new and about is not None and _brought(bad, about)
            if new and not brought and before.kind is None:
                yield from self._of_fine(job, before, new)
            yield self._tell(job, known, bad, about if brought else None)
        elif new and about is not None and is_good(about) and before.kind is not EventKind.WARNING:
            yield from self._of_half_fine(job, known, bad, about)
        else:
            self.memory[key(job)] = known
            if new:
                again = self._about(job, bad, about)
                yield replace(again, incident=before.incident, since_ms=before.since_ms, again=True)

    def _waits(self, job: JobStatus, before: Known, bad: EventKind | None) -> bool:
        """Whether the state of a job that has no new run is not to be believed yet."""
        if before.kind is None or (bad is not None and _RANKS[bad] > _RANKS[before.kind]):
            return self._calm and job.state in (State.OVERDUE, State.WARNING)
        if job.seen:
            return False
        return job.state is State.RUNNING or (self._doubt and bad is not before.kind)

    def _tell(self, job: JobStatus, known: Known, bad: EventKind, run: EndedRun | None) -> Event:
        """Return the event that begins the incident of *known*, or tells that it is worse, and remember it."""
        event = self._about(job, bad, run)
        event = replace(event, incident=known.incident or event.id, since_ms=known.since_ms or event.at_ms)
        self.memory[key(job)] = replace(
            known,
            incident=event.incident,
            kind=bad,
            since_ms=event.since_ms,
            told_ms=self._status.as_of_ms,
            kinds=(*known.kinds, bad),
        )
        return event

    def _of_fine(self, job: JobStatus, before: Known, new: bool) -> Iterator[Event]:
        about = job.about
        good = about is not None and new and is_good(about) and not job.seen
        if before.kind is not None:
            kind = EventKind.RECOVERED if good else EventKind.CLEARED
            yield self._ended(before, kind, self._about(job, kind, about if good else None))
        elif good and about is not None and (before.run is not None or about.finished_ms >= self._looked_ms):
            event = self._about(job, EventKind.SUCCESS, about)
            yield replace(event, incident=event.id)

    def _of_half_fine(self, job: JobStatus, known: Known, bad: EventKind, run: EndedRun) -> Iterator[Event]:
        """End the incident of a job whose backup succeeded again although it is not fine, and begin the next one.

        The warnings of that backup are told with it; any other reason is told as an incident of its own.
        """
        event = self._ended(known, EventKind.RECOVERED, self._about(job, EventKind.RECOVERED, run))
        yield event
        if job.state is State.WARNING and run.outcome is Outcome.WARNING and job.concern is None:
            self.memory[key(job)] = replace(
                known,
                incident=event.id,
                kind=bad,
                since_ms=event.at_ms,
                told_ms=self._status.as_of_ms,
                kinds=(bad,),
            )
        else:
            yield self._tell(job, known.closed(), bad, None)

    def _renamed(self) -> Iterator[Event]:
        """Pass the memory of a job on to the job that has its last run now; the notice under the old name goes."""
        there = {key(job): job for job in self._status.jobs}
        lost = {known.run: place for place, known in self.memory.items() if place not in there and known.run}
        for place, job in there.items():
            old = lost.get(job.about.run) if place not in self.memory and job.about is not None else None
            if old is not None and old.startswith(f"{JOB}:{job.instance.value}:"):
                known = self.memory.pop(old)
                self.memory[place] = replace(known, job=job.job)
                if known.kind is not None:
                    of_old = replace(self.base, job=known.job, instance=job.instance)
                    yield self._ended(known, EventKind.CLEARED, of_old)

    def _gone(self) -> Iterator[Event]:
        """End the incidents of jobs that are not there any more: forgotten, or merged with another."""
        there = {key(job) for job in self._status.jobs}
        for place in [place for place in self.memory if place.startswith(f"{JOB}:") and place not in there]:
            instance = Instance(place.split(":")[1])
            if instance in self._hidden or (self._doubt and self.memory[place].run is None):
                continue
            before = self.memory.pop(place)
            if before.kind is not None:
                yield self._ended(before, EventKind.CLEARED, replace(self.base, job=before.job, instance=instance))

    def _ended(self, before: Known, kind: EventKind, event: Event) -> Event:
        """Return *event* as the end of the incident *before*."""
        return replace(
            event,
            id=event.id or clock.new_id(),
            kind=kind,
            incident=before.incident,
            since_ms=before.since_ms,
            facts={**event.facts, "was": [kind.value for kind in before.kinds]},
        )

    def _about(self, job: JobStatus, kind: EventKind, run: EndedRun | None) -> Event:
        """Return the event about *job*; *run* is the one that brought it, None if none did."""
        shown = run if run is not None else _behind(job, kind)
        event = replace(
            self.base,
            id=(None if run is None else self._find_id(run)) or clock.new_id(),
            kind=kind,
            at_ms=_at(job, kind, run, self._status.as_of_ms),
            job=job.job,
            instance=job.instance,
            job_kind=job.kind,
            concern=job.concern,
            why=job.why if kind is EventKind.OVERDUE else None,
            last_good_ms=None if job.last_good is None else job.last_good.finished_ms,
            expected_by_ms=job.expected_by_ms,
            streak=job.streak,
        )
        return event if shown is None else replace(event, **_of_run(shown))


def unknown(base: Event, error: Mapping[str, str], known: Known | None = None) -> Event:
    """Return the event that the status cannot be read because of *error*: the first of its incident, or a later one of *known*."""
    concern, advice = error.get("why"), error.get("next")
    event = replace(base, id=clock.new_id(), kind=EventKind.FAILURE, concern=concern, advice=advice)
    return event if known is None else replace(event, incident=known.incident, since_ms=known.since_ms)


def breach(base: Event, audit: AuditStanding, known: Known, footer: str) -> Event:
    """Return the event about a breach of an audit log: the first of its incident, or a later one of *known*.

    Args:
        footer: A line that identifies the user's log as it is now; the user may compare it later.
    """
    at_ms = min(audit.since_ms or audit.checked_ms, base.at_ms)
    event = replace(
        base,
        id=clock.new_id(),
        kind=EventKind.BREACH,
        at_ms=at_ms,
        instance=audit.instance,
        concern=audit.why,
        entry=audit.first_bad,
        facts={"kind": audit.kind, "footer": footer if audit.instance is Instance.USER else ""},
    )
    return replace(event, incident=known.incident or event.id, since_ms=known.since_ms or at_ms)


def _brought(bad: EventKind, run: EndedRun) -> bool:
    """Whether the end of *run* is the event: a good run does not make a job overdue, nor does it bring a concern about it."""
    return bad is not EventKind.OVERDUE and run.outcome is not Outcome.SUCCEEDED


def _in_order(stories: Iterable[Iterable[Event]]) -> list[Event]:
    """Return all events in the order in which they happened; those of one story stay in theirs, whatever their clocks say."""
    placed: list[tuple[int, Event]] = []
    for story in stories:
        at_ms = 0
        for event in story:
            at_ms = max(at_ms, event.at_ms)
            placed.append((at_ms, event))
    return [event for _, event in sorted(placed, key=lambda pair: pair[0])]


def _behind(job: JobStatus, kind: EventKind) -> EndedRun | None:
    """Return the known run of an event that no new one brought: a failed one, or one with warnings if nothing else is wrong."""
    run = job.about
    if run is None or job.seen or kind not in (EventKind.FAILURE, EventKind.WARNING):
        return None
    if kind is EventKind.FAILURE:
        return None if is_good(run) else run
    warned = job.state is State.WARNING and run.outcome is not Outcome.SUCCEEDED
    return run if warned and job.concern is None else None


def _at(job: JobStatus, kind: EventKind, run: EndedRun | None, now_ms: int) -> int:
    """Return when it happened; a moment that lies ahead is one of a wrong clock."""
    at = run.finished_ms if run is not None else job.overdue_since_ms if kind is EventKind.OVERDUE else None
    return now_ms if at is None else min(at, now_ms)


def _of_run(run: EndedRun) -> dict[str, object]:
    """Return the facts of *run*, by their names in `Event`."""
    return {
        "run": run.run,
        "entry": run.entry,
        "engine": run.engine,
        "outcome": run.outcome,
        "started_ms": run.started_ms,
        "duration_ms": run.duration_ms,
        "bytes_processed": run.bytes_processed,
        "bytes_added": run.bytes_added,
        "files": run.files,
        "errors": run.errors,
        "reason": None if run.outcome is Outcome.SUCCEEDED else run.reason,
        "advice": None if run.outcome is Outcome.SUCCEEDED else run.advice,
    }


def job_of(event: Event) -> str | None:
    """Return the name of the job in config.toml: "home" for "home (check)"."""
    name = event.job
    return name.removesuffix(f" ({CHECK})") if name is not None and event.job_kind == CHECK else name
