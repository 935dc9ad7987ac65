"""Write a sheet as HTML: one file that loads and runs nothing, prints well, and works with keyboard and screen reader."""

import base64
import calendar
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from hashlib import sha256
from html import escape

from tray import wording
from tray.core import files
from tray.core.model import Outcome
from tray.core.paths import assets
from tray.report import facts
from tray.report.basis import Base

_TIMES = ("Finished", "When (UTC)", "Expected", "Up to")


def written(sheet: facts.Sheet) -> bytes:
    """Return the report as one file."""
    style = files.content(assets() / "web" / "report.css").decode()
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(sheet.title)}</title>\n<style>{style}</style>\n</head>\n"
    )
    body = "\n".join([*_head(sheet), *(_block(block) for block in sheet.blocks)])
    foot = ", ".join(filter(None, (sheet.foot, sheet.as_of)))
    return f"{head}<body>\n<main>\n{body}\n</main>\n<footer>{_text(foot)}</footer>\n</body>\n</html>\n".encode()


def _head(sheet: facts.Sheet) -> Iterator[str]:
    yield f"<h1>{_text(sheet.headline)}</h1>"
    first, *others = [*sheet.under] or [""]
    if sheet.word:
        yield f"<p>{_badge(sheet.tone, sheet.sign, sheet.word)} {_text(first)}</p>"
    yield from (f'<p class="mute">{_text(text)}</p>' for text in others)


def _block(block: facts.Block) -> str:
    match block:
        case facts.Figures(rows):
            return f'<div class="card">{_list("figures", rows)}</div>'
        case facts.Facts(title, rows):
            return f'<h2>{title}</h2><div class="card">{_list("facts", rows)}</div>'
        case facts.Note(text):
            return f'<p class="mute">{_text(text)}</p>'
        case facts.Lines(title, rows, (_, "")):
            return f"<h2>{title}</h2><ol>{''.join(f'<li>{_text(item)}</li>' for item, _ in rows)}</ol>"
        case facts.Lines(title, rows, heads):
            return f"<h2>{title}</h2>" + _table(title, heads, ((row, None) for row in rows))
        case facts.Steps(title, rows):
            items = (
                f"<li>{_text(words)}{f'<pre>{_text(command)}</pre>' if command else ''}</li>" for words, command in rows
            )
            return f"<h2>{title}</h2><ol>{''.join(items)}</ol>"
        case facts.Charts(title, charts):
            return f'<h2>{title}</h2><div class="charts">{"".join(map(_bars, charts))}</div>'
        case facts.Belief():
            return _belief(block)
        case facts.Days():
            return _days(block)
        case facts.Listing(title, titles, rows):
            return f"<h2>{title}</h2>" + _table(title, titles, rows)


def _belief(block: facts.Belief) -> str:
    badge = ""
    if block.verdict is not None:
        tone, word, sentence = block.verdict
        badge = f"<p>{_badge(tone, facts.TONE_SIGNS[tone], word)} {_text(sentence)}</p>"
    rests = "" if block.rests is None else _checkpoint(block.rests)
    return f'<h2>{block.title}</h2><div class="card">{badge}{_list("facts", block.rows)}{rests}</div>'


def _checkpoint(rests: Base) -> str:
    note = "\n".join(map(_text, rests.note.decode("utf-8", "backslashreplace").strip().split("\n")))
    return f"{_list('facts', [('Log root', rests.root.hex(' ', -4))])}<h3>Checkpoint</h3><pre>{note}</pre>"


