"""Read the past: ended runs from audit log and spool, and those of the system-wide instance, a page at a time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from tray.audit import search, spool
from tray.audit.entry import ENDS, SEVERITY_OF, Action, ended_run
from tray.audit.search import Filter, renames
from tray.audit.search.renames import Names
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.dataclass import dataclass, replace
from tray.core.errors import SystemViewError
from tray.core.model import EndedRun, judge
from tray.core.paths import Places
from tray.recording import close_lost
from tray.status import renamed, system_history

END = "end"
"""In a `Place`: that log has nothing more."""

_SYSTEM_PAGE = 200
_SYSTEM_LOOKS = 25
"""The service of the system does not filter: how often it is asked for more runs for one page."""

Place = Mapping[str, Any]
"""Where a page begins: under "own" a cursor of the log, under "system" an entry (None: the newest, `END`: nothing is left), under
"waiting" how many waiting records were shown."""


@contextmanager
def reading(places: Places) -> Iterator[AuditLog | None]:
    """Open the audit log for reading; None if nothing was ever recorded.

    Raises:
        AuditUnavailableError: There is a log, but it cannot be read.
    """
    if not places.audit_db.exists() and not places.audit_key.exists():
        yield None
        return
    with AuditLog.read(places.audit_db, further=renamed.further(places)) as log:
        yield log


def present_names(places: Places, log: AuditLog | None) -> Names:
    """Return the present names of jobs, of a *log* that `reading` has opened."""
    return renamed.further(places)(renames.NONE) if log is None else log.names()


def names(places: Places) -> dict[str, list[str]]:
    """Return which jobs, by their present names, and engines are on record in this user's log."""
    with reading(places) as log:
        if log is None:
            return {"job": [], "engine": []}
        now = log.names()
        jobs = sorted({now.present(job) for job in search.names(log, "job")})
        return {"job": jobs, "engine": search.names(log, "engine")}


def history(places: Places, *, limit: int = 50, job: str | None = None) -> list[EndedRun]:
    """Return the newest ended runs, among them those whose record waits or whose end is not written down yet."""
    waiting = [run for draft in spool.pending(places) if (run := draft.ended()) is not None] + close_lost.ended(places)
    with reading(places) as log:
        if log is not None:
            log.first()  # no run found in a log that was emptied is no answer
        names = present_names(places, log)
        ended = [] if log is None else log.history(limit=limit, job=job)
    known, wanted = {run.run for run in ended}, None if job is None else names.present(job)
    others = (run for run in renamed.ended(waiting, names) if run.run not in known)
    ended += [run for run in others if wanted in (None, run.job)]
    return sorted(ended, key=judge.recorded, reverse=True)[:limit]


def everywhere(places: Places, *, limit: int = 50) -> list[EndedRun]:
    """Return the newest ended runs, this user's own and, if its service answers, those of the system."""
    own, system = history(places, limit=limit), []
    try:
        system = system_history.history(limit=limit)[0]
    except SystemViewError:
        pass  # the lists of its runs say so
    return judge.woven(own, system)[:limit]


# -- pages


@dataclass(frozen=True, slots=True)
class Page:
    """A page of past runs.

    Attributes:
        next: Where the next page begins; None at the end.
        missing: Why runs of the system are missing, "" if they are not.
        looked_to_ms: How far this user's log was searched before time was over; None if it was searched to its end.
        system_to_ms: How far the system's runs were looked through; None if that was far enough for a whole page.
    """

    runs: list[EndedRun]
    next: Place | None
    missing: str = ""
    looked_to_ms: int | None = None
    system_to_ms: int | None = None


def find(places: Places, asked: Filter, *, limit: int = 50, page: int = 1) -> Page:
    """Return page number *page*, counted from 1; see `page_from`."""
    after: Place | None = None
    for _ in range(page - 1):
        if (after := page_from(places, asked, after, limit).next) is None:
            return Page([], None)
    return page_from(places, asked, after, limit)


def page_from(places: Places, asked: Filter, after: Place | None, limit: int = 50) -> Page:
    """Return ended runs that *asked* lets through, this user's own and those of the system, the newest first.

    Two logs are read, each on from its own place and in its own order, which is that of its records; see `judge.woven`. A page
    ends where one of the two may know more.

    Args:
        after: The `next` of the page before, None for the newest.

    Raises:
        AuditUnavailableError: There is a log, but it cannot be read.
    """
    own, system = _Own(places, asked, after, limit), _System(asked, after, limit)
    woven = judge.woven(own.runs, system.runs)
    ends = [limit]
    if own.more:
        ends.append(woven.index(own.runs[-1]) + 1 if own.runs else 0)
    if system.more:
        last = woven.index(system.runs[-1]) + 1 if system.runs else 0
        ends.append(last + sum(1 for _ in takewhile(lambda run: run.finished_ms >= system.edge_ms, woven[last:])))
    shown = woven[: min(ends)]
    more = len(shown) < len(woven) or own.more or system.more
    place = {**own.rest(shown), "system": system.rest(shown)} if more else None
    enough = not system.more or len(system.runs) >= limit
    return Page(shown, place, system.missing, own.looked_to_ms, None if enough else system.edge_ms)


