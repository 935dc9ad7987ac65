"""A small splitter of shell text: which parts are words, and which are the blanks and operators between them.

It keeps every character, so that a text of which nothing is hidden comes out as it was. It does not evaluate anything: what stands
in `$(…)` and in backquotes is split as commands too.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_BETWEEN = re.compile(r"(?:[\s;|&<>()`]++|\$\()+")
_PART = re.compile(
    r"\\.|'[^']*+'|\"[^\"\\]*+(?:\\.[^\"\\]*+)*\"|\$\{[^{}]*+\}|[^\s;|&<>()`'\"\\$]++|\$(?!\()|['\"\\]", re.DOTALL
)
_COMMAND = re.compile(r"[;|&()`\n]|\$\(")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\([$`"\\])')


class Piece(NamedTuple):
    """One word, or the text between two words.

    Attributes:
        raw: As it stands in the text.
        word: The word as the shell reads it; None between words.
        ends: Between words: a new command begins behind it.
    """

    raw: str
    word: str | None = None
    ends: bool = False

    @property
    def piped(self) -> bool:
        """Whether the output of the command before goes to another program."""
        return self.ends and self.raw.strip().startswith("|") and "||" not in self.raw


def is_shell(text: str) -> bool:
    """Whether *text* may be more than one word to a shell."""
    return any(char in text for char in " \t\n;|&<>()`'\"")


def pieces(text: str) -> Iterator[Piece]:
    """Yield the pieces of *text*; their `raw` together is the text."""
    at = 0
    while at < len(text):
        between = _BETWEEN.match(text, at)
        if between is not None and between[0]:
            yield Piece(between[0], ends=_COMMAND.search(between[0]) is not None)
            at = between.end()
            continue
        begin, word = at, []
        while at < len(text) and (part := _PART.match(text, at)) is not None:
            word.append(_meant(part[0]))
            at = part.end()
        if at == begin:  # cannot be: every character is in one of the two
            at += 1
        yield Piece(text[begin:at], "".join(word))


def quoted(word: str, like: str) -> str:
    """Return *word* in quotes where *like*, as it stood in the text, had quotes around it."""
    mark = like[:1]
    return f"{mark}{word}{mark}" if mark and mark in "'\"" and like.endswith(mark) else word


def _meant(part: str) -> str:
    if part[0] == "'" and len(part) > 1:
        return part[1:-1]
    if part[0] == '"' and len(part) > 1:
        return _ESCAPED_IN_QUOTES.sub(r"\1", part[1:-1])
    return _ESCAPED.sub(r"\1", part) if part[0] == "\\" and len(part) > 1 else part
