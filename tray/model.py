"""The words of the product as frozen data: states, outcomes, runs, and the one status that every surface shows.

Times are `*_ms` (see `clock`), sizes bytes, rates bytes per second, None means unknown. `to_json` gives the fixed form of
`status --json`; `LiveRun.from_json` validates what comes over the socket. Nothing here does I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tray import clock

MAX_CURRENT = 512  # bytes of the current file's name that travel over the socket


class State(StrEnum):
    """What a job, or everything together, is in. `WORST_FIRST` orders them."""

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
    """How a run ended. `LOST`: nobody saw the end. `UNKNOWN`: it ended, but how cannot be known."""

    SUCCEEDED = "succeeded"
    WARNING = "warning"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """What a live run is doing."""

    SCANNING = "scanning"
    COPYING = "copying"
    FINISHING = "finishing"
    PAUSED = "paused"


class Source(StrEnum):
    """How we know of a run."""

    WRAPPED = "wrapped"
    OBSERVED = "observed"


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run that is going on now, as the tracker knows it.

    `bytes_per_second` counts source bytes; `io_bytes_per_second` is what the processes read, all that is known of a command that
    is no engine of ours. `tracked` is False where only the run folder tells that it runs, without progress.
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

    @property
    def fraction(self) -> float | None:
        """Part done by bytes (by files if bytes are unknown), 0 to 1; None while the totals still grow or are unknown."""
        if self.phase is Phase.SCANNING:
            return None
        for done, total in ((self.bytes_done, self.bytes_total), (self.files_done, self.files_total)):
            if done is not None and total:
                return min(done / total, 1.0)
        return None

    def with_changes(self, **changes: Any) -> "LiveRun":
        """Return a copy with *changes*."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return the run as `status --json` and the socket carry it."""
        return {
            "run": self.run,
            "job": self.job,
            "engine": self.engine,
            "kind": self.kind,
            "repository": self.repository,
            "source": self.source.value,
            "started_at": clock.to_text(self.started_ms),
            "phase": self.phase.value,
            "percent": None if self.fraction is None else int(self.fraction * 100),
            "files_done": self.files_done,
            "files_total": self.files_total,
            "bytes_done": self.bytes_done,
            "bytes_total": self.bytes_total,
            "bytes_per_second": self.bytes_per_second,
            "io_bytes_per_second": self.io_bytes_per_second,
            "eta_seconds": self.eta_seconds,
            "eta_is_estimate": self.eta_is_estimate,
            "current": self.current,
            "errors": self.errors,
            "updated_at": None if self.updated_ms is None else clock.to_text(self.updated_ms),
            "tracked": self.tracked,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LiveRun":
        """Build a run from one that came over the socket; unknown keys are ignored.

        Raises:
            ValueError: A key is missing or has the wrong type.
        """
        updated = _optional(data, "updated_at", str)
        return cls(
            run=_required(data, "run", str),
            job=_required(data, "job", str),
            engine=_required(data, "engine", str),
            started_ms=clock.from_text(_required(data, "started_at", str)),
            kind=_optional(data, "kind", str) or "backup",
            repository=_optional(data, "repository", str),
            source=Source(_optional(data, "source", str) or "wrapped"),
            phase=Phase(_optional(data, "phase", str) or "scanning"),
            files_done=_count(data, "files_done"),
            files_total=_count(data, "files_total"),
            bytes_done=_count(data, "bytes_done"),
            bytes_total=_count(data, "bytes_total"),
            bytes_per_second=_count(data, "bytes_per_second"),
            io_bytes_per_second=_count(data, "io_bytes_per_second"),
            eta_seconds=_count(data, "eta_seconds"),
            eta_is_estimate=bool(data.get("eta_is_estimate")),
            current=_optional(data, "current", str),
            errors=_count(data, "errors") or 0,
            updated_ms=None if updated is None else clock.from_text(updated),
            tracked=bool(data.get("tracked", True)),
        )


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that is over, as the audit log (or the spool) records it.

    Attributes:
        entry: Sequence number of its entry; None while the record waits in the spool.
        inferred: The end was concluded by somebody else than the wrapper that started the run.
        reason: One sentence why the outcome is what it is; None once erased.
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

    def to_json(self) -> dict[str, Any]:
        """Return the run as `last` of `status --json` and as one line of `history --json`."""
        return {
            "run": self.run,
            "job": self.job,
            "engine": self.engine,
            "kind": self.kind,
            "source": self.source.value,
            "repository": self.repository,
            "outcome": self.outcome.value,
            "inferred": self.inferred,
            "started_at": None if self.started_ms is None else clock.to_text(self.started_ms),
            "finished_at": clock.to_text(self.finished_ms),
            "duration_seconds": None if self.duration_ms is None else self.duration_ms / 1000,
            "bytes_processed": self.bytes_processed,
            "bytes_added": self.bytes_added,
            "files": self.files,
            "errors": self.errors,
            "reason": self.reason,
            "entry": self.entry,
        }


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
    """One job's state and its last run."""

    job: str
    state: State
    last: EndedRun | None

    def to_json(self) -> dict[str, Any]:
        """Return the job as `status --json` shows it."""
        return {"job": self.job, "state": self.state.value, "last": None if self.last is None else self.last.to_json()}


@dataclass(frozen=True, slots=True)
class Status:
    """The one answer that icon, tooltip, menu, window and command line show.

    Attributes:
        state: The worst of everything.
        as_of_ms: When the data was read. With an error, when it was last good.
        error: code, what, why, next if the status could not be fetched; then the rest is old or empty, never current.
        notes: Facts worth a line that change no state, such as "3 records wait for the audit log".
    """

    state: State
    as_of_ms: int
    error: Mapping[str, str] | None = None
    runs: tuple[LiveRun, ...] = ()
    jobs: tuple[JobStatus, ...] = ()
    last: EndedRun | None = None
    notes: tuple[str, ...] = field(default=())

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
        }


def clip(text: str, limit: int = MAX_CURRENT) -> str:
    """Return *text* cut to *limit* bytes of UTF-8, keeping the end of a path, which names the file."""
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= limit:
        return raw.decode()
    return "…" + raw[len(raw) - limit + 3 :].decode("utf-8", "ignore")


def _required(data: Mapping[str, Any], key: str, kind: type[str]) -> str:
    value = data.get(key)
    if not isinstance(value, kind):
        raise ValueError(f"{key} must be text")
    return value


def _optional(data: Mapping[str, Any], key: str, kind: type[str]) -> str | None:
    return None if data.get(key) is None else _required(data, key, kind)


def _count(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"{key} must be a whole number that is not negative")
    return value
