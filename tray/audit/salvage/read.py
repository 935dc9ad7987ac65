"""Read the rest of a damaged log: entries and checkpoints by their form, everything else through SQLite.

An entry proves itself, so the files are searched for the bytes of entries, whatever is left of the database around them. SQLite
then looks up one number after the other in a copy: a page that is broken costs only the rows that lie behind it. If the schema
is broken, the copy gets that of a new log, which lies on the same pages in every log.

`sqlite3 .recover` would be another way, but the SQLite of Debian 12 and Ubuntu 24.04 is built without the table that it needs.
"""

import os
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tray.audit import checkpoint
from tray.audit.entry import MAX_BODY, MAX_ENTRY, SALT_SIZE, pattern
from tray.audit.merkle import HASH_SIZE, Frontier, leaf_hash
from tray.audit.rows import plain_body
from tray.audit.schema import STATEMENTS
from tray.core import files
from tray.core.dataclass import dataclass, field

PAGE = 4096
_BLOCK = 256 * PAGE
_SHORTEST = 300
"""No entry has fewer bytes: a file that claims to hold more entries than fit into it lies."""
_STEPS = 10_000
"""Steps of SQLite's machine that one look-up may take twice; it takes about 20."""

_ENTRY = b'{"action":"'
_NOTE = re.compile(
    rb"backup-tray/[0-9a-f-]{36}\n\d{1,16}\n[A-Za-z0-9+/=]{44}\n\n(?:\xe2\x80\x94 [!-~]{1,300} [!-~]{1,300}\n)+"
)
_MAX_NOTE = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A readable entry."""

    raw: bytes
    leaf: bytes
    prev: bytes
    log: str
    action: str

    @property
    def body(self) -> str | None:
        """The hash of its details, in hex."""
        match = pattern().fullmatch(self.raw)
        return None if match is None or match["body"] == b"null" else match["body"][1:-1].decode()


@dataclass(slots=True)
class Remains:
    """Everything that was read, proven or not.

    Attributes:
        entries: Entries by number and leaf hash: if pages contradict each other, one number has several.
        bodies: Salt and plain body by number.
        start, size: Beginning and end of the log, as it says itself.
        unreadable: Number of blocks that the disk did not give.
    """

    entries: dict[int, dict[bytes, Entry]] = field(default_factory=dict)
    bodies: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)
    frontiers: dict[int, bytes] = field(default_factory=dict)
    notes: set[bytes] = field(default_factory=set)
    start: int = 0
    size: int = 0
    unreadable: int = 0

    def take_entry(self, raw: bytes) -> None:
        """Keep *raw* if it has the form of an entry."""
        match = pattern().fullmatch(raw)
        if match is None or len(raw) > MAX_ENTRY:
            return
        with suppress(UnicodeDecodeError):
            raw.decode()
            log, action = sys.intern(match["log"][1:-1].decode()), sys.intern(match["action"][1:-1].decode())
            prev, leaf = bytes.fromhex(match["prev"][1:-1].decode()), leaf_hash(raw)
            self.entries.setdefault(int(match["seq"]), {})[leaf] = Entry(raw, leaf, prev, log, action)

    def take_note(self, note: bytes) -> None:
        """Keep *note* if it has the form of a signed checkpoint."""
        with suppress(ValueError):
            checkpoint.parse(note)
            self.notes.add(note)


def read(db: Path, folder: Path) -> Remains:
    """Return all that can be read of *db* and of its write-ahead log; neither is changed.

    Args:
        folder: Folder with room for a copy of both meanwhile.

    Raises:
        OSError: *db* cannot be read at all, or there is no room for the copy.
    """
    remains = Remains()
    with TemporaryDirectory(dir=folder, prefix=".reading-") as name:
        copy = Path(name) / "audit.db"
        size = _copy(db, copy, remains)
        for suffix in ("-wal", "-journal"):
            beside = db.with_name(db.name + suffix)
            if beside.is_file():
                size += _copy(beside, copy.with_name(copy.name + suffix), remains)
        with suppress(sqlite3.Error), closing(_opened(copy)) as connection:
            _look_up(connection, remains, size)
    return remains


def _copy(source: Path, copy: Path, remains: Remains) -> int:
    """Copy a file, keep the texts in it on the way, and return its size. Unreadable blocks are zeros in the copy."""
    with files.opened(source) as reading, copy.open("xb") as writing:
        size = reading.seek(0, os.SEEK_END)

        def blocks() -> Iterator[bytes]:
            for at in range(0, size, _BLOCK):
                block = _block(reading.fileno(), at, min(_BLOCK, size - at), remains)
                writing.write(block)
                yield block

        for text in _texts(blocks()):
            if text.startswith(_ENTRY):
                remains.take_entry(text)
            else:
                remains.take_note(text)
    return size


def _block(descriptor: int, at: int, size: int, remains: Remains) -> bytes:
    """Read a block; where that fails, page by page."""
    with suppress(OSError):
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.read(descriptor, size).ljust(size, b"\x00")
    if size > PAGE:
        return b"".join(
            _block(descriptor, place, min(PAGE, at + size - place), remains) for place in range(at, at + size, PAGE)
        )
    remains.unreadable += 1
    return bytes(size)


def _texts(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the texts in the form of an entry or of a signed checkpoint, also across the borders of blocks."""
    rest = b""
    for block in blocks:
        text, end = rest + block, 0
        yield from (match[0] for match in _NOTE.finditer(text))
        for match in pattern().finditer(text):
            yield match[0]
            end = match.end()
        begun = text.rfind(_ENTRY, end)
        if begun < 0 or len(text) - begun > MAX_ENTRY:
            begun = max(end, len(text) - _MAX_NOTE)
        rest = text[begun:]


