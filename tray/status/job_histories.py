"""Read from audit log and spool the past of every job, again only when one of them changed."""

from collections.abc import Iterable, Mapping

from tray import wording
from tray.audit import spool
from tray.audit.entry import Action, Draft, OpenRun
from tray.audit.search import renames
from tray.audit.search.good_runs import Known
from tray.audit.search.jobs import Marks, is_marked
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import AuditMissingError, BackupTrayError
from tray.core.files import Listing, is_settled
from tray.core.model import EndedRun, JobHistory, Outcome, judge
from tray.core.paths import Places
from tray.status import renamed
from tray.status.kept_files import mark

LOCKED_SECONDS = 0.3
"""How long a poll waits for a log that another process keeps locked."""


class History:
    """The past of every job.

    Attributes:
        begun_ms: When the log's first entry was written, None without a log.
        names: The present names of jobs that were renamed, or belong to another job by its `matches`.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._log: AuditLog | None = None
        self._version: object = None
        self._files = str(places.audit_db), f"{places.audit_db}-wal"
        self._at_rest: object = None
        self._jobs: list[JobHistory] = []
        self._forgotten: Marks = {}
        self._seen: Marks = {}
        self._open: list[OpenRun] = []
        self._waiting: list[Draft] = []
        self._spool_names: object = None
        self._spools = [Listing(folder) for folder in places.spools]
        self._anew_ms: int | None = None
        self._good: dict[tuple[str, ...], Known] = {}
        self.begun_ms: int | None = None
        self._log_names = self._own_names = self.names = renames.NONE

    def refresh(self) -> object:
        """Read log and spool where they changed; return a value that is another one once something did.

        Raises:
            BackupTrayError: The log cannot be read.
        """
        names, version = [name for spooled in self._spools for name in spooled.names()], self._version
        spooled_anew = names != self._spool_names
        if spooled_anew:
            self._waiting, self._spool_names = list(spool.pending(self._places)) if names else [], names
        try:
            self._read_log()
        except BackupTrayError:
            self.close()
            raise
        if spooled_anew or version != self._version:
            self._own_names = self.names = self._log_names.with_renames(renames.waiting(self._waiting))
        return names, self._version

    def follow(self, owners: Mapping[str, str]) -> None:
        """Let runs on record under a name in *owners* belong to its owner, as of the last `refresh`."""
        self.names = self._own_names.with_owners(owners)

    def past(self, live: set[str], over: Iterable[EndedRun]) -> tuple[list[JobHistory], list[str], set[str]]:
        """Return the jobs, notes, and the ids of runs that have ended, as of the last `refresh`.

        Args:
            live: Runs that go on; an open entry of any other run is a lost run.
            over: Runs that are over, but whose end is not on record yet.
        """
        waiting = [run for draft in self._waiting if (run := draft.ended()) is not None]
        closed = {job.last.run for job in self._jobs} | {run.run for run in waiting}
        opened = {run.run: run for run in self._open}
        unclosed = [_begun_at(run, opened) for run in over if run.run in opened or run.run not in closed]
        known = live | {run.run for run in (*waiting, *unclosed)}
        unclosed += [_lost(run) for run in self._open if run.run not in known]
        ended = closed | {run.run for run in (*waiting, *unclosed)}
        notes = []
        if self._anew_ms is not None:
            day = clock.local(self._anew_ms).strftime("%Y-%m-%d")
            gone = "because the one before it was gone; older history is missing"
            notes.append(f"The audit log was begun anew on {day} {gone}")
        if self._waiting:
            records = "1 record waits" if len(self._waiting) == 1 else f"{len(self._waiting)} records wait"
            notes.append(f"{records} to be written to the audit log")
        jobs = renamed.histories(_merge(self._jobs, self._forgotten, unclosed, self._waiting), self.names)
        if not jobs and (self._forgotten or any(draft.action is Action.JOB_FORGOTTEN for draft in self._waiting)):
            notes.append(wording.ALL_FORGOTTEN)
        return jobs, notes, ended

    def good_runs(self, jobs: Iterable[tuple[str, ...]], kind: str) -> list[Known]:
        """Return the good runs of each job on record, as of the last `refresh`.

        Args:
            jobs: The names under which the runs of each job are on record.

        Raises:
            BackupTrayError: The log cannot be read.
        """
        wanted: list[tuple[str, ...]] = [(kind, *names) for names in jobs]
        new = [key for key in wanted if key not in self._good]
        if new and self._log is not None:
            runs = self._log.good_runs([key[1:] for key in new], kind)
            self._good.update(zip(new, runs, strict=True))
        return [self._good.get(key, Known()) for key in wanted]

    def is_forgotten(self, job: str, since_ms: int) -> bool:
        """Whether the user has forgotten the job after *since_ms*; it may have run since then."""
        marks = [mark.time_ms for (name, _), mark in self._forgotten.items() if name == job]
        marks += [draft.time_ms for draft in self._waiting if draft.action is Action.JOB_FORGOTTEN and draft.job == job]
        return max(marks, default=-1) >= since_ms

    def seen_ms(self, job: str, kind: str) -> int | None:
        """Return when the user last acknowledged a job that has no run; None if that never happened."""
        names = self.names.recorded(job)
        marks = [mark for name in names for each in (kind, "") if (mark := self._seen.get((name, each))) is not None]
        waiting = [draft for draft in self._waiting if draft.action is Action.JOB_SEEN and draft.job in names]
        times = [draft.time_ms for draft in waiting if draft.kind in (None, kind)]
        return max([*times, *(mark.time_ms for mark in marks)], default=None)

    def in_doubt(self, now_ms: int) -> bool:
        """Whether older history is missing and a job that failed then may not have run since."""
        return self._anew_ms is not None and now_ms - self._anew_ms <= judge.STALE_AFTER_MS

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()
            self._log = None
        self._version = None

    def _read_log(self) -> None:
        if self._log is None:
            self._log = self._open_log()
            if self._log is None:
                self._jobs, self._open, self._forgotten, self._seen, self.begun_ms = [], [], {}, {}, None
                self._log_names = renames.NONE
                self._good = {}
                return
        files = mark(self._files[0]), mark(self._files[1])
        if self._version is not None and files == self._at_rest:
            return
        version = self._log.version()
        self._at_rest = files if all(file is None or is_settled(file[0]) for file in files) else None
        if version != self._version:
            (self._jobs, self._forgotten, self._seen), self._open = self._log.known_jobs(), self._log.open_runs()
            self._log_names = self._log.names()
            self._good = {}
            first = self._log.first()
            self.begun_ms = clock.from_text(first.data["time"])
            self._anew_ms = self.begun_ms if first.data["result"] == "created again" else None
            self._version = version

    def _open_log(self) -> AuditLog | None:
        if not self._places.audit_db.exists() and not self._places.audit_key.exists():
            return None  # nothing was ever recorded here
        try:
            return AuditLog.read(self._places.audit_db, timeout=LOCKED_SECONDS)
        except AuditMissingError:
            return None


def _begun_at(run: EndedRun, opened: Mapping[str, OpenRun]) -> EndedRun:
    """Return an unclosed run with its place among the others: where it began."""
    start = opened.get(run.run)
    return run if start is None else replace(run, place=start.entry)


def _lost(run: OpenRun) -> EndedRun:
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
    jobs: list[JobHistory], forgotten: Marks, unclosed: Iterable[EndedRun], waiting: list[Draft]
) -> list[JobHistory]:
    """Return the jobs with runs, acknowledgements and forgetting that are not in the log yet."""
    known = {(job.job, job.kind): job for job in jobs}
    for run in unclosed:
        if forgotten and is_marked(forgotten, run):
            continue
        known[run.job, run.kind] = judge.with_run(known.get((run.job, run.kind)), run)
    for draft in waiting:
        if (ended := draft.ended()) is not None:
            known[ended.job, ended.kind] = judge.with_run(known.get((ended.job, ended.kind)), ended)
        elif draft.action in (Action.JOB_SEEN, Action.JOB_FORGOTTEN):
            for key in [key for key in known if key[0] == draft.job and draft.kind in (None, key[1])]:
                if draft.action is Action.JOB_SEEN:
                    known[key] = replace(known[key], seen=True, seen_ms=draft.time_ms)
                else:
                    del known[key]
    return list(known.values())
