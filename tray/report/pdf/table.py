"""A table over as many pages as it takes, its head on each of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tray.core.model import Outcome
from tray.report.facts import SIGNS
from tray.report.pdf import canvas as pens
from tray.report.pdf.canvas import BOLD, Pen, tone_of

_ROW = 13.4
_SIZE = 7.8
_GAP = 6.0


@dataclass(frozen=True, slots=True)
class Column:
    """A column; a width of 0 takes what the others leave."""

    title: str
    wide: float
    right: bool = False


class Table:
    """Columns below a title."""

    def __init__(self, pen: Pen, title: str, columns: Sequence[Column]) -> None:
        self._pen, self._title = pen, title
        rest = pen.room - sum(one.wide for one in columns) - _GAP * (len(columns) - 1)
        self._places: list[tuple[Column, float, float]] = []
        x = pen.left
        for one in columns:
            wide = one.wide or rest
            self._places.append((one, x, wide))
            x += wide + _GAP
        self._outcome = next((at for at, one in enumerate(columns) if one.title == "Outcome"), None)

    def draw(self, y: float, rows: Iterable[tuple[Sequence[str], Outcome | None]]) -> float:
        """Draw the rows, each with the outcome whose shape stands before its word, and return what is below them."""
        pen = self._pen
        if y + 26 + 3 * _ROW > pen.bottom:
            y = pen.turn()
        y = self._head(y, self._title)
        for cells, outcome in rows:
            if y > pen.bottom - 8:
                y = self._head(pen.turn(), f"{self._title}, continued")
            self._row(y, cells, outcome)
            y += _ROW
        return y + 4

    def _head(self, y: float, title: str) -> float:
        pen = self._pen
        y = pen.heading(y, title) + 8
        for column, x, wide in self._places:
            self._cell(y, column, x, wide, column.title, BOLD, pens.MUTE)
        pen.rule(y + 4.5)
        return y + _ROW + 2

    def _row(self, y: float, cells: Sequence[str], outcome: Outcome | None) -> None:
        for at, ((column, x, wide), text) in enumerate(zip(self._places, cells, strict=True)):
            if at == self._outcome and outcome is not None:
                ink = pens.TONES[tone_of(outcome)][0]
                self._pen.sign(x + 4, y - 2.8, 3.8, ink, SIGNS[outcome])
                self._cell(y, column, x + 11, wide - 11, text, pens.SANS, ink)
            else:
                self._cell(y, column, x, wide, text, pens.SANS, pens.INK)

    def _cell(self, y: float, column: Column, x: float, wide: float, text: str, font: str, color: str) -> None:
        at, align = (x + wide, "right") if column.right else (x, "left")
        self._pen.text(at, y, text, size=_SIZE, font=font, color=color, room=wide, align=align)
