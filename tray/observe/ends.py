"""Find out how a process ended that is not our child.

From best to least: the kernel keeps the exit status with the pidfd (Linux 6.15, also of another user's process); the process list
shows it until the parent has asked for it (if we may look into the process); else only that it ended. Source of number and layout:
linux/pidfd.h, PIDFD_GET_INFO = _IOWR(0xFF, 11, struct pidfd_info), 64 bytes in its first version, mask bit 3 = PIDFD_INFO_EXIT.
"""

import os
import select
import struct
import sys
from contextlib import suppress

from tray.core import clock
from tray.core.dataclass import dataclass
from tray.observe.proc import Proc

if sys.platform != "win32":
    import fcntl

BY_PIDFD = "exit status by pidfd"
BY_LIST = "exit status by the process list"
BY_EVENT = "exit status by the process connector"
NOT_KNOWN = "ended, status not known"

REAP_SECONDS = 10.0
"""How long a parent may take to ask for the exit status, which is when the kernel tells it to us."""

_GET_INFO = (3 << 30) | (64 << 16) | (0xFF << 8) | 11
_LAYOUT = struct.Struct("=QQ11Ii")  # mask, cgroup, pid, tgid, ppid, 8 ids, exit status
_EXIT = 1 << 3


@dataclass(frozen=True, slots=True)
class End:
    """The end of a process, and the source of that knowledge. Code and signal are both None if only the end was seen."""

    code: int | None
    signal: int | None
    how: str

    @classmethod
    def of(cls, status: int, how: str) -> "End":
        """Build it from a status as waitpid(2) gives it."""
        code = os.waitstatus_to_exitcode(status)
        return cls(code, None, how) if code >= 0 else cls(None, -code, how)


class Ending:
    """The awaited end of one process, named by pid and start. `fd` becomes readable at the end (None: ask now and then)."""

    def __init__(self, proc: Proc, pid: int, start: str) -> None:
        self._proc, self._pid, self._start = proc, pid, start
        self._give_up: float | None = None
        self.fd = _open(pid)
        if self.fd is not None and not self._same():  # the number was used again before we came
            self.close()

    def check(self) -> End | None:
        """Return how it ended; None while it lives, or while its parent has yet to take note. Never waits."""
        if self.fd is not None and self._give_up is None and not _readable(self.fd):
            return None
        stat = self._proc.stat(self._pid)
        there = stat is not None and stat.start == self._start
        if self.fd is None and there and stat is not None and not stat.gone:
            return None
        status, waits = (None, False) if self.fd is None else exit_status(self.fd)
        if status is not None:
            return End.of(status, BY_PIDFD)
        if there and stat is not None and stat.gone and self._proc.readable(self._pid):
            return End.of(stat.status, BY_LIST)
        now = clock.monotonic()
        self._give_up = self._give_up or now + REAP_SECONDS
        return None if waits and now < self._give_up else End(None, None, NOT_KNOWN)

    @property
    def ending(self) -> bool:
        """Whether it has ended and only the status is awaited."""
        return self._give_up is not None

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd is not None:
            fd, self.fd = self.fd, None
            with suppress(OSError):
                os.close(fd)

    def _same(self) -> bool:
        stat = self._proc.stat(self._pid)
        return stat is not None and stat.start == self._start


def exit_status(fd: int) -> tuple[int | None, bool]:
    """Ask the kernel for the exit status of a process that has ended, and say whether asking again later may help."""
    if sys.platform != "win32":
        buffer = bytearray(_LAYOUT.pack(_EXIT, *([0] * 13)))
        with suppress(OSError):  # before 6.13 the call is not known, before 6.15 the status is not
            fcntl.ioctl(fd, _GET_INFO, buffer)
            fields = _LAYOUT.unpack(buffer)
            return (fields[13], False) if fields[0] & _EXIT else (None, True)
    return None, False


def _open(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, a seccomp filter, or it is gone
        return None


def _readable(fd: int) -> bool:
    if sys.platform == "win32":
        return True
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
