"""What is known of jobs and repositories, and the one status that every surface shows."""

from collections.abc import Mapping
from typing import Any

from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.model.audit import AuditStanding
from tray.core.model.enums import BACKUP, Instance, State
from tray.core.model.fields import count, optional, required
from tray.core.model.runs import EndedRun, LiveRun


def shown_name(job: str, kind: str) -> str:
    """Return the name under which the runs of this *kind* of *job* are shown: "home", "home (check)"."""
    if kind == BACKUP or kind in job.replace("(", " ").replace(")", " ").split():
        return job
    return f"{job} ({kind})"


@dataclass(frozen=True, slots=True)
class JobHistory:
    """What log and spool know about one job: enough to judge its state.

    A job's checks, restores and the like are a job of their own (`kind`): they are no backup and say nothing about one.

    Attributes:
        last: The run that was recorded last, whatever came of it.
        decides: The last run that the user did not cancel, where that is not `last`; None also where all were cancelled.
        last_good: The last run that succeeded, or ended with a warning but made a snapshot; may be `last` itself.
        streak: How many runs ended badly since `last_good`; cancelled ones are not counted.
        seen: The user acknowledged the job after `decides` had ended (`backup-tray seen`).
        dated: The time of `last_good` can be believed; False where the log shows that the clock was ahead or far behind then.
    """

    job: str
    last: EndedRun
    last_good: EndedRun | None = None
    kind: str = BACKUP
    decides: EndedRun | None = None
    streak: int = 0
    seen: bool = False
    dated: bool = True

    @property
    def about(self) -> EndedRun:
        """The run that decides the job's state: a run that the user cancelled is neutral."""
        return self.decides or self.last


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job's state and its last run.

    Attributes:
        job: The name that every surface shows (`shown_name`).
        last: The run that was recorded last.
        concern: One sentence why the state is worse than the last run alone says; None if it is not.
        instance: Whose record it is in; a user's job and one of the system may have the same name.
        kind: "backup", or what else the job's runs do.
        decides: The run that the state is about, where that is not `last`: the one before those that the user cancelled.
        last_good: The last run that made a backup, None if there is none.
        streak: How many runs ended badly since then.
        seen: The user acknowledged how the job's last run ended.
        known: Which was the last good one is known; an instance of an older version does not tell.
    """

    job: str
    state: State
    last: EndedRun | None
    concern: str | None = None
    instance: Instance = Instance.USER
    kind: str = BACKUP
    decides: EndedRun | None = None
    last_good: EndedRun | None = None
    streak: int = 0
    seen: bool = False
    known: bool = True

    @property
    def about(self) -> EndedRun | None:
        """The run that the state is about."""
        return self.decides or self.last  # as in `JobHistory`

    def is_of(self, run: LiveRun) -> bool:
        """Whether *run* is a run of this job."""
        return (shown_name(run.job, run.kind), run.instance) == (self.job, self.instance)

    def to_json(self) -> dict[str, Any]:
        """Return the job as `status --json` shows it."""
        return {
            "job": self.job,
            "kind": self.kind,
            "state": self.state.value,
            "last": _run_or_none(self.last),
            "decides": _run_or_none(self.decides),
            "last_good": _run_or_none(self.last_good),
            "streak": self.streak,
            "seen": self.seen,
            "concern": self.concern,
            "instance": self.instance.value,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobStatus":
        """Build a job from one that another instance told.

        Raises:
            ValueError: A key is missing or has the wrong type.
        """
        return cls(
            job=required(data, "job", str),
            state=State(required(data, "state", str)),
            last=_run_of(data, "last"),
            concern=optional(data, "concern", str),
            instance=Instance(optional(data, "instance", str) or "user"),
            kind=optional(data, "kind", str) or BACKUP,
            decides=_run_of(data, "decides"),
            last_good=_run_of(data, "last_good"),
            streak=count(data, "streak") or 0,
            seen=bool(data.get("seen")),
            known="last_good" in data,
        )


def _run_or_none(run: EndedRun | None) -> dict[str, Any] | None:
    return None if run is None else run.to_json()


def _run_of(data: Mapping[str, Any], key: str) -> EndedRun | None:
    run = data.get(key)
    return None if run is None else EndedRun.from_json(run)


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """What a repository says of itself: the second opinion beside the log.

    Attributes:
        as_of_ms: When it was looked at.
        snapshots: How many there are; None if that cannot be known without its password.
        last_snapshot: Id of the newest one.
        size: Bytes that it takes on its disk.
        locked_by: Who holds a lock, such as "process 4711 on nas"; None if nobody does.
        lock_command: The engine's own command that removes a lock which nobody needs any more.
        error: code, what, why, next if it could not be looked at.
    """

    repository: str
    engine: str
    as_of_ms: int
    snapshots: int | None = None
    last_snapshot: str | None = None
    last_snapshot_ms: int | None = None
    size: int | None = None
    locked_by: str | None = None
    locked_since_ms: int | None = None
    lock_command: str | None = None
    error: Mapping[str, str] | None = None
    instance: Instance = Instance.USER

    def to_json(self) -> dict[str, Any]:
        """Return the state as `status --json` and the status cache hold it."""
        return {
            "repository": self.repository,
            "engine": self.engine,
            "as_of": clock.to_text(self.as_of_ms),
            "snapshots": self.snapshots,
            "last_snapshot": self.last_snapshot,
            "last_snapshot_at": None if self.last_snapshot_ms is None else clock.to_text(self.last_snapshot_ms),
            "size": self.size,
            "locked_by": self.locked_by,
            "locked_since": None if self.locked_since_ms is None else clock.to_text(self.locked_since_ms),
            "lock_command": self.lock_command,
            "error": None if self.error is None else dict(self.error),
            "instance": self.instance.value,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RepositoryState":
        """Build a state from one in the status cache, or that another instance told.

        Raises:
            ValueError: A key is missing or has the wrong type.
        """
        last, locked = optional(data, "last_snapshot_at", str), optional(data, "locked_since", str)
        error = data.get("error")
        if error is not None and not (
            isinstance(error, Mapping) and all(isinstance(text, str) for text in error.values())
        ):
            raise ValueError("error must hold texts")
        return cls(
            repository=required(data, "repository", str),
            engine=required(data, "engine", str),
            as_of_ms=clock.from_text(required(data, "as_of", str)),
            snapshots=count(data, "snapshots"),
            last_snapshot=optional(data, "last_snapshot", str),
            last_snapshot_ms=None if last is None else clock.from_text(last),
            size=count(data, "size"),
            locked_by=optional(data, "locked_by", str),
            locked_since_ms=None if locked is None else clock.from_text(locked),
            lock_command=optional(data, "lock_command", str),
            error=None if error is None else dict(error),
            instance=Instance(optional(data, "instance", str) or "user"),
        )


@dataclass(frozen=True, slots=True)
class Status:
    """The one answer that icon, tooltip, menu, window and command line show.

    Attributes:
        state: The worst of everything.
        as_of_ms: When the data was read. With an error, when it was last good.
        error: code, what, why, next if the status could not be fetched; then the rest is old or empty, never current.
        notes: Facts worth a line that change no state, such as "3 records wait for the audit log".
        repositories: What the repositories say of themselves, as far as somebody looked.
        audit: What the last verification of the audit log came to; None if there was none.
    """

    state: State
    as_of_ms: int
    error: Mapping[str, str] | None = None
    runs: tuple[LiveRun, ...] = ()
    jobs: tuple[JobStatus, ...] = ()
    last: EndedRun | None = None
    notes: tuple[str, ...] = ()
    repositories: tuple[RepositoryState, ...] = ()
    audit: AuditStanding | None = None

    @property
    def own_runs(self) -> tuple[LiveRun, ...]:
        """The runs that the answer speaks of; those of other users are shown beside it."""
        return tuple(run for run in self.runs if run.user is None)

    def to_json(self) -> dict[str, Any]:
        """Return the fixed form of `status --json`."""
        return {
            "state": self.state.value,
            "as_of": clock.to_text(self.as_of_ms),
            "error": None if self.error is None else dict(self.error),
            "runs": [run.to_json() for run in self.runs],
            "jobs": [job.to_json() for job in self.jobs],
            "last": None if self.last is None else self.last.to_json(),
            "notes": list(self.notes),
            "repositories": [repository.to_json() for repository in self.repositories],
            "audit": None if self.audit is None else self.audit.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Status":
        """Build a status from one that another instance told; one run or job that makes no sense spoils the whole.

        Raises:
            ValueError: A key is missing or has the wrong type.
        """
        last, error = data.get("last"), data.get("error")
        if error is not None and not (
            isinstance(error, Mapping) and all(isinstance(text, str) for text in error.values())
        ):
            raise ValueError("error must hold texts")
        try:
            return cls(
                state=State(required(data, "state", str)),
                as_of_ms=clock.from_text(required(data, "as_of", str)),
                error=None if error is None else dict(error),
                runs=tuple(LiveRun.from_json(run) for run in data.get("runs") or ()),
                jobs=tuple(JobStatus.from_json(job) for job in data.get("jobs") or ()),
                last=None if last is None else EndedRun.from_json(last),
                notes=tuple(str(note) for note in data.get("notes") or ()),
                repositories=tuple(RepositoryState.from_json(one) for one in data.get("repositories") or ()),
                audit=None if data.get("audit") is None else AuditStanding.from_json(data["audit"]),
            )
        except (TypeError, AttributeError) as cause:
            raise ValueError(f"no status: {cause}") from cause
