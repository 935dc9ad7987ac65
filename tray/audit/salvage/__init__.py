"""Save everything that can be read of a damaged audit log, and say how much of it can still be believed.

Nothing is written into the log or its folder. Each readable entry and body goes into a folder of plain files:

    entries.jsonl    the bytes of each entry, one a line, in order
    checks.jsonl     a line for each of them: number, leaf hash, how far it can be believed, the fate of its details
    details.jsonl    the bodies that fit their entries, or whose entry is lost: seq, salt, body, whether it fits
    checkpoint-*     the signed checkpoints that were found
    summary.json     the figures

How far an entry can be believed: *signed*, if the rest of the tree and of the chain leads from it to a checkpoint that a trusted
key signed; *chained*, if it only fits the entry before or behind it; *alone*, if nothing is left beside it; *contradicted*, if a
signature vouches for another entry in its place.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tray.audit import checkpoint, tlog
from tray.audit.canonical import canonical
from tray.audit.checkpoint import Checkpoint, VerifierKey
from tray.audit.entry_bytes import body_hash
from tray.audit.merkle import HEIGHT, Frontier, fold, node_hash
from tray.audit.salvage.read import Entry, Remains, read
from tray.core.codec import Coded
from tray.core.dataclass import dataclass

SIGNED, CHAINED, ALONE, CONTRADICTED = "signed", "chained", "alone", "contradicted"
_MAX_NOTES = 1000


@dataclass(frozen=True, slots=True)
class Salvaged(Coded):
    """The figures of a salvage.

    Attributes:
        entries: Number of readable entries by how far they can be believed.
        details: Number of entries by the fate of their details: fit, erased, lost, altered, or none.
        start: First entry that should be there.
        size: Number of entries that the log had, as far as anything tells.
        size_known: A checkpoint, or the log's own head, says so. Else entries behind the last one may be lost too.
        lost: Ranges of entries of which nothing is left: from, up to.
        checkpoints: Size of each signed checkpoint that is left.
        trusted: The keys came from outside of the log.
    """

    JSON_KEYS = MappingProxyType({"unreadable": "unreadable_pages", "trusted": "keys_from_outside"})

    log: str | None
    entries: Mapping[str, int]
    details: Mapping[str, int]
    start: int
    size: int
    size_known: bool
    lost: tuple[tuple[int, int], ...]
    checkpoints: tuple[int, ...]
    unreadable: int
    trusted: bool

    @property
    def count(self) -> int:
        """Readable entries."""
        return sum(self.entries.values())

    @property
    def whole(self) -> bool:
        """Whether nothing is missing and all of it is signed."""
        good = self.entries.get(SIGNED, 0)
        broken = self.details.get("lost", 0) + self.details.get("altered", 0) + self.unreadable
        return self.count > 0 and good == self.count and not self.lost and not broken


def salvage(
    db: Path, folder: Path, *, trusted: Sequence[VerifierKey] = (), baselines: Iterable[bytes] = ()
) -> Salvaged:
    """Write everything that can be read of *db* into *folder*, and return the figures.

    Args:
        trusted: Verifier keys that were kept outside of the log; without any, the keys that the log itself names count.
        baselines: Signed checkpoints that were kept elsewhere.

    Raises:
        OSError: The file cannot be read at all, or the folder cannot be written.
    """
    tlog.make(folder)
    remains = read(db, folder)
    for note in baselines:
        remains.take_note(note)
    erased, named = _said(remains)
    notes = _signed(remains, trusted or named)
    good = Tree(remains).vouched(head for head, _ in notes)
    size = _size(remains, good, [head.size for head, _ in notes])
    counts, details = _write(remains, folder, good, erased)
    for head, note in notes:
        tlog.write(folder / f"checkpoint-{head.size}", note)
    logs = Counter(entry.log for kinds in remains.entries.values() for entry in kinds.values())
    result = Salvaged(
        max(logs, key=logs.__getitem__, default=None),
        counts,
        details,
        remains.start,
        size,
        bool(notes) or remains.size > 0,
        tuple(_gaps(remains, size)),
        tuple(sorted(head.size for head, _ in notes)),
        remains.unreadable,
        bool(trusted),
    )
    tlog.write(folder / "summary.json", json.dumps(result.to_json(), indent=1).encode() + b"\n")
    return result


def _said(remains: Remains) -> tuple[set[int], list[VerifierKey]]:
    """Return which details were erased, and the keys that the log itself names; keep the checkpoints in its key entries."""
    erased: set[int] = set()
    named: list[VerifierKey] = []
    for seq, kinds in remains.entries.items():
        for entry in kinds.values():
            if entry.action not in ("audit.redacted", "key.created", "key.rotated"):
                continue
            if (body := _fitting(remains, seq, entry)) is None:
                continue
            with suppress(ValueError, TypeError, LookupError, AttributeError, RecursionError):
                said = json.loads(body)
                if entry.action == "audit.redacted":
                    erased.add(int(said["entry"]))
                else:
                    named.append(VerifierKey.parse(said["public_key"]))
                    remains.take_note(said["checkpoint"].encode())
    return erased, named


def _fitting(remains: Remains, seq: int, entry: Entry) -> bytes | None:
    """Return the details of an entry if their hash is the one that it names."""
    kept = remains.bodies.get(seq)
    return kept[1] if kept is not None and body_hash(*kept) == entry.body else None


def _signed(remains: Remains, trusted: Sequence[VerifierKey]) -> list[tuple[Checkpoint, bytes]]:
    """Return the checkpoints that one of these keys signed, the largest first."""
    notes = sorted(((checkpoint.parse(note), note) for note in remains.notes), key=lambda pair: -pair[0].size)
    return [
        (head, note)
        for head, note in notes[:_MAX_NOTES]
        if any(key.name == head.origin and key.verifies(note) for key in trusted)
    ]


def _size(remains: Remains, good: Mapping[int, bytes], signed: Sequence[int]) -> int:
    """Return how many entries the log had: the signed ones, and those that hang together behind them."""
    kept = (
        seq
        for seq, kinds in remains.entries.items()
        if any(_how(remains, good, seq, entry) != ALONE for entry in kinds.values())
    )
    return max([*(signed or [remains.size]), *(seq + 1 for seq in kept)])


def _gaps(remains: Remains, size: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of entries that are missing."""
    at = remains.start
    for seq in sorted(seq for seq in remains.entries if remains.start <= seq < size):
        if seq > at:
            yield at, seq
        at = seq + 1
    if at < size:
        yield at, size


