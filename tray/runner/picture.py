"""The live picture of a run: what is known of it right now, built from its events."""

from tray import clock
from tray.engines.base import Event, Problem, Progress
from tray.model import LiveRun, Phase, Step, clip
from tray.redact import Redactor
from tray.runner.rate import Rate
from tray.runs import RunInfo


class Picture:
    """The live state of a run, built from its events."""

    def __init__(self, live: LiveRun, redactor: Redactor) -> None:
        self.live = live
        self._redactor = redactor
        self._rate = Rate()
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

    def _progress(self, seen: Progress) -> None:
        speed = None if seen.bytes_done is None else self._rate.add(clock.monotonic(), seen.bytes_done)
        self._change(
            phase=seen.phase,
            files_done=seen.files_done,
            files_total=seen.files_total,
            bytes_done=seen.bytes_done,
            bytes_total=seen.bytes_total,
            bytes_per_second=speed,
            eta_seconds=seen.eta_seconds,
            eta_is_estimate=seen.eta_seconds is not None,
            current=None if seen.current is None else clip(self._redactor.text(seen.current)),
            errors=max(seen.errors, self._problems),
        )

    def _change(self, **changes: object) -> None:
        self.live = self.live.with_changes(updated_ms=clock.now_ms(), **changes)


def first(info: RunInfo, known: bool) -> LiveRun:
    """Return the picture of a run that begins; *known* if its engine will tell how far it is."""
    return LiveRun(
        run=info.run,
        job=info.job,
        engine=info.engine,
        kind=info.kind,
        repository=info.repository,
        started_ms=info.started_ms,
        phase=Phase.SCANNING if known else Phase.COPYING,
        updated_ms=info.started_ms,
        overlaps=info.overlaps,
        process=None if info.child is None else f"{info.child.pid}@{info.child.start}",
    )
