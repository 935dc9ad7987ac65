"""Name exactly what is wrong: check one entry after the other, after the quick check of many at once failed.

Slow and careful. The first finding ends the verification.
"""

import sqlite3
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, NoReturn

from tray.audit.entry import MAX_ENTRY, SALT_SIZE, pattern
from tray.audit.merkle import leaf_hash
from tray.audit.rows import plain_body
from tray.audit.verify.verdict import Kind

Row = tuple[int, Any]

_BODY = "SELECT salt, body FROM bodies WHERE seq = ?"
_ENTRY = "SELECT entry FROM entries WHERE seq = ?"
_ELSEWHERE = "SELECT min(seq) FROM entries NOT INDEXED WHERE instr(entry, ?) AND seq <> ?"


class Finding(Exception):  # noqa: N818 - not an error: it carries the first finding out of the stream
    """The first wrong thing.

    Attributes:
        first_bad: Number of the first wrong entry, as far as it is known.
    """

    def __init__(self, kind: Kind, why: str, first_bad: int | None = None) -> None:
        super().__init__(why)
        self.kind, self.why, self.first_bad = kind, why, first_bad


def fail(kind: Kind, why: str, first_bad: int | None = None) -> NoReturn:
    """End the verification with this finding."""
    raise Finding(kind, why, first_bad)


class Careful:
    """Checker of single entries of the log *log*.

    Args:
        erased: Returns the entries whose details were erased, each with the entry that says so.
        head_leaf: Hash of the last entry as the head has it.
    """

    def __init__(
        self, connection: sqlite3.Connection, log: str, head_leaf: bytes, erased: Callable[[], dict[int, int]]
    ) -> None:
        self._connection, self._log, self._head_leaf, self._erased = connection, log.encode(), head_leaf, erased

    def look(self, first: int, leaf: bytes, rows: Sequence[Row]) -> list[bytes]:
        """Check *rows*, which begin with entry *first*, and return their leaf hashes.

        Args:
            leaf: Hash of the entry before.

        Raises:
            Finding: One of them is wrong.
        """
        leaves = []
        for size, (seq, raw) in enumerate(rows, first):
            promised = self._entry(size, seq, raw, leaf)
            self._body(seq, promised)
            leaf = leaf_hash(raw)
            leaves.append(leaf)
        return leaves

    def _entry(self, size: int, seq: int, raw: object, leaf: bytes) -> bytes:
        """Check one entry and its place in the chain; return the hash of its details that it names."""
        if seq != size:
            self._gap(size)
        match = pattern().fullmatch(raw) if isinstance(raw, bytes) else None
        if not isinstance(raw, bytes) or match is None or len(raw) > MAX_ENTRY or not _is_unicode(raw):
            fail(Kind.ALTERED, f"Entry {seq} is no audit entry.", seq)
        number, origin, prev, promised = match.group("seq", "log", "prev", "body")
        if origin[1:-1] != self._log:
            fail(Kind.ALTERED, f"Entry {seq} is of another log.", seq)
        if int(number) != seq:
            self._displaced(seq, int(number), raw)
        if prev[1:-1] != leaf.hex().encode():
            self._broken(seq, raw, prev[1:-1])
        return promised

    def _gap(self, size: int) -> NoReturn:
        elsewhere = self._elsewhere(size)
        if elsewhere is not None:
            fail(Kind.REORDERED, f"Entry {size} stands in the place of entry {elsewhere}.", size)
        fail(Kind.MISSING, f"Entry {size} is missing.", size)

    def _displaced(self, seq: int, number: int, raw: bytes) -> NoReturn:
        """Say why entry *number* stands in the place of entry *seq*: it was moved, or others were taken out or put in."""
        elsewhere = self._elsewhere(seq)
        if elsewhere == seq + 1 and number == seq - 1:  # two claim to be entry `number`, and the rest moved down
            bad = number if self._vouched(seq + 1, raw) else seq
            fail(Kind.INSERTED, f"Entry {bad} was put in between, and those behind it were moved.", bad)
        if elsewhere is not None:
            fail(Kind.REORDERED, f"In the place of entry {seq} stands entry {number}: the order was changed.", seq)
        if number > seq:
            fail(Kind.MISSING, f"Entry {seq} is missing, and entry {number} was moved to its place.", seq)
        fail(Kind.ALTERED, f"In the place of entry {seq} stands a copy of entry {number}.", seq)

    def _elsewhere(self, number: int) -> int | None:
        """Return in which other place entry *number* stands; an unescaped quote cannot be part of a text, so this is exact."""
        place = f',"seq":{number},"severity":'.encode()
        row = self._connection.execute(_ELSEWHERE, (place, number)).fetchone()
        return None if row[0] is None else int(row[0])

    def _vouched(self, behind: int, raw: bytes) -> bool:
        """Whether the entry in place *behind* names *raw* as the one before it; behind the last one stands the head."""
        row = self._connection.execute(_ENTRY, (behind,)).fetchone()
        mine = leaf_hash(raw)
        if row is None:
            return mine == self._head_leaf
        match = pattern().fullmatch(row[0]) if isinstance(row[0], bytes) else None
        return match is not None and match["prev"][1:-1].decode() == mine.hex()

    def _broken(self, seq: int, raw: bytes, prev: bytes) -> NoReturn:
        """Say which of entry *seq* and the one before it was altered, or whether the one before does not belong there."""
        row = self._connection.execute(_ENTRY, (seq - 2,)).fetchone()
        if row is not None and isinstance(row[0], bytes) and leaf_hash(row[0]).hex().encode() == prev:
            fail(Kind.INSERTED, f"Entry {seq - 1} was put in between: entry {seq} does not know it.", seq - 1)
        bad = max(seq - 1, 0) if self._vouched(seq + 1, raw) else seq
        fail(Kind.ALTERED, f"Entry {bad} was altered: the hashes around it do not fit.", bad)

    def _body(self, seq: int, promised: bytes) -> None:
        row = self._connection.execute(_BODY, (seq,)).fetchone()
        if row is None:
            if promised != b"null" and self._erased().get(seq, -1) <= seq:
                fail(Kind.BODY, f"The details of entry {seq} are gone, and no entry says that they were erased.", seq)
            return
        if promised == b"null":
            fail(Kind.BODY, f"Entry {seq} has details that it does not name.", seq)
        salt, kept = row
        if promised[1:-1].decode() != _digest(salt, kept):
            fail(Kind.BODY, f"The details of entry {seq} were altered.", seq)


def _digest(salt: object, kept: object) -> str | None:
    """Return the hash of details; None for values that cannot be any: another type, a salt of another length, no packed text."""
    if not isinstance(salt, bytes) or not isinstance(kept, bytes) or len(salt) != SALT_SIZE:
        return None  # with a longer salt, the first bytes of the details could be passed off as part of it
    try:
        return sha256(b"\x02" + salt + plain_body(kept)).hexdigest()
    except ValueError:
        return None


def _is_unicode(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
