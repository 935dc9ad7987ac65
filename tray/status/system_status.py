"""Show the status of the system-wide instance beside the user's own.

Of an instance that does not answer any more a note says so, and its last status is marked as old; one that never was costs one
`stat` for each poll.
"""

from collections.abc import Iterable
from typing import TypeVar

from tray import ipc
from tray.core import clock, paths
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError, NotInGroupError, SystemViewError
from tray.core.model import (
    WORST_FIRST,
    AuditStanding,
    EndedRun,
    Instance,
    JobStatus,
    LiveRun,
    RepositoryState,
    Source,
    State,
    Status,
    judge,
)
from tray.ipc.system_client import NEWER, Conversation, connect

PATIENCE_SECONDS = 1.0
"""How long the first picture is waited for; a service that takes longer is heard in a later poll."""
SILENT_SECONDS = 30.0
"""The service speaks every 10 s even if nothing happens: an older picture is not of now."""

T = TypeVar("T", AuditStanding, EndedRun, JobStatus, RepositoryState)


class SystemStatus:
    """The status that the system-wide instance sends again and again.

    Args:
        role: tray, window or cli, for `hello`.
    """

    def __init__(self, role: str) -> None:
        self._role = role
        self._talk: Conversation | None = None
        self._last: Status | None = None
        self._heard: float | None = None
        self._trouble: BackupTrayError | None = None
        self._parts: tuple[object, ...] = ()
        self._both: Status | None = None

    def poll(self) -> None:
        """Take in its messages. Never raises: `beside` says what failed."""
        folder = paths.system_view()
        if folder is None:
            return
        patience = 0.0
        try:
            if self._talk is None:
                self._talk = connect(folder, self._role)
                if self._talk is None:  # never set up; or removed, of which a note tells
                    self._trouble = None if self._last is None else SystemViewError("Its service was removed.")
                    return
                self._heard, patience = None, PATIENCE_SECONDS
                self._talk.send({"type": "subscribe"})
            for message in self._talk.waiting(patience):
                self._take(message)
            self._check()
        except (SystemViewError, NotInGroupError) as error:
            self._lost(error)

    def beside(self, own: Status) -> Status:
        """Return *own*, the user's status, together with the system's: the very same object while nothing changed."""
        parts = own, self._last, self._trouble
        if self._both is None or any(new is not old for new, old in zip(parts, self._parts, strict=True)):
            self._parts, self._both = parts, self._together(own)
        return self._both

    def _together(self, own: Status) -> Status:
        if isinstance(self._trouble, NotInGroupError):
            return replace(own, notes=(*own.notes, _line(self._trouble)))
        if self._trouble is not None:
            return merged(own, _old(self._last, own.as_of_ms), _line(self._trouble))
        return own if self._last is None else merged(own, self._last)

    def fileno(self) -> int | None:
        """The descriptor on which it speaks, for select; None while there is none."""
        return None if self._talk is None else self._talk.fileno()

    def close(self) -> None:
        """Hang up."""
        if self._talk is not None:
            self._talk.close()
        self._talk = None

    def _check(self) -> None:
        """Note whether the picture is of now."""
        if self._heard is None:
            self._trouble = SystemViewError("Its service has not answered yet.")
            self._heard = clock.monotonic()
            return
        silent = clock.monotonic() - self._heard
        if silent > SILENT_SECONDS:
            raise SystemViewError(f"Its service has said nothing for {silent:.0f} s.")

    def _take(self, message: ipc.Message) -> None:
        try:
            match message["type"]:
                case "status":
                    status = labelled(Status.from_json(message["status"]))
                    self._heard = clock.monotonic() - float(message["age"])
                case "runs" if self._last is not None:
                    status = replace(self._last, runs=tuple(map(_live, map(LiveRun.from_json, message["runs"]))))
                    self._heard = clock.monotonic()
                case "alive":
                    self._heard = clock.monotonic()
                    return
                case "failed":
                    raise SystemViewError(str(message["error"]["why"]))
                case _:
                    return
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SystemViewError(NEWER) from error
        self._last, self._trouble = status, None

    def _lost(self, error: BackupTrayError) -> None:
        self._trouble = error
        self.close()


