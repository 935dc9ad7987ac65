"""Decide how much of an unfinished line the caller sees: nothing of our additions, but a prompt at once.

The engine's session knows how its additions begin (`Holding`). A long line of JSON that the reader cut comes together again here,
since a session can only replace a whole message.
"""

import math
from contextlib import suppress

from tray.core import clock
from tray.engines.base import Session, Stream
from tray.engines.text import strip_terminal
from tray.wrapper.outputs import Tail

MESSAGE_LIMIT = 8 * 1024 * 1024
"""A message of more bytes is passed on in pieces, as it is."""


class Exact:
    """Keeps unfinished lines back where they are ours.

    Args:
        session: It may be a `Holding`.
        ours: Something was added to the command; else nothing is ever kept back.
    """

    def __init__(self, session: Session, *, ours: bool) -> None:
        self._patience_of = getattr(session, "patience", None) if ours else _at_once
        self._held = getattr(session, "held", None)
        self._standing: dict[int, tuple[int, float]] = {}
        self._pieces: dict[int, bytearray] = {}

    def waits(self, part: bytes, shown: int, tail: Tail) -> bool:
        """Whether the unfinished line *part* is not shown yet: its rest may come at any moment, and tell that it is ours.

        Args:
            part: The line so far.
            shown: How many bytes of it the caller has seen.
            tail: Where it comes from.
        """
        if tail.to in self._pieces:
            return True
        patience = self._patience(part, tail.stream)
        if not patience:
            return False
        now = clock.monotonic()
        before, since = self._standing.setdefault(tail.to, (shown, now))
        if before != shown:
            self._standing[tail.to], since = (shown, now), now
        return now - since < patience

    def whole(self, line: bytes, tail: Tail) -> bytes:
        """Return *line*, after the pieces of it that came before; nothing while a message of ours lacks its end."""
        self._standing.pop(tail.to, None)
        if line.endswith((b"\n", b"\r")):
            return bytes(self._pieces.pop(tail.to, b"")) + line if self._pieces else line
        pieces = self._pieces.get(tail.to)
        if pieces is None and self.is_ours(line, tail.stream):
            pieces = self._pieces[tail.to] = bytearray()
        if pieces is None:
            return line
        pieces += line
        return bytes(self._pieces.pop(tail.to)) if len(pieces) > MESSAGE_LIMIT else b""

    def rest(self, tail: Tail) -> bytes:
        """Return the last line if it has no end."""
        return bytes(self._pieces.pop(tail.to, b"")) + tail.rest()

    def forget(self, tail: Tail) -> None:
        """Give up on a line whose rest was left out."""
        self._standing.pop(tail.to, None)
        self._pieces.pop(tail.to, None)

    def held(self, stream: Stream) -> bytes:
        """Return what the session kept back until the end."""
        with suppress(Exception):  # a mistake of ours must not reach the backup
            return b"" if self._held is None else bytes(self._held(stream))
        return b""

    def is_ours(self, part: bytes, stream: Stream) -> bool:
        """Whether the session says that the line which begins with *part* is never shown as it is."""
        return self._patience_of is not None and self._patience(part, stream) == math.inf

    def _patience(self, part: bytes, stream: Stream) -> float:
        if self._patience_of is None:
            return math.inf if strip_terminal(part).startswith(b"{") else 0.0
        with suppress(Exception):
            return float(self._patience_of(part, stream))
        return 0.0


def _at_once(part: bytes, stream: Stream) -> float:  # noqa: ARG001 - nothing was added to the command
    return 0.0
