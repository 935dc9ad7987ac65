"""One PDF being written: pages with head and foot, text that never leaves its room, shapes for outcomes. Points, from the top."""

import io
from functools import cache
from typing import Any

from reportlab import rl_config
from reportlab.graphics import renderPDF
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.colors import Color, HexColor
from reportlab.pdfgen.canvas import Canvas

from tray import __version__
from tray.core.model import Outcome
from tray.report.pdf import fonts
from tray.report.pdf.fonts import BOLD, MONO, SANS

A4 = (595.28, 841.89)
LETTER = (612.0, 792.0)
PAPERS = {"a4": A4, "letter": LETTER}
MARGIN = 42.0
FOOT = 46.0
_NUMBERED = 90.0
"""Room for the number of a page."""

INK, MUTE, LINE, SOFT, CARD = "#1a1f26", "#56616d", "#dce1e8", "#eef1f5", "#ffffff"
RUN, RUN_SOFT = "#1b62d6", "#dfeafd"
TONES = {
    "ok": ("#17694a", "#dff3e8"),
    "warn": ("#7d5200", "#fdf0d2"),
    "fail": ("#b4232d", "#fce4e5"),
    "none": ("#56616d", "#e3e8ee"),
}
"""Ink and tint of each tone, as in the window."""

OUTCOME_TONE = {Outcome.SUCCEEDED: "ok", Outcome.WARNING: "warn", Outcome.FAILED: "fail", Outcome.LOST: "fail"}


@cache
def _color(name: str) -> Color:
    """Return a colour; reportlab would read its name anew for each word."""
    return HexColor(name)


