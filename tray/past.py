"""The past: ended runs from audit log and spool, and the acknowledgement of one."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tray import status as rules
from tray.errors import JobNotFoundError, RunNotFoundError, StatusFetchError, SystemOwnedError, SystemViewError
from tray.fetch import StatusSource, elsewhere
from tray.model import EndedRun, Status
from tray.paths import Places
from tray.runner import closing

if TYPE_CHECKING:
    from tray.audit.store import AuditLog

RECORD_SECONDS = 5.0


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
    waiting += closing.ended(places)
    with reading(places) as log:
        found = [] if log is None else log.history(limit=limit, job=job)
    known = {run.run for run in found}
    found += [run for run in waiting if run.run not in known and job in (None, run.job)]
    return sorted(found, key=rules.order, reverse=True)[:limit]


def everywhere(places: Places, *, limit: int = 50, job: str | None = None) -> tuple[list[EndedRun], str | None]:
    """Return the newest ended runs, this user's own and those of the system, and why the latter are missing, if they are."""
    found, missing = history(places, limit=limit, job=job), None
    try:
        found += elsewhere.history(limit=limit, job=job)[0]
    except SystemViewError as error:
        missing = f"{error.what} {error.why}"
    return sorted(found, key=rules.order, reverse=True)[:limit], missing


def resolve_anywhere(places: Places, run: str) -> str:
    """Return the id that *run* stands for: `last` is the newest ended run, be it this user's or the system's.

    Raises:
        RunNotFoundError: `last` was asked for and there is none.
    """
    if run != "last":
        return run
    newest, _ = everywhere(places, limit=1)
    if not newest:
        raise RunNotFoundError(run)
    return newest[0].run


def resolve(places: Places, run: str) -> str:
    """Return the id that *run* stands for: `last` is the newest ended run.

    Raises:
        RunNotFoundError: `last` was asked for and there is none.
    """
    if run != "last":
        return run
    newest = history(places, limit=1)
    if not newest:
        raise RunNotFoundError(run)
    return newest[0].run


def acknowledge(places: Places, job: str) -> None:
    """Record that somebody has seen the job's last run.

    Raises:
        JobNotFoundError: No such job has ever run.
        SystemOwnedError: It is root's job, which is only shown here.
        StatusFetchError: Nobody can say now which jobs there are.
    """
    from tray.audit import spool
    from tray.audit.entry import Action, Draft

    status = _status(places, system=False)
    if status.error is not None:
        raise StatusFetchError(status.error["why"], status.error["next"])
    known = tuple(found.job for found in status.jobs)
    if job not in known:
        if any(found.job == job for found in _status(places, system=True).jobs):
            raise SystemOwnedError(f"The job {job!r}", f"sudo backup-tray seen {shlex.quote(job)}")
        raise JobNotFoundError(job, known)
    spool.record(places, [Draft(action=Action.JOB_SEEN, job=job, result="seen")], timeout=RECORD_SECONDS)


def _status(places: Places, *, system: bool) -> Status:
    source = StatusSource(places, role="cli", start_tracker=False, system=system)
    try:
        return source.poll()
    finally:
        source.close()
