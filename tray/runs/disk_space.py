"""Disk space under a file that grows while a command writes to it: reserve some ahead, give back what was read.

Linux only (fallocate(2)); elsewhere nothing can be given back, and more room is asked for at the beginning.
"""

import ctypes
import errno
import os
import sys
from functools import cache
from typing import Any

if sys.platform != "win32":
    import resource

RESERVE = 16 * 1024 * 1024
LEAST_GROWING = 4 * 1024 * 1024 * 1024
"""Bytes that must be free before a command's output goes through a file that can only grow (else `runs.SPOOL_ROOM`)."""
LEAST_UNKNOWN = 1024 * 1024 * 1024
"""The same for a command that is no engine: it may write faster than it is read, until nothing is left."""
LOW = 96 * 1024 * 1024
"""With less free than this, nothing that was read is kept, and nothing more is put aside for a slow reader."""
FEW = 512 * 1024 * 1024
"""The same while there is a flood, which fills a disk in no time."""
FLOOD = 128 * 1024 * 1024
"""So much that is not read is a flood."""
BLOCK = 4096
_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # linux/falloc.h


def reserve(fd: int, start: int) -> bool:
    """Reserve `RESERVE` bytes of disk from *start* on, the file's length unchanged; False if the file system cannot.

    Raises:
        OSError: There is not so much left, on the disk or in the quota.
    """
    return _allocate(fd, _KEEP_SIZE, start, RESERVE)


def give_back(fd: int, start: int, end: int) -> bool:
    """Give the disk under the bytes from *start* to *end* back; they read as zeros from then on. False if that cannot be done."""
    try:
        return _allocate(fd, _KEEP_SIZE | _PUNCH_HOLE, start, end - start)
    except OSError:
        return False


def free(fd: int) -> int:
    """Return how many bytes are free on the disk of *fd*; plenty where the system does not tell."""
    if sys.platform == "win32":
        return sys.maxsize
    try:
        disk = os.fstatvfs(fd)
    except OSError:
        return sys.maxsize
    return disk.f_bavail * disk.f_frsize


def file_limit() -> int | None:
    """Return how many bytes a file may have (`ulimit -f`), None where that is no matter."""
    if sys.platform != "win32":
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        return limit if limit != resource.RLIM_INFINITY and limit < LEAST_GROWING else None
    return None


def limited() -> bool:
    """Whether files must stay small: a pipe or terminal is not bound by that, a file in its place is."""
    return file_limit() is not None


def _allocate(fd: int, mode: int, start: int, length: int) -> bool:
    """Call fallocate(2); False if system or file system know it not."""
    call, number = _fallocate()
    if call is None:
        return False
    if call(fd, mode, start, length) == 0:
        return True
    if number() in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.ENODEV):
        return False
    raise OSError(number(), os.strerror(number()))


@cache
def _fallocate() -> tuple[Any, Any]:
    """Return fallocate(2), None where there is none, and what tells the number of its error."""
    if sys.platform != "linux":
        return None, None
    call = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return call, ctypes.get_errno
