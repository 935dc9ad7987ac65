"""Fetching the status: the reading of tracker, run folders, audit log and spool around the pure `status.judge`.

Every surface polls or follows a `StatusSource`. It keeps its connections between polls and reads again only what changed, so a
poll costs next to nothing. An error never escapes: it is part of the status, with the last good data marked by its age.
Run folders are read before the log, so that a run that ends in between is found in one or the other.
"""

import select
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tray import clock, ipc, runs, status
from tray.errors import AuditMissingError, BackupTrayError, StatusFetchError, TrackerGoneError
from tray.listing import Listing
from tray.model import EndedRun, JobHistory, LiveRun, Outcome, Status
from tray.outage import Outage
from tray.paths import Places
from tray.runner import closing
from tray.tracker import start
from tray.tracker.server import described

if TYPE_CHECKING:
    from tray.audit.entry import Draft, OpenRun
    from tray.audit.store import AuditLog

POLL_SECONDS = 1.0
RESTART_SECONDS = 5.0
LOCKED_SECONDS = 0.3
HEARTBEAT_SECONDS = 10.0
"""`follow` yields at least this often, so that ages on screen stay true."""


class StatusSource:
    """Where a surface gets the status from.

    Args:
        role: tray, window or cli, for the tracker's `hello`.
        start_tracker: Start one when none answers; a tracker that is gone for good then makes the status unavailable.
    """

    def __init__(self, places: Places, *, role: str, start_tracker: bool) -> None:
        self._places = places
        self._role = role
        self._start = start_tracker
        self._live = _Live(places, role, start_tracker)
        self._history = _History(places)
        self._outage = Outage(places)
        self._good: Status | None = None

    def poll(self) -> Status:
        """Return the status now. Never raises: what went wrong is in `Status.error`."""
        return self._judge(self._live.ask)

    def follow(self, stop: threading.Event) -> Iterator[Status]:
        """Yield the status at once and then on every change, until *stop* is set (noticed within half a second)."""
        before: Status | None = None
        heartbeat = 0.0
        self._live.subscribe()
        while not stop.is_set():
            now = self._judge(self._live.hear)
            same = before is not None and replace(now, as_of_ms=before.as_of_ms) == before
            if not same or clock.monotonic() >= heartbeat:
                heartbeat = clock.monotonic() + HEARTBEAT_SECONDS
                before = now
                yield now
            self._live.wait(POLL_SECONDS / 2)

    def close(self) -> None:
        """Give back connections and files."""
        self._live.close()
        self._history.close()

    def _judge(self, ask: Callable[[], dict[str, LiveRun]]) -> Status:
        now = clock.now_ms()
        try:
            tracked = ask()
            folders = self._live.folders(tracked)
            jobs, notes, ended = self._history.read(set(tracked) | set(folders.live), folders.over)
        except BackupTrayError as error:
            return self._unavailable(error, now)
        except OSError as error:  # such as a state folder that belongs to somebody else
            return self._unavailable(StatusFetchError(f"{error.filename or 'A file'}: {error.strerror or error}."), now)
        live = [run for run in {**folders.live, **tracked}.values() if run.run not in ended]
        self._good = status.judge(now, live, jobs, notes=notes)
        self._outage.over()
        return self._good

    def _unavailable(self, error: BackupTrayError, now: int) -> Status:
        if not isinstance(error, StatusFetchError):
            error = StatusFetchError(f"{error.what} {error.why}".strip(), error.next)
        self._outage.began(error)
        if self._good is None:
            return status.judge(now, (), (), error=error.facts())
        old = self._good
        histories = [JobHistory(job.job, job.last) for job in old.jobs if job.last is not None]
        judged = status.judge(old.as_of_ms, (), histories, error=error.facts(), as_of_ms=old.as_of_ms)
        return replace(judged, jobs=old.jobs, last=old.last)


class _Folders:
    """What the run folders say: runs that live without a tracker's knowledge, and runs that are over but not closed."""

    def __init__(self) -> None:
        self.live: dict[str, LiveRun] = {}
        self.over: list[EndedRun] = []


