"""Hide secrets in an output that comes piece by piece: behind a seam within a long line, and in keys that span many lines."""

import re
from typing import Final

from tray.core.redact import HIDDEN, Redactor

OVERLAP: Final = 8192
"""Of an unfinished line so much is held back until its next piece comes: a secret may begin there."""
_LONG: Final = 65_536
_MOST_LINES: Final = 500
"""A private key has no more lines; who prints a beginning without an end does not blank the rest of the log."""
_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,60}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(rb"-----END [A-Z0-9 ]{0,60}PRIVATE KEY(?: BLOCK)?-----")


class Lines:
    """The lines of one stream."""

    __slots__ = ("_held", "_inside", "_redactor")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor, self._held, self._inside = redactor, b"", 0

    def take(self, raw: bytes) -> bytes:
        """Return of the next line, or piece of one, what may be kept now."""
        whole = self._held + raw
        self._held = b""
        shown = self._hidden(whole)
        if len(raw) >= _LONG and not raw.endswith((b"\n", b"\r")):
            self._held = shown[-OVERLAP:]
            return shown[:-OVERLAP]
        return shown

    def rest(self) -> bytes:
        """Return what is held back."""
        held, self._held = self._held, b""
        return held

    def _hidden(self, raw: bytes) -> bytes:
        if self._inside:
            end = _END.search(raw)
            self._inside = 0 if end is not None else self._inside - 1
            raw = HIDDEN.encode() + (raw[len(raw.rstrip(b"\r\n")) :] if end is None else raw[end.start() :])
        if b"-----BEGIN " in raw and (begun := list(_BEGIN.finditer(raw))) and not _END.search(raw, begun[-1].end()):
            self._inside = _MOST_LINES
        return self._redactor.bytes(raw)
