"""The live state of a run: what is known of it now, from its events and from earlier runs of its job."""

from collections.abc import Mapping, Sequence
from typing import Any

from tray import engines
from tray.core import clock
from tray.core.model import LiveRun, Phase, Step, clip
from tray.core.paths import Places
from tray.core.redact import Redactor
from tray.engines.base import Event, Problem, Progress
from tray.runs import RunInfo
from tray.wrapper.estimate import Counters, Estimate, Estimator, Past

RUNS = 10
"""Earlier runs that are read: their sizes show whether a run is much smaller than usual."""

ESTIMATED = 3
"""The newest of them, from which totals and time left are estimated."""

WAIT_SECONDS = 0.1
"""The wrapper does not wait longer for a locked log: then the earlier runs are not known."""


class LiveState:
    """The live state of a run, built from its events."""

    def __init__(self, live: LiveRun, redactor: Redactor) -> None:
        self.live = live
        self._redactor = redactor
        self._estimator = Estimator(clock.monotonic())
        self._problems = 0

    def event(self, event: Event) -> None:
        """Take one event of the engine."""
        if isinstance(event, Problem):
            self._problems += 1
            self._change(errors=max(self.live.errors, self._problems))
        else:
            self._progress(event)

    def reading(self, rate: int | None) -> None:
        """Take the I/O rate of a command whose output says nothing."""
        self._change(io_bytes_per_second=rate)

    def steps(self, steps: tuple[Step, ...]) -> None:
        """Take the engines that a script has called."""
        self._change(steps=steps)

    def know(self, past: Sequence[Past]) -> None:
        """Take the earlier runs of the same job, the newest first: what to expect of this one."""
        self._estimator.know(past[:ESTIMATED])
        self.tick(clock.monotonic())

    def tick(self, now: float, *, paused: bool = False) -> None:
        """Look at the clock, at least once a second: also a silent engine comes nearer to its end, or does not."""
        estimate = self._estimated(self._estimator.look(now, paused=paused))
        if any(getattr(self.live, key) != value for key, value in estimate.items()):
            self._change(**estimate)

    def _progress(self, seen: Progress) -> None:
        counters = Counters(
            clock.monotonic(),
            seen.phase,
            seen.files_done,
            seen.files_total,
            seen.bytes_done,
            seen.bytes_total,
            seen.eta_seconds,
        )
        self._change(
            phase=seen.phase,
            files_done=seen.files_done,
            bytes_done=seen.bytes_done,
            current=None if seen.current is None else clip(self._redactor.text(seen.current)),
            errors=max(seen.errors, self._problems),
            **self._estimated(self._estimator.add(counters)),
        )

    def _estimated(self, estimate: Estimate) -> dict[str, object]:
        """Return the fields that are estimated."""
        return {
            "files_total": estimate.files_total,
            "bytes_total": estimate.bytes_total,
            "totals_are_estimate": estimate.totals_are_estimate,
            "bytes_per_second": estimate.bytes_per_second,
            "eta_seconds": estimate.eta_seconds,
            "eta_is_estimate": estimate.eta_seconds is not None,
        }

    def _change(self, **changes: object) -> None:
        self.live = self.live.with_changes(updated_ms=clock.now_ms(), **changes)


def first(info: RunInfo, known: bool) -> LiveRun:
    """Return the live state of a run that begins; *known* if its engine will tell its progress."""
    return info.live(phase=Phase.SCANNING if known else Phase.COPYING, updated_ms=info.started_ms)


def earlier_runs(places: Places, info: RunInfo) -> tuple[Past, ...]:
    """Return the last good runs of the job of *info*, the newest first; nothing where they cannot be read."""
    if info.kind == "other":
        return ()
    try:
        from tray.audit.store import AuditLog  # SQLite loads after the first look at the output

        with AuditLog.read(places.audit_db, timeout=WAIT_SECONDS) as log:
            entries = log.good_ends(info.job, RUNS)
        runs = (_past(entry.data, entry.body or {}, info) for entry in entries)
        return tuple(run for run in runs if run is not None)
    except Exception:  # an estimate is a convenience; no mistake in it may reach the run
        return ()


def _past(entry: Mapping[str, Any], body: Mapping[str, Any], info: RunInfo) -> Past | None:
    """Return what an entry tells; None of a run of another engine or kind, or without a duration."""
    took = _count(entry, "duration_ms")
    if took is None or entry.get("engine") != info.engine or entry.get("kind") != info.kind:
        return None
    seconds = took / 1000 - (_count(body, "paused_seconds") or 0)
    return Past(
        max(seconds, 0.0),
        _count(entry, "files"),
        _count(entry, "bytes_processed"),
        _count(entry, "bytes_added"),
        copied=engines.named(info.engine).copied_only,
        empty=_names(body, "empty_sources"),
        emptied=_names(body, "emptied_sources") or (),
        sources=_names(body, "sources") or (),
    )


def _names(body: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    names = body.get(key)
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else None


def _count(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    return value if type(value) is int and value >= 0 else None