class _Live:
    """The live runs: from the tracker while one answers, else from the run folders."""

    def __init__(self, places: Places, role: str, start_tracker: bool) -> None:
        self._places, self._role, self._start = places, role, start_tracker
        self._client: ipc.Client | None = None
        self._next_start = 0.0
        self._gone: TrackerGoneError | None = None
        self._subscribed = False
        self._runs: dict[str, LiveRun] = {}
        self._over: dict[str, EndedRun] = {}
        self._folders = runs.LiveFolders(places)

    def ask(self) -> dict[str, LiveRun]:
        """Poll the tracker.

        Raises:
            StatusFetchError: It is gone and cannot be replaced, and we are one of those who need it.
        """
        for _ in range(2):  # a tracker that was replaced leaves one broken conversation behind
            client = self._connected()
            if client is None:
                return {}
            try:
                return self._take(client.request("status"))
            except TrackerGoneError as error:
                self._lost(error)
        return self._connected_or_raise()

    def subscribe(self) -> None:
        """From now on `hear` returns what the tracker said by itself."""
        self._subscribed = True

    def hear(self) -> dict[str, LiveRun]:
        """Return the runs as of the tracker's last word; connects and subscribes when needed."""
        if self._client is None:
            client = self._connected()
            if client is None:
                return {}
            with self._failing():
                self._take(client.request("subscribe"))
        elif self._readable(0):
            with self._failing():
                for message in self._client.waiting():
                    self._apply(message)
        return dict(self._runs) if self._client is not None else {}

    def wait(self, seconds: float) -> None:
        """Wait until the tracker says something, at most *seconds*."""
        self._readable(seconds)

    def folders(self, tracked: dict[str, LiveRun]) -> _Folders:
        """Read the folders of runs that the tracker does not know."""
        found = _Folders()
        for folder in self._folders.look():
            if folder.run in tracked and tracked[folder.run].tracked:
                continue
            with suppress(OSError, ValueError):
                info = folder.info()
                if folder.running(info):
                    found.live[folder.run] = described(info)
                    self._over.pop(folder.run, None)
                else:
                    found.over.append(self._concluded(folder, info))
        return found

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _concluded(self, folder: runs.RunFolder, info: runs.RunInfo) -> EndedRun:
        if folder.run not in self._over:
            self._over[folder.run] = closing.conclude(folder, info)[0]
        return self._over[folder.run]

    def _connected(self) -> ipc.Client | None:
        if self._client is None:
            try:
                self._client = self._connect()
                self._gone = None
            except TrackerGoneError as error:
                self._gone = error
                self._connected_or_raise()
        return self._client

    def _connect(self) -> ipc.Client:
        if not self._start:
            return ipc.Client(self._places, self._role)
        if clock.monotonic() < self._next_start:
            try:
                return ipc.Client(self._places, self._role)
            except TrackerGoneError as error:
                raise self._gone or error from error
        self._next_start = clock.monotonic() + RESTART_SECONDS
        client = start.ensure(self._places, self._role)
        self._next_start = 0.0
        return client

    def _connected_or_raise(self) -> dict[str, LiveRun]:
        if self._start and self._gone is not None:
            raise StatusFetchError(f"{self._gone.what} {self._gone.why}", self._gone.next)
        return {}

    def _lost(self, error: TrackerGoneError) -> None:
        self._gone = error
        self._runs = {}
        self.close()

    def _failing(self) -> "_Failing":
        return _Failing(self)

    def _readable(self, seconds: float) -> bool:
        if self._client is None:
            if seconds:
                threading.Event().wait(seconds)
            return False
        return bool(select.select([self._client], [], [], seconds)[0])

    def _take(self, message: ipc.Message) -> dict[str, LiveRun]:
        self._runs = {}
        for data in message.get("runs") or ():
            with suppress(ValueError, TypeError):
                run = LiveRun.from_json(data)
                self._runs[run.run] = run
        return dict(self._runs)

    def _apply(self, message: ipc.Message) -> None:
        with suppress(ValueError, TypeError, KeyError):
            if message["type"] == "run":
                run = LiveRun.from_json(message["run"])
                self._runs[run.run] = run
            elif message["type"] == "gone":
                self._runs.pop(message["run"], None)
            elif message["type"] == "status":
                self._take(message)


