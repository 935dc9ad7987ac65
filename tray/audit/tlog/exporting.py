"""Writing the log as a folder of tiles, or what is new since the last time."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from tray.audit import bodies, checkpoint, database
from tray.audit.canonical import canonical
from tray.audit.checkpoint import Checkpoint
from tray.audit.entry import Action
from tray.audit.merkle import leaf_hash
from tray.audit.store import AuditLog
from tray.audit.tiles import WIDTH, Tiles
from tray.audit.tlog.files import CHECKPOINT, DETAILS, ENTRIES, HEIGHT, LENGTH, make, place, tiles_of, write
from tray.core import files, paths
from tray.core.dataclass import dataclass
from tray.core.errors import BackupTrayError, TilesError
from tray.core.locks import FileLock

ALWAYS = (Action.KEY_CREATED, Action.KEY_ROTATED, Action.AUDIT_PRUNED)
"""Entries whose bodies are in every export: they cannot be erased, hold nothing personal, and a verification needs them."""

_LOCK = ".lock"
_ROWS = "SELECT seq, entry FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"
_HASHES = "SELECT hash FROM tiles WHERE level = ? AND number >= ? AND number < ? ORDER BY number"
_BODIES = (
    "SELECT bodies.seq, salt, body FROM bodies JOIN entries ON entries.seq = bodies.seq "
    "WHERE bodies.seq >= ? AND bodies.seq < ?{} ORDER BY bodies.seq"
)
_ONLY = f" AND action IN ({', '.join('?' * len(ALWAYS))})"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to.

    Attributes:
        first: The first entry that is in the folder by this export; more than 0 if older ones were pruned.
        size: Entries that its checkpoint covers.
        written: Files that were written; what was there already is kept.
        digest: SHA-256 of the checkpoint, which covers all entries.
    """

    first: int
    size: int
    root: bytes
    written: int
    digest: str


