"""Hash entries into a Merkle tree after RFC 6962, section 2.1, and read that tree back from the log.

`Frontier` is all that is needed to append and to know the root. `Tiles` answers for earlier sizes: the table `tiles` keeps the
root of each complete tile of 256 hashes, so any question costs a few reads of at most 256 rows, in a log of any length. The
hashes right of the last complete tile are computed from the entries.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from tray.core.errors import EntryPrunedError

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
WIDTH = 256
"""Hashes in a complete tile; segments of the log begin and end between tiles."""

HEIGHT = 8
"""Levels of the tree in one tile."""

_ROWS = "SELECT hash FROM tiles WHERE level = ? AND number >= ? AND number < ? ORDER BY number"
_ENTRIES = "SELECT entry FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"
_INSERT = "INSERT INTO tiles (level, number, hash) VALUES (?, ?, ?)"


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ entry): the hash of one entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right): the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over 2^n hashes."""
    while len(hashes) > 1:
        hashes = [
            sha256(b"\x01" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
    return hashes[0]


class Frontier:
    """The right edge of a growing tree: a row of perfect subtrees, one for each bit of the size.

    Attributes:
        size: Number of leaves so far.
        hashes: Roots of the perfect subtrees, the largest (leftmost) first; at most 64 for any log that can exist.
    """

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size, self.hashes = size, list(hashes)
        if size < 0 or len(self.hashes) != size.bit_count() or any(len(item) != HASH_SIZE for item in self.hashes):
            raise ValueError(f"no frontier of {size} leaves")

    def push(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        size = self.size
        hashes = self.hashes
        while size & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            size >>= 1
        hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the whole tree, RFC 6962's MTH; of an empty one SHA-256("")."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def copy(self) -> "Frontier":
        """Return a frontier that grows on its own."""
        return Frontier(self.size, self.hashes)

    def first_difference(self, other: "Frontier") -> int | None:
        """Return the first leaf of the first subtree in which two trees of equal size differ, None if they are equal."""
        start = 0
        bits = [1 << at for at in range(self.size.bit_length() - 1, -1, -1) if self.size >> at & 1]
        for mine, theirs, bit in zip(self.hashes, other.hashes, bits, strict=True):
            if mine != theirs:
                return start
            start += bit
        return None

    def to_bytes(self) -> bytes:
        """Return the hashes in one row."""
        return b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, size: int, row: bytes) -> "Frontier":
        """Build the frontier of *size* leaves from the bytes that `to_bytes` gave.

        Raises:
            ValueError: *row* has the wrong length.
        """
        return cls(size, (row[at : at + HASH_SIZE] for at in range(0, len(row), HASH_SIZE)))


class Tiles:
    """The tree of the log on *connection*, whose transaction is open: one consistent state.

    Attributes:
        size: Number of leaves.
        start: The first entry that was not pruned.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        (self.size,) = connection.execute("SELECT size FROM head").fetchone()
        (self.start,) = connection.execute("SELECT start FROM base").fetchone()
        self._read: dict[tuple[int, int], list[bytes]] = {}

    def root_at(self, size: int) -> bytes:
        """Return the root that the log had when it was *size* entries long.

        Raises:
            ValueError: The log has fewer entries.
            EntryPrunedError: The root depends on entries that were pruned.
        """
        self._check(0, size)
        return self._root(0, size) if size else EMPTY_ROOT

    def frontier_at(self, size: int) -> Frontier:
        """Return the frontier that the log had when it was *size* entries long.

        Raises:
            ValueError, EntryPrunedError: As `root_at`.
        """
        self._check(0, size)
        return Frontier(size, self._perfect(0, size))

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """Return the audit path (RFC 6962, 2.1.1) of entry *seq* in the tree of the first *size* entries, from the leaf upward.

        Raises:
            ValueError, EntryPrunedError: As `root_at`.
        """
        self._check(seq, size - 1)
        low, high, path = 0, size, []
        while high - low > 1:
            middle = low + _split(high - low)
            if seq < middle:
                path.append(self._root(middle, high))
                high = middle
            else:
                path.append(self._root(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof (RFC 6962, 2.1.2) that the tree of *new* entries continues that of the first *old*.

        Raises:
            ValueError, EntryPrunedError: As `root_at`.
        """
        self._check(old, new)
        if old in (0, new):
            return []
        low, high, proof = 0, new, []
        while old != high:
            middle = low + _split(high - low)
            if old <= middle:
                proof.append(self._root(middle, high))
                high = middle
            else:
                proof.append(self._root(low, middle))
                low = middle
        return ([self._root(low, high)] if low else []) + proof[::-1]

    def leaf_hashes(self, first: int, limit: int) -> list[bytes]:
        """Return the leaf hashes of up to *limit* entries from number *first* on.

        Raises:
            EntryPrunedError: Entry *first* was pruned.
        """
        if first < self.start:
            raise EntryPrunedError(first, self.start)
        return [leaf_hash(row[0]) for row in self._connection.execute(_ENTRIES, (first, first + limit))]

    def _check(self, low: int, size: int) -> None:
        if not 0 <= low <= size <= self.size:
            raise ValueError(f"no tree of {size} entries: the log has {self.size}")

    def _root(self, low: int, high: int) -> bytes:
        """Return the root over the entries from *low* up to *high*, of which *low* is where such a subtree can begin."""
        *left, root = self._perfect(low, high)
        for subtree in reversed(left):
            root = node_hash(subtree, root)
        return root

    def _perfect(self, low: int, high: int) -> Iterator[bytes]:
        """Yield the roots of the perfect subtrees that make up the entries from *low* up to *high*, the largest first."""
        while low < high:
            height = (high - low).bit_length() - 1
            yield self._node(height, low >> height)
            low += 1 << height

    def _node(self, height: int, number: int) -> bytes:
        """Return the root of the *number*th perfect subtree of 2^*height* entries."""
        level, above = divmod(height, HEIGHT)
        tile, at = divmod(number << above, WIDTH)
        hashes = self._tile(level, tile)[at : at + (1 << above)]
        if len(hashes) != 1 << above:
            raise ValueError(f"the tiles of level {level} are not complete")
        return fold(hashes)

    def _tile(self, level: int, number: int) -> list[bytes]:
        """Return the hashes of a tile: all of a complete one, else those that are there."""
        key = level, number
        if key not in self._read:
            first = number * WIDTH
            if level:
                rows = self._connection.execute(_ROWS, (level - 1, first, first + WIDTH))
                self._read[key] = [bytes(row[0]) for row in rows]
            else:
                self._read[key] = self.leaf_hashes(first, min(WIDTH, self.size - first))
        return self._read[key]


def completed_tiles(frontier: Frontier, leaf: bytes) -> list[tuple[int, int, bytes]]:
    """Return level, number and root of each tile that *leaf*, about to be pushed to *frontier*, completes."""
    tiles, root, left = [], leaf, frontier.hashes[::-1]
    size, level = frontier.size + 1, 0
    while size % WIDTH == 0:
        for subtree in left[level * HEIGHT : (level + 1) * HEIGHT]:
            root = node_hash(subtree, root)
        size //= WIDTH
        tiles.append((level, size - 1, root))
        level += 1
    return tiles


def write_tiles(connection: sqlite3.Connection, tiles: Iterable[tuple[int, int, bytes]]) -> None:
    """Keep tiles that were completed."""
    connection.executemany(_INSERT, tiles)


def _split(size: int) -> int:
    """Return the largest power of two below *size*."""
    return 1 << (size - 1).bit_length() - 1