class _Failing:
    """Turns a conversation that breaks into a lost tracker."""

    def __init__(self, live: _Live) -> None:
        self._live = live

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, TrackerGoneError):
            self._live._lost(error)
            return True
        return False


class _History:
    """What audit log and spool know of every job, read again only when one of them changed."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._log: AuditLog | None = None
        self._seen: object = None
        self._jobs: list[JobHistory] = []
        self._open: list[OpenRun] = []
        self._waiting: list[Draft] = []
        self._spool_seen: object = None
        self._spools = [Listing(folder) for folder in places.spools]
        self._anew: str | None = None

    def read(self, live: set[str], over: Iterable[EndedRun]) -> tuple[list[JobHistory], list[str], set[str]]:
        """Return the jobs, notes, and the ids of runs that have ended.

        Args:
            live: Runs that go on; an open entry of any other run is a lost run.
            over: Runs that nobody has closed although they are over.

        Raises:
            BackupTrayError: The log cannot be read.
        """
        self._refresh()
        ended = [run for draft in self._waiting if (run := draft.ended()) is not None]
        closed = {job.last.run for job in self._jobs} | {run.run for run in ended}
        opened = {run.run: run for run in self._open}
        ended += [run for run in over if run.run in opened or run.run not in closed]
        known = live | {run.run for run in ended}
        ended += [_lost(run) for run in self._open if run.run not in known]
        notes = [self._anew] if self._anew else []
        if self._waiting:
            notes.append(_waiting_note(len(self._waiting)))
        return _merge(self._jobs, ended, self._waiting), notes, closed | {run.run for run in ended}

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
                self._jobs, self._open = [], []
                return
        version = self._log.version()
        if version != self._seen:
            self._jobs, self._open = self._log.jobs(), self._log.open_runs()
            self._anew = _anew_note(self._log.entry(0).data)
            self._seen = version

    def _open_log(self) -> "AuditLog | None":
        if not self._places.audit_db.exists() and not self._places.audit_key.exists():
            return None  # nothing was ever recorded here
        from tray.audit.store import AuditLog

        try:
            return AuditLog.read(self._places.audit_db, timeout=LOCKED_SECONDS)
        except AuditMissingError:
            return None


def _anew_note(first: Mapping[str, Any]) -> str | None:
    """What is to be said about a log that followed one which disappeared."""
    if first["result"] != "created again":
        return None
    day = clock.local(clock.from_text(first["time"])).strftime("%Y-%m-%d")
    return f"The audit log was begun anew on {day} because the one before it was gone; older history is missing"


def _waiting_note(count: int) -> str:
    records = "1 record waits" if count == 1 else f"{count} records wait"
    return f"{records} to be written to the audit log"


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
        reason="Nobody saw how this run ended.",
        entry=run.entry,
    )


def _merge(jobs: list[JobHistory], ended: list[EndedRun], waiting: "list[Draft]") -> list[JobHistory]:
    """Return the jobs with runs and acknowledgements that are not in the log yet."""
    known = {job.job: job for job in jobs}
    for run in ended:
        job = known.get(run.job)
        last = run if job is None else status.newest((job.last, run)) or run
        success = None if job is None else job.last_success
        if run.outcome in (Outcome.SUCCEEDED, Outcome.WARNING):
            success = status.newest(found for found in (success, run) if found is not None)
        known[run.job] = JobHistory(run.job, last, success, None if job is None else job.seen_ms)
    for draft in waiting:
        job = known.get(draft.job or "")
        if draft.action.value == "job.seen" and job is not None:
            known[job.job] = replace(job, seen_ms=max(job.seen_ms or 0, draft.time_ms))
    return list(known.values())
