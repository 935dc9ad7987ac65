"""The pages: one run on one page, a period, a list of entries. What does not fit is counted, never lost in silence."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tray import wording
from tray.core import clock
from tray.core.model import EndedRun
from tray.report import cells
from tray.report import summary as sums
from tray.report.basis import Base
from tray.report.facts import SIGNS, WORDS, Sheet, verdict_words
from tray.report.pdf import canvas as pens
from tray.report.pdf import charts, fonts
from tray.report.pdf.canvas import BOLD, MONO, Pen, tone_of
from tray.report.pdf.table import Column, Table
from tray.report.summary import Summary

if TYPE_CHECKING:
    from tray.audit.rows import StoredEntry

_LABEL = 74.0
_QR = 74.0
_AUDIT_HIGH = 210.0
_CHART_HIGH = 78.0
_CHART_SPARE = 46.0
_BELIEF_SIGNS = {"ok": "✓", "warn": "!", "fail": "✕", "none": "–"}
_MONO = ("Command", "Snapshot", "Run", "Entry hash")
NO_CHECKPOINT = "no checkpoint: the record is not in this log"


# -- one run


def of_run(shown: Sheet, paper: tuple[float, float]) -> bytes:
    """Return the report of one run: one page.

    Charts and audit entry follow what happened; where that is long they stand at the foot, and it gets the room above them.
    """
    pen = Pen(paper, f"Backup report: {shown.title}", shown.rests.foot if shown.rests else NO_CHECKPOINT)
    y = _head(pen, shown)
    y = _figures(pen, y, shown)
    lowest = pen.bottom - _AUDIT_HIGH
    chart = _CHART_HIGH + 22 if shown.charted else 8.0
    y = _facts(pen, y, shown, lowest - chart)
    y = _lists(pen, y, shown, lowest - chart - 10)
    y = min(y + 14, lowest - chart)
    if shown.charted:
        spare = min(max(lowest - chart - y, 0.0), _CHART_SPARE)
        _charts(pen, y, _CHART_HIGH + spare, shown)
        y += spare
    _audit(pen, y + chart, shown)
    return pen.done()


def _head(pen: Pen, shown: Sheet) -> float:
    doubted = shown.belief[0] == "fail"
    tone = pens.TONES["fail" if doubted else tone_of(shown.outcome)][0]
    pen.text(pen.left, 46, "Backup report", size=8.5, font=BOLD, color=pens.MUTE)
    if shown.rests is not None:
        pen.text(pen.right, 46, f"as of {clock.to_text(shown.rests.as_of_ms)}", size=8, color=pens.MUTE, align="right")
    sign = "–" if shown.outcome is None else SIGNS[shown.outcome]
    pen.sign(pen.left + 13, 75, 13, tone, _BELIEF_SIGNS["fail"] if doubted else sign)
    x = pen.left + 36
    y = pen.lines(x, 80, shown.title, room=pen.right - x, most=2, size=16, font=BOLD, step=1.25)
    y -= 3
    y = pen.lines(x, y, shown.reason, room=pen.right - x, most=2, size=9.5, color=pens.MUTE)
    return pen.lines(x, y, shown.advice, room=pen.right - x, most=2, size=9.5, color=pens.MUTE) + 2


def _figures(pen: Pen, y: float, shown: Sheet) -> float:
    if not shown.figures:
        return y
    pen.box(pen.left, y, pen.room, 42)
    step = (pen.room - 20) / len(shown.figures)
    for at, (name, value) in enumerate(shown.figures):
        x = pen.left + 13 + at * step
        pen.text(x, y + 15, name, size=8, color=pens.MUTE, room=step - 8)
        pen.text(x, y + 32, value, size=12.5, font=BOLD, room=step - 8)
    return y + 60


def _facts(pen: Pen, y: float, shown: Sheet, bottom: float) -> float:
    """Write the facts; a value has one line where steps and problems need room too."""
    most = 1 if shown.steps or shown.problems else 2
    for at, (name, value) in enumerate(shown.facts):
        if y > bottom - 24:
            left = ", ".join(one for one, _ in shown.facts[at:])
            return _row(pen, pen.left, y, "Also", f"{left}: in the entry", pen.room - _LABEL) + 4
        y = _row(pen, pen.left, y, name, value, pen.room - _LABEL, most=most, mono=name in _MONO)
    return y + 4


def _row(
    pen: Pen, x: float, y: float, name: str, value: str, room: float, *, most: int = 1, mono: bool = False
) -> float:
    pen.text(x, y, name, size=8.5, color=pens.MUTE)
    font, size = (MONO, 7.4) if mono else (pens.SANS, 8.5)
    return max(pen.lines(x + _LABEL, y, value, room=room, most=most, size=size, font=font, step=1.38) + 1.6, y + 13.2)


def _lists(pen: Pen, y: float, shown: Sheet, bottom: float) -> float:
    """Steps and problems share what room is left; the problems get at least half of it."""
    heads = 19 * (bool(shown.steps) + bool(shown.problems))
    lines = max(int((bottom - y - heads) // 12), 0)
    steps = min(len(shown.steps), max(lines - len(shown.problems), lines // 2 if shown.problems else lines))
    rows = [(step, "") for step in shown.steps]
    y = _list(pen, y, "Steps", rows, steps)
    return _list(pen, y, f"Problems ({wording.count(len(shown.problems))})", shown.problems, lines - steps)


def _list(pen: Pen, y: float, title: str, rows: Sequence[tuple[str, str]], most: int) -> float:
    if not rows:
        return y
    if most < 1:
        pen.text(
            pen.left, y, f"{title}: {wording.count(len(rows))}, in the entry", size=8.5, color=pens.MUTE, room=pen.room
        )
        return y + 12
    y = pen.heading(y + 6, title) + 5
    shown = rows if len(rows) <= most else rows[: most - 1]
    for item, message in shown:
        pen.text(pen.left, y, "•", size=8, color=pens.MUTE)
        pen.text(pen.left + 10, y, _both(item, message, pen.room - 10), size=8, room=pen.room - 10)
        y += 12
    if len(shown) < len(rows):
        more = f"… {wording.count(len(rows) - len(shown))} more in the entry and in the run's log"
        pen.text(pen.left + 10, y, more, size=8, color=pens.MUTE, room=pen.room - 10)
        y += 12
    return y


def _both(item: str, message: str, room: float) -> str:
    """Return an item and what is said of it; a long name leaves half of the line to the message."""
    if not (item and message):
        return item or message
    said = f": {fonts.fit(message, pens.SANS, 8, room / 2)}"
    return fonts.fit(item, pens.SANS, 8, room - fonts.width(said, pens.SANS, 8)) + said


def _charts(pen: Pen, y: float, high: float, shown: Sheet) -> None:
    half = (pen.room - 26) / 2
    runs = shown.charted
    count = f"the last {len(runs)} runs"
    charts.bars(pen, (pen.left, y, half, high), f"Size, {count}", runs, lambda run: run.bytes_processed, wording.size)
    charts.bars(
        pen,
        (pen.left + half + 26, y, half, high),
        f"Duration, {count}",
        runs,
        lambda run: run.duration_ms,
        lambda ms: wording.duration(ms / 1000),
    )


def _audit(pen: Pen, y: float, shown: Sheet) -> None:
    """Whether the entry can be believed, the entry, the signed note as it is, and name, size and root again as a QR code."""
    tone, word, sentence = shown.belief
    pen.text(pen.left, y, "Audit entry", size=9, font=BOLD, color=pens.MUTE)
    top = y + 7
    pen.box(pen.left, top, pen.room, _AUDIT_HIGH - 13)
    x, room = pen.left + 12, pen.room - 24
    end = pen.badge(x, y + 25, tone, word, _BELIEF_SIGNS[tone])
    below = pen.lines(end + 8, y + 25, sentence, room=pen.right - 12 - end - 8, most=3, size=8.5)
    y = max(below, y + 36) + 6
    for name, value in shown.proof:
        y = _row(pen, x, y, name, value, room - _LABEL, mono=name in _MONO)
    if shown.rests is not None:
        pen.qr(pen.right - 8 - _QR, top + _AUDIT_HIGH - 13 - 5 - _QR, _QR, shown.rests.short)
        _checkpoint(pen, x, y + 4, room - _QR - 16, shown.rests)


def _checkpoint(pen: Pen, x: float, y: float, room: float, rests: Base) -> None:
    y = _row(pen, x, y, "Log root", rests.root.hex(" ", -4), room - _LABEL, most=2, mono=True)
    pen.text(x, y, "Checkpoint", size=8.5, color=pens.MUTE)
    for line in rests.note.decode("utf-8", "backslashreplace").splitlines()[:8]:
        if line:
            for part in fonts.wrap(wording.escape(line), MONO, 5.4, room - _LABEL, 2):
                pen.text(x + _LABEL, y - 1, part, size=5.4, font=MONO)
                y += 7.2


# -- a period


def of_period(found: Summary, paper: tuple[float, float]) -> bytes:
    """Return the report of a period: overview, calendar, jobs, what did not succeed, all runs."""
    pen = Pen(paper, f"Backup report: {sums.period_words(found)}", found.rests.foot)
    y = _period_head(pen, found)
    y = _calendar(pen, y + 14, found)
    y = _jobs(pen, y + 14, found)
    y = _failures(pen, y + 16, found)
    _all_runs(pen, y + 16, found)
    return pen.done()


def _period_head(pen: Pen, found: Summary) -> float:
    tone, sentence = sums.headline(found)
    pen.text(pen.left, 46, "Backup report", size=8.5, font=BOLD, color=pens.MUTE)
    pen.text(pen.right, 46, f"as of {clock.to_text(found.rests.as_of_ms)}", size=8, color=pens.MUTE, align="right")
    pen.sign(pen.left + 13, 75, 13, pens.TONES[tone][0], _BELIEF_SIGNS[tone])
    pen.text(pen.left + 36, 74, sentence, size=16, font=BOLD, room=pen.room - 36)
    pen.text(pen.left + 36, 90, sums.period_words(found), size=9.5, color=pens.MUTE)
    y = 102.0
    pen.box(pen.left, y, pen.room, 42)
    rows = sums.totals(found)
    step = (pen.room - 20) / len(rows)
    for at, (name, value) in enumerate(rows):
        pen.text(pen.left + 13 + at * step, y + 15, name, size=8, color=pens.MUTE, room=step - 6)
        pen.text(pen.left + 13 + at * step, y + 32, value, size=11.5, font=BOLD, room=step - 6)
    y = _trust(pen, y + 64, found.rests)
    for name, value in sums.asked_words(found.wanted):
        y = _row(pen, pen.left, y, name, value, pen.room - _LABEL, most=2)
    for note in sums.notes(found):
        y = pen.lines(pen.left, y, note, room=pen.room, most=3, size=8.5, color=pens.MUTE)
    return y


def _trust(pen: Pen, y: float, rests: Base) -> float:
    """Verification, root and QR code of the checkpoint."""
    pen.text(pen.left, y, "Audit log", size=9, font=BOLD, color=pens.MUTE)
    side, top = 70.0, y + 7
    pen.box(pen.left, top, pen.room, 88)
    pen.qr(pen.right - 8 - side, top + 9, side, rests.short)
    x, room = pen.left + 12, pen.room - side - 36
    y = top + 19
    if rests.verdict is not None:
        tone, word, sentence = verdict_words(rests.verdict)
        end = pen.badge(x, y, tone, word, _BELIEF_SIGNS[tone])
        y = max(pen.lines(end + 8, y, sentence, room=x + room - end - 8, most=3, size=8.5), y + 12) + 4
    y = _row(pen, x, y, "Log", f"{rests.log}, {wording.count(rests.size)} entries", room - _LABEL)
    _row(pen, x, y, "Log root", rests.root.hex(" ", -4), room - _LABEL, most=2, mono=True)
    return top + 88 + 18


def _calendar(pen: Pen, y: float, found: Summary) -> float:
    shown = sums.months(found)
    if not found.runs:
        return y
    y = pen.heading(y, "Days: the worst outcome of each") + 6
    across = max(int((pen.room + 20) // charts.width_of_month()), 1)
    for at in range(0, len(shown), across):
        row = shown[at : at + across]
        high = max(charts.month_high(*one) for one in row)
        if y + high + 16 > pen.bottom:
            y = pen.turn() + 6
        for column, one in enumerate(row):
            charts.month(pen, pen.left + column * charts.width_of_month(), y, one, found)
        y += high + 8
    return charts.legend(pen, y + 4)


def _jobs(pen: Pen, y: float, found: Summary) -> float:
    table = Table(
        pen,
        "Jobs",
        [
            Column("Job", 0),
            Column("Runs", 32, right=True),
            Column("Succeeded", 50, right=True),
            Column("Warnings", 47, right=True),
            Column("Failed", 34, right=True),
            Column("Other", 32, right=True),
            Column("Rate", 38, right=True),
            Column("Longest gap", 84, right=True),
            Column("Added", 46, right=True),
        ],
    )
    rows = (sums.job_row(line, whole=found.whole) for line in found.jobs)
    return table.draw(y, ((row, None) for row in rows))


def _failures(pen: Pen, y: float, found: Summary) -> float:
    failures = list(found.failures)
    if not failures:
        return y
    table = Table(
        pen,
        f"What did not simply succeed ({wording.count(len(failures))})",
        [
            Column("Finished", 72),
            Column("Outcome", 58),
            Column("Job", 92),
            Column("Why", 0),
            Column("Entry", 44, right=True),
        ],
    )
    return table.draw(y, ((_failure(run), run.outcome) for run in failures))


def _failure(run: EndedRun) -> list[str]:
    why = wording.escape(run.reason or "not known, or erased")
    return [cells.when(run), WORDS[run.outcome], wording.escape(run.job), why, cells.entry(run)]


def _all_runs(pen: Pen, y: float, found: Summary) -> float:
    table = Table(
        pen,
        f"All runs ({wording.count(len(found.runs))})",
        [
            Column("Finished", 72),
            Column("Outcome", 58),
            Column("Job", 0),
            Column("Kind", 34),
            Column("Duration", 51, right=True),
            Column("Size", 40, right=True),
            Column("Added", 40, right=True),
            Column("Files", 44, right=True),
            Column("Entry", 38, right=True),
        ],
    )
    return table.draw(y, ((_run(run), run.outcome) for run in found.runs))


def _run(run: EndedRun) -> list[str]:
    return [
        cells.when(run),
        WORDS[run.outcome],
        wording.escape(run.job),
        wording.escape(run.kind),
        *cells.figures(run),
    ]


# -- entries


def of_entries(
    found: "Iterable[StoredEntry]", asked: Sequence[tuple[str, str]], rests: Base, paper: tuple[float, float]
) -> bytes:
    """Return a list of entries of every kind."""
    pen = Pen(paper, "Audit log: entries", rests.foot)
    pen.text(pen.left, 46, "Audit report", size=8.5, font=BOLD, color=pens.MUTE)
    pen.text(pen.right, 46, f"as of {clock.to_text(rests.as_of_ms)}", size=8, color=pens.MUTE, align="right")
    pen.text(pen.left, 72, "Entries of the audit log", size=16, font=BOLD)
    y = _trust(pen, 96, rests)
    for name, value in asked:
        y = _row(pen, pen.left, y, name, value, pen.room - _LABEL, most=2)
    columns = [
        Column("Entry", 38, right=True),
        Column("When (UTC)", 86),
        Column("Action", 98),
        Column("Result", 56),
        Column("Severity", 42),
        Column("Job", 66),
        Column("Who", 0),
    ]
    Table(pen, "Entries", columns).draw(y + 10, ((_entry_row(entry), None) for entry in found))
    return pen.done()


def _entry_row(entry: "StoredEntry") -> list[str]:
    data = entry.data
    when = data["time"][:19].replace("T", " ")
    shown = (when, data["action"], data["result"], data["severity"], data["job"] or "–", data["actor"])
    return [wording.count(entry.seq), *(wording.escape(str(value)) for value in shown)]
