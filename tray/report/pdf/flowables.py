"""Flowables that platypus lacks: text that never leaves its room, an outcome's shape, a table made page by page.

`Text` draws its text as it is. Platypus's own paragraphs read markup, know one font for each word, and cannot break a line of a
script from the right before they turn it round.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from reportlab.graphics import renderPDF
from reportlab.graphics.shapes import Circle, Drawing, Line, Polygon, PolyLine, Rect, Shape, String
from reportlab.lib.colors import HexColor
from reportlab.platypus import Flowable, Table

from tray.report.facts import SIGNS, Row, tone
from tray.report.pdf import fonts
from tray.report.pdf.fonts import BOLD, SANS

INK, MUTE, LINE, CARD, PALE = "ink", "mute", "line", "card", "pale"
INK_OF = {
    INK: HexColor("#1a1f26"),
    MUTE: HexColor("#56616d"),
    LINE: HexColor("#dce1e8"),
    CARD: HexColor("#ffffff"),
    PALE: HexColor("#8a94a1"),
    "ok": HexColor("#17694a"),
    "warn": HexColor("#7d5200"),
    "fail": HexColor("#b4232d"),
    "none": HexColor("#56616d"),
}
TINTS = {
    "ok": HexColor("#dff3e8"),
    "warn": HexColor("#fdf0d2"),
    "fail": HexColor("#fce4e5"),
    "none": HexColor("#e3e8ee"),
}
"""Ink and tint of each tone, as in the window; made once, since reportlab reads a colour's name anew for each word."""

