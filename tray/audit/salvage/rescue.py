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

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tray.audit import checkpoint, tlog
from tray.audit.canonical import canonical
from tray.audit.checkpoint import Checkpoint, VerifierKey
from tray.audit.entry import body_hash
from tray.audit.salvage.read import Entry, Found, read
from tray.audit.salvage.tree import Tree
from tray.core.dataclass import dataclass

SIGNED, CHAINED, ALONE, CONTRADICTED = "signed", "chained", "alone", "contradicted"
_MAX_NOTES = 1000


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What a salvage came to.

    Attributes:
        entries: How many readable entries can be believed how far.
        details: What became of their details: fit, erased, lost, altered, or none.
        start: The first entry that should be there.
        size: How many entries the log had, as far as anything tells.
        size_known: A checkpoint, or the log's own head, says so. Else entries behind the last one may be lost too.
        lost: The ranges of entries of which nothing was found: from, up to.
        checkpoints: Size of each signed checkpoint that was found and who vouches for its signature.
        trusted: The keys came from outside of the log.
    """

    log: str | None
    entries: Mapping[str, int]
    details: Mapping[str, int]
    start: int
    size: int
    size_known: bool
    lost: Sequence[tuple[int, int]]
    checkpoints: Sequence[int]
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
            "size_known": self.size_known,
            "lost": [list(one) for one in self.lost],
            "checkpoints": list(self.checkpoints),
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
    tlog.make(folder)
    found = read(db, folder)
    for note in baselines:
        found.take_note(note)
    erased, named = _told(found)
    notes = _signed(found, trusted or named)
    good = Tree(found).vouched(head for head, _ in notes)
    size = _size(found, good, [head.size for head, _ in notes])
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
        bool(notes) or found.size > 0,
        list(_gaps(found, size)),
        sorted(head.size for head, _ in notes),
        found.unreadable,
        bool(trusted),
    )
    tlog.write(folder / "summary.json", json.dumps(result.to_json(), indent=1).encode() + b"\n")
    return result


def _told(found: Found) -> tuple[set[int], list[VerifierKey]]:
    """Return which details were erased, and the keys that the log itself names; take the checkpoints in its key entries."""
    erased: set[int] = set()
    named: list[VerifierKey] = []
    for seq, kinds in found.entries.items():
        for entry in kinds.values():
            if entry.action not in ("audit.redacted", "key.created", "key.rotated"):
                continue
            if (body := _fitting(found, seq, entry)) is None:
                continue
            with suppress(ValueError, TypeError, LookupError, AttributeError, RecursionError):
                said = json.loads(body)
                if entry.action == "audit.redacted":
                    erased.add(int(said["entry"]))
                else:
                    named.append(VerifierKey.parse(said["public_key"]))
                    found.take_note(said["checkpoint"].encode())
    return erased, named


def _fitting(found: Found, seq: int, entry: Entry) -> bytes | None:
    """Return the details of an entry if they are the ones that it names."""
    kept = found.bodies.get(seq)
    return kept[1] if kept is not None and body_hash(*kept) == entry.body else None


def _signed(found: Found, trusted: Sequence[VerifierKey]) -> list[tuple[Checkpoint, bytes]]:
    """Return the checkpoints that one of these keys signed, the largest first."""
    notes = sorted(((checkpoint.parse(note), note) for note in found.notes), key=lambda pair: -pair[0].size)
    return [
        (head, note)
        for head, note in notes[:_MAX_NOTES]
        if any(key.name == head.origin and key.verifies(note) for key in trusted)
    ]


def _size(found: Found, good: Mapping[int, bytes], signed: Sequence[int]) -> int:
    """Return how many entries the log had: what was signed, and what hangs together behind it."""
    kept = (
        seq
        for seq, kinds in found.entries.items()
        if any(_how(found, good, seq, one) != ALONE for one in kinds.values())
    )
    return max([*(signed or [found.size]), *(seq + 1 for seq in kept)])


def _gaps(found: Found, size: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of entries that are missing."""
    at = found.start
    for seq in sorted(seq for seq in found.entries if found.start <= seq < size):
        if seq > at:
            yield at, seq
        at = seq + 1
    if at < size:
        yield at, size


def _write(
    found: Found, folder: Path, good: Mapping[int, bytes], erased: set[int]
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
                body = None if seq in erased else _fitting(found, seq, entry)
                fate = _fate(found, seq, entry, body is not None, seq in erased)
                counts[how] += 1
                fates[fate] += 1
                entries.write(entry.raw + b"\n")
                checks.write(canonical({"seq": seq, "leaf": entry.leaf.hex(), "entry": how, "details": fate}) + b"\n")
                if body is not None:
                    details.write(_details(seq, *found.bodies[seq], fits=True))
            if not kinds and seq not in erased:
                details.write(_details(seq, *found.bodies[seq], fits=False))
                fates["without entry"] += 1
    return dict(counts), dict(fates)


def _details(seq: int, salt: bytes, body: bytes, *, fits: bool) -> bytes:
    text = body.decode("utf-8", "backslashreplace")
    return canonical({"seq": seq, "salt": salt.hex(), "body": text, "fits": fits}) + b"\n"


def _how(found: Found, good: Mapping[int, bytes], seq: int, entry: Entry) -> str:
    """Return how far an entry can be believed."""
    if seq in good:
        return SIGNED if good[seq] == entry.leaf else CONTRADICTED
    before = entry.prev in found.entries.get(seq - 1, {})
    behind = any(entry.leaf == other.prev for other in found.entries.get(seq + 1, {}).values())
    return CHAINED if before or behind else ALONE


def _fate(found: Found, seq: int, entry: Entry, fits: bool, erased: bool) -> str:
    """Return what became of an entry's details."""
    if entry.body is None:
        return "none"
    if fits:
        return "fit"
    if erased:
        return "erased"
    return "altered" if found.bodies.get(seq) else "lost"