def labelled(status: Status) -> Status:
    """Return a status of the system-wide instance, marked as such; nothing can be done with its runs from here."""
    return replace(
        status,
        runs=tuple(map(_live, status.runs)),
        jobs=tuple(_job(job) for job in status.jobs),
        last=None if status.last is None else _its(status.last),
        repositories=tuple(map(_its, status.repositories)),
        audit=None if status.audit is None else _its(status.audit),
    )


def ended(run: EndedRun) -> EndedRun:
    """Return an ended run of the system-wide instance, marked as such."""
    return _its(run)


def merged(own: Status, system: Status, trouble: str | None = None) -> Status:
    """Return both as one: the worst of both decides, and a process that both see is shown once.

    Args:
        trouble: Why *system* is old, if so: the first of the notes.
    """
    own, system = _once(own, system)
    failing = own if own.error is not None or system.error is None else system
    return Status(
        state=_worst((own.state, system.state)),
        as_of_ms=failing.as_of_ms,
        error=own.error if failing is own else _of_system(system),
        runs=tuple(sorted((*own.runs, *system.runs), key=lambda run: (run.started_ms, run.run))),
        jobs=tuple(sorted((*own.jobs, *system.jobs), key=judge.rank)),
        last=next(iter(judge.woven(*([] if status.last is None else [status.last] for status in (own, system)))), None),
        notes=(*(() if trouble is None else (trouble,)), *own.notes, *(f"system: {note}" for note in system.notes)),
        repositories=(*own.repositories, *system.repositories),
        audit=_worse_log(own.audit, system.audit),
    )


def _worse_log(own: AuditStanding | None, system: AuditStanding | None) -> AuditStanding | None:
    """Return the standing of one of the two logs: of one with a breach, else of the user's own."""
    if own is None or (system is not None and system.breach and not own.breach):
        return system
    return own


def _once(own: Status, system: Status) -> tuple[Status, Status]:
    """Leave out runs that were only observed where the other side knows the same process as well or better."""
    theirs = {run.process for run in system.runs}
    wrapped = {run.process for run in own.runs if run.source is Source.WRAPPED}
    mine = [run for run in own.runs if _is_observed(run) and run.process in theirs]
    doubled = [run for run in system.runs if _is_observed(run) and run.process in wrapped]
    return _without(own, mine), _without(system, doubled)


def _is_observed(run: LiveRun) -> bool:
    return run.source is Source.OBSERVED and run.process is not None


def _without(status: Status, doubled: list[LiveRun]) -> Status:
    """Return *status* without these runs, and without jobs that were known by them alone."""
    gone = {run.run for run in doubled}
    if not gone:
        return status
    runs = tuple(run for run in status.runs if run.run not in gone)
    known = {run.job for run in runs}
    dropped = {run.job for run in doubled} - known
    jobs = tuple(job for job in status.jobs if job.job not in dropped or job.last is not None)
    return replace(status, runs=runs, jobs=jobs)


def _old(status: Status | None, now_ms: int) -> Status:
    """Return the last status as an old one: nothing runs as far as is known, and no job is called fine."""
    if status is None:
        return Status(State.WARNING, now_ms)
    when = clock.local(status.as_of_ms).strftime("%Y-%m-%d %H:%M")
    jobs = tuple(
        replace(job, state=_worst((job.state, State.WARNING)), concern=f"Not known now; last known {when}.")
        for job in status.jobs
    )
    return replace(status, state=_worst((status.state, State.WARNING)), error=None, runs=(), jobs=jobs)


def _of_system(system: Status) -> dict[str, str]:
    error = dict(system.error or {})
    return error | {"what": f"The system's backups (root's): {error.get('what', '')}".strip()}


def _worst(states: Iterable[State]) -> State:
    return min(states, key=WORST_FIRST.index)


def _live(run: LiveRun) -> LiveRun:
    return run.with_changes(instance=Instance.SYSTEM, can=())


def _job(job: JobStatus) -> JobStatus:
    last, decides, good = (None if run is None else _its(run) for run in (job.last, job.decides, job.last_good))
    return replace(_its(job), last=last, decides=decides, last_good=good)


def _its(thing: T) -> T:
    return replace(thing, instance=Instance.SYSTEM)


def _line(error: BackupTrayError) -> str:
    """Return *error* as one note, which has no full stop at its end."""
    middle = f" {error.why}" if isinstance(error, SystemViewError) else ""
    return f"{error.what}{middle} {error.next}".rstrip(".")
