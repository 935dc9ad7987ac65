"""The status cache: the last known state of each repository, one file for each in `state/repositories/`.

A file is replaced as a whole, never changed in place. It can be made anew at any time, so it is not synced; a reader reports a
damaged one and goes on. Polls of the status read nothing else.
"""

import errno
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tray.core import files
from tray.core.codec import Coded, from_json
from tray.core.dataclass import dataclass, replace
from tray.core.errors import BackupTrayError, RepositoryCacheError
from tray.core.files import Listing, content
from tray.core.locks import FileLock
from tray.core.model import RepositoryState
from tray.core.paths import Places, private
from tray.runs import Process

SCHEMA = 1
MAX_JOBS = 200
MAX_ROOMS = 60
_ROOM_EVERY_MS = 72_000_000
_SUFFIX = ".json"
_MAX_BYTES = 256 * 1024
_LOCK_TRIES, _LOCK_PAUSE = 10, 0.005


@dataclass(frozen=True, slots=True)
class Expected(Coded):
    """A snapshot that the last run of a job made, as the engine said, and when that run began.

    Attributes:
        snapshot: Id of the snapshot, or its beginning.
        missing: "" while it is there; "absent": it was not there when the run ended; "vanished": it was, but now the newest one
            in the repository is older than that run.
    """

    job: str
    run: str
    snapshot: str
    began_ms: int
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Room(Coded):
    """How many bytes a user may still write to the disk of a repository, of how many, and when that was so."""

    at_ms: int
    free: int
    total: int

    JSON_KEYS = MappingProxyType({"at_ms": "at"})


