"""Open the queue where it can be written, and set aside a file that is none.

It is in the state folder. While that cannot be written (a full disk, a home that is read-only), one in the runtime folder takes its
place: it begins with the memory of the other, and is merged into it as soon as that can be written again.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from tray.core import clock, files
from tray.core.errors import UnsafeFolderError
from tray.core.locks import FileLock
from tray.core.paths import Places, private
from tray.notify.queue import Queue
from tray.notify.queue_store import NewerQueueError

FILE = "notify.db"
LOCKS = "notify"
"""The folder of the locks, below that of the queue."""
_PARTS = ("", "-wal", "-shm")


def opened(places: Places) -> Queue:
    """Return the queue; where the state folder cannot be written, the one in the runtime folder.

    A file that is no queue is set aside under a name with `.damaged` at its end, that of a newer version with `.newer`; then a new
    one begins.

    Raises:
        OSError, sqlite3.Error, UnsafeFolderError: There is no place for one.
    """
    try:
        queue = _opened(private(places.state) / FILE)
    except (sqlite3.Error, OSError, UnsafeFolderError):
        return elsewhere(places)
    merged = True
    with suppress(sqlite3.Error, OSError, UnsafeFolderError):
        merged = _merge(queue, places)
    if merged:
        return queue
    queue.close()
    return elsewhere(places)


def elsewhere(places: Places) -> Queue:
    """Return the queue in the runtime folder.

    Raises:
        OSError, sqlite3.Error, UnsafeFolderError: It cannot be had.
    """
    file = private(places.runtime) / FILE
    fresh = not file.exists()
    queue = _opened(file)
    if fresh:
        with suppress(sqlite3.Error, OSError), closing(_read(places.state / FILE)) as other:
            queue.take_over(other, with_messages=False)  # those wait there
    return queue


def _merge(queue: Queue, places: Places) -> bool:
    """Take over all that was told and queued while the state folder could not be written; False while that is not possible.

    A message that another process may be sending at this moment stays where it is, and all others with it.
    """
    file = places.runtime / FILE
    if not file.exists() or file == queue.file:
        return True
    with ExitStack() as locks:
        merging = locks.enter_context(FileLock(file.with_name(f"{FILE}.merge")))
        if not merging.acquire():
            return False
        if file.exists():
            other = locks.enter_context(closing(Queue(file)))
            if not all(_idle(places, channel, locks) for channel in other.begun()):
                return False
            queue.take_over(other, with_messages=True)
            other.clear()  # a sender that still has it open finds nothing there
            for part in _PARTS:
                file.with_name(f"{FILE}{part}").unlink(missing_ok=True)
    return True


def _idle(places: Places, channel: str, locks: ExitStack) -> bool:
    """Whether no process sends to *channel*; none can while *locks* are kept."""
    folders = [folder for folder in (places.state / LOCKS, places.runtime / LOCKS) if folder.is_dir()]
    return all(locks.enter_context(FileLock(folder / lock_name(channel))).acquire() for folder in folders)


def lock_name(channel: str) -> str:
    """Return the name of the lock of the process that sends to *channel*."""
    return f"channel-{channel}"


def _read(file: Path) -> Queue:
    """Return the queue in *file*, which is only read: on a full disk the file beside it that readers share cannot be made."""
    try:
        return Queue(file)
    except sqlite3.OperationalError:
        return Queue(file, immutable=True)


def _opened(file: Path) -> Queue:
    try:
        return _writable(file)
    except sqlite3.OperationalError:  # full, locked, read-only
        raise
    except sqlite3.DatabaseError:
        pass
    with FileLock(file.with_name(f"{FILE}.mend")) as lock:
        lock.acquire()  # if another process mends it, its new file is not set aside
        try:
            return _writable(file)
        except NewerQueueError:
            _set_aside(file, "newer")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            _set_aside(file, "damaged")
        return _writable(file)


def _set_aside(file: Path, why: str) -> None:
    for part in _PARTS:
        with suppress(FileNotFoundError):
            file.with_name(f"{FILE}{part}").replace(file.with_name(f"{FILE}{part}.{why}"))


def _writable(file: Path) -> Queue:
    """Return the queue in *file* once it has taken a write: a full or read-only disk shows only then.

    A file that is there is opened by SQLite alone: to close any other descriptor of it would drop the locks that this process
    has on it, and another process would then remove the journal under a connection that goes on writing there.
    """
    if not file.exists():
        os.close(files.descriptor(file, os.O_RDWR | os.O_CREAT))  # for this user alone
    queue = Queue(file)
    try:
        queue.memory()
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
