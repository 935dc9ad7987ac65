r"""The block of statistics that we asked rsync for, taken out by its structure: versions add lines, and languages change words.

    \n
    Number of files: 3 (reg: 2, dir: 1)     LABEL: NUMBER…, any number of lines
    \n
    sent 191 bytes  received 57 bytes  496.00 bytes/sec        three numbers
    total size is 4  speedup is 0.02                           two numbers

Once its first line is one that we know, it goes on to its end whatever comes between; else each line must have its form, and what
does not is given back with all that was kept. A message among them is no part of it.
"""

import re
from enum import Enum

FIRST = b"Number of files: "
_LAST = b"total size is "
_LABELLED = re.compile(rb"[^:\r\n]{3,80}: ?[\d.,]+")
_NUMBER = re.compile(rb"(?<![\w.,])\d[\d.,]*[kKMGTP]?(?!\w)")
_MOST = 100
"""Lines that are kept back at most."""


class _At(Enum):
    """How far the block is."""

    OUTSIDE = 0
    EMPTY = 1  # an empty line, which may begin it
    FIGURES = 2
    GAP = 3  # the empty line after the figures
    END = 4  # between the last two lines


class Block:
    """Keeps back what may be the block.

    Args:
        drop: We asked for the block.
        drop_end: We asked for its last two lines too; else they are the user's, with the empty line before them.
    """

    def __init__(self, *, drop: bool, drop_end: bool) -> None:
        self._drop, self._drop_end = drop, drop_end
        self._at = _At.OUTSIDE
        self._kept: list[bytes] = []
        self._certain = False
        self._gap = b""

    @property
    def inside(self) -> bool:
        """Whether the next line may belong to it."""
        return self._at is not _At.OUTSIDE

    @property
    def figures(self) -> bool:
        """Whether the block has begun, beyond its empty line."""
        return self._at not in (_At.OUTSIDE, _At.EMPTY)

    def empty(self, line: bytes) -> bytes:
        """Take an empty line; return what is the caller's now."""
        if self._at is _At.FIGURES:
            self._at, self._gap = _At.GAP, line
            self._kept.append(line)
            return b""
        before = b"" if self._certain else self.give_back()
        self._at, self._kept = (self._at if self._certain else _At.EMPTY), [*self._kept, line]
        return before

    def give_back(self) -> bytes:
        """Return all that was kept; nothing has begun."""
        kept = b"".join(self._kept)
        self._at, self._kept, self._certain = _At.OUTSIDE, [], False
        return kept

    def interrupted(self, *, ours: bool) -> bytes:
        """Take a message after an empty line, which is not shown if it is *ours*; the block may still follow."""
        kept, self._kept = self._kept, []
        return b"" if ours else b"".join(kept)

    def take(self, line: bytes) -> bytes:
        """Take a line that is no message; return what is the caller's now, the line itself unless it belongs to the block."""
        self._kept.append(line)
        step = {_At.EMPTY: self._first, _At.FIGURES: self._figure, _At.GAP: self._sent, _At.END: self._total}[self._at]
        given = step(line)
        return self.give_back() if len(self._kept) > _MOST and not self._certain else given

    def rest(self) -> bytes:
        """Return what was kept at the end of the output, if it was no block: another's words."""
        ours = self._certain or (self._at is _At.EMPTY and self._drop)
        return self._forget() if ours else self.give_back()

    def _forget(self) -> bytes:
        self.give_back()
        return b""

    def _first(self, line: bytes) -> bytes:
        self._certain = self._drop and line.startswith(FIRST)
        self._at = _At.FIGURES
        return self._figure(line) if self._drop else self.give_back()

    def _figure(self, line: bytes) -> bytes:
        return b"" if self._certain or _LABELLED.match(line) else self.give_back()

    def _sent(self, line: bytes) -> bytes:
        if len(_NUMBER.findall(line)) < 3 and not line.startswith(b"sent "):
            return b"" if self._certain else self.give_back()
        if self._drop_end:
            self._at, self._kept = _At.END, []
            return b""
        self._forget()
        return self._gap + line

    def _total(self, line: bytes) -> bytes:
        if self._certain and not line.startswith(_LAST):
            return b""
        self._forget()
        return b"" if len(_NUMBER.findall(line)) >= 2 else line
