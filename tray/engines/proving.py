"""Define how an engine proves that its repository can be restored: command lines out, parsed output in, no I/O.

`tray.jobs.proof` runs these commands: the engine's own check, a list of snapshots, a list of one snapshot's files, and the restore
of a few of them. No command takes a lock, so a backup that begins meanwhile never waits or fails because of a check. Addresses and
passwords go into the environment, never into a command line. An engine has a module `proving` with an instance `PROVER`, and stands
in `PROVERS`.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Protocol, cast

from tray.core.dataclass import dataclass, field

PROVERS = ("restic", "borg", "rclone", "rsync", "tar")
"""Engines that can prove it."""
ALL = "all"
"""For `Prover.check`: read all data."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way into a repository.

    Attributes:
        program: The engine's program.
        options: Options of the user that every command needs, such as the helper for sftp.
        environ: Variables that name the repository and its password.
        sources: Sources of the job's backup, which tell its snapshots from others; empty if they are not known.
        address: The repository as the user named it, with its secrets; only `environ` may hand it on.
    """

    program: str
    options: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot: its id, when it was made, and the sources that it holds, as the engine names them; None if it does not."""

    id: str
    time_ms: int
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One regular file in a snapshot.

    Attributes:
        path: As the engine names it.
        size: Bytes.
        changed_us: When its contents or attributes were last changed (ctime), in microseconds; None if that is not known.
    """

    path: str
    size: int
    changed_us: int | None = None


class Prover(Protocol):
    """The commands of one engine, and the readers of their output."""

    hashes_by_restoring: bool
    """The restore itself compares each file with the hashes in the snapshot, and says so (`verified`)."""
    restores_here: bool
    """It restores into its working folder."""

    def way(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Way:
        """Return the way into the repository of the backup command *argv*, whose engine stands at index *at*.

        Raises:
            ValueError: Nothing of it could be compared; the text is the second half of a sentence.
        """
        ...

    def check(self, way: Way, read_data: str | None) -> list[str] | None:
        """Return the engine's check, None if it has none; *read_data*: also read that part of the data: "5%", "1/10", or `ALL`.

        Raises:
            ValueError: It cannot read such a part; the error's text says why.
        """
        ...

    def locks(self, way: Way) -> list[str] | None:
        """Return the command that prints a line for each lock in the repository; None if the engine has none."""
        ...

    def snapshots(self, way: Way) -> list[str] | None:
        """Return the command that prints the newest snapshots as JSON; None if there is only one copy, without an id."""
        ...

    def read_snapshots(self, answer: Any) -> list[Snapshot]:
        """Return the snapshots of that JSON.

        Raises:
            ValueError, KeyError, TypeError: It makes no sense.
        """
        ...

    def files(self, way: Way, snapshot: str) -> list[str]:
        """Return the command that prints the files of a snapshot, one a line."""
        ...

    def read_file(self, line: bytes) -> Item | None:
        """Return the file of one of these lines; None if it is no regular file, or its name cannot be given back to the engine."""
        ...

    def restore(self, way: Way, snapshot: str, items: Sequence[Item], target: str) -> list[str]:
        """Return the command that restores *items* below *target*, which is also its working folder."""
        ...

    def verified(self, line: bytes) -> int | None:
        """Return how many files the restore compared with the snapshot's hashes, where *line* says it."""
        ...

    def hashes(self, way: Way, snapshot: str, items: Sequence[Item]) -> list[str] | None:
        """Return the command that prints the SHA-256 of *items* in the snapshot; None if the engine has none."""
        ...

    def read_hash(self, line: bytes) -> tuple[str, str] | None:
        """Return path and SHA-256 in hex of one of these lines."""
        ...

    def source(self, way: Way, item: Item) -> str | None:
        """Return where the file was when it was backed up, None where the snapshot holds no absolute path."""
        ...


def prover(engine: str) -> Prover | None:
    """Return the prover of the engine of this name, None if it has none."""
    return cast(Prover, import_module(f"tray.engines.{engine}.proving").PROVER) if engine in PROVERS else None


def marked(path: str, part: str) -> str:
    """Return the absolute *path* of a source with `/./` before *part*, its end that a copy or archive has; "" for none of it.

    rsync itself writes a path in this way; `at_source` reads it.
    """
    folder = path.rstrip("/")
    folder = folder.removesuffix(part).rstrip("/") if part else folder
    return f"{folder}/./{part}"


def at_source(sources: Sequence[str], path: str) -> str | None:
    """Return where the file *path* of a copy is at its source; None if it could have come from several of them, or from none.

    Args:
        sources: As `marked` returns them.
        path: Relative to the copy.
    """
    places = set()
    for source in sources:
        folder, _, part = source.partition("/./")
        if part in ("", path) or path.startswith(f"{part}/"):
            places.add(os.path.join(folder or "/", path))
    return places.pop() if len(places) == 1 else None


def microseconds(text: str) -> int | None:
    """Return a time of ISO 8601 in microseconds, without an offset as UTC; None if *text* is none."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond
    except (ValueError, OverflowError):
        return None