def _write(
    remains: Remains, folder: Path, good: Mapping[int, bytes], erased: set[int]
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Write the files that have a line for each entry, and return the counts."""
    counts: Counter[str] = Counter()
    fates: Counter[str] = Counter()
    names = ("entries.jsonl", "checks.jsonl", "details.jsonl")
    with tlog.writing([folder / name for name in names]) as (entries, checks, details):
        for seq in sorted(remains.entries.keys() | remains.bodies.keys()):
            kinds = remains.entries.get(seq, {})
            for entry in kinds.values():
                how = _how(remains, good, seq, entry)
                body = None if seq in erased else _fitting(remains, seq, entry)
                fate = _fate(remains, seq, entry, body is not None, seq in erased)
                counts[how] += 1
                fates[fate] += 1
                entries.write(entry.raw + b"\n")
                checks.write(canonical({"seq": seq, "leaf": entry.leaf.hex(), "entry": how, "details": fate}) + b"\n")
                if body is not None:
                    details.write(_details(seq, *remains.bodies[seq], fits=True))
            if not kinds and seq not in erased:
                details.write(_details(seq, *remains.bodies[seq], fits=False))
                fates["without entry"] += 1
    return dict(counts), dict(fates)


def _details(seq: int, salt: bytes, body: bytes, *, fits: bool) -> bytes:
    text = body.decode("utf-8", "backslashreplace")
    return canonical({"seq": seq, "salt": salt.hex(), "body": text, "fits": fits}) + b"\n"


def _how(remains: Remains, good: Mapping[int, bytes], seq: int, entry: Entry) -> str:
    """Return how far an entry can be believed."""
    if seq in good:
        return SIGNED if good[seq] == entry.leaf else CONTRADICTED
    before = entry.prev in remains.entries.get(seq - 1, {})
    behind = any(entry.leaf == other.prev for other in remains.entries.get(seq + 1, {}).values())
    return CHAINED if before or behind else ALONE


def _fate(remains: Remains, seq: int, entry: Entry, fits: bool, erased: bool) -> str:
    """Return the fate of an entry's details."""
    if entry.body is None:
        return "none"
    if fits:
        return "fit"
    if erased:
        return "erased"
    return "altered" if remains.bodies.get(seq) else "lost"


class Tree:
    """The Merkle tree of a damaged log, as far as its parts are left: for which entries a signature still vouches.

    The parts are the hashes of entries, those that entries name of the one before, and those of tiles.
    """

    def __init__(self, remains: Remains) -> None:
        self._remains = remains
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
        """Yield possible roots of the perfect subtrees of a tree of *size* entries."""
        if size in self._remains.frontiers:
            yield Frontier.from_bytes(size, self._remains.frontiers[size]).hashes
        peaks = [root for place in places if (root := self._root(*place)) is not None]
        if len(peaks) == len(places):
            yield peaks

    def _vouch(self, height: int, number: int, root: bytes) -> None:
        """Keep the leaves below a signed root, as far as the parts show them."""
        if (height, number) in self._seen:
            return
        if height <= HEIGHT:
            first = number << height
            for leaves in self._rows(first, 1 << height):
                if fold(leaves) == root:
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
        """Return the likely root of a perfect subtree: from its tile, else from the parts below it."""
        if height and not height % HEIGHT and (kept := self._remains.tiles.get((height // HEIGHT - 1, number))):
            return kept
        if height <= HEIGHT:
            return next(map(fold, self._rows(number << height, 1 << height)), None)
        left, right = self._root(height - 1, 2 * number), self._root(height - 1, 2 * number + 1)
        return None if left is None or right is None else node_hash(left, right)

    def _rows(self, first: int, count: int) -> Iterable[list[bytes]]:
        """Yield possible rows of leaf hashes: as the entries behind them say, then as the entries themselves give."""
        choices = [self._leaf(seq) for seq in range(first, first + count)]
        if all(choices):
            yield [leaves[0] for leaves in choices]
            yield [leaves[-1] for leaves in choices]

    def _leaf(self, seq: int) -> list[bytes]:
        """Return the possible hashes of an entry, the one that the entry behind it names first."""
        own = self._remains.entries.get(seq, {})
        said = [entry.prev for entry in self._remains.entries.get(seq + 1, {}).values()]
        return sorted(said, key=lambda leaf: leaf not in own)[:1] + [leaf for leaf in own if leaf not in said]

    def _follow_chain(self) -> None:
        """Let each entry with a vouched hash vouch for the one before it."""
        for seq in sorted(self._good, reverse=True):
            while seq > 0 and (entry := self._remains.entries.get(seq, {}).get(self._good[seq])) is not None:
                seq -= 1
                if seq in self._good:
                    break
                self._good[seq] = entry.prev
