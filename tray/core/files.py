"""Open files as bytes on every system, and without harm where another user may have put them.

Windows opens a descriptor in text mode unless it is told otherwise: each line end grows to two bytes, and a file ends at Ctrl-Z.
A hash or a signature of such a file would never match.
"""

import errno
import io
import os
import select
import stat
import sys
from pathlib import Path

from tray.core import clock

MOST_BYTES = 4 * 1024 * 1024
"""Greatest length of a file of ours. Configuration and lists have some thousand bytes."""
_SETTLED_MS = 2000
"""A change within the file system's own grain of time after a look may leave the folder's time as it was."""


def descriptor(path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
    """Open *path* and return a descriptor for bytes; no program that we start inherits it.

    Args:
        path: The file.
        flags: As for `os.open`.
        mode: The permissions of a file that is made: for this user alone.

    Raises:
        OSError: It cannot be opened.
    """
    return os.open(path, flags | getattr(os, "O_BINARY", 0), mode)


def opened(path: str | os.PathLike[str], *, follow: bool = True) -> io.BufferedReader:
    """Open the regular file *path* for reading. Each file that others may have put there is opened in this way.

    A named pipe would block until another process writes into it, and opening a device can have effects.

    Args:
        path: The file.
        follow: A symbolic link is followed; False where strangers may have made it.

    Raises:
        OSError: It cannot be opened, or it is no regular file.
    """
    if not stat.S_ISREG(os.stat(path, follow_symlinks=follow).st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    more = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    handle = descriptor(path, os.O_RDONLY | more)
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # it was replaced in between
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return open(handle, "rb")


def content(path: str | os.PathLike[str], most: int = MOST_BYTES, *, follow: bool = True) -> bytes:
    """Return the content of the regular file *path*; see `opened`.

    Raises:
        OSError: It cannot be read, it is no regular file, or it has more than *most* bytes.
    """
    with opened(path, follow=follow) as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return raw


def kept(fd: int, offset: int) -> tuple[int, int]:
    """Return where, from *offset* on, the first bytes begin and end that were not given back to the disk (`tray.runs.disk_space`).

    Begin and end are the size of the file if nothing follows.
    """
    size = os.fstat(fd).st_size
    if offset >= size:
        return size, size
    if sys.platform == "win32":
        return offset, size
    here = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        start = os.lseek(fd, offset, os.SEEK_DATA)
        return start, os.lseek(fd, start, os.SEEK_HOLE)
    except OSError as error:
        return (size, size) if error.errno == errno.ENXIO else (offset, size)
    finally:
        os.lseek(fd, here, os.SEEK_SET)


def writable(fd: int) -> bool:
    """Return whether a write to *fd* would begin without waiting: a pipe may be full, a terminal stopped (Ctrl-S)."""
    if sys.platform == "win32":
        return True
    try:
        return bool(select.select([], [fd], [], 0)[1])
    except (OSError, ValueError):
        return True  # a closed descriptor: the write says so


def is_settled(changed_ns: int) -> bool:
    """Whether a file or folder that changed last at *changed_ns* would now show a further change by another time."""
    return clock.now_ms() - changed_ns // 1_000_000 > _SETTLED_MS


class Listing:
    """The sorted names in one folder; none while it cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._seen = -1
        self._names: list[str] = []

    def names(self) -> list[str]:
        """Return the names now."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
            if changed != self._seen:
                self._names = sorted(os.listdir(self._folder))
                self._seen = changed if is_settled(changed) else -1
        except OSError:
            self._names, self._seen = [], -1
        return self._names
