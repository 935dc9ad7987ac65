"""Bars of a job's last runs, and a calendar of days. Shape and sign say what colour says."""

import calendar
from collections.abc import Callable, Sequence
from datetime import date

from tray.core import clock
from tray.core.model import EndedRun, Outcome
from tray.report.facts import SIGNS, WORDS
from tray.report.pdf import canvas as pens
from tray.report.pdf.canvas import BOLD, Pen, tone_of
from tray.report.summary import GOOD, Summary

_CELL, _GAP = 15.2, 20.0


def bars(
    pen: Pen,
    box: tuple[float, float, float, float],
    title: str,
    runs: Sequence[EndedRun],
    value: Callable[[EndedRun], int | None],
    word: Callable[[int], str],
) -> None:
    """Draw a bar for each run, as high as its value: full for a success, open with a thick edge for the rest.

    Args:
        box: Left, top, width, height.
        value: What is drawn; a run without it is a short dash.
    """
    left, top, wide, high = box
    pen.text(left, top + 9, title, size=8, font=BOLD, color=pens.MUTE, room=wide)
    known = [found for run in runs if (found := value(run)) is not None]
    if not known:
        pen.text(left, top + 26, "Not known of these runs.", size=8, color=pens.MUTE, room=wide)
        return
    most = max(*known, 1)
    pen.text(left + wide, top + 9, f"highest {word(most)}", size=7.5, color=pens.MUTE, align="right")
    ground, tall = top + high - 14, high - 32
    step = wide / max(len(runs), 12)
    for at, run in enumerate(runs):
        found, ink = value(run), pens.TONES[tone_of(run.outcome)][0]
        x, thick = left + at * step + step * 0.14, step * 0.72
        if found is None:
            pen.bar(x, ground - 1, thick, 1.2, fill=pens.LINE, edge=None)
            continue
        tall_one = max(tall * found / most, 1.2)
        solid = run.outcome is Outcome.SUCCEEDED
        pen.bar(x, ground, thick, tall_one, fill=ink if solid else pens.CARD, edge=None if solid else ink)
        if run.outcome not in GOOD:
            pen.text(
                x + thick / 2,
                ground - tall_one - 2.5,
                SIGNS[run.outcome],
                size=6.5,
                font=BOLD,
                color=ink,
                align="center",
            )
    pen.rule(ground, left, left + wide)
    ends = [f"{clock.local(run.finished_ms):%Y-%m-%d}" for run in (runs[0], runs[-1])]
    pen.text(left, ground + 10, ends[0], size=7, color=pens.MUTE)
    if any(run.outcome is not Outcome.SUCCEEDED for run in runs) and len(runs) > 11:
        pen.text(
            left + wide / 2 - 16, ground + 10, "open: not simply succeeded", size=7, color=pens.MUTE, align="center"
        )
    if len(runs) > 1:
        last = left + (len(runs) - 0.14) * step
        pen.text(max(last, left + 100), ground + 10, f"{ends[1]}, this run", size=7, color=pens.MUTE, align="right")


def month_high(year: int, month: int) -> float:
    """Return how much room a month takes."""
    return 26 + _CELL * len(calendar.monthcalendar(year, month))


def month(pen: Pen, x: float, y: float, shown: tuple[int, int], found: Summary) -> None:
    """Draw one month: each day with runs has the sign of its worst outcome."""
    pen.text(x, y + 8, f"{calendar.month_name[shown[1]]} {shown[0]}", size=8, font=BOLD)
    for column, name in enumerate("MTWTFSS"):
        pen.text(x + column * _CELL + _CELL / 2, y + 19, name, size=6.5, color=pens.MUTE, align="center")
    for row, week in enumerate(calendar.monthcalendar(*shown)):
        for column, number in enumerate(week):
            if number:
                _day(pen, x + column * _CELL, y + 23 + row * _CELL, date(*shown, number), found)


def _day(pen: Pen, x: float, y: float, day: date, found: Summary) -> None:
    side = _CELL - 1.6
    if day not in found.days:
        if found.first <= day <= found.last:
            pen.box(x, y, side, side, fill=pens.CARD, edge=pens.LINE, round=2.5)
        pen.text(x + side / 2, y + side / 2 + 2.3, str(day.day), size=6, color="#8a94a1", align="center")
        return
    outcome, _ = found.days[day]
    ink, tint = pens.TONES[tone_of(outcome)]
    solid = outcome in (Outcome.FAILED, Outcome.LOST)
    pen.box(x, y, side, side, fill=ink if solid else tint, edge=ink, round=2.5)
    ink = pens.CARD if solid else ink
    pen.text(x + 1.4, y + 5.6, str(day.day), size=5, color=ink)
    pen.text(x + side - 4.4, y + side - 2.2, SIGNS[outcome], size=7.5, font=BOLD, color=ink, align="center")


def legend(pen: Pen, y: float) -> float:
    """Explain the signs in one row and return what is below it."""
    x = pen.left
    for outcome, word in WORDS.items():
        pen.sign(x + 5, y - 3, 4.6, pens.TONES[tone_of(outcome)][0], SIGNS[outcome])
        pen.text(x + 13, y, word.lower(), size=7.5, color=pens.MUTE)
        x += 76
    pen.text(x, y, "empty: no run", size=7.5, color=pens.MUTE)
    return y + 14


def width_of_month() -> float:
    """Return how far two months beside each other are apart."""
    return _CELL * 7 + _GAP
