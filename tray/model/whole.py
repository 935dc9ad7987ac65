"""What is known of jobs and repositories, and the one status that every surface shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tray import clock
from tray.model.audit import AuditStanding
from tray.model.fields import count, optional, required
from tray.model.runs import EndedRun, LiveRun
from tray.model.words import Instance, State


@dataclass(frozen=True, slots=True)
class JobHistory:
    """What the log knows about one job: enough to judge its state.

    Attributes:
        last: The newest ended run (greatest finish time, then sequence number).
        last_success: The newest run that succeeded, or ended with a warning but made a snapshot; may be `last` itself.
        seen_ms: When somebody last acknowledged the job (`backup-tray seen`), None if never.
    """

    job: str
    last: EndedRun
    last_success: EndedRun | None = None
    seen_ms: int | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job's state and its last run.

    Attributes:
        concern: One sentence why the state is worse than the last run alone says; None if it is not.
        instance: Whose record it is in; a user's job and one of the system may have the same name.
    """

    job: str
    state: State
    last: EndedRun | None
    concern: str | None = None
    instance: Instance = Instance.USER

    def to_json(self) -> dict[str, Any]:
        """Return the job as `status --json` shows it."""
        return {
            "job": self.job,
            "state": self.state.value,
            "last": None if self.last is None else self.last.to_json(),
            "concern": self.concern,
            "instance": self.instance.value,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobStatus":
        """Build a job from one that another instance told.

        Raises:
            ValueError: A key is missing or has the wrong type.
        """
        last = data.get("last")
        return cls(
            job=required(data, "job", str),
            state=State(required(data, "state", str)),
            last=None if last is None else EndedRun.from_json(last),
            concern=optional(data, "concern", str),
            instance=Instance(optional(data, "instance", str) or "user"),
        )


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
    notes: tuple[str, ...] = field(default=())
    repositories: tuple[RepositoryState, ...] = ()
    audit: AuditStanding | None = None

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
