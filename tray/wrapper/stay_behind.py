"""Stay with an engine that a script has left in the background: the caller gets the exit code now, the run stays open.

The wrapper forks. The parent ends as the script did. The child keeps what makes the run live (its lock, its line to the tracker,
its log) until the engine ends too, and then puts the run on record as always. It holds nothing of the caller's that the engine
does not hold itself: a caller that reads our output to its end waits for as long as it would without us.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from tray import runs
from tray.core import locks
from tray.core.dataclass import replace
from tray.observe.proc import Proc
from tray.runs import Process, RunFolder, RunInfo
from tray.wrapper.watch import Watch


def beside(folder: RunFolder, info: RunInfo, watch: Watch) -> RunInfo | None:
    """Let a process of ours stay with the engines that a script has left behind.

    Returns:
        None in this process, which is to end as the script did; in the other one, once those engines have ended, what the run is
        now. Where no other process can be made, the run ends here, and how they end is not known.
    """
    left = watch.left_behind
    stays = _fork()
    if stays is None:
        return info
    if not stays:
        folder.hand_over()
        watch.deliver()
        return None
    _settle(folder.path, left)
    us = os.getpid()
    info = replace(runs.with_child(info, left[0]), wrapper=Process(us, locks.process_start(us)))
    with suppress(OSError):
        folder.save(info)
    watch.stay()
    return info


def _fork() -> bool | None:
    """Make the process that stays: True there, False in the one that ends now, None where none can be made."""
    if sys.platform == "win32" or not hasattr(os, "fork"):
        return None
    try:
        return os.fork() == 0
    except OSError:
        return None


def _settle(folder: Path, engines: list[int]) -> None:
    """Leave the caller's session, and give back what is the caller's.

    Args:
        folder: The run's folder, with the spools of the output that we pass on.
        engines: The processes that go on.
    """
    if sys.platform == "win32":
        return
    with suppress(OSError):
        os.setsid()
    keep = {1, 2} if any(_writes_to(folder, pid) for pid in engines) else set()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in {0, 1, 2} - keep:
        os.dup2(null, fd)
    if null > 2:
        os.close(null)
    for fd in _open():
        if fd > 2:
            with suppress(OSError):
                if os.get_inheritable(fd):  # the caller's: none of ours is
                    os.close(fd)


def _writes_to(folder: Path, pid: int) -> bool:
    """Whether a process has one of our spools as its output, so that its words still have to reach the caller."""
    for number in (1, 2):
        with suppress(OSError):
            if os.readlink(f"{Proc().root}/{pid}/fd/{number}").startswith(f"{folder}/"):
                return True
    return False


def _open() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except (OSError, ValueError):
        return []
