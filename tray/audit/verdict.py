"""What a verification of the audit log can come to."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tray import clock

METHOD = (
    "SHA-256 of every entry, chain of previous hashes, RFC 6962 tree, Ed25519 signature of the newest checkpoint, body hashes, "
    "indexes"
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
            "method": METHOD,
        }
