"""What a process reads or writes where its output says nothing."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tray.engines.base import Engine, Plan
from tray.wrapper.estimate import Rate

if TYPE_CHECKING:
    import psutil


class Reading:
    """The I/O rate of a process and its descendants, by psutil; nothing where the system does not let us look."""

    FAMILY_SECONDS = 5.0

    def __init__(self, pid: int) -> None:
        import psutil

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
    """What an engine has written so far, by psutil.

    Args:
        pid: The command that was started; the engine may be a descendant (`timeout 2h tar …`).
        is_engine: Whether a command line is the engine's.
    """

    def __init__(self, pid: int, is_engine: Callable[[Sequence[str]], bool]) -> None:
        self._pid, self._is_engine = pid, is_engine
        self._process: psutil.Process | None = None

    def sample(self) -> int:
        """Return how many bytes it has written to anything, 0 where the system does not let us look."""
        import psutil

        from tray.core import process_tree

        if self._process is None:  # parents come first, and an engine may fork itself
            self._process = next(
                (one for one in process_tree.tree(self._pid) if self._is_engine(process_tree.command(one))), None
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
