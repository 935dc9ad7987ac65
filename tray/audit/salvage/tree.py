"""The Merkle tree of a damaged log, put together again from what is left: for which entries a signature still vouches."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from tray.audit.checkpoint import Checkpoint
from tray.audit.entry import pattern
from tray.audit.merkle import Frontier, node_hash

_HEIGHT = 8
_CHOICES = 4
"""So many different hashes are tried for one place, where pages contradict each other."""


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
class Found:
    """Everything that was read, whatever it is worth."""

    entries: dict[int, dict[bytes, Entry]] = field(default_factory=dict)
    bodies: dict[int, set[tuple[bytes, bytes]]] = field(default_factory=dict)
    tiles: dict[tuple[int, int], set[bytes]] = field(default_factory=dict)
    frontiers: dict[int, set[bytes]] = field(default_factory=dict)
    notes: dict[bytes, str] = field(default_factory=dict)
    start: int = 0
    size: int = 0


class Tree:
    """The Merkle tree, as far as its parts are left: hashes of entries, of what entries say of the one before, and of tiles."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._roots: dict[tuple[int, int], list[bytes]] = {}
        self._seen: set[tuple[int, int]] = set()
        self._good: dict[int, bytes] = {}

    def vouched(self, notes: Iterable[tuple[Checkpoint, bytes]]) -> dict[int, bytes]:
        """Return the leaf hashes for which one of the signed checkpoints vouches."""
        for head, _ in notes:
            heights = [height for height in range(head.size.bit_length() - 1, -1, -1) if head.size >> height & 1]
            places, at = [], 0
            for height in heights:
                places.append((height, at >> height))
                at += 1 << height
            for peaks in self._peaks(head.size, places):
                if _over(peaks) == head.root:
                    for place, root in zip(places, peaks, strict=True):
                        self._vouch(*place, root)
                    break
        self._follow_chain()
        return self._good

    def _peaks(self, size: int, places: list[tuple[int, int]]) -> Iterator[list[bytes]]:
        """Yield what the roots of the perfect subtrees of a tree of *size* entries may be."""
        for row in self._found.frontiers.get(size, ()):
            yield Frontier.from_bytes(size, row).hashes
        choices = [self._choices(*place) for place in places]
        yield from map(list, itertools.islice(itertools.product(*choices), _CHOICES**3))

    def _vouch(self, height: int, number: int, root: bytes) -> None:
        """Take what lies below a root that is signed, as far as it can be told."""
        if (height, number) in self._seen:
            return
        self._seen.add((height, number))
        if height <= _HEIGHT:
            first = number << height
            for leaves in self._leaves(first, 1 << height):
                if _fold(leaves) == root:
                    self._good.update(enumerate(leaves, first))
                    return
            self._seen.discard((height, number))
            return
        left, right = (height - 1, 2 * number), (height - 1, 2 * number + 1)
        for one, other in itertools.product(self._choices(*left), self._choices(*right)):
            if node_hash(one, other) == root:
                self._vouch(*left, one)
                self._vouch(*right, other)
                return

    def _choices(self, height: int, number: int) -> list[bytes]:
        """Return what the root of a perfect subtree may be: as a tile says, and as what lies below it says."""
        key = height, number
        if key not in self._roots:
            kept = (
                self._found.tiles.get((height // _HEIGHT - 1, number), set())
                if height and not height % _HEIGHT
                else set()
            )
            if height <= _HEIGHT:
                below = [_fold(leaves) for leaves in self._leaves(number << height, 1 << height)]
            else:
                pairs = itertools.product(
                    self._choices(height - 1, 2 * number), self._choices(height - 1, 2 * number + 1)
                )
                below = [node_hash(*pair) for pair in itertools.islice(pairs, _CHOICES)]
            self._roots[key] = list(dict.fromkeys([*below, *kept]))[:_CHOICES]
        return self._roots[key]

    def _leaves(self, first: int, count: int) -> Iterator[list[bytes]]:
        """Yield what a row of leaf hashes may be; nothing if one of them is known from nowhere."""
        choices = [self._leaf(seq) for seq in range(first, first + count)]
        if all(choices):
            yield from map(list, itertools.islice(itertools.product(*choices), _CHOICES))

    def _leaf(self, seq: int) -> list[bytes]:
        """Return what the hash of an entry may be, the one that most speaks for first."""
        own = self._found.entries.get(seq, {})
        said = [entry.prev for entry in self._found.entries.get(seq + 1, {}).values()]
        both = [leaf for leaf in own if leaf in said]
        return list(dict.fromkeys([*both, *own, *said]))

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
        hashes = [
            sha256(b"\x01" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
    return hashes[0]


def _over(peaks: list[bytes]) -> bytes | None:
    """Return the root over the perfect subtrees of a tree, the largest first."""
    root = None
    for peak in reversed(peaks):
        root = peak if root is None else node_hash(peak, root)
    return root
