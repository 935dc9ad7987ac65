"""Merkle tree hashing after RFC 6962, section 2.1, kept as a frontier: all that is needed to append and to know the root.

A tree of n leaves is a row of perfect subtrees, one for each bit of n, the largest first. Their hashes are the frontier: at
most 64 hashes for any log that can exist.
"""

from collections.abc import Iterable
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ entry): the hash of one entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right): the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree.

    Attributes:
        size: Number of leaves so far.
        hashes: Roots of the perfect subtrees, the largest (leftmost) first.
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
        for (mine, theirs), bit in zip(zip(self.hashes, other.hashes, strict=True), _bits(self.size), strict=True):
            if mine != theirs:
                return start
            start += bit
        return None

    def to_bytes(self) -> bytes:
        """Return the hashes in one row."""
        return b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, size: int, row: bytes) -> "Frontier":
        """Build the frontier of *size* leaves from what `to_bytes` gave.

        Raises:
            ValueError: *row* has the wrong length.
        """
        return cls(size, (row[at : at + HASH_SIZE] for at in range(0, len(row), HASH_SIZE)))


def _bits(size: int) -> list[int]:
    return [1 << at for at in range(size.bit_length() - 1, -1, -1) if size >> at & 1]
