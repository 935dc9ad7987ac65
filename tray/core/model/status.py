"""States of jobs, repositories and audit log, and the one status that every surface shows."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tray.core.codec import Coded, from_json
from tray.core.dataclass import dataclass, replace
from tray.core.model.expectation import Expectation
from tray.core.model.runs import BACKUP, EndedRun, Instance, LiveRun, Proof, State


def shown_name(job: str, kind: str) -> str:
    """Return the name under which the runs of this *kind* of *job* are shown: "home", "home (check)"."""
    if kind == BACKUP or kind in job.replace("(", " ").replace(")", " ").split():
        return job
    return f"{job} ({kind})"


@dataclass(frozen=True, slots=True)
class JobHistory:
    """History of one job from log and spool: enough to judge its state.

    A job's checks, restores and the like are a job of their own (`kind`): they are no backup and say nothing about one.

    Attributes:
        last: The run that was recorded last, whatever came of it.
        decides: The last run that the user did not cancel, where that is not `last`; None also where all were cancelled.
        last_good: The last run that succeeded, or ended with a warning but made a snapshot; may be `last` itself.
        streak: How many runs ended badly since `last_good`; cancelled ones are not counted.
        seen: The user acknowledged the job after `decides` had ended (`backup-tray seen`).
        seen_ms: When; None if that is not known.
        proven: The last proof that a backup of the job can be restored; None in the history of anything but its checks.
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
    seen_ms: int | None = None
    proven: Proof | None = None

    @property
    def about(self) -> EndedRun:
        """The run that decides the job's state: a run that the user cancelled is neutral."""
        return self.decides or self.last


@dataclass(frozen=True, slots=True)
class Expected:
    """By when a job should be backed up again, in figures and in words.

    Attributes:
        expectation: The judgement of `tray.rhythm`.
        rhythm: The job's rhythm: "every day", "every 2 days or so, by its past".
        concern: One short sentence if the job is late, overdue or never ran; else None.
        why: The arithmetic: last good run, expected time, tolerance, awake time since then.
        seen: The user acknowledged the job; of one with runs `JobHistory` says the same.
    """

    expectation: Expectation
    rhythm: str | None = None
    concern: str | None = None
    why: str | None = None
    seen: bool = False


@dataclass(frozen=True, slots=True)
class JobStatus(Coded):
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
        seen: The user acknowledged how the job's last run ended, or that it never ran.
        known: Which was the last good one is known; an instance of an older version does not tell.
        word: How the job stands against its rhythm, a word of `core.model.expectation.Word`; None where it is not judged by one.
        rhythm, why: As in `Expected`.
        expected_by_ms: When the next good run should be there: the job is late after that.
        next_ms: The moment that the next run belongs to; it has passed if the job is due.
        overdue_since_ms: When the job became overdue, None if it is not.
        awake_ms: How long the computer was awake since the last good run ended.
        proven: The last proof that the job's backup can be restored, None if there is none.
        off_until_ms: When the job that the user has turned off is on again, or since when it is; as in `Expectation`.
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
    word: str | None = None
    rhythm: str | None = None
    why: str | None = None
    expected_by_ms: int | None = None
    next_ms: int | None = None
    overdue_since_ms: int | None = None
    awake_ms: int | None = None
    proven: Proof | None = None
    off_until_ms: int | None = None

    @property
    def about(self) -> EndedRun | None:
        """The run that the state is about."""
        return self.decides or self.last  # as in `JobHistory`

    def is_of(self, run: LiveRun) -> bool:
        """Whether *run* is a run of this job."""
        return (shown_name(run.job, run.kind), run.instance) == (self.job, self.instance)

    JSON_KEYS = MappingProxyType(
        {
            "known": None,
            "expected_by_ms": "expected_by",
            "next_ms": "next",
            "overdue_since_ms": "overdue_since",
            "awake_ms": "awake_seconds",
            "off_until_ms": "off_until",
        }
    )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobStatus":
        """Build a job from one that another instance sent; see `Coded.from_json`."""
        return replace(from_json(cls, data), known="last_good" in data)


@dataclass(frozen=True, slots=True)
class RepositoryState(Coded):
    """State of a repository, read from it: the second opinion beside the log.

    Attributes:
        as_of_ms: When it was looked at.
        snapshots: How many there are; None if that cannot be known without its password.
        last_snapshot: Id of the newest one.
        size: Bytes that it takes on its disk.
        locked_by: Holder of a lock, such as "process 4711 on nas"; None if there is none.
        lock_command: The engine's own command that removes a lock that is no longer needed.
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

    JSON_KEYS = MappingProxyType({"as_of_ms": "as_of", "locked_since_ms": "locked_since"})


@dataclass(frozen=True, slots=True)
class AuditStanding(Coded):
    """Result of the last verification of the audit log, and whether the user must act.

    Attributes:
        result: "intact", "tampered" or "inconclusive", or "unchecked" if it could not be checked.
        checked_ms: When.
        entries: How many entries were checked.
        why: One sentence.
        kind: Kind of the manipulation (`tray.audit.verify.verdict.Kind`), None if there is none.
        first_bad: The first entry that is wrong, as far as it can be told.
        baselines: How many outside baselines agreed.
        full: All entries were checked; else only those after an earlier check.
        breach: It was found tampered with, then or earlier, and the user has not acknowledged that.
        since_ms: When the breach was first seen.
        instance: Whose log it is.
    """

    result: str
    checked_ms: int
    entries: int
    why: str
    kind: str | None = None
    first_bad: int | None = None
    baselines: int = 0
    full: bool = True
    breach: bool = False
    since_ms: int | None = None
    instance: Instance = Instance.USER

    JSON_KEYS = MappingProxyType({"since_ms": "since"})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "AuditStanding":
        """Build a standing from `to_json`; where it does not say so, there may be a breach. See `Coded.from_json`."""
        return from_json(cls, {"breach": True, **data} if isinstance(data, Mapping) else data)


@dataclass(frozen=True, slots=True)
class Status(Coded):
    """The status that icon, tooltip, menu, window and command line show.

    Attributes:
        state: The worst of everything.
        as_of_ms: When the data was read. With an error, when it was last good.
        error: code, what, why, next if the status could not be fetched; then the rest is old or empty, never current.
        notes: Facts worth a line that change no state, such as "3 records wait for the audit log".
        last: The run that was recorded last. A dry run does not count, nor a check that went well: its proof stands beside its job.
        repositories: States of the repositories that were looked at.
        audit: Result of the last verification of the audit log; None if there was none.
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

    JSON_KEYS = MappingProxyType({"as_of_ms": "as_of"})
