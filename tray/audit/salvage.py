"""What can still be read of a damaged audit log, and how much of it can still be believed.

Nothing is written into the log or its folder. Each readable entry and body goes into a folder of plain files:

    entries.jsonl    the bytes of each entry, one a line, in order
    checks.jsonl     a line for each of them: number, leaf hash, how far it can be believed, what became of its details
    details.jsonl    the bodies that fit their entries, or whose entry is lost: seq, salt, body, whether it fits
    checkpoint-*     the signed checkpoints that were found
    summary.json     the figures

How far an entry can be believed: *signed*, if what is left of the tree and of the chain leads from it to a checkpoint that a
trusted key signed; *chained*, if it only fits the entry before or behind it; *alone*, if nothing is left beside it; *contradicted*,
if what is signed says that another entry stood in its place.
"""

import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tray.audit import bodies, checkpoint, tlog
from tray.audit.canonical import canonical
from tray.audit.carve import File, Row
from tray.audit.checkpoint import Checkpoint, VerifierKey
from tray.audit.entry import MAX_ENTRY, SALT_SIZE, body_hash, pattern
from tray.audit.tree import HASH_SIZE, Frontier, leaf_hash, node_hash

SIGNED, CHAINED, ALONE, CONTRADICTED = "signed", "chained", "alone", "contradicted"
_WIDTH, _HEIGHT = 256, 8
_CHOICES = 4
"""So many different hashes are tried for one place, where pages contradict each other."""
_MAX_NOTES = 1000


@dataclass(frozen=True, slots=True)
class _Entry:
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
class _Found:
    """Everything that was read, whatever it is worth."""

    entries: dict[int, dict[bytes, _Entry]] = field(default_factory=dict)
    bodies: dict[int, set[tuple[bytes, bytes]]] = field(default_factory=dict)
    tiles: dict[tuple[int, int], set[bytes]] = field(default_factory=dict)
    frontiers: dict[int, set[bytes]] = field(default_factory=dict)
    notes: dict[bytes, str] = field(default_factory=dict)
    start: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What a salvage came to.

    Attributes:
        entries: How many readable entries can be believed how far.
        details: What became of their details: fit, erased, lost, altered, or none.
        start: The first entry that should be there.
        size: How many entries the log had, as far as anything tells.
        lost: The ranges of entries of which nothing was found: from, up to.
        checkpoints: Size of each signed checkpoint that was found and who vouches for its signature.
        trusted: The keys came from outside of the log.
    """

    log: str | None
    entries: Mapping[str, int]
    details: Mapping[str, int]
    start: int
    size: int
    lost: Sequence[tuple[int, int]]
    checkpoints: Sequence[int]
    pages: int
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

    def to_json(self) -> dict[str, Any]:
        """Return the figures for machines."""
        return {
            "log": self.log,
            "entries": dict(self.entries),
            "details": dict(self.details),
            "start": self.start,
            "size": self.size,
            "lost": [list(one) for one in self.lost],
            "checkpoints": list(self.checkpoints),
            "pages": self.pages,
            "unreadable_pages": self.unreadable,
            "keys_from_outside": self.trusted,
        }


def salvage(
    db: Path, folder: Path, *, trusted: Sequence[VerifierKey] = (), baselines: Iterable[bytes] = ()
) -> Salvaged:
    """Write all that can be read of *db* into *folder*, and return how much that is.

    Args:
        trusted: Verifier keys that were kept outside of the log; without any, those that the log itself names.
        baselines: Signed checkpoints that were kept elsewhere.

    Raises:
        OSError: The file cannot be read at all, or the folder cannot be written.
    """
    with File(db) as file:
        found = _read(file)
        pages, unreadable = file.looked_at, file.unreadable
    for note in baselines:
        _take_note(found, note)
    erased, named = _told(found)
    notes = _signed(found, trusted or named)
    good = _Tree(found).vouched(notes)
    size = _size(found, good, [head.size for head, _ in notes])
    tlog.make(folder)
    counts, details = _write(found, folder, good, erased)
    for head, note in notes:
        tlog.write(folder / f"checkpoint-{head.size}", note)
    logs = Counter(entry.log for kinds in found.entries.values() for entry in kinds.values())
    result = Salvaged(
        max(logs, key=logs.__getitem__, default=None),
        counts,
        details,
        found.start,
        size,
        list(_gaps(found, size)),
        sorted(head.size for head, _ in notes),
        pages,
        unreadable,
        bool(trusted),
    )
    tlog.write(folder / "summary.json", json.dumps(result.to_json(), indent=1).encode() + b"\n")
    return result


def _read(file: File) -> _Found:
    """Look at every page."""
    found = _Found()
    for number, page in file.pages():
        for row in file.rows(number, page):
            with suppress(ValueError):
                _take(found, row)
        for raw in file.entries(page):
            _take_entry(found, raw)
    return found


def _take(found: _Found, row: Row) -> None:
    """Take what a row has to say, if it has the form of one of ours."""
    match row.number, row.values:
        case int(), (None, bytes(raw)) if raw[:1] == b"{":
            _take_entry(found, raw)
        case int(seq), (None, bytes(salt), bytes(body)) if len(salt) == SALT_SIZE:
            found.bodies.setdefault(seq, set()).add((salt, bodies.plain(body)))
        case None, (int(level), int(number), bytes(root)) if len(root) == HASH_SIZE:
            found.tiles.setdefault((level, number), set()).add(root)
        case int(), (None, str(), int(size), bytes(leaf), bytes(frontier), bytes(note)) if len(leaf) == HASH_SIZE:
            Frontier.from_bytes(size, frontier)
            found.frontiers.setdefault(size, set()).add(frontier)
            found.size = max(found.size, size)
            _take_note(found, note)
        case int(), (None, int(start), bytes(leaf), bytes(frontier)) if len(leaf) == HASH_SIZE:
            Frontier.from_bytes(start, frontier)
            found.frontiers.setdefault(start, set()).add(frontier)
            found.start = max(found.start, start)
        case int(), (None, int(), int(), bytes(note)):
            _take_note(found, note)


def _take_entry(found: _Found, raw: bytes) -> None:
    match = pattern().fullmatch(raw)
    if match is None or len(raw) > MAX_ENTRY:
        return
    try:
        raw.decode()
    except UnicodeDecodeError:
        return
    seq, leaf = int(match["seq"]), leaf_hash(raw)
    log, action = sys.intern(match["log"][1:-1].decode()), sys.intern(match["action"][1:-1].decode())
    prev = bytes.fromhex(match["prev"][1:-1].decode())
    found.entries.setdefault(seq, {})[leaf] = _Entry(raw, leaf, prev, log, action)


def _take_note(found: _Found, note: bytes) -> None:
    with suppress(ValueError):
        checkpoint.parse(note)
        found.notes[note] = ""


def _told(found: _Found) -> tuple[set[int], list[VerifierKey]]:
    """Return which details were erased, and the keys that the log itself names; take the checkpoints in its key entries."""
    erased: set[int] = set()
    named: list[VerifierKey] = []
    for seq, kinds in found.entries.items():
        for entry in kinds.values():
            if entry.action not in ("audit.redacted", "key.created", "key.rotated"):
                continue
            for _, body in _fitting(found, seq, entry):
                with suppress(ValueError, TypeError, LookupError, AttributeError, RecursionError):
                    said = json.loads(body)
                    if entry.action == "audit.redacted":
                        erased.add(int(said["entry"]))
                    else:
                        named.append(VerifierKey.parse(said["public_key"]))
                        _take_note(found, said["checkpoint"].encode())
    return erased, named


def _fitting(found: _Found, seq: int, entry: _Entry) -> list[tuple[bytes, bytes]]:
    """Return the details of an entry that are the ones it names."""
    kept = found.bodies.get(seq)
    named = entry.body if kept else None
    return [one for one in kept or () if body_hash(*one) == named]


def _signed(found: _Found, trusted: Sequence[VerifierKey]) -> list[tuple[Checkpoint, bytes]]:
    """Return the checkpoints that one of these keys signed, the largest first."""
    notes = sorted(((checkpoint.parse(note), note) for note in found.notes), key=lambda pair: -pair[0].size)
    return [
        (head, note)
        for head, note in notes[:_MAX_NOTES]
        if any(key.name == head.origin and key.verifies(note) for key in trusted)
    ]


def _size(found: _Found, good: Mapping[int, bytes], signed: Sequence[int]) -> int:
    """Return how many entries the log had: what was signed, and what hangs together behind it."""
    kept = (
        seq
        for seq, kinds in found.entries.items()
        if any(_how(found, good, seq, one) != ALONE for one in kinds.values())
    )
    return max([*(signed or [found.size]), *(seq + 1 for seq in kept)])


def _gaps(found: _Found, size: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of entries that are missing."""
    at = found.start
    for seq in sorted(seq for seq in found.entries if found.start <= seq < size):
        if seq > at:
            yield at, seq
        at = seq + 1
    if at < size:
        yield at, size


