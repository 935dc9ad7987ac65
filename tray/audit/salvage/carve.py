"""Rows read out of a damaged SQLite file without SQLite: page by page, from the file and from its write-ahead log.

SQLite gives up where the tree of a table is broken. But each page of rows stands for itself, and a row of ours proves itself: an
entry by its form and its hash, a body by the hash in its entry. So every page is looked at, whether any other leads to it or not,
and whatever has the form of one of our rows is handed on; nothing else is believed. The file is only read, as bytes.

The format is described in https://www.sqlite.org/fileformat2.html.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tray.audit.entry import MAX_BODY, MAX_ENTRY, pattern

MAGIC = b"SQLite format 3\x00"
_SIZES = tuple(1 << power for power in range(9, 17))
_USUAL = 4096
_WAL_HEADER, _FRAME_HEADER = 32, 24
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER = 13, 10, 2
_HEADERS = {_TABLE_LEAF: 8, _INDEX_LEAF: 8, _INDEX_INNER: 12}
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_MAX_PAYLOAD = MAX_BODY + MAX_ENTRY
_SAMPLE = 200
_ENTRY = b'{"action":"'
_NOTE = re.compile(
    rb"backup-tray/[0-9a-f-]{36}\n\d{1,16}\n[A-Za-z0-9+/=]{44}\n\n(?:\xe2\x80\x94 [!-~]{1,300} [!-~]{1,300}\n)+"
)
_MAX_NOTE = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number (None in an index) and the values of its columns."""

    number: int | None
    values: tuple[Any, ...]


