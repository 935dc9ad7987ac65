"""The past: ended runs from audit log and spool."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tray.core import clock
from tray.core.dataclass import dataclass, replace
from tray.core.errors import SystemViewError
from tray.core.model import EndedRun
from tray.core.model import judge as rules
from tray.core.paths import Places
from tray.recording import close_lost
from tray.status import system_history

if TYPE_CHECKING:
    from tray.audit.search.conditions import Filter
    from tray.audit.store import AuditLog

_SYSTEM_PAGE = 200
_SYSTEM_LOOKS = 25
"""How often the system's service, which gives pages of at most so many runs, is asked for more."""


@contextmanager
def reading(places: Places) -> "Iterator[AuditLog | None]":
    """Open the audit log for reading; None if nothing was ever recorded.

    Raises:
        AuditUnavailableError: There is a log, but it cannot be read.
    """
    if not places.audit_db.exists() and not places.audit_key.exists():
        yield None
        return
    from tray.audit.store import AuditLog

    log = AuditLog.read(places.audit_db)
    try:
        yield log
    finally:
        log.close()


def history(places: Places, *, limit: int = 50, job: str | None = None) -> list[EndedRun]:
    """Return the newest ended runs, those whose record still waits, or whose end nobody has written down yet, among them."""
    from tray.audit import spool

    waiting = [run for draft in spool.pending(places) if (run := draft.ended()) is not None]
    waiting += close_lost.ended(places)
    with reading(places) as log:
        if log is not None:
            log.first()  # no run found in a log that was emptied is no answer
        found = [] if log is None else log.history(limit=limit, job=job)
    known = {run.run for run in found}
    found += [run for run in waiting if run.run not in known and job in (None, run.job)]
    return sorted(found, key=rules.recorded, reverse=True)[:limit]


def everywhere(places: Places, *, limit: int = 50, job: str | None = None) -> tuple[list[EndedRun], str | None]:
    """Return the newest ended runs, this user's own and those of the system, and why the latter are missing, if they are."""
    own, system, missing = history(places, limit=limit, job=job), [], None
    try:
        system = system_history.history(limit=limit, job=job)[0]
    except SystemViewError as error:
        missing = f"{error.what} {error.why}"
    return rules.woven(own, system)[:limit], missing


@dataclass(frozen=True, slots=True)
class Found:
    """A page of past runs.

    Attributes:
        more: There is a page behind it.
        missing: Why runs of the system are missing, if they are.
        looked_to_ms: Time was over: older runs were not looked at. None if all were.
    """

    runs: list[EndedRun]
    more: bool
    missing: str | None
    looked_to_ms: int | None


def find(places: Places, asked: "Filter", *, limit: int = 50, page: int = 1) -> Found:
    """Return page *page*, counted from 1, of the ended runs that *asked* admits, this user's own and those of the system.

    Raises:
        AuditUnavailableError: There is a log, but it cannot be read.
    """
    need = limit * page + 1
    own, looked_to_ms = _own(places, asked, need)
    system: list[EndedRun] = []
    missing = None
    try:
        system = _of_system(asked, need)
    except SystemViewError as error:
        missing = f"{error.what} {error.why}"
    found = rules.woven(sorted(own, key=rules.recorded, reverse=True), system)
    if looked_to_ms is not None:
        found = [run for run in found if run.finished_ms >= looked_to_ms]
    return Found(found[need - 1 - limit : need - 1], len(found) >= need, missing, looked_to_ms)


def names(places: Places) -> dict[str, list[str]]:
    """Return which jobs and engines are on record in this user's log."""
    from tray.audit import search

    with reading(places) as log:
        return {of: [] if log is None else search.names(log, of) for of in ("job", "engine")}


def _own(places: Places, asked: "Filter", need: int) -> tuple[list[EndedRun], int | None]:
    from tray.audit import spool
    from tray.audit.entry import ENDS, ended_run
    from tray.audit.search import search

    drafts = [(draft, run) for draft in spool.pending(places) if (run := draft.ended()) is not None]
    waiting = [run for draft, run in drafts if asked.matches(draft.facts(), draft.body)]
    waiting += [run for run in close_lost.ended(places) if _admits(asked, run)]
    found, looked_to_ms = [], None
    with reading(places) as log:
        if log is not None:
            log.first()
            ends = replace(asked, action=asked.action or tuple(ENDS))
            page = search(log, ends, limit=need, recorded=True)
            found = [ended_run(entry.data, entry.body, entry.seq) for entry in page.entries]
            looked_to_ms = page.looked_to_ms
            # The record of a run may have come into the log after its draft was read.
            waiting = [run for run in waiting if not _has_ended(log, run.run)]
    return found + waiting, looked_to_ms


def _has_ended(log: "AuditLog", run: str) -> bool:
    from tray.audit.entry import ENDS

    entry = log.entry_of_run(run)
    return entry is not None and entry.data["action"] in ENDS


def _of_system(asked: "Filter", need: int) -> list[EndedRun]:
    """Return the newest runs of the system that *asked* admits; its service does not filter, so it is asked for more of them."""
    job = asked.job[0] if asked.job is not None and len(asked.job) == 1 else None
    found: list[EndedRun] = []
    before: int | None = None
    for _ in range(_SYSTEM_LOOKS):
        runs, before = system_history.history(
            limit=_SYSTEM_PAGE if asked.to_json() else min(need, _SYSTEM_PAGE), job=job, before=before
        )
        found += [run for run in runs if _admits(asked, run)]
        over = not runs or (asked.since_ms is not None and runs[-1].finished_ms < asked.since_ms)
        if len(found) >= need or before is None or over:
            break
    return found


def _admits(asked: "Filter", run: EndedRun) -> bool:
    """Whether *asked* admits a run of which there is no entry here."""
    from tray.audit.entry import SEVERITY_OF, Action

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
