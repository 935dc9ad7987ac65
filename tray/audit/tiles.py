"""The Merkle tree read back from the log: roots of earlier sizes, proofs of inclusion and of consistency (RFC 6962, section 2.1).

The table `tiles` keeps the root of each complete tile of 256 hashes, so any question costs a few reads of at most 256 rows, in a
log of any length. What lies right of the last complete tile is hashed from the entries.
"""

import sqlite3
from collections.abc import Iterator

from tray.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash
from tray.core.errors import EntryPrunedError

WIDTH = 256
"""Hashes in a complete tile; segments of the log begin and end between tiles."""

_HEIGHT = 8
_ROWS = "SELECT hash FROM tiles WHERE level = ? AND number >= ? AND number < ? ORDER BY number"
_ENTRIES = "SELECT entry FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"
_INSERT = "INSERT INTO tiles (level, number, hash) VALUES (?, ?, ?)"


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
            EntryPrunedError: Entries that this takes were pruned.
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
        """Return the audit path of entry *seq* in the tree of the first *size* entries, from the leaf upward.

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
        """Return the proof that the tree of *new* entries continues that of the first *old*; empty if one of them says nothing.

        Raises:
            ValueError, EntryPrunedError: As `root_at`.
        """
        self._check(old, new)
        if old in (0, new):
            return []
        low, high, proof = 0, new, []
        while old != high:  # RFC 6962, 2.1.2, as a loop
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
        for one in reversed(left):
            root = node_hash(one, root)
        return root

    def _perfect(self, low: int, high: int) -> Iterator[bytes]:
        """Yield the roots of the perfect subtrees that make up the entries from *low* up to *high*, the largest first."""
        while low < high:
            height = (high - low).bit_length() - 1
            yield self._node(height, low >> height)
            low += 1 << height

    def _node(self, height: int, number: int) -> bytes:
        """Return the root of the *number*th perfect subtree of 2^*height* entries."""
        level, above = divmod(height, _HEIGHT)
        tile, at = divmod(number << above, WIDTH)
        hashes = self._tile(level, tile)[at : at + (1 << above)]
        if len(hashes) != 1 << above:
            raise ValueError(f"the tiles of level {level} are not complete")
        while len(hashes) > 1:
            hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
        return hashes[0]

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


def completed(frontier: Frontier, leaf: bytes) -> list[tuple[int, int, bytes]]:
    """Return level, number and root of each tile that *leaf*, about to be pushed to *frontier*, completes."""
    found, root, left = [], leaf, frontier.hashes[::-1]
    size, level = frontier.size + 1, 0
    while size % WIDTH == 0:
        for one in left[level * _HEIGHT : (level + 1) * _HEIGHT]:
            root = node_hash(one, root)
        size //= WIDTH
        found.append((level, size - 1, root))
        level += 1
    return found


def write(connection: sqlite3.Connection, found: list[tuple[int, int, bytes]]) -> None:
    """Keep tiles that were completed."""
    if found:
        connection.executemany(_INSERT, found)


def _split(size: int) -> int:
    """Return the largest power of two below *size*."""
    return 1 << (size - 1).bit_length() - 1
