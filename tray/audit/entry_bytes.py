"""Make the bytes of an entry of the audit log from a draft, and those of its body with their hash."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tray.audit.canonical import canonical, plain
from tray.audit.entry import MAX_BODY, MAX_ENTRY, VERSION, Draft, cut_text, pattern
from tray.core import clock


def body_bytes(body: Mapping[str, Any] | None) -> bytes | None:
    """Return a body as it is stored and hashed; one beyond `MAX_BODY` keeps its short values only."""
    if body is None:
        return None
    fit = plain(body)
    raw = canonical(fit)
    if len(raw) <= MAX_BODY:
        return raw
    short = {key: value for key, value in fit.items() if not isinstance(value, dict | list)}
    texts = {key: cut_text(value) for key, value in short.items() if isinstance(value, str)}
    return canonical(short | texts | {"cut": True})


def body_hash(salt: bytes, body: bytes) -> str:
    """Return SHA-256(0x02 ‖ salt ‖ body) in hex; the salt keeps short bodies from being guessed after they are erased."""
    return sha256(b"\x02" + salt + body).hexdigest()


def build(draft: Draft, *, seq: int, prev: bytes, log: str, recorded_ms: int, body: str | None) -> bytes:
    """Return the bytes of the entry that *draft* becomes at place *seq*.

    Args:
        prev: Leaf hash of the entry before, 32 zero bytes for entry 0.
        log: The log's name, "backup-tray/<uuid>".
        recorded_ms: Now.
        body: Hash of the body in hex, None without one.

    Raises:
        ValueError: The draft cannot be an entry.
    """
    place = {
        "v": VERSION,
        "seq": seq,
        "prev": prev.hex(),
        "log": log,
        "recorded": clock.to_text(recorded_ms),
        "body": body,
    }
    raw = canonical(draft.facts() | place)
    if not pattern().fullmatch(raw) or len(raw) > MAX_ENTRY:
        raise ValueError("the draft does not fit the format of an entry")
    return raw
