"""What is known about the audit log as a whole, for everybody who shows it."""

from collections.abc import Mapping
from typing import Any

from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.model.enums import Instance
from tray.core.model.fields import count, optional, required


@dataclass(frozen=True, slots=True)
class AuditStanding:
    """What the last verification of the audit log came to, and whether somebody must look.

    Attributes:
        result: "intact", "tampered" or "inconclusive", or "unchecked" if it could not be checked.
        checked_ms: When.
        entries: How many entries were checked.
        why: One sentence.
        kind: In which way it is not what it was (`tray.audit.verify.verdict.Kind`), None if it is.
        first_bad: The first entry that is wrong, as far as it can be told.
        baselines: How many outside baselines agreed.
        full: All of it was checked; else only what came after an earlier check.
        breach: It was found tampered with, then or earlier, and nobody has acknowledged that yet.
        since_ms: When the breach was first seen.
        instance: Whose log it is.
    """

    result: str
    checked_ms: int
    entries: int
    why: str
    kind: str | None = None
    first_bad: int | None = None
    baselines: int = 0
    full: bool = True
    breach: bool = False
    since_ms: int | None = None
    instance: Instance = Instance.USER

    def to_json(self) -> dict[str, Any]:
        """Return the standing as `status --json` and the file beside the log hold it."""
        return {
            "result": self.result,
            "checked_at": clock.to_text(self.checked_ms),
            "entries": self.entries,
            "why": self.why,
            "kind": self.kind,
            "first_bad": self.first_bad,
            "baselines": self.baselines,
            "full": self.full,
            "breach": self.breach,
            "since": None if self.since_ms is None else clock.to_text(self.since_ms),
            "instance": self.instance.value,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "AuditStanding":
        """Build a standing from what `to_json` gave.

        Raises:
            ValueError: A key is missing or has the wrong type.
        """
        since = optional(data, "since", str)
        return cls(
            result=required(data, "result", str),
            checked_ms=clock.from_text(required(data, "checked_at", str)),
            entries=count(data, "entries") or 0,
            why=required(data, "why", str),
            kind=optional(data, "kind", str),
            first_bad=count(data, "first_bad"),
            baselines=count(data, "baselines") or 0,
            full=bool(data.get("full", True)),
            breach=bool(data.get("breach", True)),
            since_ms=None if since is None else clock.from_text(since),
            instance=Instance(optional(data, "instance", str) or "user"),
        )