class _Own:
    """This user's runs from a place on: first those whose record waits, then those of the log."""

    def __init__(self, places: Places, asked: Filter, after: Place | None, limit: int) -> None:
        self._from: Any = None if after is None else after["own"]
        self._waited: int = 0 if after is None else after["waiting"]
        self._cursors: dict[str, Any] = {}
        self._next: Any = None
        self.looked_to_ms: int | None = None
        with reading(places) as log:
            self._names = present_names(places, log)
            waiting = _waiting(places, log, self._names.widened(asked))[self._waited :]
            self._waiting = renamed.ended(waiting, self._names)
            self.runs = list(self._waiting)
            if log is not None and self._from != END:
                self._read(log, asked, limit)

    def _read(self, log: AuditLog, asked: Filter, limit: int) -> None:
        log.first()  # no run found in a log that was emptied is no answer
        ends = replace(asked, action=asked.action or tuple(map(str, ENDS)))
        page = search.search(log, ends, limit=limit, after=self._from, recorded=True)
        for entry in page.entries:
            run = ended_run(entry.data, entry.body, entry.seq, self._names.present)
            self.runs.append(run)
            self._cursors[run.run] = [run.finished_ms, entry.seq]
        self._next, self.looked_to_ms = page.next, page.looked_to_ms

    @property
    def more(self) -> bool:
        """Whether the log has runs behind these."""
        return self._next is not None

    def rest(self, shown: list[EndedRun]) -> Place:
        """Return where to go on behind *shown*."""
        used = [run for run in shown if run.run in self._cursors]
        own: Any = self._cursors[used[-1].run] if used else self._from
        if len(used) == len(self._cursors):
            own = END if self._next is None else list(self._next)
        return {"own": own, "waiting": self._waited + sum(run in shown for run in self._waiting)}


class _System:
    """The runs of the system from a place on; its service is asked for them, and they are filtered here."""

    def __init__(self, asked: Filter, after: Place | None, limit: int) -> None:
        self._from = None if after is None else after["system"]
        self._next: Any = self._from
        self.runs: list[EndedRun] = []
        self.more, self.edge_ms, self.missing = False, -1, ""
        if self._from == END:
            return
        try:
            for run in self._read(asked, limit):
                if _admits(asked, run):
                    self.runs.append(run)
                if len(self.runs) >= limit:
                    break
        except SystemViewError as error:
            self.more, self.missing = False, f"{error.what} {error.why}"

    def _read(self, asked: Filter, limit: int) -> Iterator[EndedRun]:
        job = asked.job[0] if asked.job is not None and len(asked.job) == 1 else None
        size = _SYSTEM_PAGE if asked.to_json() else min(limit + 1, _SYSTEM_PAGE)
        for _ in range(_SYSTEM_LOOKS):
            runs, following = system_history.history(limit=size, job=job, before=self._next)
            for number, run in enumerate(runs, 1):
                self.more = following is not None or number < len(runs)
                self.edge_ms = run.finished_ms if self.more else -1
                self._next = run.entry if run.entry is not None else self._next
                yield run
            if asked.since_ms is not None and runs and runs[-1].finished_ms < asked.since_ms:
                following, self.more = None, False  # the others are older still
            if following is None:
                return
            self._next = following

    def rest(self, shown: list[EndedRun]) -> Any:
        """Return where to go on behind *shown*."""
        kept = {run.run for run in shown}
        if all(run.run in kept for run in self.runs):
            return self._next if self.more else END
        used = [run.entry for run in self.runs if run.run in kept and run.entry is not None]
        return used[-1] if used else self._from


def _waiting(places: Places, log: AuditLog | None, asked: Filter) -> list[EndedRun]:
    """Return the runs that *asked* lets through whose record waits, or whose end is not written down yet, the newest first.

    A record may have come into the log meanwhile.
    """
    drafts = [(draft, run) for draft in spool.pending(places) if (run := draft.ended()) is not None]
    runs = [run for draft, run in drafts if asked.matches(draft.facts(), draft.body)]
    runs += [run for run in close_lost.ended(places) if _admits(asked, run)]
    return [run for run in reversed(runs) if log is None or not _has_ended(log, run.run)]


def _has_ended(log: AuditLog, run: str) -> bool:
    entry = log.entry_of_run(run)
    return entry is not None and entry.data["action"] in ENDS


def _admits(asked: Filter, run: EndedRun) -> bool:
    """Whether *asked* lets through a run of which there is no entry here."""
    entry = {
        "time": clock.to_text(run.finished_ms),
        "action": Action.RUN_CLOSED if run.inferred else Action.RUN_FINISHED,
        "actor": run.user,
        "result": run.outcome.value,
        "severity": SEVERITY_OF[run.outcome].value,
        "job": run.job,
        "engine": run.engine,
        "kind": run.kind,
        "source": run.source.value,
    }
    return asked.matches(entry, {"repository": run.repository, "reason": run.reason, "advice": run.advice})
