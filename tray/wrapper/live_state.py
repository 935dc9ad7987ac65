"""The live picture of a run: what is known of it right now, built from its events."""

from collections.abc import Sequence

from tray.core import clock
from tray.core.model import LiveRun, Phase, Step, clip
from tray.core.redact import Redactor
from tray.engines.base import Event, Problem, Progress
from tray.runs import RunInfo
from tray.wrapper.estimate import Estimate, Estimator, Past
from tray.wrapper.estimate import Reading as Counters


class Picture:
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
        self._estimator.know(past)
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

    def _estimated(self, found: Estimate) -> dict[str, object]:
        """Return the fields that are estimated."""
        return {
            "files_total": found.files_total,
            "bytes_total": found.bytes_total,
            "totals_are_estimate": found.totals_are_estimate,
            "bytes_per_second": found.bytes_per_second,
            "eta_seconds": found.eta_seconds,
            "eta_is_estimate": found.eta_seconds is not None,
        }

    def _change(self, **changes: object) -> None:
        self.live = self.live.with_changes(updated_ms=clock.now_ms(), **changes)


def first(info: RunInfo, known: bool) -> LiveRun:
    """Return the picture of a run that begins; *known* if its engine will tell how far it is."""
    return info.live(phase=Phase.SCANNING if known else Phase.COPYING, updated_ms=info.started_ms)
