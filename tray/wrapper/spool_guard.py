"""Keep the files under a command's output small once nothing reads them.

That is so when the wrapper was killed, and when it has ended while a process of its command writes on. A process forked from the
wrapper sees to it, since a machine may have no tracker. It sleeps while the wrapper lives, and ends when no process can write to
the files any more. It keeps the newest part, by which a killed wrapper's run is judged, and nothing of a file without a name. Linux
only: elsewhere a file cannot give back what is not needed.
"""

import errno
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tray.core import files
from tray.runs import disk_space
from tray.wrapper import waker

KEEP = 64 * 1024 * 1024
"""So much of the output stays that came when no wrapper read it."""
_LEAST = 1024 * 1024
_MODIFIED_OR_CLOSED = 0x2 | 0x8  # inotify(7)
_LOOK_SECONDS = 5.0
_PAUSE_SECONDS = 0.05


class Guard:
    """The process that keeps *paths* small when this one is gone.

    Raises:
        OSError: It cannot be made.
    """

    _pid: int
    _pipe: int

    def __init__(self, paths: Sequence[Path]) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        ours, self._pipe = os.pipe()
        spools: list[int] = []
        try:
            spools = [files.descriptor(path, os.O_RDONLY) for path in paths]
            self._pid = os.fork()
            if not self._pid:
                _be(ours, spools)
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            for fd in (ours, *spools):
                os.close(fd)

    def dismiss(self) -> None:
        """End that process: nothing more can be written."""
        with suppress(OSError):
            if sys.platform != "win32":
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
        os.close(self._pipe)


def written_to(spools: Sequence[int]) -> bool:
    """Whether any process can still write to one of *spools*, descriptors for reading; a lease for readers is then refused."""
    if sys.platform != "linux":
        return False
    import fcntl

    signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel's way of asking for a lease back
    for fd in spools:
        try:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return True
        except OSError:  # a file system without leases
            return False
    return False


def _be(pipe: int, spools: list[int]) -> None:
    """Live as the guard, and end."""
    try:
        _settle({pipe, *spools})
        os.read(pipe, 1)  # the wrapper writes nothing: this returns when it is gone
        paths = [Path(f"/proc/self/fd/{fd}") for fd in spools]  # a path also of a file that has no name any more
        told = waker.grown(paths, _MODIFIED_OR_CLOSED)
        while written_to(spools):
            for fd in spools:
                _trim(fd)
            if told is not None:
                select.select([told], [], [], _LOOK_SECONDS)
                with suppress(BlockingIOError):
                    os.read(told, 65536)
            time.sleep(_PAUSE_SECONDS)
    finally:
        os._exit(0)


def _settle(keep: set[int]) -> None:
    """Hold nothing of the caller's: not its terminal, its folder, its pipes, nor the run's lock."""
    if sys.platform == "win32":
        return
    signal.set_wakeup_fd(-1)
    for number in waker.FORWARDED:
        signal.signal(number, signal.SIG_DFL)
    with suppress(OSError):
        os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    before = 2
    for fd in (*sorted(keep), os.sysconf("SC_OPEN_MAX")):
        os.closerange(before + 1, fd)
        before = fd


def _trim(fd: int) -> None:
    """Give the disk under what is not needed of a file back."""
    found = os.fstat(fd)
    keep = 0 if not found.st_nlink else _LEAST if disk_space.free(fd) < disk_space.LOW else KEEP
    end = (found.st_size - keep) // disk_space.BLOCK * disk_space.BLOCK
    start = files.kept(fd, 0)[0]
    if end - start < (_LEAST if keep else disk_space.BLOCK):
        return
    with suppress(OSError):
        writing = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
        try:
            disk_space.give_back(writing, start, end)
        finally:
            os.close(writing)
