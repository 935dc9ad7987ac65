"""Reduce a command's output to the text that a terminal would still show: of a redrawn line only its last state.

A carriage return, "erase line" and "first column" begin the line anew, backspaces go back in it, and "cursor up" goes back to lines
before it (ECMA-48). Pure; one `Screen` for each stream.
"""

import re

ROWS = 64
"""So many lines can be drawn again; `docker pull` draws one for each layer."""
_SPECIAL = re.compile(rb"[\r\x08\x1b]")
_ANEW = re.compile(rb"\r+|\x1b\[2K|\x1b\[[01]?G")
_UP = re.compile(rb"\x1b\[(\d{0,3})[AF]")
_MOVES = re.compile(rb"\x1b\[[\d;]{0,20}[A-HJKSTfsu]")


class Screen:
    """A terminal that takes lines with their ends, and returns without their ends those that stay as they are."""

    def __init__(self) -> None:
        self._held: bytes | None = None
        self._rows: list[bytes] = []
        self._row = 0

    def feed(self, line: bytes) -> list[bytes]:
        """Return what is final now. A *line* without a line feed may go on, or be drawn over by the next one."""
        whole = line.endswith(b"\n")
        body = line.rstrip(b"\r\n") if whole else line
        if self._held is None and not self._rows and not _SPECIAL.search(body):
            return [body]
        up = sum(int(move[1] or 1) for move in _UP.finditer(body)) if b"\x1b" in body else 0
        text = last_state(body)
        if not text and self._held is not None:
            text = self._held
        self._held = None
        if not whole:
            before = self._place(up, None)
            if _SPECIAL.search(body):
                self._held = text
                return before
            return [*before, text]
        return self._place(up, text)

    def rest(self) -> list[bytes]:
        """Return what was still held back."""
        rows = [*self._rows, *([] if self._held is None else [self._held])]
        self._rows, self._row, self._held = [], 0, None
        return rows

    def _place(self, up: int, text: bytes | None) -> list[bytes]:
        """Go *up* so many lines and write *text* there; return the lines that are out of reach then."""
        if not up and not self._rows:
            return [] if text is None else [text]
        self._row = max(0, self._row - up)
        if text is not None:
            self._rows[self._row : self._row + 1] = [text]
            self._row += 1
        done = max(0, len(self._rows) - ROWS)
        final, self._rows = self._rows[:done], self._rows[done:]
        self._row -= done
        return final


def last_state(line: bytes) -> bytes:
    """Return what *line* looks like when all of it was written to a terminal."""
    states = [state for state in _ANEW.split(line) if state]
    text = _MOVES.sub(b"", states[-1]) if states else b""
    if b"\b" not in text:
        return text
    drawn, at = bytearray(), 0
    for part in text.split(b"\b"):
        drawn[at : at + len(part)] = part
        at = max(0, at + len(part) - 1)
    return bytes(drawn).rstrip()
