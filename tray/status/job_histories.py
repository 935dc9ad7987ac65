"""What audit log and spool know of every job, read again only when one of them changed."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tray import wording
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import AuditMissingError, BackupTrayError
from tray.core.folder_names import Listing
from tray.core.model import EndedRun, JobHistory, Outcome, judge
from tray.core.paths import Places

if TYPE_CHECKING:
    from tray.audit.entry import Draft, OpenRun
    from tray.audit.search.jobs import Marks
    from tray.audit.store import AuditLog

LOCKED_SECONDS = 0.3
"""How long a poll waits for a log that somebody keeps locked."""


class History:
    """What audit log and spool know of every job, read again only when one of them changed."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._log: AuditLog | None = None
        self._seen: object = None
        self._jobs: list[JobHistory] = []
        self._forgotten: Marks = {}
        self._open: list[OpenRun] = []
        self._waiting: list[Draft] = []
        self._spool_seen: object = None
        self._spools = [Listing(folder) for folder in places.spools]
        self._begun: int | None = None
        self.begun_ms: int | None = None
        """When the log's first entry was written, None without a log."""

    def read(self, live: set[str], over: Iterable[EndedRun]) -> tuple[list[JobHistory], list[str], set[str]]:
        """Return the jobs, notes, and the ids of runs that have ended.

        Args:
            live: Runs that go on; an open entry of any other run is a lost run.
            over: Runs that nobody has closed although they are over.

        Raises:
            BackupTrayError: The log cannot be read.
        """
        self._refresh()
        waiting = [run for draft in self._waiting if (run := draft.ended()) is not None]
        closed = {job.last.run for job in self._jobs} | {run.run for run in waiting}
        opened = {run.run: run for run in self._open}
        unclosed = [_begun_at(run, opened) for run in over if run.run in opened or run.run not in closed]
        known = live | {run.run for run in (*waiting, *unclosed)}
        unclosed += [_lost(run) for run in self._open if run.run not in known]
        ended = closed | {run.run for run in (*waiting, *unclosed)}
        notes = [] if self._begun is None else [_anew_note(self._begun)]
        if self._waiting:
            notes.append(_waiting_note(len(self._waiting)))
        jobs = _merge(self._jobs, self._forgotten, unclosed, self._waiting)
        if not jobs and (self._forgotten or any(draft.action.value == "job.forgotten" for draft in self._waiting)):
            notes.append(wording.ALL_FORGOTTEN)
        return jobs, notes, ended

    def in_doubt(self, now_ms: int) -> bool:
        """Whether older history is missing and a job that failed then may not have run since."""
        return self._begun is not None and now_ms - self._begun <= judge.STALE_AFTER_MS

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
            self._log = None
        self._seen = None

    def _refresh(self) -> None:
        from tray.audit import spool

        marks = [name for spooled in self._spools for name in spooled.names()]
        if marks != self._spool_seen:
            self._waiting, self._spool_seen = list(spool.pending(self._places)) if marks else [], marks
        try:
            self._read_log()
        except BackupTrayError:
            self.close()
            raise

    def _read_log(self) -> None:
        if self._log is None:
            self._log = self._open_log()
            if self._log is None:
                self._jobs, self._open, self._forgotten, self.begun_ms = [], [], {}, None
                return
        version = self._log.version()
        if version != self._seen:
            (self._jobs, self._forgotten), self._open = self._log.known_jobs(), self._log.open_runs()
            first = self._log.first()
            self._begun, self.begun_ms = _begun_anew(first.data), clock.from_text(first.data["time"])
            self._seen = version

    def _open_log(self) -> "AuditLog | None":
        if not self._places.audit_db.exists() and not self._places.audit_key.exists():
            return None  # nothing was ever recorded here
        from tray.audit.store import AuditLog

        try:
            return AuditLog.read(self._places.audit_db, timeout=LOCKED_SECONDS)
        except AuditMissingError:
            return None


def _begun_anew(first: Mapping[str, Any]) -> int | None:
    """Return when the log was begun, if it followed one that disappeared; None for a first one."""
    return clock.from_text(first["time"]) if first["result"] == "created again" else None


def _anew_note(when_ms: int) -> str:
    day = clock.local(when_ms).strftime("%Y-%m-%d")
    return f"The audit log was begun anew on {day} because the one before it was gone; older history is missing"


def _waiting_note(count: int) -> str:
    records = "1 record waits" if count == 1 else f"{count} records wait"
    return f"{records} to be written to the audit log"


def _begun_at(run: EndedRun, opened: "Mapping[str, OpenRun]") -> EndedRun:
    """Return a run that nobody has closed with its place among the others: where it began."""
    start = opened.get(run.run)
    return run if start is None else replace(run, place=start.entry)


def _lost(run: "OpenRun") -> EndedRun:
    return EndedRun(
        run=run.run,
        job=run.job,
        engine=run.engine,
        kind=run.kind,
        repository=run.repository,
        outcome=Outcome.LOST,
        started_ms=run.started_ms,
        finished_ms=run.started_ms,
        inferred=True,
        reason="The wrapper stopped before the backup ended.",
        entry=run.entry,
    )


def _merge(
    jobs: list[JobHistory], forgotten: "Marks", unclosed: Iterable[EndedRun], waiting: "list[Draft]"
) -> list[JobHistory]:
    """Return the jobs with runs, acknowledgements and forgetting that are not in the log yet."""
    known = {(job.job, job.kind): job for job in jobs}
    unclosed = list(unclosed)
    if forgotten and unclosed:
        from tray.audit.search.jobs import is_marked

        unclosed = [run for run in unclosed if not is_marked(forgotten, run)]
    for run in unclosed:
        known[run.job, run.kind] = judge.with_run(known.get((run.job, run.kind)), run)
    for draft in waiting:
        if (ended := draft.ended()) is not None:
            known[ended.job, ended.kind] = judge.with_run(known.get((ended.job, ended.kind)), ended)
        elif draft.action.value in ("job.seen", "job.forgotten"):
            for key in [key for key in known if key[0] == draft.job and draft.kind in (None, key[1])]:
                if draft.action.value == "job.seen":
                    known[key] = replace(known[key], seen=True)
                else:
                    del known[key]
    return list(known.values())