class _Bytes:
    """A file that is read piece by piece; what a broken disk does not give is zeros, where a map of it would end in SIGBUS."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.size = self._file.seek(0, os.SEEK_END)
        self.unreadable = 0

    def read(self, at: int, size: int) -> bytes:
        """Return *size* bytes from place *at* on; behind the end, zeros."""
        try:
            self._file.seek(at)
            return self._file.read(size).ljust(size, b"\x00")
        except OSError:
            self.unreadable += 1
            return bytes(size)

    def close(self) -> None:
        self._file.close()


class File:
    """A database file and its write-ahead log, as far as they are there.

    Attributes:
        has_header: The file begins as a database does.
        has_wal: There is a write-ahead log with something in it.
        looked_at: Page images that were looked at so far.
    """

    def __init__(self, db: Path) -> None:
        """Open both for reading.

        Raises:
            OSError: The database file cannot be read.
        """
        self._data = _Bytes(db)
        self._wal: _Bytes | None = None
        with contextlib.suppress(OSError):
            self._wal = _Bytes(db.with_name(db.name + "-wal"))
        self.has_wal = self._wal is not None and self._wal.size > 0
        self.looked_at = 0
        self._newest: dict[int, int] = {}
        self._first = 0
        header = self._data.read(0, 100)
        self.has_header = header[:16] == MAGIC
        # Bytes that were lost or added in front move every page: then the end of the file says where pages begin.
        self.page_size, self._first = max(self._guesses(header), key=self._rows_at, default=(_USUAL, 0))
        reserved = header[20] if self.has_header and header[20] <= self.page_size // 8 else 0
        self._usable = self.page_size - reserved
        self._newest = dict(self._frames())

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *_: object) -> None:
        for source in filter(None, (self._data, self._wal)):
            source.close()

    @property
    def unreadable(self) -> int:
        """Pages that the disk did not give."""
        return sum(source.unreadable for source in filter(None, (self._data, self._wal)))

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Yield every page image, those of the write-ahead log last, with the number of the page."""
        if self._first:
            self.looked_at += 1
            yield 1, self._data.read(0, self._first)
        for at in range(self._first, self._data.size, self.page_size):
            self.looked_at += 1
            yield self._number(at), self._data.read(at, self.page_size)
        for number, at in self._frames():
            self.looked_at += 1
            yield number, self._frame(at)

    def rows(self, number: int, page: bytes) -> Iterator[Row]:
        """Yield what can be read of the rows on a page; of other pages nothing."""
        start = 100 if number == 1 else 0
        kind = page[start] if len(page) > start else 0
        header = _HEADERS.get(kind)
        if header is None:
            return
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        for at in range(start + header, min(start + header + 2 * count, len(page) - 1), 2):
            with contextlib.suppress(IndexError, ValueError):
                yield self._row(page, int.from_bytes(page[at : at + 2], "big"), kind)

    def _row(self, page: bytes, at: int, kind: int) -> Row:
        if kind == _INDEX_INNER:
            at += 4
        size, at = _varint(page, at)
        number = None
        if kind == _TABLE_LEAF:
            number, at = _varint(page, at)
        if not 0 < size <= _MAX_PAYLOAD:
            raise ValueError("no row is that long")
        return Row(number, _record(self._payload(page, at, size, table=kind == _TABLE_LEAF)))

    def _payload(self, page: bytes, at: int, size: int, *, table: bool) -> bytes:
        """Return a row's bytes: those on the page, and those on the pages that continue it."""
        usable = self._usable
        most = usable - 35 if table else (usable - 12) * 64 // 255 - 23
        if size <= most:
            here = size
        else:
            least = (usable - 12) * 32 // 255 - 23
            here = least + (size - least) % (usable - 4)
            here = here if here <= most else least
        found = bytearray(page[at : at + here])
        following = int.from_bytes(page[at + here : at + here + 4], "big") if here < size else 0
        while len(found) < size:
            rest = self._page(following)
            found += rest[4 : min(4 + size - len(found), usable)]
            following = int.from_bytes(rest[:4], "big")
        return bytes(found)

    def _page(self, number: int) -> bytes:
        """Return the newest image of a page."""
        if number in self._newest:
            return self._frame(self._newest[number])
        at = self._first + (number - self._number(self._first)) * self.page_size
        if number < 2 or not 0 <= at < self._data.size:
            raise ValueError("there is no such page")
        return self._data.read(at, self.page_size)

    def _number(self, at: int) -> int:
        """Return the number of the page that begins at *at*; what stands in front of the first whole page is taken for page 1."""
        return (at - self._first) // self.page_size + (2 if self._first else 1)

    def _frames(self) -> Iterator[tuple[int, int]]:
        """Yield number and place of each page image in the write-ahead log; checksums are not asked: rows prove themselves."""
        if self._wal is not None:
            for at in range(_WAL_HEADER, self._wal.size - _FRAME_HEADER, _FRAME_HEADER + self.page_size):
                yield int.from_bytes(self._wal.read(at, 4), "big"), at + _FRAME_HEADER

    def _frame(self, at: int) -> bytes:
        return bytes(self.page_size) if self._wal is None else self._wal.read(at, self.page_size)

    def _guesses(self, header: bytes) -> list[tuple[int, int]]:
        """Return size and begin of pages as they may be, the likeliest first: the header itself may be what was damaged."""
        wal = b"" if self._wal is None else self._wal.read(8, 4)
        told = [int.from_bytes(header[16:18], "big"), int.from_bytes(wal, "big"), _USUAL]
        sizes = [size for size in dict.fromkeys(1 << 16 if size == 1 else size for size in told) if size in _SIZES]
        return list(dict.fromkeys((size, first) for size in sizes for first in (0, self._data.size % size)))

    def _rows_at(self, guess: tuple[int, int]) -> int:
        """Return how many rows are found on some pages if they have this size and begin."""
        size, first = self.page_size, self._first = guess
        self._usable = size
        step = max(1, self._data.size // size // _SAMPLE) * size
        pages = ((self._number(at), self._data.read(at, size)) for at in range(first, self._data.size, step))
        return sum(1 for number, page in pages for _ in self.rows(number, page))


class Texts:
    """Finds entries and checkpoints by their form, page after page, whatever is left of the pages' own order.

    Attributes:
        entries: What has the form of an entry.
        notes: What has the form of a signed checkpoint.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.entries: list[bytes] = []
        self.notes: list[bytes] = []

    def look(self, page: bytes) -> None:
        """Take the texts of one page, and those that began on the pages before it, where pages are not what we take for them."""
        text = self._rest + page
        self.entries, self.notes = [], [match[0] for match in _NOTE.finditer(text)]
        end = 0
        if _ENTRY in text:
            for match in pattern().finditer(text):
                self.entries.append(match[0])
                end = match.end()
        begun = text.rfind(_ENTRY, end)
        if begun < 0 or len(text) - begun > MAX_ENTRY:
            begun = max(end, len(text) - _MAX_NOTE)
        self._rest = text[begun:]


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(9):
        byte = page[at + place]
        if place == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("no number")


def _record(payload: bytes) -> tuple[Any, ...]:
    """Return the values of a record; floats, which no row of ours has, are an error, and so is what does not fill it exactly."""
    end, at = _varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds:
        if kind >= 12:
            size = (kind - 12) // 2
            raw = payload[at : at + size]
            values.append(raw if kind % 2 == 0 else raw.decode())
        elif kind in _INTEGERS:
            size = _INTEGERS[kind]
            values.append(int.from_bytes(payload[at : at + size], "big", signed=True))
        elif kind in (0, 8, 9):
            size = 0
            values.append(None if kind == 0 else kind - 8)
        else:
            raise ValueError("no value of ours")
        at += size
    if at != len(payload):
        raise ValueError("the record has another length")
    return tuple(values)
