"""Write a sheet as PDF. A run fills one page: facts without room are named, lines without room are counted."""

import io
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from reportlab import rl_config
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import STATE_DEFAULTS, Drawing
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepInFrame,
    PageTemplate,
    Table,
)

from tray import __version__, wording
from tray.report import facts
from tray.report.basis import Base
from tray.report.facts import (
    TONE_SIGNS,
    Belief,
    Block,
    Charts,
    Days,
    Facts,
    Figures,
    Lines,
    Listing,
    Note,
    Sheet,
    Steps,
)
from tray.report.pdf import charts, fonts
from tray.report.pdf.flowables import INK_OF, LINE, MUTE, TIGHT, Rows, Sign, Text, badge, rule
from tray.report.pdf.fonts import BOLD, MONO, SANS, font

_PAPERS = {"a4": (595.28, 841.89), "letter": (612.0, 792.0)}
_MARGIN, _FOOT = 42.0, 50.0
_HEAD, _HEAD_LATER = 58.0, 50.0
_NUMBER = 90.0
"""Room for the number of a page."""

_LABEL, _QR, _ITEM = 74.0, 74.0, 12.0
_CHART, _CHART_SPARE = 84.0, 46.0
_LIST_LEAST = 43.0
"""Room for the heading of a list and two of its lines."""

_WHOLE = 60
"""Lines of a text that is not to be shortened: a page of them."""

_CARD = [*TIGHT, ("BOX", (0, 0), (-1, -1), 0.7, INK_OF[LINE]), ("ROUNDEDCORNERS", [6] * 4)]
_TOP = ("VALIGN", (0, 0), (-1, -1), "TOP")


def written(sheet: Sheet, paper: str) -> bytes:
    """Return the report as a file on *paper*, "a4" or "letter"."""
    document = Document(sheet, paper)
    wide, high = document.room, document.high
    if sheet.one_page:
        return document.file([KeepInFrame(wide, high, _fitted(sheet, wide, high), mode="shrink")])
    return document.file([*_head(sheet, wide), *(part for block in sheet.blocks for part in _block(block, wide))])


