"""Take locks that die with their holder, and tell whether a process is still the same one.

A lock is an open file: the kernel drops it when the process ends, however it ends. Children do not inherit it.
"""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tray.core import files

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl
if sys.platform != "linux":
    import psutil


_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
"""A named pipe in the place of a lock does not hold us up."""


_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, getattr(errno, "EDEADLOCK", errno.EAGAIN))
"""Errors that mean that another process holds the lock; others, such as ENOLCK of NFS, mean that locks do not work."""


class FileLock:
    """An exclusive lock on a file of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free, making the file with mode 0600 if needed; False if another process has it.

        Raises:
            OSError: The file cannot be opened, or not be locked: some network file systems know no locks.
        """
        fd = files.descriptor(self.path, os.O_RDWR | os.O_CREAT | _NO_WAIT)
        try:
            taken = _lock(fd, shared=False)
        except OSError as error:
            os.close(fd)
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        if taken:
            self._fd = fd
        else:
            os.close(fd)
        return taken

    def fileno(self) -> int | None:
        """Return the descriptor that holds the lock, to be passed on to a process that is started; None if it is not held."""
        return self._fd

    def adopt(self, descriptor: int) -> None:
        """Hold the lock by a descriptor that the starter of this process has passed on; it goes to no further process."""
        os.set_inheritable(descriptor, False)
        self._fd = descriptor

    def release(self) -> None:
        """Give the lock back; harmless if it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(path: Path, *, unknown: bool = True) -> bool:
    """Return whether a process holds the lock on *path*; a missing file is not held.

    This takes a shared lock for a moment, so that two checks at once do not see each other. A file that cannot be opened counts as
    held, so that a run is not taken for lost by mistake.

    Args:
        unknown: Answer where that cannot be known.
    """
    try:
        fd = files.descriptor(path, os.O_RDONLY | _NO_WAIT)
    except FileNotFoundError:
        return False
    except OSError:
        return unknown
    try:
        return not _lock(fd, shared=True)
    except OSError:
        return unknown
    finally:
        os.close(fd)


def _lock(fd: int, *, shared: bool) -> bool:
    """Take the lock; False if another process has it. Raises OSError where locks do not work."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            if shared:
                msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
        else:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


UNKNOWN_BOOT = "boot-unknown"


def boot_id() -> str:
    """Return a text that changes with every start of the machine; `UNKNOWN_BOOT` where the system does not tell."""
    boot = UNKNOWN_BOOT
    with suppress(Exception):
        if sys.platform == "linux":
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        else:
            boot = f"boot-{int(psutil.boot_time())}"
    return boot


def host() -> str:
    """Return the name of this machine. The modules `socket` and `platform` take longer to load than the wrapper should."""
    if sys.platform == "win32":
        return os.environ.get("COMPUTERNAME", "")
    return os.uname().nodename


def process_start(pid: int) -> str | None:
    """Return when process *pid* started, as an opaque text (None: there is none); with the pid it names one process."""
    if sys.platform == "linux":
        try:
            # After the last ")": the command name may hold spaces and parentheses. Fields 3 (state) and 22 (start time): proc(5).
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            return None if fields[0] in (b"Z", b"X") else fields[19].decode()
        except (OSError, IndexError):
            return None
    else:
        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
        except psutil.Error:
            return None