class Pen:
    """Draws; `y` counts down the page from its top edge."""

    def __init__(self, paper: tuple[float, float], title: str, foot: str) -> None:
        self.wide, self.high = paper
        self.left, self.right = MARGIN, self.wide - MARGIN
        self.room = self.right - self.left
        self.bottom = self.high - FOOT
        self.page = 1
        self._file = io.BytesIO()
        rl_config.useA85 = 0  # text within a file of bytes: larger, slower, of no use
        self._foot, self._title = foot, title
        self._signs: dict[tuple[float, str, str], str] = {}
        self._canvas: Any = Canvas(self._file, pagesize=paper, invariant=1, pageCompression=1, lang="en")
        self._canvas.setTitle(title)
        self._canvas.setAuthor("Backup Tray")
        self._canvas.setCreator(f"Backup Tray {__version__}")
        self._canvas.setProducer("reportlab")
        self._canvas.setSubject(foot)

    # -- pages

    def turn(self) -> float:
        """Begin another page and return where its content begins."""
        self._end_page()
        self.page += 1
        self._canvas.showPage()
        self.text(self.left, 36, self._title, size=8, color=MUTE, room=self.room)
        self.rule(44)
        return 58.0

    def done(self) -> bytes:
        """Return the file."""
        self._end_page()
        self._canvas.showPage()
        self._number_pages()
        self._make_signs()
        self._canvas.save()
        return self._file.getvalue()

    def _end_page(self) -> None:
        y = self.high - 30
        self.rule(y - 12)
        self.text(self.left, y, self._foot, size=7.5, color=MUTE, room=self.room - _NUMBERED - 12)
        self._canvas.saveState()
        self._canvas.translate(self.right - _NUMBERED, self.high - y - 2)
        self._canvas.doForm(f"page{self.page}")
        self._canvas.restoreState()

    def _number_pages(self) -> None:
        """Say on each page which of how many it is: that is known only now."""
        fonts.font(SANS)
        for number in range(1, self.page + 1):
            self._canvas.beginForm(f"page{number}", 0, 0, _NUMBERED, 10)
            self._canvas.setFont(SANS, 7.5)
            self._canvas.setFillColor(_color(MUTE))
            self._canvas.drawRightString(_NUMBERED, 2, f"Page {number} of {self.page}")
            self._canvas.endForm()

    # -- text

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 9,
        font: str = SANS,
        color: str = INK,
        room: float | None = None,
        align: str = "left",
    ) -> None:
        """Write one line with its base at *y*, cut to *room*; what *align* says is where *x* is."""
        shown = fonts.visual(text if room is None else fonts.fit(text, font, size, room))
        if align != "left":
            taken = fonts.width(shown, font, size)
            x -= taken if align == "right" else taken / 2
        line = self._canvas.beginText(x, self.high - y)
        line.setFillColor(_color(color))
        for name, part in fonts.pieces(shown, font):
            line.setFont(name, size)
            line.textOut(part)
        self._canvas.drawText(line)

    def lines(
        self,
        x: float,
        y: float,
        text: str,
        *,
        room: float,
        most: int,
        size: float = 9,
        font: str = SANS,
        color: str = INK,
        step: float = 1.4,
    ) -> float:
        """Write *text* in up to *most* lines and return the base of the next line."""
        for line in fonts.wrap(text, font, size, room, most):
            self.text(x, y, line, size=size, font=font, color=color)
            y += size * step
        return y

    def heading(self, y: float, text: str) -> float:
        """Write a heading and return where what it is about begins."""
        self.text(self.left, y, text, size=9, font=BOLD, color=MUTE, room=self.room)
        return y + 8

    # -- shapes

    def rule(self, y: float, x: float | None = None, to: float | None = None) -> None:
        """Draw a thin line across."""
        self._canvas.setStrokeColor(_color(LINE))
        self._canvas.setLineWidth(0.7)
        self._canvas.line(x or self.left, self.high - y, to or self.right, self.high - y)

    def box(
        self,
        x: float,
        y: float,
        wide: float,
        high: float,
        *,
        fill: str = CARD,
        edge: str | None = LINE,
        round: float = 6,
    ) -> None:
        """Draw a box with round corners; *y* is its upper edge."""
        self._canvas.setFillColor(_color(fill))
        if edge is not None:
            self._canvas.setStrokeColor(_color(edge))
            self._canvas.setLineWidth(0.7)
        corner = min(round, wide / 2, high / 2)
        self._canvas.roundRect(x, self.high - y - high, wide, high, corner, stroke=int(edge is not None), fill=1)

    def badge(self, x: float, y: float, tone: str, word: str, sign: str) -> float:
        """Draw a word with its sign in a tinted pill around the base line *y*, and return where it ends."""
        ink, tint = TONES[tone]
        wide = fonts.width(word, BOLD, 8.5) + 28
        self.box(x, y - 11, wide, 15.5, fill=tint, edge=None, round=8)
        self.sign(x + 10, y - 3.2, 4.6, ink, sign)
        self.text(x + 19, y, word, size=8.5, font=BOLD, color=ink)
        return x + wide

    def sign(self, x: float, y: float, radius: float, ink: str, sign: str) -> None:
        """Draw an outcome's shape around a point: circle, triangle, square or diamond, with its mark in it."""
        key = radius, ink, sign
        if key not in self._signs:
            self._signs[key] = f"sign{len(self._signs)}"
        canvas = self._canvas
        canvas.saveState()
        canvas.translate(x, self.high - y)
        canvas.doForm(self._signs[key])
        canvas.restoreState()

    def _make_signs(self) -> None:
        """Draw each shape once; the pages refer to it."""
        for (radius, ink, sign), name in self._signs.items():
            self._canvas.beginForm(name, -2 * radius, -2 * radius, 2 * radius, 2 * radius)
            self._shape(radius, ink, sign)
            self._canvas.endForm()

    def _shape(self, radius: float, ink: str, sign: str) -> None:
        canvas = self._canvas
        canvas.setFillColor(_color(ink))
        path = canvas.beginPath()
        side, low = radius * 1.1, -radius * 0.9
        if sign == "!":
            self._polygon(path, [(0, radius), (side, low), (-side, low)])
        elif sign == "✕":
            path.roundRect(low, low, -2 * low, -2 * low, radius * 0.3)
        elif sign == "?":
            self._polygon(path, [(0, side), (side, 0), (0, -side), (-side, 0)])
        else:
            path.circle(0, 0, radius)
        canvas.drawPath(path, stroke=0, fill=1)
        self._mark(0.0, 0.0, radius, sign)

    def _polygon(self, path: Any, points: list[tuple[float, float]]) -> None:
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        path.close()

    def _mark(self, x: float, down: float, radius: float, sign: str) -> None:
        """Draw the white mark inside a shape with strokes, which look alike in every font."""
        canvas, r = self._canvas, radius
        canvas.saveState()
        canvas.setStrokeColor(_color(CARD))
        canvas.setFillColor(_color(CARD))
        canvas.setLineWidth(max(r * 0.26, 0.7))
        canvas.setLineCap(1)
        canvas.setLineJoin(1)
        if sign == "✓":
            canvas.lines(
                [
                    (x - r * 0.45, down, x - r * 0.1, down - r * 0.35),
                    (x - r * 0.1, down - r * 0.35, x + r * 0.5, down + r * 0.35),
                ]
            )
        elif sign == "✕":
            canvas.lines(
                [
                    (x - r * 0.4, down - r * 0.4, x + r * 0.4, down + r * 0.4),
                    (x - r * 0.4, down + r * 0.4, x + r * 0.4, down - r * 0.4),
                ]
            )
        elif sign == "!":
            canvas.line(x, down + r * 0.35, x, down - r * 0.2)
            canvas.circle(x, down - r * 0.58, r * 0.14, stroke=0, fill=1)
        elif sign == "?":
            fonts.font(BOLD)
            canvas.setFont(BOLD, r * 1.5)
            canvas.drawCentredString(x, down - r * 0.55, "?")
        elif sign == "∅":
            canvas.line(x - r * 0.62, down - r * 0.62, x + r * 0.62, down + r * 0.62)
        else:
            canvas.line(x - r * 0.45, down, x + r * 0.45, down)
        canvas.restoreState()

    def bar(self, x: float, y: float, wide: float, high: float, *, fill: str | None, edge: str | None) -> None:
        """Draw a bar that stands on *y*."""
        if fill:
            self._canvas.setFillColor(_color(fill))
        if edge:
            self._canvas.setStrokeColor(_color(edge))
            self._canvas.setLineWidth(0.9)
        self._canvas.rect(x, self.high - y, wide, high, stroke=int(edge is not None), fill=int(fill is not None))

    def qr(self, x: float, y: float, side: float, content: str) -> None:
        """Draw a QR code of *content* whose upper left corner is given."""
        code = QrCodeWidget(content, barLevel="M", barBorder=2)
        low, bottom, right, top = code.getBounds()
        drawing = Drawing(side, side, transform=[side / (right - low), 0, 0, side / (top - bottom), 0, 0])
        drawing.add(code)
        renderPDF.draw(drawing, self._canvas, x, self.high - y - side)


def tone_of(outcome: Outcome | None) -> str:
    """Return the tone of an outcome."""
    return "none" if outcome is None else OUTCOME_TONE.get(outcome, "none")


__all__ = ["BOLD", "MONO", "SANS", "Pen", "tone_of"]