def _bars(chart: facts.Chart) -> str:
    if not chart.known:
        return f"<div><h3>{chart.title}</h3><p>Not known of these runs.</p></div>"
    step = 300 / max(len(chart.runs), 12)
    drawn = []
    for at, (run, share) in enumerate(zip(chart.runs, chart.shares, strict=True)):
        high = 1.0 if share is None else max(64 * share, 1.2)
        solid = ' class="open"' if run.outcome is not Outcome.SUCCEEDED else ""
        x, wide = at * step + step * 0.15, step * 0.7
        sign = "" if run.outcome in facts.GOOD else _sign(x + wide / 2, 76 - high, facts.SIGNS[run.outcome])
        box = f'<rect{solid} x="{x:.1f}" y="{80 - high:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
        drawn.append(f'<g class="{facts.tone(run.outcome)}">{box}{sign}</g>')
    words = _text(chart.words)
    head = f'<svg viewBox="0 0 300 84" role="img" aria-label="{words}"><title>{words}</title>'
    foot = f'<p class="mute">{words}. A full bar is a success.</p>'
    return f"<div><h3>{chart.title}</h3>{head}{''.join(drawn)}</svg>{foot}</div>"


def _sign(x: float, y: float, sign: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{sign}</text>'


def _days(block: facts.Days) -> str:
    months = "".join(_month(year, month, block) for year, month in block.months)
    legend = ", ".join(f"{facts.SIGNS[outcome]} {word.lower()}" for outcome, word in facts.WORDS.items())
    foot = f'<p class="mute">{legend}. A day without a sign had no run.</p>'
    return f'<h2>{block.title}</h2><div class="months">{months}</div>{foot}'


def _month(year: int, month: int, block: facts.Days) -> str:
    rows = []
    for week in calendar.monthcalendar(year, month):
        cells = (_day(date(year, month, day), block) if day else "<td></td>" for day in week)
        rows.append(f"<tr>{''.join(cells)}</tr>")
    days = zip("MTWTFSS", calendar.day_name, strict=True)
    head = "".join(f'<th scope="col"><abbr title="{name}">{letter}</abbr></th>' for letter, name in days)
    caption = f"<caption>{calendar.month_name[month]} {year}</caption>"
    return f'<table class="month">{caption}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _day(day: date, block: facts.Days) -> str:
    if day not in block.days:
        return f'<td class="mute">{day.day}</td>'
    outcome, count = block.days[day]
    words = f'<span class="hidden">{facts.WORDS[outcome]}, {wording.plural(count, "run")}</span>'
    return f'<td class="{facts.tone(outcome)}">{day.day}<b aria-hidden="true">{facts.SIGNS[outcome]}</b>{words}</td>'


def _badge(tone: str, sign: str, word: str) -> str:
    return f'<span class="badge {tone}"><span aria-hidden="true">{sign}</span> {_text(word)}</span>'


def _list(kind: str, rows: Iterable[tuple[str, str]]) -> str:
    return f'<dl class="{kind}">{"".join(_row(name, value) for name, value in rows)}</dl>'


def _row(name: str, value: str) -> str:
    shown = f"<code>{_text(value)}</code>" if name in facts.MONO else _text(value)
    return f"<div><dt>{_text(name)}</dt><dd>{shown}</dd></div>"


def _table(title: str, titles: Sequence[str], rows: Iterable[facts.Row]) -> str:
    """Return a table. The first cell of a row is its head; a time stays on one line; an outcome has its sign before its word."""
    kinds = [' class="n"' if title[0] == "#" else ' class="t"' if title in _TIMES else "" for title in titles]
    head = "".join(f'<th scope="col"{kind}>{title.lstrip("#")}</th>' for title, kind in zip(titles, kinds, strict=True))
    lines = []
    for cells, outcome in rows:
        texts = [_text(cell) for cell in cells]
        if outcome is not None:
            at = titles.index("Outcome")
            texts[at] = f"{facts.SIGNS[outcome]} {texts[at]}"
        first, *others = (f"{kind}>{text}" for kind, text in zip(kinds, texts, strict=True))
        lines.append(f'<tr><th scope="row"{first}</th>{"".join(f"<td{cell}</td>" for cell in others)}</tr>\n')
    head = f'<table><caption class="hidden">{title}</caption><thead><tr>{head}</tr></thead>'
    return f'<div class="wide">{head}<tbody>\n{"".join(lines)}</tbody></table></div>'


def _text(text: str) -> str:
    """Return *text* for HTML; invisible characters are made visible first."""
    return escape(wording.escape(text))