def export(
    log: AuditLog,
    folder: Path,
    *,
    first: int | None = None,
    size: int | None = None,
    note: bytes | None = None,
    details: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write the log into *folder*, or what is new since the last time; killed at any moment, what is there is of use.

    Args:
        first: The first entry to be written, a multiple of 256; what is there from it on is checked and mended. Default: the first
            that the log keeps, and full tiles that are there are kept unread.
        size: Entries that the folder is to hold, with *note*, the signed checkpoint of just so many; default: all.
        details: Write the bodies too, and bring those that are there up to date: what was erased since goes here too.
        progress: Told every now and then how many entries are done, and of how many.

    Raises:
        TilesError: The folder cannot be written, or holds another log.
        AuditUnavailableError: The log cannot be read.
    """
    with _alone(folder), reading(log.db) as connection:
        if size is None or note is None:
            size, note = connection.execute("SELECT size, checkpoint FROM head").fetchone()
        return _Export(connection, folder, bytes(note), size, details, progress).run(first)


@contextlib.contextmanager
def reading(db: Path, timeout: float = 5.0) -> Iterator[sqlite3.Connection]:
    """One consistent state of the log *db*, for reading.

    Raises:
        AuditUnavailableError: It cannot be read.
    """
    with database.guard(db, timeout):
        connection, _ = database.connect_reader(db, timeout)
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()


class _Export:
    """One export: what to write, in the order in which it must be there."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: Path,
        note: bytes,
        size: int,
        details: bool,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._connection, self._folder, self._note, self._size = connection, folder, note, size
        self._details, self._progress = details, progress
        self._tiles = Tiles(connection)
        self._head = checkpoint.parse(note)
        self._written = 0
        self._touched: set[Path] = {folder}

    def run(self, first: int | None) -> Exported:
        """Write everything, the checkpoint last."""
        if self._head.size != self._size or self._tiles.root_at(self._size) != self._head.root:
            raise TilesError(
                self._folder, "The log's entries do not fit its checkpoint.", "Look closer: `backup-tray audit verify`."
            )
        before = self._before()
        start = self._tiles.start if first is None else first // WIDTH * WIDTH
        for number, width in tiles_of(start // WIDTH, self._size):
            self._one(number, width, mend=first is not None)
            if self._progress is not None:
                self._progress(number * WIDTH + width, self._size)
        self._upper()
        self._sync()
        if before is None or before.size <= self._size:
            self._put(self._folder / CHECKPOINT, self._note)
            self._sync()
            self._clear()
        return Exported(start, self._size, self._head.root, self._written, sha256(self._note).hexdigest())

    def _before(self) -> Checkpoint | None:
        """Return the checkpoint that is in the folder, which this log must continue."""
        try:
            before = checkpoint.parse(files.content(self._folder / CHECKPOINT))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise TilesError(self._folder, f"Its checkpoint is none: {error}.") from error
        if before.origin != self._head.origin:
            raise TilesError(self._folder, f"It holds another log, {before.origin}.")
        if before.size > self._tiles.size:
            why = f"It holds {before.size} entries, but the log has {self._tiles.size}: it was cut off or put back."
            raise TilesError(self._folder, why, "Look closer: `backup-tray audit verify`.")
        if before.size < self._tiles.start:
            why = f"It ends before entry {before.size}, and the log keeps only the entries from {self._tiles.start} on."
            raise TilesError(self._folder, why)
        if self._tiles.root_at(before.size) != before.root:
            why = "It holds other entries than the log has: one of them was rewritten."
            raise TilesError(self._folder, why, "Look closer: `backup-tray audit verify`.")
        return before

    def _one(self, number: int, width: int, *, mend: bool) -> None:
        """Write a bundle of entries, their tile and their details."""
        first, end = number * WIDTH, number * WIDTH + width
        bundle, tile = place(self._folder / ENTRIES, number, width), place(self._folder / "tile/0", number, width)
        if not (bundle.exists() and tile.exists()) or mend:
            rows = self._connection.execute(_ROWS, (first, end)).fetchall()
            if [seq for seq, _ in rows] != list(range(first, end)):
                raise TilesError(self._folder, f"Entries from {first} to {end - 1} are missing in the log.", _VERIFY)
            raws = [bytes(raw) for _, raw in rows]
            self._put(bundle, b"".join(len(raw).to_bytes(LENGTH, "big") + raw for raw in raws))
            self._put(tile, b"".join(map(leaf_hash, raws)))
            self._put_details(number, width)
        elif self._details:
            self._put_details(number, width)

    def _put_details(self, number: int, width: int) -> None:
        query, more = (_BODIES.format(""), ()) if self._details else (_BODIES.format(_ONLY), ALWAYS)
        rows = self._connection.execute(query, (number * WIDTH, number * WIDTH + width, *more))
        lines = [
            canonical({"body": bodies.plain(bytes(body)).decode(), "salt": bytes(salt).hex(), "seq": seq})
            for seq, salt, body in rows
        ]
        path = place(self._folder / DETAILS, number, width)
        if lines or path.exists():
            self._put(path, b"".join(line + b"\n" for line in lines))

    def _upper(self) -> None:
        """Write the tiles above the lowest, which come from the log also where the entries were pruned."""
        level, row = 1, self._size // WIDTH
        while row:
            for number, width in tiles_of(0, row):
                path = place(self._folder / f"tile/{level}", number, width)
                if width < WIDTH or not path.exists():
                    query = (level - 1, number * WIDTH, number * WIDTH + width)
                    self._put(path, b"".join(bytes(one) for (one,) in self._connection.execute(_HASHES, query)))
            level, row = level + 1, row // WIDTH

    def _put(self, path: Path, content: bytes) -> None:
        """Write a file beside its place and rename it there, unless just that is there."""
        with contextlib.suppress(OSError):
            if files.content(path, len(content)) == content:
                return
        for folder in (path.parent, *path.parent.parents):
            if folder in self._touched:
                break
            self._touched.add(folder)
        make(path.parent)
        write(path, content)
        self._written += 1

    def _sync(self) -> None:
        for folder in self._touched:
            paths.sync_folder(folder)

    def _clear(self) -> None:
        """Remove partial tiles of earlier exports where the full one is there now, as the specification allows.

        All are looked for, not only those of the last checkpoint: somebody may have been killed before removing older ones.
        """
        for level in range(HEIGHT):
            full = (self._size >> HEIGHT * level) // WIDTH
            for kind in (f"tile/{level}", *((ENTRIES, DETAILS) if level == 0 else ())):
                base = self._folder / kind
                for partial in list(base.rglob("*.p")):
                    digits = "".join(part.lstrip("x") for part in partial.relative_to(base).with_suffix("").parts)
                    if digits.isdecimal() and int(digits) < full:
                        shutil.rmtree(partial, ignore_errors=True)


_VERIFY = "Look closer: `backup-tray audit verify`."


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let only one process at a time write into *folder*, and put into words what can go wrong there."""
    try:
        make(folder)
        with FileLock(folder / _LOCK) as lock:
            if not lock.acquire():
                raise TilesError(folder, "Another process is writing there.", "Wait for it, then try again.")
            yield
    except BackupTrayError:
        raise
    except OSError as error:
        raise TilesError(folder, f"{error.filename or folder}: {error.strerror or error}.") from error
