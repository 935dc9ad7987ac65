"""Runs as frozen data: one that goes on, one that is over, and the steps of a script."""

from collections.abc import Mapping
from typing import Any

from tray.core import clock
from tray.core.dataclass import dataclass, replace
from tray.core.model.enums import Control, Instance, Outcome, Phase, Source
from tray.core.model.fields import count, optional, required

MAX_STEPS = 50
"""Steps of one run that are kept; a script that calls an engine a thousand times is counted, not listed."""


@dataclass(frozen=True, slots=True)
class Step:
    """An engine that a wrapped script called: one step of its run. `finished_ms` None: it goes on."""

    engine: str
    kind: str
    started_ms: int
    repository: str | None = None
    finished_ms: int | None = None
    outcome: Outcome | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the step as `status --json`, the socket and the body of an entry carry it."""
        return {
            "engine": self.engine,
            "kind": self.kind,
            "repository": self.repository,
            "started_at": clock.to_text(self.started_ms),
            "finished_at": None if self.finished_ms is None else clock.to_text(self.finished_ms),
            "outcome": None if self.outcome is None else self.outcome.value,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Step":
        """Build a step from one that came over the socket or stands in an entry.

        Raises:
            ValueError: A key is missing or has the wrong type.
        """
        finished, outcome = optional(data, "finished_at", str), optional(data, "outcome", str)
        return cls(
            engine=required(data, "engine", str),
            kind=required(data, "kind", str),
            started_ms=clock.from_text(required(data, "started_at", str)),
            repository=optional(data, "repository", str),
            finished_ms=None if finished is None else clock.from_text(finished),
            outcome=None if outcome is None else Outcome(outcome),
            reason=optional(data, "reason", str),
        )


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run that is going on now, as the tracker knows it.

    Attributes:
        bytes_per_second: Source bytes.
        io_bytes_per_second: What the processes read: all that is known of a command that is no engine of ours.
        totals_are_estimate: The totals come from earlier runs, not from the engine.
        tracked: False where only the run folder tells that it runs, without progress.
        stalled: It should make progress but has made none for longer than the configured time.
        since_progress_seconds: How long ago it last made progress, if that is long.
        steps: The engines that a wrapped script has called, oldest first.
        can: What can be done with it from here.
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
            "totals_are_estimate": self.totals_are_estimate,
            "stalled": self.stalled,
            "since_progress_seconds": self.since_progress_seconds,
            "steps": [step.to_json() for step in self.steps],
            "can": [control.value for control in self.can],
            "instance": self.instance.value,
            "user": self.user,
            "process": self.process,
            "overlaps": self.overlaps,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LiveRun":
        """Build a run from one that came over the socket; unknown keys are ignored.

        Raises:
            ValueError: A key is missing or has the wrong type.
        """
        updated = optional(data, "updated_at", str)
        return cls(
            run=required(data, "run", str),
            job=required(data, "job", str),
            engine=required(data, "engine", str),
            started_ms=clock.from_text(required(data, "started_at", str)),
            kind=optional(data, "kind", str) or "backup",
            repository=optional(data, "repository", str),
            source=Source(optional(data, "source", str) or "wrapped"),
            phase=Phase(optional(data, "phase", str) or "scanning"),
            files_done=count(data, "files_done"),
            files_total=count(data, "files_total"),
            bytes_done=count(data, "bytes_done"),
            bytes_total=count(data, "bytes_total"),
            bytes_per_second=count(data, "bytes_per_second"),
            io_bytes_per_second=count(data, "io_bytes_per_second"),
            eta_seconds=count(data, "eta_seconds"),
            eta_is_estimate=bool(data.get("eta_is_estimate")),
            current=optional(data, "current", str),
            errors=count(data, "errors") or 0,
            updated_ms=None if updated is None else clock.from_text(updated),
            tracked=bool(data.get("tracked", True)),
            totals_are_estimate=bool(data.get("totals_are_estimate")),
            stalled=bool(data.get("stalled")),
            since_progress_seconds=count(data, "since_progress_seconds"),
            steps=steps_of(data),
            can=_can(data),
            instance=Instance(optional(data, "instance", str) or "user"),
            user=optional(data, "user", str),
            process=optional(data, "process", str),
            overlaps=optional(data, "overlaps", str),
        )


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that is over, as the audit log (or the spool) records it.

    Attributes:
        entry: Sequence number of its entry; None while the record waits in the spool.
        inferred: The end was concluded by somebody else than the wrapper that started the run.
        reason: One sentence why the outcome is what it is; None once erased.
        advice: What to do next, with a command, where somebody knows.
        uncompressed: `bytes_added` is before compression; the engine did not say what was stored.
        steps: The engines that a wrapped script called.
        instance: Whose record it is in.
        user: Whose process it was, where that is not the owner of the record.
        place: The number of the entry that says where the run stands among the others, if that is not `entry`: the start of a run
            whose end somebody else concluded, perhaps long afterwards. Not part of the JSON form.
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
            "added_before_compression": self.uncompressed,
            "files": self.files,
            "errors": self.errors,
            "reason": self.reason,
            "entry": self.entry,
            "advice": self.advice,
            "steps": [step.to_json() for step in self.steps],
            "instance": self.instance.value,
            "user": self.user,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EndedRun":
        """Build a run from one that another instance told.

        Raises:
            ValueError: A key is missing or has the wrong type.
        """
        started = optional(data, "started_at", str)
        seconds = data.get("duration_seconds")
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0):
            raise ValueError("duration_seconds must be a number that is not negative")
        return cls(
            run=required(data, "run", str),
            job=required(data, "job", str),
            engine=required(data, "engine", str),
            outcome=Outcome(required(data, "outcome", str)),
            started_ms=None if started is None else clock.from_text(started),
            finished_ms=clock.from_text(required(data, "finished_at", str)),
            kind=optional(data, "kind", str) or "backup",
            source=Source(optional(data, "source", str) or "wrapped"),
            repository=optional(data, "repository", str),
            inferred=bool(data.get("inferred")),
            duration_ms=None if seconds is None else round(seconds * 1000),
            bytes_processed=count(data, "bytes_processed"),
            bytes_added=count(data, "bytes_added"),
            uncompressed=data.get("added_before_compression") is True,
            files=count(data, "files"),
            errors=count(data, "errors") or 0,
            reason=optional(data, "reason", str),
            entry=count(data, "entry"),
            advice=optional(data, "advice", str),
            steps=steps_of(data),
            instance=Instance(optional(data, "instance", str) or "user"),
            user=optional(data, "user", str),
        )


def _can(data: Mapping[str, Any]) -> tuple[Control, ...]:
    can = data.get("can") or ()
    if not isinstance(can, list | tuple):
        raise ValueError("can must be a list")
    return tuple(control for control in Control if control.value in can)


def steps_of(data: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return the `steps` of a run that came from elsewhere; ValueError if they make no sense."""
    steps = data.get("steps") or ()
    if not isinstance(steps, list | tuple) or not all(isinstance(step, Mapping) for step in steps):
        raise ValueError("steps must be a list of objects")
    return tuple(map(Step.from_json, steps[:MAX_STEPS]))
