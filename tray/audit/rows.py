"""Read entries and their details from rows of the database; pack details for it.

A body (the details of an entry) is stored deflated, since most are alike; the hash is that of the plain body. A stored body that
begins with `{` is plain: canonical JSON. One that begins with the byte 1 is a raw deflate stream (RFC 1951) made with the preset
dictionary below; anything else is damage. Bodies that SQL itself must read (`PLAIN`) are stored plain.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from tray.audit.entry import MAX_BODY, Action, parsed
from tray.audit.merkle import leaf_hash
from tray.core.dataclass import dataclass
from tray.core.model import Outcome

ENTRY = "SELECT entries.seq, entry, body FROM entries LEFT JOIN bodies ON bodies.seq = entries.seq WHERE "
"""The query for entries with their bodies; a condition follows."""

GOOD = (Outcome.SUCCEEDED, Outcome.WARNING)
"""Results of a run that count as a backup."""

PLAIN = frozenset(
    {Action.KEY_CREATED, Action.KEY_ROTATED, Action.AUDIT_REDACTED, Action.AUDIT_PRUNED, Action.AUDIT_ROTATED}
)
"""Actions whose bodies are never deflated: triggers read them, or a verification that knows no dictionary needs them."""

_MARK = b"\x01"
_WINDOW = -15
"""zlib's name for a raw deflate stream with the largest window: a body may be long."""

DICTIONARY = (
    b'{"advice":null,"command":["restic","-r","/srv/backup/home","backup","/home/",'
    b'"--exclude-caches","--json"],"evidence":null,"exit_code":0,"overlaps":null,"paused_seconds":0,"problems":[],'
    b'"reason":"All files were saved.","repository":"/srv/backup/home","signal":null,"snapshot":null,'
    b'"sources":["/home/"],"stalled_seconds":0,"started_at":"2026-01-01T00:00:00.000Z","steps":[],'
    b'"user":null}{"command":["restic","-r","/srv/backup/home","backup","/home/","--exclude-caches","--json"],'
    b'"evidence":null,"host":"","overlaps":null,"pid":1,"repository":"/srv/backup/home","sources":["/home/"],'
    b'"user":null}'
)
"""An end and a start of a run: nearly all bodies have these two shapes, and take a third of the room without it (an entry with its
details and indexes stays below 1 kB). Never change it: stored bodies could not be read any more. A better one gets another mark."""


def packed_body(action: Action, body: bytes) -> bytes:
    """Return *body*, the plain body of an entry of *action*, as it is stored."""
    if action in PLAIN:
        return body
    packer = zlib.compressobj(9, zlib.DEFLATED, _WINDOW, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    short = _MARK + packer.compress(body) + packer.flush()
    return short if len(short) < len(body) else body


def plain_body(stored: bytes) -> bytes:
    """Return the plain body, which is hashed.

    Raises:
        ValueError: It is damaged, or longer than any body is.
    """
    if stored[:1] != _MARK:
        return stored
    unpacker = zlib.decompressobj(_WINDOW, DICTIONARY)
    try:
        body = unpacker.decompress(stored[1:], MAX_BODY + 1)
    except zlib.error as error:
        raise ValueError(f"a body cannot be unpacked: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("a body cannot be unpacked: it does not end where it should")
    return body


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as it lies in the log.

    Attributes:
        raw: The bytes that were hashed.
        data: The same, parsed.
        body: Its details; None if it never had any, or they were erased.
    """

    seq: int
    raw: bytes
    data: Mapping[str, Any]
    body: Mapping[str, Any] | None
    leaf: bytes

    @property
    def erased(self) -> bool:
        """Whether the entry had details that were erased."""
        return self.body is None and self.data["body"] is not None


def stored(row: tuple[Any, ...]) -> StoredEntry:
    """Return the entry in a row that `ENTRY` asks for.

    Raises:
        ValueError: It is damaged.
    """
    seq, raw, body = row
    details = None if body is None else json.loads(plain_body(body))
    if details is not None and type(details) is not dict:
        raise ValueError("details of another kind")
    return StoredEntry(seq, bytes(raw), parsed(raw), details, leaf_hash(raw))
