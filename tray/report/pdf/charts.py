"""Draw bars of a job's last runs, and a calendar of days. Shape and sign carry the same meaning as colour."""

import calendar
from datetime import date

from reportlab.graphics.shapes import Drawing, Line, Rect, String
from reportlab.platypus import Table

from tray.core import clock
from tray.core.model import Outcome
from tray.report.facts import GOOD, SIGNS, WORDS, Chart, Days, tone
from tray.report.pdf import fonts
from tray.report.pdf.flowables import CARD, INK, INK_OF, LINE, MUTE, PALE, TIGHT, TINTS, Sign, Text
from tray.report.pdf.fonts import BOLD, SANS

_CELL, _GAP = 15.2, 20.0


def _words(
    x: float, y: float, text: str, size: float, color: str = MUTE, font: str = SANS, at: str = "start"
) -> String:
    fonts.font(font)
    return String(x, y, text, fontName=font, fontSize=size, fillColor=INK_OF[color], textAnchor=at)


def bars(chart: Chart, wide: float, high: float) -> Drawing:
    """Return a bar for each run, as high as its value: full for a success, open with a thick edge for the rest."""
    drawing = Drawing(wide, high)
    count = f"the last {len(chart.runs)} runs"
    drawing.add(_words(0, high - 9, f"{chart.title}, {count}", 8, font=BOLD))
    if not chart.known:
        drawing.add(_words(0, high - 26, "Not known of these runs.", 8))
        return drawing
    drawing.add(_words(wide, high - 9, f"highest {chart.word(max(chart.known))}", 7.5, at="end"))
    step, tall = wide / max(len(chart.runs), 12), high - 34
    for at, (run, share) in enumerate(zip(chart.runs, chart.shares, strict=True)):
        ink, x, thick = INK_OF[tone(run.outcome)], (at + 0.14) * step, 0.72 * step
        if share is None:
            drawing.add(Rect(x, 14, thick, 1.2, fillColor=INK_OF[LINE], strokeColor=None))
            continue
        top, solid = max(tall * share, 1.2), run.outcome is Outcome.SUCCEEDED
        fill = ink if solid else INK_OF[CARD]
        drawing.add(Rect(x, 14, thick, top, fillColor=fill, strokeColor=None if solid else ink, strokeWidth=0.9))
        if run.outcome not in GOOD:
            drawing.add(_words(x + thick / 2, 16.5 + top, SIGNS[run.outcome], 6.5, tone(run.outcome), BOLD, "middle"))
    drawing.add(Line(0, 14, wide, 14, strokeColor=INK_OF[LINE], strokeWidth=0.7))
    _ends(drawing, chart, wide, max((len(chart.runs) - 0.14) * step, 100))
    return drawing


def _ends(drawing: Drawing, chart: Chart, wide: float, last: float) -> None:
    """Write below the bars when they begin and end."""
    first, newest = (f"{clock.local(run.finished_ms):%Y-%m-%d}" for run in (chart.runs[0], chart.runs[-1]))
    drawing.add(_words(0, 4, first, 7))
    drawing.add(_words(last, 4, f"{newest}, this run", 7, at="end"))
    if any(run.outcome is not Outcome.SUCCEEDED for run in chart.runs) and len(chart.runs) > 11:
        drawing.add(_words(wide / 2 - 16, 4, "open: not simply succeeded", 7, at="middle"))


def months(block: Days, wide: float) -> Table:
    """Return the months beside and below each other."""
    step = 7 * _CELL + _GAP
    across = max(int((wide + _GAP) // step), 1)
    drawn = [_month(year, month, block) for year, month in block.months]
    rows = [drawn[at : at + across] for at in range(0, len(drawn), across)]
    rows[-1] += [""] * (across - len(rows[-1]))
    style = [*TIGHT, ("VALIGN", (0, 0), (-1, -1), "TOP"), ("BOTTOMPADDING", (0, 0), (-1, -1), 8)]
    return Table(rows, [step] * across, style=style, hAlign="LEFT", spaceBefore=4)


def _month(year: int, month: int, block: Days) -> Drawing:
    """Return one month: each day with runs has the sign of its worst outcome."""
    weeks = calendar.monthcalendar(year, month)
    high = 24 + _CELL * len(weeks)
    drawing = Drawing(7 * _CELL, high)
    drawing.add(_words(0, high - 8, f"{calendar.month_name[month]} {year}", 8, INK, BOLD))
    for column, name in enumerate("MTWTFSS"):
        drawing.add(_words((column + 0.5) * _CELL - 0.8, high - 19, name, 6.5, at="middle"))
    for row, week in enumerate(weeks):
        for column, day in enumerate(week):
            if day:
                _day(drawing, column * _CELL, high - 23 - (row + 1) * _CELL, date(year, month, day), block)
    return drawing


def _day(drawing: Drawing, x: float, y: float, day: date, block: Days) -> None:
    """Draw a day whose lower left corner is given."""
    side = _CELL - 1.6
    if day not in block.days:
        if block.first <= day <= block.last:
            drawing.add(Rect(x, y, side, side, 2.5, 2.5, fillColor=None, strokeColor=INK_OF[LINE], strokeWidth=0.7))
        drawing.add(_words(x + side / 2, y + side / 2 - 2.3, str(day.day), 6, PALE, at="middle"))
        return
    outcome, _ = block.days[day]
    shade = tone(outcome)
    solid = outcome in (Outcome.FAILED, Outcome.LOST)
    fill, ink = (INK_OF[shade], CARD) if solid else (TINTS[shade], shade)
    drawing.add(Rect(x, y, side, side, 2.5, 2.5, fillColor=fill, strokeColor=INK_OF[shade], strokeWidth=0.7))
    drawing.add(_words(x + 1.4, y + side - 5.6, str(day.day), 5, ink))
    drawing.add(_words(x + side - 4.4, y + 2.2, SIGNS[outcome], 7.5, ink, BOLD, "middle"))


def legend() -> Table:
    """Return the meaning of the signs, in one row."""
    cells: list[Sign | Text] = []
    for outcome, word in WORDS.items():
        cells += [Sign(SIGNS[outcome], tone(outcome), 4.6), Text(word.lower(), size=7.5, color=MUTE)]
    cells.append(Text("empty: no run", size=7.5, color=MUTE))
    style = [*TIGHT, ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]
    return Table([cells], [13, 61] * len(WORDS) + [67], style=style, hAlign="LEFT", spaceBefore=2)
