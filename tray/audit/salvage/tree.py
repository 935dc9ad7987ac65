"""The Merkle tree of a damaged log, put together again from what is left: for which entries a signature still vouches."""

from collections.abc import Iterable
from functools import cache

from tray.audit.checkpoint import Checkpoint
from tray.audit.merkle import Frontier, node_hash
from tray.audit.salvage.read import Found

_HEIGHT = 8


class Tree:
    """The Merkle tree, as far as its parts are left: hashes of entries, of what entries say of the one before, and of tiles."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._good: dict[int, bytes] = {}
        self._seen: set[tuple[int, int]] = set()
        self._root = cache(self._guess)

    def vouched(self, heads: Iterable[Checkpoint]) -> dict[int, bytes]:
        """Return the leaf hashes for which one of these signed checkpoints vouches, the largest of which comes first."""
        for head in heads:
            places, at = [], 0
            for height in reversed(range(head.size.bit_length())):
                if head.size >> height & 1:
                    places.append((height, at >> height))
                    at += 1 << height
            for peaks in self._peaks(head.size, places):
                if Frontier(head.size, peaks).root() == head.root:
                    for place, root in zip(places, peaks, strict=True):
                        self._vouch(*place, root)
                    break
        self._follow_chain()
        return self._good

    def _peaks(self, size: int, places: list[tuple[int, int]]) -> Iterable[list[bytes]]:
        """Yield what the roots of the perfect subtrees of a tree of *size* entries may be."""
        if size in self._found.frontiers:
            yield Frontier.from_bytes(size, self._found.frontiers[size]).hashes
        peaks = [root for place in places if (root := self._root(*place)) is not None]
        if len(peaks) == len(places):
            yield peaks

    def _vouch(self, height: int, number: int, root: bytes) -> None:
        """Take what lies below a root that is signed, as far as it can be told."""
        if (height, number) in self._seen:
            return
        if height <= _HEIGHT:
            first = number << height
            for leaves in self._rows(first, 1 << height):
                if _fold(leaves) == root:
                    self._seen.add((height, number))
                    self._good.update(enumerate(leaves, first))
                    return
            return
        self._seen.add((height, number))
        left, right = self._root(height - 1, 2 * number), self._root(height - 1, 2 * number + 1)
        if left is not None and right is not None and node_hash(left, right) == root:
            self._vouch(height - 1, 2 * number, left)
            self._vouch(height - 1, 2 * number + 1, right)

    def _guess(self, height: int, number: int) -> bytes | None:
        """Return what the root of a perfect subtree is, as a tile says, else as what lies below it says."""
        if height and not height % _HEIGHT and (kept := self._found.tiles.get((height // _HEIGHT - 1, number))):
            return kept
        if height <= _HEIGHT:
            return next(map(_fold, self._rows(number << height, 1 << height)), None)
        left, right = self._root(height - 1, 2 * number), self._root(height - 1, 2 * number + 1)
        return None if left is None or right is None else node_hash(left, right)

    def _rows(self, first: int, count: int) -> Iterable[list[bytes]]:
        """Yield what a row of leaf hashes may be: as the entries behind them say, then as they are themselves."""
        choices = [self._leaf(seq) for seq in range(first, first + count)]
        if all(choices):
            yield [leaves[0] for leaves in choices]
            yield [leaves[-1] for leaves in choices]

    def _leaf(self, seq: int) -> list[bytes]:
        """Return what the hash of an entry may be, as the entry behind it says first."""
        own = self._found.entries.get(seq, {})
        said = [entry.prev for entry in self._found.entries.get(seq + 1, {}).values()]
        return sorted(said, key=lambda leaf: leaf not in own)[:1] + [leaf for leaf in own if leaf not in said]

    def _follow_chain(self) -> None:
        """An entry that is vouched for vouches for the one before it."""
        for seq in sorted(self._good, reverse=True):
            while seq > 0 and (entry := self._found.entries.get(seq, {}).get(self._good[seq])) is not None:
                seq -= 1
                if seq in self._good:
                    break
                self._good[seq] = entry.prev


def _fold(hashes: list[bytes]) -> bytes:
    """Return the root over 2^n hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]
