"""Read the state of a local repository from its own files: free, without a password, and without changing anything.

restic: each file in `snapshots/` is one snapshot, named by its id and as old as the end of that backup (restic/doc/design.rst).
borg 1.x: each commit writes `index.N` anew, so its time is that of the last change; archives are encrypted and cannot be counted.
duplicity: a set is whole when its manifest is there. rdiff-backup: one `session_statistics` for each session. tar: the archive
itself. Of a destination of rclone or rsync only that it is there can be known: their folder's time is the source's.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from tray import engines
from tray.core import clock, tied
from tray.core.codec import Coded
from tray.core.dataclass import dataclass
from tray.core.errors import RepositoryUnreachableError
from tray.repository import locks, new_snapshots
from tray.repository.locks import Lock

MAX_STATS = 10_000
"""Snapshots whose times are read; of more only the number is known."""
MAX_SIZED = 50_000
SIZE_SECONDS = 0.5
"""Most files and most time of a measurement; beyond it the size is not known."""


@dataclass(frozen=True, slots=True)
class Found(Coded):
    """The state that the files show.

    Attributes:
        snapshots, last_snapshot, last_ms: As in `RepositoryState`.
        ids: Ids of all snapshots, where they are known.
        locks: Locks, the oldest first.
        used_ms: Time when an engine last took or gave back a lock here; None where that leaves no trace.
        changed_ms: Time of borg's last commit.
        mark: Changes whenever the contents of the repository may have changed.
    """

    snapshots: int | None = None
    last_snapshot: str | None = None
    last_ms: int | None = None
    ids: tuple[str, ...] | None = None
    locks: tuple[Lock, ...] = ()
    used_ms: int | None = None
    changed_ms: int | None = None
    mark: str = ""

    def has(self, snapshot: str) -> bool:
        """Return whether there is a snapshot whose id begins with *snapshot*."""
        return self.ids is not None and any(name.startswith(snapshot) for name in self.ids)


def can_read(engine: str) -> bool:
    """Return whether the files of this engine's repositories tell something."""
    return engines.named(engine).repository in READERS


def look(engine: str, folder: Path, *, newest: str | None = None) -> Found:
    """Return the state of the repository *folder* of an engine of which `can_read` is true.

    With the id (or its beginning) of the *newest* snapshot, which was just made, the time of no other one is read.

    Raises:
        RepositoryUnreachableError: The folder is not there, not mounted, or must not be read.
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


def main() -> None:
    """Look at one folder and print the result as one line of JSON: for a file system that may hang, see `look.read_apart`.

    The arguments of this process are engine and folder.
    """
    tied.tie(os.getppid())
    engine, folder = sys.argv[1:3]
    try:
        answer = look(engine, Path(folder)).to_json()
    except RepositoryUnreachableError as error:
        answer = {"why": error.why}
    print(json.dumps(answer))


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
    return Found(len(names), last, last_ms, tuple(names), tuple(locks.read("restic", folder)), used, mark=mark)


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
        os.stat(folder / new_snapshots.PLACES[kind][0])
        made = new_snapshots.completed(kind, folder)
        last_ms, last = max(made, default=(None, None))
        return Found(len(made), last, last_ms, tuple(name for _, name in made), mark=str(last_ms))

    return read


def _archive(folder: Path, newest: str | None) -> Found:  # noqa: ARG001 - all readers take the same
    """Read a single file, as tar makes it."""
    status = os.stat(folder)
    return Found(last_ms=_ms(status), mark=f"{status.st_mtime_ns} {status.st_size}")


def _destination(folder: Path, newest: str | None) -> Found:  # noqa: ARG001 - all readers take the same
    """Read a folder of copies."""
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
"""The readers, by kind of repository (`Traits.repository`)."""

EMPTY_IS_ONE = frozenset(("borg", "restic"))
"""Kinds whose readers fail where there is no such repository, so that a folder without snapshots is a repository too."""


def _times(folder: Path, names: list[str]) -> "Iterator[tuple[int, str]]":
    """Yield when each of *names* was written; none if there are too many to ask."""
    if len(names) <= MAX_STATS:
        for name in names:
            with suppress(OSError):
                yield _ms(os.stat(folder / name)), name


def _ms(status: os.stat_result) -> int:
    return status.st_mtime_ns // 1_000_000
