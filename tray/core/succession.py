"""End a process of ours whose program was replaced while it runs, as by an upgrade, and take its place.

A process notes which program it runs: its file, and that file's inode and time of change. If that file was
replaced, the process runs a program that is gone from the disk, and would load parts of the new one.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

import tray
from tray.core import clock, locks
from tray.core.files import content

PATIENCE_SECONDS = 5.0
"""So long a process may take to end in order after TERM; then it is killed."""


def program() -> list[str]:
    """Return the program that this process runs: its file, and a stamp of that file; `is_replaced` takes it."""
    return [tray.__file__, _STAMP]


def _stamp(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_ino}-{status.st_mtime_ns}"


_STAMP = _stamp(tray.__file__)


def is_replaced(noted: object) -> bool:
    """Whether the program that a process noted has been replaced on the disk since; False where that cannot be told."""
    match noted:
        case [str(path), str(stamp)] if stamp:
            return _stamp(path) not in ("", stamp)
    return False


def sign(lock: Path) -> None:
    """Write into the file of a lock that we hold who we are and which program we run."""
    own = os.getpid()
    with contextlib.suppress(OSError):
        lock.write_bytes("\n".join([str(own), locks.process_start(own) or "", *program()]).encode())


def make_way(lock: Path) -> bool:
    """End the holder of a lock if its program has been replaced, for certain; return whether it has ended."""
    try:
        pid, start, *noted = content(lock, 8192).decode().split("\n")
        return is_replaced(noted) and end(int(pid), start)
    except (OSError, ValueError):
        return False


def end(pid: int, start: str, *, patience: float = PATIENCE_SECONDS) -> bool:
    """End a process of ours, named by its number and when it started: TERM, and KILL if that does not help in time.

    Returns:
        Whether it is gone.
    """
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if locks.process_start(pid) != start:
            return True
        with contextlib.suppress(OSError):
            os.kill(pid, number)
        deadline = clock.monotonic() + patience
        while locks.process_start(pid) == start and clock.monotonic() < deadline:
            time.sleep(0.02)
    return locks.process_start(pid) != start
