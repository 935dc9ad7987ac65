"""Describe the result of a verification: result, kind of a finding, and the point from where the next one may go on."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tray.core.codec import Coded
from tray.core.dataclass import asdict, dataclass

METHOD = (
    "SHA-256 of every entry, chain of previous hashes, RFC 6962 tree, Ed25519 signatures of the newest checkpoint, of key changes "
    "and of closed segments, body hashes, tiles, indexes"
)


class Result(StrEnum):
    """The three answers of a verification."""

    INTACT = "intact"
    TAMPERED = "tampered"
    INCONCLUSIVE = "inconclusive"


class Kind(StrEnum):
    """The ways in which a log can be tampered with."""

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
    """The point where a verification ended without a finding: enough to go on from there (`check.verify`).

    Attributes:
        leaf: Hash of the last entry.
        frontier: The tree over all entries so far.
        keys: The log's verifier keys so far, the newest last.
        checkpoint: The signed checkpoint of this size.
        breach: The entry of a finding that the user has not acknowledged.
        settled: Other logs whose disappearance the user acknowledged.
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
        """Return the point as the file about the last check holds it."""
        return asdict(self) | {
            "leaf": self.leaf.hex(),
            "frontier": self.frontier.hex(),
            "checkpoint": self.checkpoint.decode(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Point":
        """Build a point from the object that `to_json` gave.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: It is none.
        """
        raw = {"leaf": bytes.fromhex(data["leaf"]), "frontier": bytes.fromhex(data["frontier"])}
        lists = {name: tuple(data[name]) for name in ("keys", "settled", "replaced")}
        return cls(**{**data, **raw, **lists, "checkpoint": data["checkpoint"].encode()})


@dataclass(frozen=True, slots=True)
class Verdict(Coded):
    """The result of one verification.

    Attributes:
        entries: Number of entries that were checked.
        checked_ms: End of the check.
        why: One sentence: the finding, or the reason why the log is not called intact.
        first_bad: Number of the first wrong entry, as far as it is known.
        kind: Way in which it is wrong.
        baselines: The baselines that agreed.
        notes: Facts beside the result, such as an earlier log that stood here.
        full: All of the log was checked, not only the entries after an earlier check.
        breach: The entry about an earlier finding that the user has not acknowledged.
        others: Other logs whose checkpoints were kept here, although this log says nothing about their end.
        point: Point from where the next check may go on; None of a log that was tampered with.
    """

    JSON_KEYS = MappingProxyType({"duration_ms": "duration_ms", "breach": None, "others": None, "point": None})

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
        return Coded.to_json(self) | {"method": METHOD}