class _Tree:
    """The Merkle tree, as far as its parts are left: hashes of entries, of what entries say of the one before, and of tiles."""

    def __init__(self, found: _Found) -> None:
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


def _write(
    found: _Found, folder: Path, good: Mapping[int, bytes], erased: set[int]
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Write the files that have a line for each entry, and return what was counted."""
    counts: Counter[str] = Counter()
    fates: Counter[str] = Counter()
    names = ("entries.jsonl", "checks.jsonl", "details.jsonl")
    with tlog.writing([folder / name for name in names]) as (entries, checks, details):
        for seq in sorted(found.entries.keys() | found.bodies.keys()):
            kinds = found.entries.get(seq, {})
            for entry in kinds.values():
                how = _how(found, good, seq, entry)
                fits = [] if seq in erased else _fitting(found, seq, entry)
                fate = _fate(found, seq, entry, bool(fits), seq in erased)
                counts[how] += 1
                fates[fate] += 1
                entries.write(entry.raw + b"\n")
                checks.write(canonical({"seq": seq, "leaf": entry.leaf.hex(), "entry": how, "details": fate}) + b"\n")
                for salt, body in fits[:1]:
                    details.write(_details(seq, salt, body, fits=True))
            if not kinds and seq not in erased:
                for salt, body in sorted(found.bodies[seq]):
                    details.write(_details(seq, salt, body, fits=False))
                    fates["without entry"] += 1
    return dict(counts), dict(fates)


def _details(seq: int, salt: bytes, body: bytes, *, fits: bool) -> bytes:
    text = body.decode("utf-8", "backslashreplace")
    return canonical({"seq": seq, "salt": salt.hex(), "body": text, "fits": fits}) + b"\n"


def _how(found: _Found, good: Mapping[int, bytes], seq: int, entry: _Entry) -> str:
    """Return how far an entry can be believed."""
    if seq in good:
        return SIGNED if good[seq] == entry.leaf else CONTRADICTED
    before = entry.prev in found.entries.get(seq - 1, {})
    behind = any(entry.leaf == other.prev for other in found.entries.get(seq + 1, {}).values())
    return CHAINED if before or behind else ALONE


def _fate(found: _Found, seq: int, entry: _Entry, fits: bool, erased: bool) -> str:
    """Return what became of an entry's details."""
    if entry.body is None:
        return "none"
    if fits:
        return "fit"
    if erased:
        return "erased"
    return "altered" if found.bodies.get(seq) else "lost"


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
