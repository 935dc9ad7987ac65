"""An entry as it lies in the database: the query for its row, and what the row holds."""

import json
from collections.abc import Mapping
from typing import Any

from tray.audit import bodies
from tray.audit.entry import parsed
from tray.audit.merkle import leaf_hash
from tray.core.dataclass import dataclass
from tray.core.model import Outcome

# Built from constants of ours only; what comes from outside is always a parameter.
_ROW = "SELECT entries.seq, entry, body FROM entries {} LEFT JOIN bodies ON bodies.seq = entries.seq WHERE "
ENTRY = _ROW.format("")
"""Asks for entries with their bodies; a condition follows."""

GOOD = (Outcome.SUCCEEDED, Outcome.WARNING)
"""Results of a run that count as a backup."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as it lies in the log.

    Attributes:
        raw: The bytes that were hashed.
        data: The same, parsed.
        body: Its details; None if it never had any, or they were erased.
        erased: It had a body that is gone.
    """

    seq: int
    raw: bytes
    data: Mapping[str, Any]
    body: Mapping[str, Any] | None
    leaf: bytes

    @property
    def erased(self) -> bool:
        """Whether there was a body that is not there any more."""
        return self.body is None and self.data["body"] is not None


def stored(row: tuple[Any, ...]) -> StoredEntry:
    """Return what a row that `ENTRY` asks for holds."""
    seq, raw, body = row
    details = None if body is None else json.loads(bodies.plain(body))
    if details is not None and type(details) is not dict:
        raise ValueError("details of another kind")
    return StoredEntry(seq, bytes(raw), parsed(raw), details, leaf_hash(raw))