TIGHT: list[tuple[Any, ...]] = [(f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
TIGHT.append(("FONTNAME", (0, 0), (-1, -1), SANS))
"""The style of a table without room around its cells. Without a font it would name Helvetica, which is not in the file."""

_ROW, _SIZE, _GAP = 13.4, 7.8, 6.0
_WIDE = {
    "Finished": 78,
    "Outcome": 64,
    "Kind": 42,
    "#Duration": 57,
    "#Size": 46,
    "#Files": 50,
    "#Entry": 46,
    "#Runs": 36,
    "#Succeeded": 54,
    "#Warnings": 51,
    "#Failed": 38,
    "#Other": 36,
    "#Rate": 42,
    "#Longest gap": 86,
    "When (UTC)": 118,
    "Action": 92,
    "Result": 58,
    "Severity": 46,
    "#Added": 50,
    "#Due": 34,
    "#Kept": 36,
    "#Late": 34,
    "#Missed": 42,
    "#Asleep": 42,
    "#Skipped": 46,
    "#In time": 44,
    "Expected": 78,
    "Up to": 78,
    "How": 100,
}
_PARTS = {"Job": 2, "Why": 3, "Who": 2, "Rhythm": 3, "On record": 3}
"""The widths of columns in points, and how the other columns share the rest."""

_CONTINUED = ", continued"
_FEWEST = 3
"""Rows that a table begins with at the end of a page."""

_STYLE = [
    *TIGHT,
    ("RIGHTPADDING", (0, 0), (-2, -1), _GAP),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2.6),
    ("BOTTOMPADDING", (0, 0), (-1, 0), 4.6),
    ("FONT", (0, 0), (-1, -1), SANS, _SIZE, _SIZE),
    ("FONT", (0, 0), (-1, 0), BOLD, _SIZE, _SIZE),
    ("TEXTCOLOR", (0, 0), (-1, -1), INK_OF[INK]),
    ("TEXTCOLOR", (0, 0), (-1, 0), INK_OF[MUTE]),
    ("LINEBELOW", (0, 0), (-1, 0), 0.7, INK_OF[LINE]),
]


def rule(canvas: Any, x: float, y: float, wide: float) -> None:
    """Draw a thin line."""
    canvas.setStrokeColor(INK_OF[LINE])
    canvas.setLineWidth(0.7)
    canvas.line(x, y, x + wide, y)


class Text(Flowable):  # type: ignore[misc] # reportlab has no types
    """Text in at most `most` lines; the last line ends with "…" if text is left.

    Args:
        lead: Distance from one line to the next.
        before: Room above it.
    """

    def __init__(
        self,
        text: str,
        *,
        size: float = 8.5,
        font: str = SANS,
        color: str = INK,
        lead: float = 11.8,
        most: int = 1,
        right: bool = False,
        before: float = 0,
    ) -> None:
        super().__init__()
        self.text, self.most = text, most
        self.spaceBefore = before
        self._font, self._size, self._color, self._lead, self._right = font, size, color, lead, right
        self._lines: list[str] = []

    def wrap(self, wide: float, high: float) -> tuple[float, float]:
        """Break the lines."""
        del high
        self._lines = [fonts.visual(line) for line in fonts.wrap(self.text, self._font, self._size, wide, self.most)]
        self.width, self.height = wide, self._lead * len(self._lines)
        return self.width, self.height

    def draw(self) -> None:
        """Draw the lines, the base of each a quarter above its lower edge."""
        for number, line in enumerate(self._lines, 1):
            x = self.width - fonts.width(line, self._font, self._size) if self._right else 0
            drawn = self.canv.beginText(x, self.height - self._lead * (number - 0.25))
            drawn.setFillColor(INK_OF[self._color])
            for name, part in fonts.pieces(line, self._font):
                drawn.setFont(name, self._size)
                drawn.textOut(part)
            self.canv.drawText(drawn)


class Sign(Flowable):  # type: ignore[misc] # reportlab has no types
    """An outcome's shape with its mark in it: circle, triangle, square or diamond. Drawn once; the pages refer to it."""

    def __init__(self, sign: str, tone: str, radius: float) -> None:
        super().__init__()
        self._sign, self._tone, self._radius = sign, tone, radius
        self.width = self.height = 2 * radius

    def wrap(self, *_: float) -> tuple[float, float]:
        """Return the size."""
        return self.width, self.height

    def draw(self) -> None:
        """Refer to the shape, and draw it if this is the first time."""
        canvas, radius = self.canv, self._radius
        name = f"sign-{ord(self._sign)}-{self._tone}-{radius}"
        if not canvas.hasForm(name):
            fonts.font(BOLD)
            canvas.beginForm(name, -radius, -radius, 3 * radius, 3 * radius)
            renderPDF.draw(shape(self._sign, self._tone, radius), canvas, radius, radius)
            canvas.endForm()
        canvas.doForm(name)


def shape(sign: str, tone: str, r: float) -> Drawing:
    """Return an outcome's shape around a point."""
    low, side = -0.9 * r, 1.1 * r
    outlines: dict[str, Shape] = {
        "!": Polygon([0, r, side, low, -side, low]),
        "✕": Rect(low, low, -2 * low, -2 * low, 0.3 * r, 0.3 * r),
        "?": Polygon([0, side, side, 0, 0, -side, -side, 0]),
    }
    marks: dict[str, list[Shape]] = {
        "✓": [PolyLine([-0.45 * r, 0, -0.1 * r, -0.35 * r, 0.5 * r, 0.35 * r])],
        "✕": [Line(-0.4 * r, -0.4 * r, 0.4 * r, 0.4 * r), Line(-0.4 * r, 0.4 * r, 0.4 * r, -0.4 * r)],
        "!": [Line(0, 0.35 * r, 0, -0.2 * r), Circle(0, -0.58 * r, 0.07 * r)],
        "∅": [Line(-0.62 * r, -0.62 * r, 0.62 * r, 0.62 * r)],
        "–": [Line(-0.45 * r, 0, 0.45 * r, 0)],
    }
    outline = outlines.get(sign, Circle(0, 0, r))
    outline.fillColor, outline.strokeColor = INK_OF[tone], None
    drawing = Drawing(2 * r, 2 * r, outline)
    for mark in marks.get(sign, []):
        mark.strokeColor, mark.strokeWidth = INK_OF[CARD], max(0.26 * r, 0.7)
        mark.strokeLineCap = mark.strokeLineJoin = 1
        drawing.add(mark)
    if sign == "?":
        drawing.add(
            String(0, -0.55 * r, "?", fontName=BOLD, fontSize=1.5 * r, fillColor=INK_OF[CARD], textAnchor="middle")
        )
    return drawing


def badge(tone: str, word: str, sign: str) -> Table:
    """Return a word with its sign in a tinted pill."""
    wide = fonts.width(word, BOLD, 8.5)
    text = Text(word, font=BOLD, color=tone)
    style = [*TIGHT, ("BACKGROUND", (0, 0), (-1, -1), TINTS[tone]), ("ROUNDEDCORNERS", [7.7] * 4)]
    style += [("LEFTPADDING", (0, 0), (0, 0), 5.4), ("VALIGN", (0, 0), (0, 0), "MIDDLE")]
    style += [("VALIGN", (1, 0), (1, 0), "TOP"), ("TOPPADDING", (1, 0), (1, 0), 1.4)]
    return Table([[Sign(sign, tone, 4.6), text]], [19, wide + 9], [15.4], style=style)


_MARKS = {outcome: Sign(sign, tone(outcome), 3.8) for outcome, sign in SIGNS.items()}


class Rows(Flowable):  # type: ignore[misc] # reportlab has no types
    """A listing over as many pages as it takes, with its title and head on each.

    A `Table` of 10,000 rows would hold a style for each cell; here each page gets a table of its own when platypus comes to it.
    """

    def __init__(self, title: str, titles: Sequence[str], rows: Iterator[Row], *, before: float = 0) -> None:
        super().__init__()
        self.spaceBefore = before
        self._title, self._titles, self._rows = title, titles, rows
        self._first = next(rows, None)

    def wrap(self, wide: float, high: float) -> tuple[float, float]:
        """Claim more room than there is, so that platypus asks for the part that fits."""
        return wide, high + 1

    def split(self, wide: float, high: float) -> list[Flowable]:
        """Return the rows that fit and a listing of the others; nothing if only a few rows would fit."""
        fit = int((high - 16 - _ROW - 2) // _ROW)
        if fit < _FEWEST:
            return []
        rows = [] if self._first is None else [self._first, *islice(self._rows, fit - 1)]
        heading = Text(self._title, size=9, font=BOLD, color=MUTE, lead=12, before=self.spaceBefore)
        parts: list[Flowable] = [heading, self._table(rows, wide)]
        left = Rows(f"{self._title.removesuffix(_CONTINUED)}{_CONTINUED}", self._titles, self._rows)
        if left._first is not None:
            parts.append(left)
        return parts

    def _table(self, rows: Sequence[Row], wide: float) -> Table:
        """Return the rows as a table; an outcome has its shape in a column of its own."""
        titles = list(self._titles)
        widths = _widths(titles, wide)
        cells: list[list[Any]] = [
            [_cell(title.lstrip("#"), room, BOLD) for title, room in zip(titles, widths, strict=True)]
        ]
        cells += [[_cell(text, room) for text, room in zip(texts, widths, strict=True)] for texts, _ in rows]
        style = list(_STYLE)
        if "Outcome" in titles:
            at = titles.index("Outcome")
            titles.insert(at, "")
            widths[at : at + 1] = [11, widths[at] - 11]
            cells[0].insert(at + 1, "")
            style.append(("SPAN", (at, 0), (at + 1, 0)))
            for number, (_, outcome) in enumerate(rows, 1):
                cells[number].insert(at, _MARKS[outcome] if outcome else "")
                style.append(("TEXTCOLOR", (at + 1, number), (at + 1, number), INK_OF[tone(outcome)]))
        style += [("ALIGN", (at, 0), (at, -1), "RIGHT") for at, title in enumerate(titles) if title[:1] == "#"]
        return Table(cells, widths, [_ROW + 2] + [_ROW] * len(rows), style=style, spaceBefore=4)


def _widths(titles: Sequence[str], wide: float) -> list[float]:
    """Return the width of each column."""
    given = [_WIDE.get(title, 0) for title in titles]
    parts = [_PARTS.get(title, 0) for title in titles]
    left = (wide - sum(given)) / sum(parts)
    return [sure or part * left for sure, part in zip(given, parts, strict=True)]


def _cell(text: str, room: float, font: str = SANS) -> Any:
    """Return the content of a cell: a plain string, which platypus draws faster, if one font has every character."""
    shown = fonts.fit(text, font, _SIZE, room - _GAP)
    return shown if fonts.plain(shown, font) else Text(shown, size=_SIZE, lead=10)
