"""Compare a status with that of which people were told before: the events that are news. Pure: nothing is read or written.

The events follow the one status that every surface shows, so a message never disagrees with the icon. An *incident* of a job begins
with its first bad state and ends when the job is not bad any more. It is told once at its beginning, again only when it gets worse,
and once at its end.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from tray.core import clock
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
AUDIT = "audit"
"""The prefix of the key under which a breach of an audit log is remembered; jobs have the prefix "job"."""


@dataclass(frozen=True, slots=True)
class Known(Coded):
    """The last that was told of one job, or of one audit log.

    Attributes:
        run: The run that decided its state when it was last looked at.
        incident: Id of the open incident, "" if there is none.
        kind: The worst kind of the open incident.
        since_ms: When the incident began.
        told_ms: When people were last told of it by an event; much later where no process of ours ran meanwhile.
    """

    run: str | None = None
    incident: str = ""
    kind: EventKind | None = None
    since_ms: int | None = None
    job: str | None = None
    told_ms: int | None = None

    JSON_KEYS = MappingProxyType({"told_ms": "told"})


Memory = Mapping[str, Known]


def key(job: JobStatus) -> str:
    """Return the key of *job* in the memory."""
    return f"job:{job.instance.value}:{job.job}"


class News:
    """The events that one status brings.

    Args:
        memory: All that was told before; empty at the first look.
        first: Nothing was ever looked at, so a success is no news.
        find_id: Returns the id of the entry about the end of a run, None if it cannot be found.
        footer: Returns a line that identifies the audit log as it is now.
        calm: The machine woke up only now, and missed runs may be caught up: it is too early to say that a job is overdue.

    Attributes:
        events: In the order in which they happened.
        memory: All that was told once these are.
    """

    def __init__(
        self,
        memory: Memory,
        status: Status,
        *,
        first: bool = False,
        calm: bool = False,
        find_id: Callable[[EndedRun], str | None] = lambda _: None,
        base: Event | None = None,
        footer: Callable[[], str] = lambda: "",
    ) -> None:
        self._status, self._first, self._calm, self._find_id = status, first, calm, find_id
        self._footer = footer
        self.base = base or Event("", EventKind.TEST, status.as_of_ms)
        self.memory = dict(memory)
        events: list[Event] = []
        if status.audit is not None:
            events += self._of_audit(status.audit)
        if status.error is None or status.jobs:
            for job in status.jobs:
                if job.kind != DRY_RUN and (job.last is None or job.last.user is None):
                    events += self._of_job(job)
        if status.error is None:
            events += self._gone()
        self.events = sorted(events, key=lambda event: event.at_ms)

    def _of_audit(self, audit: AuditStanding) -> Iterator[Event]:
        place = f"{AUDIT}:{audit.instance.value}"
        before = self.memory.get(place, Known())
        about = f"{audit.kind}/{audit.first_bad}/{audit.since_ms}"
        if audit.breach and before.run != about:
            event = breach(self.base, audit, before, self._footer())
            self.memory[place] = Known(
                about, event.incident, EventKind.BREACH, event.since_ms, None, self._status.as_of_ms
            )
            yield event
        elif not audit.breach and before.incident:
            del self.memory[place]
            yield self._ended(before, EventKind.CLEARED, self.base)

    def _of_job(self, job: JobStatus) -> Iterator[Event]:
        before = self.memory.get(key(job), Known())
        about = job.about
        new = about is not None and about.run != before.run
        bad = _OF_STATE.get(job.state)
        if bad is EventKind.OVERDUE and self._calm and before.kind is None:
            return
        known = replace(before, run=about.run if about is not None else None, job=job.job)
        if bad is None:
            self.memory[key(job)] = replace(known, incident="", kind=None, since_ms=None, told_ms=None)
            yield from self._of_fine(job, before, new)
            return
        began = before.kind is None
        worse = before.kind is not None and _RANKS[bad] > _RANKS[before.kind]
        if began or worse:
            event = self._about(job, bad, about if new and about is not None and _brought(bad, about) else None)
            since = before.since_ms or event.at_ms
            event = replace(event, incident=before.incident or event.id, since_ms=since)
            now_ms = self._status.as_of_ms
            self.memory[key(job)] = replace(known, incident=event.incident, kind=bad, since_ms=since, told_ms=now_ms)
            yield event
            return
        self.memory[key(job)] = known
        if new and about is not None and is_good(about) and before.kind in (EventKind.FAILURE, EventKind.OVERDUE):
            yield self._ended(before, EventKind.RECOVERED, self._about(job, EventKind.RECOVERED, about))
            self.memory[key(job)] = replace(known, incident=clock.new_id(), kind=bad, since_ms=about.finished_ms)
        elif new:
            again = self._about(job, bad, about)
            yield replace(again, incident=before.incident, since_ms=before.since_ms, again=True)

    def _of_fine(self, job: JobStatus, before: Known, new: bool) -> Iterator[Event]:
        about = job.about
        good = about is not None and new and is_good(about) and not job.seen
        if before.kind is not None:
            kind = EventKind.RECOVERED if good else EventKind.CLEARED
            yield self._ended(before, kind, self._about(job, kind, about if new else None))
        elif good and not self._first:
            event = self._about(job, EventKind.SUCCESS, about)
            yield replace(event, incident=event.id)

    def _gone(self) -> Iterator[Event]:
        """End the incidents of jobs that are not there any more: forgotten, renamed or merged."""
        there = {key(job) for job in self._status.jobs}
        for place in [place for place in self.memory if place.startswith("job:") and place not in there]:
            before = self.memory.pop(place)
            if before.kind is not None:
                yield self._ended(before, EventKind.CLEARED, replace(self.base, job=before.job))

    def _ended(self, before: Known, kind: EventKind, event: Event) -> Event:
        """Return *event* as the end of the incident *before*."""
        return replace(
            event,
            id=event.id or clock.new_id(),
            kind=kind,
            incident=before.incident,
            since_ms=before.since_ms,
            facts={**event.facts, "was": before.kind.value if before.kind is not None else None},
        )

    def _about(self, job: JobStatus, kind: EventKind, run: EndedRun | None) -> Event:
        """Return the event about *job*; *run* is the one that brought it, None if none did."""
        known = job.about
        shown = run if run is not None else known if kind in (EventKind.FAILURE, EventKind.WARNING) else None
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


def breach(base: Event, audit: AuditStanding, known: Known, footer: str) -> Event:
    """Return the event about a breach of an audit log: the first of its incident, or a later one of *known*.

    Args:
        footer: A line that identifies the user's log as it is now; the user may compare it later.
    """
    at_ms = audit.since_ms or audit.checked_ms
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
