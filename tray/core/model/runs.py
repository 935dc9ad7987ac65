"""Runs as frozen data: one that goes on, one that is over, the steps of a script, and the closed lists of words."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tray.core.codec import Coded
from tray.core.dataclass import dataclass, replace

BACKUP = "backup"
"""The kind of run that makes a backup; no other kind ever makes anything green."""

CHECK = "check"
"""The kind of run that checks a repository, or proves that a backup can be restored."""

DRY_RUN = "dry-run"
"""A kind of run that only rehearses, so that nothing about it is green or red."""


class State(StrEnum):
    """State of a job, or of all jobs together. `WORST_FIRST` orders them."""

    OK = "ok"
    RUNNING = "running"
    WARNING = "warning"
    STALLED = "stalled"
    FAILED = "failed"
    OVERDUE = "overdue"
    TAMPERED = "tampered"
    NONE = "none"
    UNAVAILABLE = "unavailable"


WORST_FIRST = (
    State.UNAVAILABLE,
    State.TAMPERED,
    State.FAILED,
    State.OVERDUE,
    State.STALLED,
    State.WARNING,
    State.RUNNING,
    State.OK,
    State.NONE,
)


class Outcome(StrEnum):
    """How a run ended. `LOST`: the wrapper stopped before the backup ended. `UNKNOWN`: the way it ended is not known."""

    SUCCEEDED = "succeeded"
    WARNING = "warning"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """Present activity of a live run."""

    SCANNING = "scanning"
    COPYING = "copying"
    FINISHING = "finishing"
    PAUSED = "paused"


class Source(StrEnum):
    """Origin of the knowledge of a run: the wrapper or the observer."""

    WRAPPED = "wrapped"
    OBSERVED = "observed"


class Instance(StrEnum):
    """Whose record a run is in: the user's own, or that of the whole system (root's)."""

    USER = "user"
    SYSTEM = "system"


class Control(StrEnum):
    """A request that a live run can take."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"


MAX_CURRENT = 512
"""Bytes of the current file's name that travel over the socket."""
MAX_STEPS = 50
"""Steps of one run that are kept; a script that calls an engine a thousand times is counted, not listed."""


@dataclass(frozen=True, slots=True)
class Step(Coded):
    """An engine that a wrapped script called: one step of its run. `finished_ms` None: it goes on."""

    engine: str
    kind: str
    started_ms: int
    repository: str | None = None
    finished_ms: int | None = None
    outcome: Outcome | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LiveRun(Coded):
    """A run that is going on now, as the tracker knows it.

    Attributes:
        bytes_per_second: Source bytes.
        io_bytes_per_second: Bytes that the processes read: the only figure of a command that is no engine.
        totals_are_estimate: The totals come from earlier runs, not from the engine.
        tracked: False where only the run folder tells that it runs, without progress.
        stalled: It should make progress but has made none for longer than the configured time.
        since_progress_seconds: How long ago it last made progress, if that is long.
        steps: The engines that a wrapped script has called, oldest first.
        can: Requests that it can take from here.
        instance: Whose record it is in.
        user: Whose process it is, where that is not the owner of the record.
        process: "pid@start" of the command's own process, which names it for good in this boot.
        overlaps: An earlier run of the same job that still went on when this one began.
    """

    run: str
    job: str
    engine: str
    started_ms: int
    kind: str = "backup"
    repository: str | None = None
    source: Source = Source.WRAPPED
    phase: Phase = Phase.SCANNING
    files_done: int | None = None
    files_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    bytes_per_second: int | None = None
    io_bytes_per_second: int | None = None
    eta_seconds: int | None = None
    eta_is_estimate: bool = False
    current: str | None = None
    errors: int = 0
    updated_ms: int | None = None
    tracked: bool = True
    totals_are_estimate: bool = False
    stalled: bool = False
    since_progress_seconds: int | None = None
    steps: tuple[Step, ...] = ()
    can: tuple[Control, ...] = ()
    instance: Instance = Instance.USER
    user: str | None = None
    process: str | None = None
    overlaps: str | None = None

    @property
    def fraction(self) -> float | None:
        """Part done by bytes (by files if bytes are unknown), 0 to 1; None while the totals still grow or are unknown.

        An estimated total never shows more than 99 %.
        """
        if self.phase is Phase.SCANNING:
            return None
        for done, total in ((self.bytes_done, self.bytes_total), (self.files_done, self.files_total)):
            if done is not None and total:
                return min(done / total, 0.99 if self.totals_are_estimate else 1.0)
        return None

    def with_changes(self, **changes: Any) -> "LiveRun":
        """Return a copy with *changes*."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return the run as `status --json` and the socket carry it."""
        fraction = self.fraction
        return {**Coded.to_json(self), "percent": None if fraction is None else int(fraction * 100)}