@dataclass(frozen=True, slots=True)
class Entry(Coded):
    """One repository.

    Attributes:
        state: State that every surface shows.
        folder: Its folder, if it is a local one.
        jobs: Jobs that write to it.
        used_ms, looked_ms, asked_ms: Times of the last run's end there, of the last look (also in vain), of the last question.
        mark: `files.Found.mark` when the size was measured.
        expected: Snapshot of the last run of each job.
        stuck: Process of ours that still waits for an answer of its file system.
        rooms: The room on its disk at the end of runs, the oldest first, about one a day.
    """

    state: RepositoryState
    folder: str | None = None
    jobs: tuple[str, ...] = ()
    used_ms: int | None = None
    looked_ms: int = 0
    asked_ms: int | None = None
    mark: str = ""
    expected: tuple[Expected, ...] = ()
    stuck: Process | None = None
    rooms: tuple[Room, ...] = ()
    schema: int = SCHEMA

    @property
    def name(self) -> str:
        """Name of its file."""
        return name_of(self.state.engine, self.folder or self.state.repository)

    def of_job(self, job: str) -> "Entry":
        """Return the entry with *job* among those that write to it."""
        return self if job in self.jobs else replace(self, jobs=(*self.jobs, job)[-MAX_JOBS:])

    def expecting(self, job: str, snapshot: Expected | None) -> "Entry":
        """Return the entry with the *snapshot* of the last run of *job*, None for none; only the newest jobs are kept."""
        others = tuple(other for other in self.expected if other.job != job)
        return replace(self, expected=(others if snapshot is None else (*others, snapshot))[-MAX_JOBS:])

    def with_room(self, room: Room | None) -> "Entry":
        """Return the entry with the *room* of now. A disk of another size is another disk, of which nothing was known before."""
        if room is None:
            return self
        before = tuple(old for old in self.rooms if old.total == room.total and old.at_ms < room.at_ms)
        if len(before) > 1 and room.at_ms - before[-2].at_ms < _ROOM_EVERY_MS:
            before = before[:-1]
        return replace(self, rooms=(*before, room)[-MAX_ROOMS:])

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Entry":
        """Build an entry from the contents of a file, or raise ValueError."""
        entry = from_json(cls, data)
        if entry.schema != SCHEMA:
            raise ValueError(f"schema {entry.schema} is not known")
        entry.to_json()  # a time that cannot be shown makes no sense either
        return entry


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything in the cache: the entries, and the errors of those that cannot be read, by the names of their files."""

    entries: Mapping[str, Entry]
    errors: Mapping[str, RepositoryCacheError]


class Cache:
    """The cache for a caller that reads it again and again: a file is read only when it changed."""

    def __init__(self, places: Places) -> None:
        self._folder = home(places)
        self._listing = Listing(self._folder)
        self._seen: dict[str, tuple[int, ...]] = {}
        self._read: dict[str, Entry | RepositoryCacheError] = {}
        self._contents: Contents | None = None

    def contents(self) -> Contents:
        """Return everything in the cache now, the very same object while nothing changed.

        Never raises: a file that cannot be read is among the errors.
        """
        names = [name for name in self._listing.names() if name.endswith(_SUFFIX) and not name.startswith(".")]
        gone = self._read.keys() - set(names)
        for name in gone:
            del self._read[name], self._seen[name]
        changed = sum(map(self._take, names)) + len(gone)
        closed = None if names else self._closed()
        if self._contents is None or changed or closed is not None or "" in self._contents.errors:
            self._contents = self._made(closed)
        return self._contents

    def _made(self, closed: RepositoryCacheError | None) -> Contents:
        entries = {name: entry for name, entry in self._read.items() if isinstance(entry, Entry)}
        errors = {name: error for name, error in self._read.items() if isinstance(error, RepositoryCacheError)}
        if closed is not None:
            errors[""] = closed
        return Contents(entries, errors)

    def _take(self, name: str) -> bool:
        """Read one file if it changed, and return whether it did."""
        path = self._folder / name
        mark: tuple[int, ...] = ()
        with suppress(OSError):
            status = os.stat(path)
            mark = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
        if mark and self._seen.get(name) == mark:
            return False
        self._seen[name] = mark
        try:
            self._read[name] = read(path)
        except RepositoryCacheError as error:
            self._read[name] = error
        return True

    def _closed(self) -> RepositoryCacheError | None:
        """Return why the folder cannot be read, if it is there."""
        try:
            os.listdir(self._folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            return RepositoryCacheError(self._folder, error.strerror or str(error))
        return None


def home(places: Places) -> Path:
    """Return the folder of the cache."""
    return places.state / "repositories"


def name_of(engine: str, place: str) -> str:
    """Return the name of the file about the repository at *place*, a folder or an address without secrets."""
    raw = f"{engine}\0{place}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(raw).hexdigest()[:32] + _SUFFIX


def read(path: Path) -> Entry:
    """Read one file; raise RepositoryCacheError if it cannot be read or makes no sense."""
    try:
        return Entry.from_json(json.loads(content(path, _MAX_BYTES)))
    except OSError as error:
        raise RepositoryCacheError(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise RepositoryCacheError(path, f"it is damaged ({str(error)[:200]})") from error


def known(places: Places, name: str) -> Entry | None:
    """Return the entry in the file *name*, None if there is none or it is damaged."""
    try:
        return read(home(places) / name)
    except RepositoryCacheError:
        return None


def write(places: Places, entry: Entry) -> None:
    """Write *entry* in the place of the earlier one, or raise RepositoryCacheError."""
    folder = home(places)
    beside = folder / f".{entry.name}.{os.getpid()}"
    try:
        private(folder)
        fd = files.descriptor(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            raw = json.dumps(entry.to_json()).encode()
            if os.write(fd, raw) != len(raw):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(fd)
        os.replace(beside, folder / entry.name)
    except (OSError, BackupTrayError) as error:
        with suppress(OSError):
            os.unlink(beside)
        why = error.why if isinstance(error, BackupTrayError) else error.strerror or str(error)
        raise RepositoryCacheError(folder / entry.name, why.rstrip(".")) from error


def forget(places: Places, name: str) -> None:
    """Remove the file *name*."""
    with suppress(OSError):
        (home(places) / name).unlink()


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """Keep other writers out, so that none undoes what another just wrote; after a moment go on without.

    Hold it only to read, compare and write one file; wait for no repository inside.
    """
    lock = FileLock(home(places) / ".lock")
    with suppress(OSError, BackupTrayError):
        private(home(places))
        for _ in range(_LOCK_TRIES):
            if lock.acquire():
                break
            time.sleep(_LOCK_PAUSE)
    try:
        yield
    finally:
        lock.release()
