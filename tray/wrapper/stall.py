"""Notice that a run stands still: no progress for so long that the user should look.

While an engine copies and says how far it is, only its own figures count. At any other time, and for a command that says nothing,
words and I/O of its processes are signs of life too; where the system does not let us see them, nothing is claimed. Time in which
we did not run ourselves (a suspended machine, Ctrl-Z) is no time of standing still, whatever the clock of this system counts.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tray.core.model import LiveRun, Phase
from tray.engines.base import Engine, Plan
from tray.wrapper.pace import Rate

if TYPE_CHECKING:
    import psutil

LOOK_SECONDS = 2.0
"""So long it must be quiet before the configuration is read and processes are looked at: short runs pay nothing."""
GAP_SECONDS = 5.0
"""We look at least once a second; if more than this has passed, we did not run."""
SAMPLE_SECONDS = 15.0
NOISE_BYTES = 32 * 1024
"""I/O between two samples, besides the output that we have seen, which a process that only waits may have."""

Traffic = Callable[[], dict[int, int] | None]


class Stall:
    """A watch over the progress of one run.

    Attributes:
        stalled: Whether the run stands still.

    Args:
        limit: Seconds without progress after which a run stands still, None: never; asked once, when it is quiet.
        traffic: Bytes that each process of the run has read and written so far; None where that cannot be seen.
        say: Writes a line into the run's log.
        now: The monotonic clock.
    """

    def __init__(
        self, limit: Callable[[], float | None], traffic: Traffic, say: Callable[[str], None], now: float
    ) -> None:
        self._ask_limit, self._traffic, self._say = limit, traffic, say
        self._limit: float | None = None
        self._asked = False
        self._since = self._before = now
        self._figures: tuple[object, ...] = ()
        self._lively = False
        self._output = 0
        self._sample_at = now + LOOK_SECONDS
        self._sample: dict[int, int] | None = None
        self._output_then = 0
        self._blind = True
        self._total = 0.0
        self.stalled = False

    @property
    def minutes(self) -> int | None:
        """For how many whole minutes there has been no progress; None while it does not stand still."""
        return int(self._before - self._since) // 60 if self.stalled else None

    @property
    def seconds(self) -> int:
        """How long it stood still in all, each time from the last progress on."""
        return round(self._total + (self._before - self._since if self.stalled else 0.0))

    def heard(self, size: int, *, words: bool) -> None:
        """A line of *size* bytes came; *words* if it was more than figures."""
        self._output += size
        self._lively = self._lively or words

    def tick(self, now: float, live: LiveRun, *, paused: bool) -> None:
        """Look at the picture of the run, at least once a second."""
        gap, self._before = now - self._before, now
        if gap > GAP_SECONDS:
            self._since += gap
            self._sample = None
        if paused or self._moved(now, live):
            self._goes_on(now)
        elif now - self._since >= LOOK_SECONDS:
            self._judge(now, live)

    def _moved(self, now: float, live: LiveRun) -> bool:
        totals = (live.files_total, live.bytes_total) if live.phase is Phase.SCANNING else ()
        figures = (live.files_done, live.bytes_done, live.current, *totals)
        moved, self._figures = figures != self._figures, figures
        words, self._lively = self._lively, False
        return moved or (not self._strict(live) and (words or self._busy(now)))

    def _busy(self, now: float) -> bool:
        """Whether its processes have read or written since the last sample."""
        if now < self._sample_at:
            return False
        self._sample_at = now + min(SAMPLE_SECONDS, (self._limit or SAMPLE_SECONDS) / 3)
        before, self._sample = self._sample, self._traffic()
        said, self._output_then = self._output - self._output_then, self._output
        self._blind = self._sample is None
        if before is None or self._sample is None:
            return False
        others = any(pid not in before for pid in self._sample)
        read = sum(count - before.get(pid, 0) for pid, count in self._sample.items())
        return others or read - said > NOISE_BYTES

    def _judge(self, now: float, live: LiveRun) -> None:
        if not self._asked:
            self._asked, self._limit = True, self._ask_limit()
        if self._limit is None or now - self._since < self._limit or self.stalled:
            return
        if self._strict(live) or not self._blind:
            self.stalled = True
            self._say(f"no progress for {_span(now - self._since)}")

    def _goes_on(self, now: float) -> None:
        if self.stalled:
            self._total += now - self._since
            self.stalled = False
            self._say(f"goes on after {_span(now - self._since)} without progress")
        self._since = now
        self._sample_at = max(self._sample_at, now + LOOK_SECONDS)

    @staticmethod
    def _strict(live: LiveRun) -> bool:
        return live.phase is Phase.COPYING and (live.bytes_done is not None or live.files_done is not None)


def _span(seconds: float) -> str:
    return f"{int(seconds // 60)} min" if seconds >= 60 else f"{int(seconds)} s"


class IoRate:
    """The I/O rate of a process and its descendants, by psutil; nothing where the system does not let us look."""

    FAMILY_SECONDS = 5.0

    def __init__(self, pid: int) -> None:
        import psutil  # slow to load, and a short run does not need it

        self._psutil = psutil
        self._rate = Rate()
        self._family_until = 0.0
        self._family: dict[int, psutil.Process] = {}
        self._read: dict[int, int] = {}
        try:
            self._root: psutil.Process | None = psutil.Process(pid)
        except psutil.Error:
            self._root = None

    def sample(self, now: float) -> int | None:
        """Return bytes read per second (reads of any kind, not source bytes), None if unknown."""
        if self._root is None:
            return None
        if now >= self._family_until:
            self._family_until = now + self.FAMILY_SECONDS
            try:
                self._family = {process.pid: process for process in (self._root, *self._root.children(recursive=True))}
            except self._psutil.Error:
                return None
        for pid, process in self._family.items():
            try:
                counters = getattr(process, "io_counters", lambda: None)()  # macOS tells nothing of the kind
            except self._psutil.Error:
                continue
            if counters is not None:
                self._read[pid] = getattr(counters, "read_chars", counters.read_bytes)
        return self._rate.add(now, sum(self._read.values())) if self._read else None


class Written:
    """The bytes that an engine has written so far, by psutil.

    Args:
        pid: The command that was started; the engine may be a descendant (`timeout 2h tar …`).
        is_engine: Whether a command line is the engine's.
    """

    def __init__(self, pid: int, is_engine: Callable[[Sequence[str]], bool]) -> None:
        self._pid, self._is_engine = pid, is_engine
        self._process: psutil.Process | None = None

    def sample(self) -> int:
        """Return how many bytes it has written to anything, 0 where the system does not let us look."""
        import psutil  # as in `IoRate`

        from tray.core import process_tree  # it loads psutil

        if self._process is None:  # parents come first, and an engine may fork itself
            self._process = next(
                (process for process in process_tree.tree(self._pid) if self._is_engine(process_tree.command(process))),
                None,
            )
        try:
            counters = getattr(self._process, "io_counters", lambda: None)()  # macOS tells nothing of the kind
        except psutil.Error:
            return 0
        return 0 if counters is None else int(getattr(counters, "write_chars", counters.write_bytes))


def written(pid: int, engine: Engine, plan: Plan) -> Written | None:
    """Return what tells how far an engine is that only writes, None for one that tells it itself."""

    def is_engine(argv: Sequence[str]) -> bool:
        return bool(argv) and engine.recognises(os.path.basename(argv[0]))

    return Written(pid, is_engine) if plan.writes else None
