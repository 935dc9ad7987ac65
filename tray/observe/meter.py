"""Measure an observed run by what the kernel tells of its process, which is less than the engine's output would."""

import os
from collections import deque
from collections.abc import Sequence

from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.model import clip
from tray.observe.proc import Proc

WINDOW_SECONDS = 10.0
SAMPLE_SECONDS = 15.0
NOISE_BYTES = 32 * 1024
NOISE_TICKS = 5
"""Traffic and CPU time between two samples of a process that only waits: it renews its lock, or asks its server again."""
_NO_FILES = ("/dev/", "/proc/", "/sys/", "/run/", "/memfd:", "/usr/lib", "/usr/share/zoneinfo", "/etc/ld.so", "/lib")


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement.

    Attributes:
        bytes_per_second: Bytes read with calls of any kind, also from cache or repository: no source bytes. None if unknown.
        current: A file that the process has open for reading, None if unknown.
        paused: Whether a signal has stopped the process.
        idle_seconds: Time without activity; paused time does not count.
    """

    bytes_per_second: int | None
    current: str | None
    paused: bool
    idle_seconds: float


class Meter:
    """The readings of one process.

    Args:
        sources: Files below these are named first.
        avoid: Folders whose files are none of the source's, such as the repository.
        ours: Whether it is our own user's. Another user may hold half a million files open, and their names are private.
    """

    def __init__(
        self, proc: Proc, pid: int, sources: Sequence[str] = (), avoid: Sequence[str] = (), *, ours: bool = True
    ) -> None:
        self._proc, self._pid, self._ours = proc, pid, ours
        self._sources = tuple(source.rstrip("/") + "/" for source in sources if os.path.isabs(source))
        self._avoid = tuple(folder.rstrip("/") + "/" for folder in avoid if os.path.isabs(folder)) + _NO_FILES
        self._points: deque[tuple[float, int]] = deque()
        self._sample: tuple[float, int] | None = None
        self._moved = clock.monotonic()

    def read(self, now: float) -> Reading:
        """Measure now; *now* is the time in seconds on a clock that stands still while the machine sleeps."""
        stat, io = self._proc.stat(self._pid), self._proc.io(self._pid)
        paused = stat is not None and stat.state in "Tt"
        if io is not None:
            self._note(now, sum(io), NOISE_BYTES, paused)
        elif stat is not None:  # another user's
            self._note(now, stat.ticks, NOISE_TICKS, paused)
        return Reading(None if io is None else self._rate(now, io[0]), self._current(), paused, now - self._moved)

    def _note(self, now: float, done: int, noise: int, paused: bool) -> None:
        """Take a sample of a counter: the process is active if it moves by more than *noise* between two samples."""
        if self._sample is None or paused or done - self._sample[1] > noise:
            self._moved, self._sample = now, (now, done)
        elif now - self._sample[0] > SAMPLE_SECONDS:
            self._sample = (now, done)

    def _rate(self, now: float, done: int) -> int | None:
        self._points.append((now, done))
        while len(self._points) > 2 and now - self._points[0][0] > WINDOW_SECONDS:
            self._points.popleft()
        first, before = self._points[0]
        return int((done - before) / (now - first)) if now - first >= 0.5 and done >= before else None

    def _current(self) -> str | None:
        if not self._ours:
            return None
        best = None
        for path in self._proc.reading(self._pid):
            if path.startswith(self._sources) or path + "/" in self._sources:
                return clip(path)
            if best is None and not path.startswith(self._avoid) and not _is_cache(path):
                best = clip(path)
        return best if not self._sources else None


def _is_cache(path: str) -> bool:
    return "/.cache/" in path or path.endswith((" (deleted)", ".pyc", ".py", ".so"))
