"""The file: pages with head, foot and number, the same bytes for the same story."""

import io
from typing import Any

from reportlab import rl_config
from reportlab.graphics.shapes import STATE_DEFAULTS
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate

from tray import __version__
from tray.report.facts import Sheet
from tray.report.pdf.flowables import INK_OF, MUTE, Text, rule
from tray.report.pdf.fonts import BOLD, SANS, font

PAPERS = {"a4": (595.28, 841.89), "letter": (612.0, 792.0)}
MARGIN = 42.0
_FOOT = 50.0
_TOP, _TOP_LATER = 58.0, 50.0
_NUMBER = 90.0
"""Room for the number of a page."""


class Document(BaseDocTemplate):  # type: ignore[misc]
    """A report on paper."""

    def __init__(self, sheet: Sheet, paper: str) -> None:
        self._sheet, self._file = sheet, io.BytesIO()
        self._wide, self._high = PAPERS[paper]
        self.room = self._wide - 2 * MARGIN
        self.high = self._high - _TOP - _FOOT
        super().__init__(
            self._file,
            pagesize=PAPERS[paper],
            title=sheet.title,
            author="Backup Tray",
            subject=sheet.foot,
            creator=f"Backup Tray {__version__}",
            producer="reportlab",
            lang="en",
            invariant=1,
            pageCompression=1,
            initialFontName=font(SANS).fontName,  # else Helvetica, which is not in the file
        )
        self.addPageTemplates([self._template("first", _TOP), self._template("later", _TOP_LATER)])

    def _template(self, name: str, top: float) -> PageTemplate:
        frame = Frame(MARGIN, _FOOT, self.room, self._high - top - _FOOT, 0, 0, 0, 0)
        return PageTemplate(name, [frame], onPage=self._margins, autoNextPageTemplate="later")

    def _margins(self, canvas: Canvas, _: object) -> None:
        sheet, number = self._sheet, canvas.getPageNumber()
        if number == 1:
            self._line(canvas, 46, sheet.kind, size=8.5, font=BOLD)
            self._line(canvas, 46, sheet.as_of, size=8, right=True)
        else:
            self._line(canvas, 36, sheet.title, size=8)
            rule(canvas, MARGIN, self._high - 44, self.room)
        rule(canvas, MARGIN, 42, self.room)
        self._line(canvas, self._high - 30, sheet.foot, size=7.5, less=_NUMBER)
        canvas.saveState()
        canvas.translate(MARGIN + self.room - _NUMBER, 28)
        canvas.doForm(_number(number))
        canvas.restoreState()

    def _line(self, canvas: Canvas, y: float, words: str, *, less: float = 0, **look: Any) -> None:
        text = Text(words, color=MUTE, lead=10, **look)
        text.wrap(self.room - less, 10)
        text.drawOn(canvas, MARGIN, self._high - y - 2.5)

    def written(self, story: list[Flowable]) -> bytes:
        """Return the file."""
        STATE_DEFAULTS["fontName"] = SANS  # as above, of drawings
        rl_config.useA85 = 0  # text within a file of bytes: larger, slower, of no use
        self.build(story, canvasmaker=_Numbered)
        return self._file.getvalue()


class _Numbered(Canvas):  # type: ignore[misc]
    """A canvas that numbers the pages. How many there are is known only at the end, so each page refers to a form drawn then."""

    def save(self) -> None:
        font(SANS)
        pages = self.getPageNumber() - 1
        for number in range(1, pages + 1):
            self.beginForm(_number(number), 0, 0, _NUMBER, 10)
            self.setFont(SANS, 7.5)
            self.setFillColor(INK_OF[MUTE])
            self.drawRightString(_NUMBER, 2, f"Page {number} of {pages}")
            self.endForm()
        super().save()


def _number(page: int) -> str:
    return f"page{page}"