@dataclass(frozen=True, slots=True)
class Proof(Coded):
    """Files that a check restored and compared with their sources, or with the hashes in the snapshot.

    Attributes:
        at_ms: When the check ended.
        run: The check.
        files, bytes: How many files were compared, and their sizes together.
        snapshot: The snapshot that they were restored from, as the engine names it.
    """

    at_ms: int
    run: str
    files: int
    bytes: int
    snapshot: str | None = None

    JSON_KEYS = MappingProxyType({"at_ms": "at"})


@dataclass(frozen=True, slots=True)
class EndedRun(Coded):
    """A run that is over, as the audit log (or the spool) records it.

    Attributes:
        entry: Sequence number of its entry; None while the record waits in the spool.
        inferred: Another process than its wrapper concluded the end.
        reason: One sentence that explains the outcome; None once erased.
        advice: Next step for the user, with a command; None if there is none.
        uncompressed: `bytes_added` is before compression; the engine did not say what was stored.
        steps: The engines that a wrapped script called.
        instance: Whose record it is in.
        user: Whose process it was, where that is not the owner of the record.
        place: The number of the entry that says where the run stands among the others, if that is not `entry`: the start of a run
            whose end another process concluded, perhaps long afterwards. Not part of the JSON form.
        proven: The files that it restored and compared; None of any run but a check. Not part of the JSON form either.
    """

    run: str
    job: str
    engine: str
    outcome: Outcome
    started_ms: int | None
    finished_ms: int
    kind: str = "backup"
    source: Source = Source.WRAPPED
    repository: str | None = None
    inferred: bool = False
    duration_ms: int | None = None
    bytes_processed: int | None = None
    bytes_added: int | None = None
    files: int | None = None
    errors: int = 0
    reason: str | None = None
    entry: int | None = None
    advice: str | None = None
    steps: tuple[Step, ...] = ()
    instance: Instance = Instance.USER
    user: str | None = None
    uncompressed: bool = False
    place: int | None = None
    proven: Proof | None = None

    JSON_KEYS = MappingProxyType(
        {"duration_ms": "duration_seconds", "uncompressed": "added_before_compression", "place": None, "proven": None}
    )


def clip(text: str, limit: int = MAX_CURRENT) -> str:
    """Return *text* cut to *limit* bytes of UTF-8, keeping the end of a path, which names the file."""
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= limit:
        return raw.decode()
    return "…" + raw[len(raw) - limit + 3 :].decode("utf-8", "ignore")


def proof_of(data: Mapping[str, Any], run: str, finished_ms: int) -> Proof | None:
    """Return the `proof` in the body of the entry of a check; one that compared no file proves nothing."""
    facts = data.get("proof")
    if not isinstance(facts, Mapping):
        return None
    files, size = (max(value, 0) if type(value := facts.get(key)) is int else 0 for key in ("files", "bytes"))
    snapshot = facts.get("snapshot")
    return Proof(finished_ms, run, files, size, snapshot if isinstance(snapshot, str) else None) if files else None


def steps_of(data: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return the `steps` of a run in the body of an entry.

    Raises:
        ValueError: A step has the wrong form.
    """
    steps = data.get("steps") or ()
    if not isinstance(steps, list | tuple):
        raise ValueError("steps must be a list")
    return tuple(map(Step.from_json, steps))