def _fitted(sheet: Sheet, wide: float, high: float) -> list[Flowable]:
    """Return the story of one page: lists get the room that the other blocks leave, charts the rest."""
    story = _head(sheet, wide)
    firm = [[] if isinstance(block, Facts | Lines) else _block(block, wide) for block in sheet.blocks]
    room = high - _height(chain(story, *firm), wide)
    lists = [block for block in sheet.blocks if isinstance(block, Lines)]
    for block, parts in zip(sheet.blocks, firm, strict=True):
        match block:
            case Facts(_, rows):
                parts = _facts_in(rows, wide, room - _LIST_LEAST * len(lists), most=1 if lists else 2)
                room -= _height(parts, wide)
            case Lines(title, rows):
                fit = max(int((room - 20 * len(lists)) // _ITEM), 0)
                lists.remove(block)
                after = sum(len(other.rows) for other in lists)
                parts = _lines(title, rows, max(fit - after, fit // 2 if after else fit), wide)
                room -= _height(parts, wide)
            case Charts():
                parts = [_charts(block, wide, _CHART + min(max(room, 0), _CHART_SPARE))]
        story += parts
    return story


def _height(parts: Iterable[Flowable], wide: float) -> float:
    return float(sum(part.wrap(wide, 10_000)[1] + part.getSpaceBefore() for part in parts))


def _block(block: Block, wide: float) -> list[Flowable]:
    match block:
        case Figures(rows):
            return [_figures(rows, wide)]
        case Facts(_, rows):
            return [_facts(rows, wide, most=2, before=12)]
        case Lines(title, rows):
            return _lines(title, rows, len(rows), wide)
        case Steps(title, rows):
            return [_heading(title, 14), *(part for row in enumerate(rows, 1) for part in _step(*row, wide))]
        case Note(text):
            return [Text(text, most=3, color=MUTE, before=8)]
        case Charts():
            return [_charts(block, wide, _CHART)]
        case Belief(title):
            return [_heading(title, 14), _belief(block, wide)]
        case Days(title):
            return [CondPageBreak(160), _heading(title, 14), charts.months(block, wide), charts.legend()]
        case Listing(title, titles, rows):
            return [Rows(title, titles, iter(rows), before=20)]


def _heading(title: str, before: float) -> Text:
    return Text(title, size=9, font=BOLD, color=MUTE, lead=16, before=before)


def _head(sheet: Sheet, wide: float) -> list[Flowable]:
    title = Text(sheet.headline, size=16, font=BOLD, lead=20, most=2)
    if not sheet.word:
        return [title]
    under = [Text(text, size=9.5, color=MUTE, lead=13.3, most=2, before=1) for text in sheet.under or [sheet.word]]
    return [Table([[Sign(sheet.sign, sheet.tone, 13), [title, *under]]], [36, wide - 36], style=[*TIGHT, _TOP])]


def _figures(rows: facts.Rows, wide: float) -> Table:
    cells = [
        [Text(name, size=8, color=MUTE, lead=11), Text(value, size=12.5, font=BOLD, lead=17)] for name, value in rows
    ]
    style = [*_CARD, ("LEFTPADDING", (0, 0), (-1, -1), 13), ("TOPPADDING", (0, 0), (-1, -1), 7)]
    style.append(("BOTTOMPADDING", (0, 0), (-1, -1), 7))
    return Table([cells], [wide / len(rows)] * len(rows), style=style, spaceBefore=12)


def _facts(rows: facts.Rows, wide: float, *, most: int, before: float = 0, more: Sequence[Any] = ()) -> Table:
    """Return names and values below each other, each value in *most* lines, and *more* rows below them."""
    cells: list[Any] = []
    for name, value in rows:
        look: dict[str, Any] = {"font": MONO, "size": 7.4} if name in facts.MONO else {}
        cells.append([Text(name, color=MUTE), Text(value, most=most, **look)])
    style = [*TIGHT, _TOP, ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6)]
    return Table([*cells, *more], [_LABEL, wide - _LABEL], style=style, spaceBefore=before)


def _facts_in(rows: facts.Rows, wide: float, room: float, *, most: int) -> list[Flowable]:
    """Return as many facts as have room; the others are named."""
    table = _facts(rows, wide, most=most, before=14)
    shown = list(rows)
    while len(shown) > 1 and _height([table], wide) > room:
        shown.pop()
        left = ", ".join(name for name, _ in rows[len(shown) :])
        table = _facts([*shown, ("Also", f"{left}: in the entry")], wide, most=most, before=14)
    return [table]


def _lines(title: str, rows: facts.Rows, most: int, wide: float) -> list[Flowable]:
    """Return a list of at most *most* lines; the last line counts the others."""
    if most < 1:
        return [Text(f"{title}: {wording.count(len(rows))}, in the entry", color=MUTE, before=6)]
    shown = rows if len(rows) <= most else rows[: most - 1]
    cells = [[Text("•", size=8, color=MUTE), Text(_both(*row, wide - 10), size=8)] for row in shown]
    if len(shown) < len(rows):
        more = f"… {wording.count(len(rows) - len(shown))} more in the entry and in the run's log"
        cells.append([Text(""), Text(more, size=8, color=MUTE)])
    style = [*TIGHT, _TOP]
    return [_heading(title, 6), Table(cells, [10, wide - 10], [_ITEM] * len(cells), style=style)]


def _step(number: int, row: tuple[str, str], wide: float) -> list[Flowable]:
    """Return a numbered sentence, and its command in as many lines as it takes."""
    words, command = row
    parts = [Text(words, most=_WHOLE)]
    if command:
        parts.append(Text(command, font=MONO, size=8.2, lead=11, most=_WHOLE))
    style = [*TIGHT, _TOP, ("BOTTOMPADDING", (0, 0), (-1, -1), 5)]
    return [Table([[Text(f"{number}."), parts]], [16, wide - 16], style=style)]


def _both(item: str, message: str, room: float) -> str:
    """Return an item with its message; a long name leaves half of the line to the message."""
    if not (item and message):
        return item or message
    behind = f": {fonts.fit(message, SANS, 8, room / 2)}"
    return fonts.fit(item, SANS, 8, room - fonts.width(behind, SANS, 8)) + behind


def _charts(block: Charts, wide: float, high: float) -> Table:
    half = (wide - 26) / 2
    drawn = [charts.bars(chart, half, high) for chart in block.charts]
    return Table([drawn], [half + 26, half], style=TIGHT, spaceBefore=16)


def _belief(block: Belief, wide: float) -> Table:
    """Return whether the log can be believed, the facts of the proof, the checkpoint as it is, and a QR code of it."""
    room = wide - 24
    side = room - _QR - 8 if block.rests is not None else room
    cells: list[list[Any]] = []
    if block.verdict is not None:
        tone, word, sentence = block.verdict
        pill = badge(tone, word, TONE_SIGNS[tone])
        taken = pill.wrap(room, 20)[0] + 8
        line = Table([[pill, Text(sentence, most=3)]], [taken, room - taken], style=[*TIGHT, _TOP])
        cells.append([line, ""])
    rests = block.rests
    rows = [*block.rows, *([("Log root", rests.root.hex(" ", -4))] if rests is not None else [])]
    more = [] if rests is None else [[Text("Checkpoint", color=MUTE), _note(rests)]]
    if rows:
        cells.append([_facts(rows, side, most=1, more=more), _qr(rests.short) if rests is not None else ""])
    style = [
        *_CARD,
        _TOP,
        ("VALIGN", (1, -1), (1, -1), "BOTTOM"),
        ("ALIGN", (1, -1), (1, -1), "RIGHT"),
        ("LEFTPADDING", (0, 0), (0, -1), 12),
    ]
    style += [
        ("TOPPADDING", (0, 0), (-1, -1), 8),
        ("BOTTOMPADDING", (0, -1), (-1, -1), 7),
        ("RIGHTPADDING", (1, 0), (1, -1), 8),
    ]
    style += [("SPAN", (0, row), (1, row)) for row in range(len(cells) - 1)]
    return Table(cells, [side + 12, wide - side - 12], style=style)


def _note(rests: Base) -> list[Text]:
    lines = rests.note.decode("utf-8", "backslashreplace").splitlines()[:8]
    parts = [part for line in lines for part in line.rsplit(" ", 1) if part]  # a signature begins a line of its own
    return [Text(wording.escape(part), size=5.4, font=MONO, lead=7.2, most=2) for part in parts]


def _qr(content: str) -> Drawing:
    code = QrCodeWidget(content, barLevel="M", barBorder=2, barWidth=_QR, barHeight=_QR)
    return Drawing(_QR, _QR, code.draw())  # of the widget itself reportlab would work out the code three times


# -- pages


class Document(BaseDocTemplate):  # type: ignore[misc] # reportlab has no types
    """A report on paper."""

    def __init__(self, sheet: Sheet, paper: str) -> None:
        self._sheet, self._file = sheet, io.BytesIO()
        self._wide, self._high = _PAPERS[paper]
        self.room = self._wide - 2 * _MARGIN
        self.high = self._high - _HEAD - _FOOT
        super().__init__(
            self._file,
            pagesize=_PAPERS[paper],
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
        self.addPageTemplates([self._template("first", _HEAD), self._template("later", _HEAD_LATER)])

    def _template(self, name: str, top: float) -> PageTemplate:
        frame = Frame(_MARGIN, _FOOT, self.room, self._high - top - _FOOT, 0, 0, 0, 0)
        return PageTemplate(name, [frame], onPage=self._margins, autoNextPageTemplate="later")

    def _margins(self, canvas: Canvas, _: object) -> None:
        sheet, number = self._sheet, canvas.getPageNumber()
        if number == 1:
            self._line(canvas, 46, sheet.kind, size=8.5, font=BOLD)
            self._line(canvas, 46, sheet.as_of, size=8, right=True)
        else:
            self._line(canvas, 36, sheet.title, size=8)
            rule(canvas, _MARGIN, self._high - 44, self.room)
        rule(canvas, _MARGIN, 42, self.room)
        self._line(canvas, self._high - 30, sheet.foot, size=7.5, less=_NUMBER)
        canvas.saveState()
        canvas.translate(_MARGIN + self.room - _NUMBER, 28)
        canvas.doForm(_number(number))
        canvas.restoreState()

    def _line(self, canvas: Canvas, y: float, words: str, *, less: float = 0, **look: Any) -> None:
        text = Text(words, color=MUTE, lead=10, **look)
        text.wrap(self.room - less, 10)
        text.drawOn(canvas, _MARGIN, self._high - y - 2.5)

    def file(self, story: list[Flowable]) -> bytes:
        """Return the file."""
        STATE_DEFAULTS["fontName"] = SANS  # as above, of drawings
        rl_config.useA85 = 0  # text within a file of bytes: larger, slower, of no use
        self.build(story, canvasmaker=_Numbered)
        return self._file.getvalue()


class _Numbered(Canvas):  # type: ignore[misc] # reportlab has no types
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
