"""Write the log as a folder of files in the layout of C2SP tlog-tiles (https://c2sp.org/tlog-tiles), which other tools can read.

    checkpoint                  the signed checkpoint; written last
    tile/<L>/<N>[.p/<W>]        hashes: at level 0 of entries, above it of full tiles of the level below; 256 of them, or W
    tile/entries/<N>[.p/<W>]    the entries: each a length of two bytes, the highest first, and its bytes
    details/<N>[.p/<W>]         ours: the bodies of these entries, one JSON object a line: body, salt, seq

`<N>` is written in groups of three digits, each but the last a folder: 1234067 is `x001/x234/067`. Bodies hold details that may
have to be erased, and an erasure does not reach copies: so by default only those are written that can never be erased and that a
verification needs (keys, pruning). FORMAT.md says more; `standalone.py` checks such a folder.

`export` writes it, or the tiles that are new since the last time.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from tray.audit import checkpoint, database
from tray.audit.canonical import canonical
from tray.audit.checkpoint import Checkpoint
from tray.audit.entry import Action
from tray.audit.merkle import HEIGHT, WIDTH, Tiles, leaf_hash
from tray.audit.rows import plain_body
from tray.audit.store import AuditLog
from tray.core import files, paths
from tray.core.dataclass import dataclass
from tray.core.errors import BackupTrayError, TilesError
from tray.core.locks import FileLock

VERIFIER = Path(__file__).with_name("standalone.py")
"""The program that checks an export without Backup Tray; it is not imported, since it loads `cryptography`."""

CHECKPOINT = "checkpoint"
ENTRIES = "tile/entries"
DETAILS = "details"

LENGTH = 2
"""Bytes of the length before each entry of a bundle."""


def place(folder: Path, number: int, width: int) -> Path:
    """Return the file of tile *number* below *folder*; of a partial one if *width* is less than 256."""
    *groups, last = (f"{int(group):03}" for group in f"{number:,}".split(","))
    path = folder.joinpath(*(f"x{group}" for group in groups), last)
    return path if width == WIDTH else path.with_name(f"{last}.p") / str(width)


def write(path: Path, content: bytes) -> None:
    """Write *content* durably to *path*, which appears complete or not at all, and which only this user can read."""
    with writing([path]) as (file,):
        file.write(content)


@contextlib.contextmanager
def writing(paths: Sequence[Path]) -> Iterator[list[BinaryIO]]:
    """Give a file to write for each of *paths*; all appear, complete and durable, when the caller has written them."""
    with contextlib.ExitStack() as stack:
        opened: list[BinaryIO] = []
        for path in paths:
            _beside(path).unlink(missing_ok=True)  # in a folder that others share it may be a link to anywhere
            handle = files.descriptor(_beside(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            opened.append(stack.enter_context(open(handle, "wb")))
        yield opened
        for file in opened:
            file.flush()
            os.fsync(file.fileno())
    for path in paths:
        os.replace(_beside(path), path)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def make(folder: Path) -> None:
    """Make *folder* and its missing parents for this user alone, whatever the umask."""
    for missing in reversed([folder, *folder.parents]):
        if not missing.is_dir():
            missing.mkdir(mode=0o700, exist_ok=True)


def tiles_of(first: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield number and width of the tiles that hold *count* items, from tile *first* on."""
    for number in range(first, -(-count // WIDTH)):
        yield number, min(WIDTH, count - number * WIDTH)


ALWAYS = (Action.KEY_CREATED, Action.KEY_ROTATED, Action.AUDIT_PRUNED)
"""Actions whose bodies are in every export: they cannot be erased, hold nothing personal, and a verification needs them."""

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
    """The result of an export.

    Attributes:
        first: First entry that this export wrote or kept; more than 0 if older ones were pruned.
        size: Number of entries that its checkpoint covers.
        written: Number of files that were written; older ones are kept.
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
    """Write the log into *folder*, or the entries that are new since the last time; a killed export leaves a usable folder.

    Args:
        first: First entry to write, a multiple of 256; files from it on are checked and mended. Default: the first entry that the
            log keeps, and existing full tiles are kept unread.
        size: Number of entries that the folder is to hold, with *note*, their signed checkpoint; default: all.
        details: Write the bodies too, and remove those that were erased since the last time.
        progress: Called now and then with the number of entries that are done and that of all.

    Raises:
        TilesError: The folder cannot be written, or holds another log.
        AuditUnavailableError: The log cannot be read.
    """
    with _alone(folder), database.reading(log.db) as connection:
        if size is None or note is None:
            size, note = connection.execute("SELECT size, checkpoint FROM head").fetchone()
        return _Export(connection, folder, bytes(note), size, details, progress).run(first)


class _Export:
    """One export: writes each file in the order in which it must appear."""

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
            self._bundle(number, width, mend=first is not None)
            if self._progress is not None:
                self._progress(number * WIDTH + width, self._size)
        self._upper(mend=first is not None)
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

    def _bundle(self, number: int, width: int, *, mend: bool) -> None:
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
            canonical({"body": plain_body(bytes(body)).decode(), "salt": bytes(salt).hex(), "seq": seq})
            for seq, salt, body in rows
        ]
        path = place(self._folder / DETAILS, number, width)
        if lines or path.exists():
            self._put(path, b"".join(line + b"\n" for line in lines))

    def _upper(self, *, mend: bool) -> None:
        """Write the tiles above the lowest, which come from the log also where the entries were pruned."""
        level, row = 1, self._size // WIDTH
        while row:
            for number, width in tiles_of(0, row):
                path = place(self._folder / f"tile/{level}", number, width)
                if width < WIDTH or mend or not path.exists():
                    query = (level - 1, number * WIDTH, number * WIDTH + width)
                    self._put(path, b"".join(bytes(item) for (item,) in self._connection.execute(_HASHES, query)))
            level, row = level + 1, row // WIDTH

    def _put(self, path: Path, content: bytes) -> None:
        """Write a file beside its place and rename it there, unless the same content is there."""
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

        All partial tiles are searched, not only those of the last checkpoint: an earlier export may have been killed before this.
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
    """Let only one process at a time write into *folder*, and put every failure into words."""
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
