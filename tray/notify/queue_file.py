"""Open the queue where it can be written, and set aside a file that is none."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tray.core import clock, files
from tray.core.errors import UnsafeFolderError
from tray.core.paths import Places, private
from tray.notify.queue import Queue

FILE = "notify.db"


def opened(places: Places) -> Queue:
    """Return the queue; where the state folder cannot be written, one in the runtime folder.

    A file that is no queue is set aside under a name with `.damaged` at its end, and a new one begins.

    Raises:
        OSError, sqlite3.Error: There is no place for one.
    """
    try:
        return _opened(private(places.state) / FILE)
    except (sqlite3.Error, OSError, UnsafeFolderError):
        return _opened(private(places.runtime) / FILE)


def _opened(file: Path) -> Queue:
    try:
        return _writable(file)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # full, locked, read-only
            raise
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        with suppress(FileNotFoundError):
            (file.parent / name).replace(file.parent / f"{name}.damaged")
    return _writable(file)


def _writable(file: Path) -> Queue:
    """Return the queue in *file* once it has taken a write: a full or read-only disk shows only then.

    A file that is there is opened by SQLite alone: to close any other descriptor of it would drop the locks that this process
    has on it, and another process would then remove the journal under a connection that goes on writing there.
    """
    if not file.exists():
        os.close(files.descriptor(file, os.O_RDWR | os.O_CREAT))  # for this user alone
    queue = Queue(file)
    try:
        queue.set_mark("opened", clock.now_ms())
    except BaseException:
        queue.close()
        raise
    return queue


@contextmanager
def reading(places: Places) -> Iterator[Queue | None]:
    """Open the queue that there is, None if there is none or it cannot be read; nothing is created."""
    queue = None
    for folder in (places.state, places.runtime):
        if queue is None and (folder / FILE).exists():
            with suppress(sqlite3.Error, OSError):
                queue = Queue(folder / FILE)
    try:
        yield queue
    finally:
        if queue is not None:
            queue.close()