def _opened(copy: Path) -> sqlite3.Connection:
    """Open the copy; if SQLite finds none of our tables in it, with the schema of a new log.

    Raises:
        sqlite3.Error: It cannot be read with that either.
    """
    with suppress(sqlite3.Error):
        connection = _connected(copy)
        try:
            connection.execute("SELECT 1 FROM entries, bodies, tiles, head, base, segments LIMIT 0")
            return connection
        except sqlite3.Error:
            connection.close()
    with copy.open("r+b") as file:
        for number, page in _schema_pages():
            file.seek(number * PAGE)
            file.write(page)
    return _connected(copy)


def _connected(copy: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(copy, isolation_level=None)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BODY + MAX_ENTRY)
    return connection


def _schema_pages() -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the pages that hold the schema of a new log."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in STATEMENTS.values():
            connection.execute(statement)
        image = connection.serialize()
    for at in range(0, len(image), PAGE):
        page = image[at : at + PAGE]
        if not at:  # it has a write-ahead log, and its size is that of the file
            page = page[:18] + b"\x02\x02" + page[20:28] + bytes(4) + page[32:]
        if not at or b"CREATE " in page:
            yield at // PAGE, page


def _look_up(connection: sqlite3.Connection, remains: Remains, space: int) -> None:
    """Keep the rows that SQLite still reaches, no more of them than there is *space* for in the files."""
    ask, most = _Asking(connection), space // _SHORTEST + 1
    match ask("SELECT size, frontier, checkpoint FROM head WHERE one = 1"):
        case int(size), bytes(frontier), bytes(note):
            remains.size = _frontier(remains, size, frontier)
            remains.take_note(note)
    match ask("SELECT start, frontier FROM base WHERE one = 1"):
        case int(start), bytes(frontier):
            remains.start = _frontier(remains, start, frontier)
    top = max(
        [remains.size, *(seq + 1 for seq in remains.entries), *(checkpoint.parse(note).size for note in remains.notes)]
    )
    first = remains.start or min(remains.entries, default=0)
    for seq in islice(range(first, top), most):
        if seq not in remains.entries:
            match ask("SELECT entry FROM entries WHERE seq = ?", seq):
                case (bytes(raw),):
                    remains.take_entry(raw)
        match ask("SELECT salt, body FROM bodies WHERE seq = ?", seq):
            case bytes(salt), bytes(body) if len(salt) == SALT_SIZE:
                with suppress(ValueError):
                    remains.bodies[seq] = salt, plain_body(body)
    level, width = 0, min(top, first + most) >> 8
    while width:
        for number in islice(range(width), space // HASH_SIZE):
            match ask("SELECT hash FROM tiles WHERE level = ? AND number = ?", level, number):
                case (bytes(root),) if len(root) == HASH_SIZE:
                    remains.tiles[level, number] = root
        level, width = level + 1, width >> 8


def _frontier(remains: Remains, size: int, frontier: bytes) -> int:
    """Keep the frontier of a tree of *size* entries, and return that size; 0 for bytes that cannot be one."""
    with suppress(ValueError):
        Frontier.from_bytes(size, frontier)
        remains.frontiers[size] = frontier
        return size
    return 0


class _Asking:
    """Looks rows up one by one; a broken page, or a look-up that does not end, is no row."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._calls = 0
        connection.set_progress_handler(self._too_long, _STEPS)

    def __call__(self, query: str, *values: int) -> tuple[Any, ...]:
        self._calls = 0
        try:
            return self._connection.execute(query, values).fetchone() or ()
        except (sqlite3.Error, UnicodeDecodeError, OverflowError):
            return ()

    def _too_long(self) -> bool:
        self._calls += 1
        return self._calls > 1
