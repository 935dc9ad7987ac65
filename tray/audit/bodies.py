"""How bodies lie in the database: deflated, since one is much like the next. What is hashed is the plain body.

A stored body that begins with `{` is plain: canonical JSON. One that begins with the byte 1 is a raw deflate stream (RFC 1951) made
with the preset dictionary below; anything else is damage. What SQL itself must read (`PLAIN`) is stored plain.
"""

import zlib

from tray.audit.entry import MAX_BODY, Action

PLAIN = frozenset(
    {Action.KEY_CREATED, Action.KEY_ROTATED, Action.AUDIT_REDACTED, Action.AUDIT_PRUNED, Action.AUDIT_ROTATED}
)
"""Actions whose bodies are never deflated: triggers read them, or a verification that knows no dictionary needs them."""

_MARK = b"\x01"
_WINDOW = -15
"""A raw deflate stream, with the largest window: a body may be long."""

DICTIONARY = (
    b'{"advice":null,"command":["restic","-r","/srv/backup/home","backup","/home/",'
    b'"--exclude-caches","--json"],"evidence":null,"exit_code":0,"overlaps":null,"paused_seconds":0,"problems":[],'
    b'"reason":"All files were saved.","repository":"/srv/backup/home","signal":null,"snapshot":null,'
    b'"sources":["/home/"],"stalled_seconds":0,"started_at":"2026-01-01T00:00:00.000Z","steps":[],'
    b'"user":null}{"command":["restic","-r","/srv/backup/home","backup","/home/","--exclude-caches","--json"],'
    b'"evidence":null,"host":"","overlaps":null,"pid":1,"repository":"/srv/backup/home","sources":["/home/"],'
    b'"user":null}'
)
"""An end and a start of a run: nearly all bodies are of these two shapes, and take a third of what they would without it. Never
change it: stored bodies could not be read any more. A better one gets a mark of its own."""


def packed(action: Action, body: bytes) -> bytes:
    """Return *body*, the plain body of an entry of *action*, as it is stored."""
    if action in PLAIN:
        return body
    packer = zlib.compressobj(9, zlib.DEFLATED, _WINDOW, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    short = _MARK + packer.compress(body) + packer.flush()
    return short if len(short) < len(body) else body


def plain(stored: bytes) -> bytes:
    """Return the plain body, which is what was hashed.

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
