r"""The fonts of a PDF: which font has a character, how wide a text is, and in which order its characters are drawn.

DejaVu Sans has Latin, Greek, Cyrillic, Arabic, Hebrew and many signs. Other characters come from the fallback (Chinese,
Japanese, Korean), which is loaded only then. A character that neither has is shown as `\uXXXX`, like an invisible one.
"""

import re
import unicodedata
from functools import cache

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from tray.core import paths

SANS, BOLD, MONO, FALLBACK = "Sans", "Bold", "Mono", "Fallback"
_FILES = {
    SANS: "DejaVuSans.ttf",
    BOLD: "DejaVuSans-Bold.ttf",
    MONO: "DejaVuSansMono.ttf",
    FALLBACK: "DroidSansFallback.ttf",
}
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")
Piece = tuple[str, str]
"""A font and the text that is drawn in it."""


@cache
def font(name: str) -> TTFont:
    """Return a font, loaded when it is first asked for."""
    loaded = TTFont(name, str(paths.assets() / "fonts" / _FILES[name]))
    pdfmetrics.registerFont(loaded)
    return loaded


@cache
def _width(name: str, char: str) -> float:
    """Return how wide *char* is at a size of 1; 0 if the font lacks it."""
    face = font(name).face
    code = ord(char)
    return float(face.charWidths[code]) / 1000 if code in face.charToGlyph else 0.0


@cache
def _has(name: str, char: str) -> bool:
    return ord(char) in font(name).face.charToGlyph


@cache
def _char(name: str, char: str) -> Piece:
    """Return the font for *char* and the text to draw for it."""
    if _has(name, char):
        return name, char
    if char in "\u200c\u200d\ufe0e\ufe0f":
        return name, ""
    if char in "\u00a0\u202f\u3000":
        return name, " "
    for other in (SANS, FALLBACK):
        if _has(other, char):
            return other, char
    code = ord(char)
    return name, f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def plain(text: str, name: str) -> bool:
    """Whether the font has every character, and none is written from the right: reportlab can draw the text as it is."""
    if text.isascii():
        font(name)
        return True
    return all(_has(name, char) for char in text) and not _RIGHT_TO_LEFT.search(text)


def pieces(text: str, name: str) -> list[Piece]:
    """Return *text*, already in the order of drawing, cut where the font changes."""
    if text.isascii():
        font(name)
        return [(name, text)]
    parts: list[Piece] = []
    for char in text:
        chosen, shown = _char(name, char)
        if parts and parts[-1][0] == chosen:
            parts[-1] = chosen, parts[-1][1] + shown
        else:
            parts.append((chosen, shown))
    return parts


@cache
def _advance(name: str, char: str) -> float:
    """Return the width of the text drawn for *char* at a size of 1."""
    chosen, shown = _char(name, char)
    return sum(_width(chosen, part) for part in shown)


def width(text: str, name: str, size: float) -> float:
    """Return how wide *text* is drawn."""
    return size * sum(_advance(name, char) for char in text)


def fit(text: str, name: str, size: float, room: float) -> str:
    """Return *text*, cut with "…" where it is wider than *room*; a very long one is not measured to its end."""
    end = _end(text, name, room / size)
    if end == len(text):
        return text
    return text[: _end(text, name, room / size - _advance(name, "…"))].rstrip() + "…"


def wrap(text: str, name: str, size: float, room: float, most: int) -> list[str]:
    """Return *text* in at most *most* lines, broken at spaces or, in a longer word, anywhere; the last one ends with "…"."""
    lines: list[str] = []
    rest = text.strip()
    while rest and len(lines) < most - 1:
        end = _end(rest, name, room / size)
        if end < len(rest):
            space = rest.rfind(" ", 0, end + 1)
            end = space if space > end // 2 else max(end, 1)
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if rest:
        lines.append(fit(rest, name, size, room))
    return lines


def _end(text: str, name: str, room: float) -> int:
    """Return how many characters of *text* have room at a size of 1."""
    for at, char in enumerate(text):
        room -= _advance(name, char)
        if room < 0:
            return at
    return len(text)


def visual(text: str) -> str:
    """Return *text* in the order in which it is drawn from left to right: scripts from the right are turned round.

    A simple form of the bidirectional algorithm for one line that begins at the left, good for names in a table.
    """
    if text.isascii() or not _RIGHT_TO_LEFT.search(text):
        return text
    kinds = ["R" if unicodedata.bidirectional(char) in ("R", "AL", "NSM") else "L" for char in text]
    for at, char in enumerate(text):  # signs between two letters of such a script go with them
        if kinds[at] == "L" and unicodedata.bidirectional(char) in ("WS", "ON", "CS", "ES"):
            behind = next((k for c, k in zip(text[at:], kinds[at:], strict=True) if _is_letter(c)), "L")
            if at and kinds[at - 1] == "R" and behind == "R":
                kinds[at] = "R"
    opened: list[int] = []
    for at, char in enumerate(text):  # a bracket goes with the one that opened it
        if char in "([{<«":
            opened.append(at)
        elif char in ")]}>»" and opened and kinds[opened.pop()] == "R":
            kinds[at] = kinds[at - 1]
    drawn, begin = "", 0
    for at in range(1, len(text) + 1):
        if at == len(text) or kinds[at] != kinds[begin]:
            part = text[begin:at]
            drawn += part[::-1].translate(_MIRRORED) if kinds[begin] == "R" else part
            begin = at
    return drawn


def _is_letter(char: str) -> bool:
    return unicodedata.bidirectional(char) not in ("WS", "ON", "CS", "ES")
