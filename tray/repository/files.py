"""What a local repository's own files tell: free, without a password, and without changing anything.

restic: each file in `snapshots/` is one snapshot, named by its id and as old as the end of that backup (restic/doc/design.rst).
borg 1.x: each commit writes `index.N` anew, so its time is that of the last change; archives are encrypted and cannot be counted.
duplicity: a set is whole when its manifest is there. rdiff-backup: one `session_statistics` for each session. tar: the archive
itself. Of a destination of rclone or rsync only that it is there can be known: their folder's time is the source's.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tray import engines
from tray.core import clock
from tray.core.dataclass import asdict, dataclass
from tray.core.errors import RepositoryUnreachableError
from tray.repository import evidence, locks
from tray.repository.locks import Lock

MAX_STATS = 10_000
"""Snapshots whose time is asked for; more are counted only."""
MAX_SIZED = 50_000
SIZE_SECONDS = 0.5
"""Files that are measured, and how long that may take; beyond it the size is not known."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the files say.

    Attributes:
        snapshots, last_snapshot, last_ms: As in `RepositoryState`.
        ids: The ids of all snapshots, where they are known.
        locks: The oldest first.
        used_ms: When an engine last took or gave back a lock here; None where that leaves no trace.
        changed_ms: When borg last committed.
        mark: Another one means that what is in the repository may have changed.
    """

    snapshots: int | None = None
    last_snapshot: str | None = None
    last_ms: int | None = None
    ids: frozenset[str] | None = None
    locks: tuple[Lock, ...] = ()
    used_ms: int | None = None
    changed_ms: int | None = None
    mark: str = ""

    def has(self, snapshot: str) -> bool:
        """Whether there is a snapshot whose id begins with *snapshot*."""
        return self.ids is not None and (snapshot in self.ids or any(found.startswith(snapshot) for found in self.ids))


def can_read(engine: str) -> bool:
    """Whether the files of this engine's repositories tell something."""
    return engines.named(engine).repository in READERS


def look(engine: str, folder: Path, *, newest: str | None = None) -> Found:
    """Return what the files of the repository *folder* say.

    Args:
        engine: The engine's name, of which `can_read` is true.
        folder: Where the repository is.
        newest: Id (or its beginning) of the snapshot that was just made: then no other one's time is asked for.

    Raises:
        RepositoryUnreachableError: It is not there, not mounted, or must not be read.
    """
    try:
        return READERS[engines.named(engine).repository](folder, newest)
    except NotADirectoryError as error:
        raise RepositoryUnreachableError(str(folder), f"{error.filename} is no folder.") from error
    except FileNotFoundError as error:
        there = folder.exists()
        why = f"There is no {engine} repository in this folder" if there else "There is no such folder"
        raise RepositoryUnreachableError(str(folder), f"{why}; its disk may not be mounted.") from error
    except OSError as error:
        raise RepositoryUnreachableError(
            str(folder), f"{error.filename or folder}: {error.strerror or error}."
        ) from error


def to_json(found: Found) -> dict[str, Any]:
    """Return *found* as one process tells it to another."""
    ids = None if found.ids is None else sorted(found.ids)
    return {**asdict(found), "ids": ids, "locks": [asdict(lock) for lock in found.locks]}


def from_json(data: Mapping[str, Any]) -> Found:
    """Return what another process of ours has found."""
    ids = None if data["ids"] is None else frozenset(data["ids"])
    return Found(**{**data, "ids": ids, "locks": tuple(Lock(**lock) for lock in data["locks"])})


def size(folder: Path) -> int | None:
    """Return the bytes in all files of *folder*; None if there are too many to count them in a moment, or some cannot be read."""
    end, seen, total = clock.monotonic() + SIZE_SECONDS, 0, 0
    todo = [str(folder)]
    try:
        if not folder.is_dir():
            return folder.stat().st_size
        while todo:
            with os.scandir(todo.pop()) as names:
                for entry in names:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
                    seen += 1
                    if seen > MAX_SIZED or (seen % 256 == 0 and clock.monotonic() > end):
                        return None
    except OSError:
        return None
    return total


def _restic(folder: Path, newest: str | None) -> Found:
    os.stat(folder / "config")
    names = [name for name in os.listdir(folder / "snapshots") if len(name) == 64]
    known = [] if newest is None else [name for name in names if name.startswith(newest)]
    last_ms, last = max(_times(folder / "snapshots", known or names), default=(None, None))
    used = None
    with suppress(OSError):
        used = _ms(os.stat(folder / "locks"))
    mark = " ".join(str(os.stat(folder / name).st_mtime_ns) for name in ("snapshots", "index"))
    return Found(len(names), last, last_ms, frozenset(names), tuple(locks.read("restic", folder)), used, mark=mark)


def _borg(folder: Path, newest: str | None) -> Found:  # noqa: ARG001 - all readers take the same
    os.stat(folder / "config")
    os.stat(folder / "data")
    used = _ms(os.stat(folder))
    times = [made for made, _ in _times(folder, [name for name in os.listdir(folder) if name.startswith("index.")])]
    changed = max(times, default=None)
    return Found(locks=tuple(locks.read("borg", folder)), used_ms=used, changed_ms=changed, mark=str(changed))


def _sets(kind: str) -> "Callable[[Path, str | None], Found]":
    """Return the reader of a kind of repository whose snapshots are seen by one file each."""

    def read(folder: Path, newest: str | None) -> Found:  # noqa: ARG001 - all readers take the same
        os.stat(folder / evidence.PLACES[kind][0])
        found = evidence.completed(kind, folder)
        last_ms, last = max(found, default=(None, None))
        return Found(len(found), last, last_ms, frozenset(name for _, name in found), mark=str(last_ms))

    return read


def _archive(folder: Path, newest: str | None) -> Found:  # noqa: ARG001 - all readers take the same
    """A single file, as tar makes it."""
    found = os.stat(folder)
    return Found(last_ms=_ms(found), mark=f"{found.st_mtime_ns} {found.st_size}")


def _destination(folder: Path, newest: str | None) -> Found:  # noqa: ARG001 - all readers take the same
    """A folder of copies."""
    os.listdir(folder)
    return Found()


READERS: Mapping[str, "Callable[[Path, str | None], Found]"] = MappingProxyType(
    {
        "borg": _borg,
        "copy": _destination,
        "duplicity": _sets("duplicity"),
        "file": _archive,
        "rdiff-backup": _sets("rdiff-backup"),
        "restic": _restic,
    }
)
"""How a repository is read, by what an engine says of its own (`Traits.repository`)."""

EMPTY_IS_ONE = frozenset(("borg", "restic"))
"""Ways of reading that fail where there is no such repository, so that one without snapshots is one too."""


def _times(folder: Path, names: list[str]) -> "Iterator[tuple[int, str]]":
    """Yield when each of *names* was written; none if there are too many to ask."""
    if len(names) <= MAX_STATS:
        for name in names:
            with suppress(OSError):
                yield _ms(os.stat(folder / name)), name


def _ms(found: os.stat_result) -> int:
    return found.st_mtime_ns // 1_000_000
