"""The files under a command's output after the wrapper's end, by a process that was forked from it: a machine may have no tracker.

A `Guard` sleeps while the wrapper lives. When that was killed, it keeps the files small until no process can write to them any
more; the newest part stays, by which the run is judged. `pass_on` is for a wrapper that has ended while a process of its command
writes on: its words reach the caller as they would without us, and the caller's reader waits for as long. Linux only: elsewhere a
file cannot give back what is not needed.
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
from tray.wrapper.relay import ATOMIC, LEFT_OUT

if sys.platform != "win32":
    import fcntl

KEEP = 64 * 1024 * 1024
"""So much of the output stays that came when no wrapper read it."""
_LEAST = 1024 * 1024
_MODIFIED_OR_CLOSED = 0x2 | 0x8  # inotify(7)
_PARTS = 256
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


class Late:
    """A spool that a process may still write to: what comes after *seen* bytes goes to the descriptor *to* of the caller.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path, to: int, seen: int) -> None:
        self.fd = files.descriptor(path, os.O_RDONLY)
        self._to: int | None = to if to in (1, 2) else None
        self._seen = seen

    def written_to(self) -> bool:
        """Whether a process can still write to it."""
        return written_to([self.fd])

    @property
    def spared(self) -> set[int]:
        """The descriptors that it needs."""
        return {self.fd} if self._to is None else {self.fd, self._to}

    def step(self) -> bool:
        """Pass some of it on; whether there may be more to pass at once, or a reader that takes no more just now."""
        size = os.fstat(self.fd).st_size
        lost = size - KEEP - self._seen
        try:
            if self._to is None:
                self._seen = size
            elif lost > 0:
                os.write(self._to, LEFT_OUT % lost)
                self._seen += lost
            elif self._seen < size:
                self._write(self._to)
        except OSError:  # the reader has gone
            self._to = None
        _give_back(self.fd, self._seen)
        return self._seen < size

    def _write(self, to: int) -> None:
        """Pass on what the reader takes; waits a moment for it."""
        for _ in range(_PARTS):
            os.lseek(self.fd, self._seen, os.SEEK_SET)
            part = os.read(self.fd, ATOMIC)
            if not part or not select.select([], [to], [], _PAUSE_SECONDS)[1]:
                return
            self._seen += os.write(to, part)

    def end(self) -> None:
        """Let the reader see the end."""
        if self._to is not None:
            os.close(self._to)


def pass_on(late: Sequence[Late]) -> None:
    """Have a process of its own pass on what still comes, until no process can write any more.

    Raises:
        OSError: It cannot be made.
    """
    if sys.platform == "win32" or not late or os.fork():
        return
    try:
        _settle(set().union(*(spool.spared for spool in late)))
        notices = _told([spool.fd for spool in late])
        going = list(late)
        while going:
            writing = [spool for spool in going if spool.written_to()]  # before the last look
            more = [spool for spool in going if spool.step()]
            for spool in going:
                if spool not in writing and spool not in more:
                    spool.end()
            going = [spool for spool in going if spool in writing or spool in more]
            if going and not more:
                _await(notices)
    finally:
        os._exit(0)


def written_to(spools: Sequence[int]) -> bool:
    """Whether any process can still write to one of *spools*, descriptors for reading; a lease for readers is then refused."""
    if sys.platform == "linux":
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
        notices = _told(spools)
        while written_to(spools):
            for fd in spools:
                keep = _LEAST if disk_space.free(fd) < disk_space.LOW else KEEP
                _give_back(fd, os.fstat(fd).st_size - keep)
            _await(notices)
    finally:
        os._exit(0)


def _told(spools: Sequence[int]) -> int | None:
    """Return what becomes readable when one of *spools* grows or is closed, None where the system does not tell."""
    # A path also of a file that has no name any more.
    return waker.grown([Path(f"/proc/self/fd/{fd}") for fd in spools], _MODIFIED_OR_CLOSED)


def _await(notices: int | None) -> None:
    if notices is not None:
        select.select([notices], [], [], _LOOK_SECONDS)
        with suppress(BlockingIOError):
            os.read(notices, 65536)
    time.sleep(_PAUSE_SECONDS)


def _settle(keep: set[int]) -> None:
    """Hold nothing of the caller's but *keep*: not its terminal, its folder, its pipes, nor the run's lock."""
    if sys.platform == "win32":
        return
    signal.set_wakeup_fd(-1)
    for number in waker.FORWARDED:
        signal.signal(number, signal.SIG_DFL)
    with suppress(OSError):
        os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in {0, 1, 2} - keep:
        os.dup2(null, fd)
    before = 2
    for fd in (*sorted(fd for fd in keep if fd > 2), os.sysconf("SC_OPEN_MAX")):
        os.closerange(before + 1, fd)
        before = fd


def _give_back(fd: int, end: int) -> None:
    """Give the disk under the first *end* bytes of a file back, where that is worth a call."""
    end = end // disk_space.BLOCK * disk_space.BLOCK
    start = files.kept(fd, 0)[0]
    if end - start < _LEAST:
        return
    with suppress(OSError):
        writing = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
        try:
            disk_space.give_back(writing, start, end)
        finally:
            os.close(writing)
