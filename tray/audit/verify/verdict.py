"""What a verification of the audit log can come to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from tray.core import clock
from tray.core.dataclass import dataclass

METHOD = (
    "SHA-256 of every entry, chain of previous hashes, RFC 6962 tree, Ed25519 signatures of the newest checkpoint, of key changes "
    "and of closed segments, body hashes, tiles, indexes"
)


class Result(StrEnum):
    """What verification came to."""

    INTACT = "intact"
    TAMPERED = "tampered"
    INCONCLUSIVE = "inconclusive"


class Kind(StrEnum):
    """In which way a log is not what it was."""

    ALTERED = "altered"
    MISSING = "missing"
    INSERTED = "inserted"
    REORDERED = "reordered"
    ROLLED_BACK = "rolled back"
    UNSIGNED = "signature missing"
    UNKNOWN_KEY = "key unknown"
    TRUNCATED = "truncated"
    ADDED = "added"
    REWRITTEN = "rewritten"
    REPLACED = "replaced"
    BODY = "body"
    SIGNATURE = "signature"
    KEY = "key"
    INDEX = "index"
    SCHEMA = "schema"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a verification ended without a finding: enough to go on from there (`verify.verify_since`).

    Attributes:
        leaf: Hash of the last entry.
        frontier: The tree over all entries so far.
        keys: The log's verifier keys so far, the newest last.
        checkpoint: The signed checkpoint of this size.
        breach: The entry of a finding that nobody has acknowledged.
        settled: Other logs whose disappearance somebody acknowledged.
        replaced: Entries at which a new key took over without the old one's consent.
    """

    log: str
    size: int
    leaf: bytes
    frontier: bytes
    keys: tuple[str, ...]
    checkpoint: bytes
    breach: int | None = None
    settled: tuple[str, ...] = ()
    replaced: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the point as the standing holds it."""
        return {
            "log": self.log,
            "size": self.size,
            "leaf": self.leaf.hex(),
            "frontier": self.frontier.hex(),
            "keys": list(self.keys),
            "checkpoint": self.checkpoint.decode(),
            "breach": self.breach,
            "settled": list(self.settled),
            "replaced": list(self.replaced),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Point":
        """Build a point from what `to_json` gave.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: It is none.
        """
        return cls(
            data["log"],
            data["size"],
            bytes.fromhex(data["leaf"]),
            bytes.fromhex(data["frontier"]),
            tuple(data["keys"]),
            data["checkpoint"].encode(),
            data["breach"],
            tuple(data["settled"]),
            tuple(data["replaced"]),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one verification.

    Attributes:
        entries: How many entries were checked.
        checked_ms: When the check ended.
        why: One sentence: what was found, or what is missing for "intact".
        first_bad: Number of the first entry that is wrong, as far as it can be told.
        kind: In which way it is wrong.
        baselines: The baselines that agreed.
        notes: Facts beside the result, such as an earlier log that stood here.
        full: All of the log was checked, not only what came after an earlier check.
        breach: The entry about an earlier finding that nobody has acknowledged.
        others: Other logs whose checkpoints were kept here, although this log says nothing about their end.
        point: From where the next check may go on; None of a log that was tampered with.
    """

    result: Result
    entries: int
    checked_ms: int
    why: str
    first_bad: int | None = None
    kind: Kind | None = None
    log: str | None = None
    root: str | None = None
    duration_ms: int = 0
    baselines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    full: bool = True
    breach: int | None = None
    others: tuple[str, ...] = ()
    point: Point | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the verdict for machines."""
        return {
            "result": self.result.value,
            "entries": self.entries,
            "checked_at": clock.to_text(self.checked_ms),
            "why": self.why,
            "first_bad": self.first_bad,
            "kind": None if self.kind is None else self.kind.value,
            "log": self.log,
            "root": self.root,
            "duration_ms": self.duration_ms,
            "baselines": list(self.baselines),
            "notes": list(self.notes),
            "full": self.full,
            "method": METHOD,
        }
