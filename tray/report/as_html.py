"""HTML: one file that needs nothing else, runs nothing, prints well, and can be read by eye, keyboard and screen reader."""

import base64
import calendar
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

from tray import wording
from tray.core import clock
from tray.core.model import EndedRun, Outcome
from tray.report import cells
from tray.report import summary as sums
from tray.report.basis import Base
from tray.report.facts import SIGNS, TONES, WORDS, Rows, Sheet, verdict_words
from tray.report.summary import Summary

if TYPE_CHECKING:
    from tray.audit.rows import StoredEntry

_STYLE = """
:root { color-scheme: light dark; --bg: #f4f6f8; --card: #fff; --ink: #1a1f26; --mute: #56616d; --line: #dce1e8;
  --ok: #17694a; --ok-soft: #dff3e8; --warn: #7d5200; --warn-soft: #fdf0d2; --fail: #b4232d; --fail-soft: #fce4e5;
  --none: #4d5763; --none-soft: #e3e8ee; }
@media (prefers-color-scheme: dark) { :root { --bg: #15181c; --card: #1d2126; --ink: #e7eaee; --mute: #a3adb9;
  --line: #31373f; --ok: #5ec995; --ok-soft: #173628; --warn: #e6b450; --warn-soft: #3a2e12; --fail: #ff8a92;
  --fail-soft: #43191d; --none: #b4bdc8; --none-soft: #2d333a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); overflow-wrap: anywhere;
  font: 0.9375rem/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
main, footer { max-width: 62rem; margin: 0 auto; padding: 1.4rem 1.2rem; }
footer { color: var(--mute); font-size: 0.8125rem; border-top: 1px solid var(--line); }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 0.3rem; }
h2 { font-size: 0.9rem; color: var(--mute); margin: 1.8rem 0 0.6rem; }
h3 { font-size: 0.875rem; margin: 0.7rem 0 0.3rem; }
p { margin: 0 0 0.6rem; } .mute { color: var(--mute); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.2rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: 0.8rem; margin: 0; }
.figures dt { color: var(--mute); font-size: 0.8125rem; } .figures dd { margin: 0; font-size: 1.15rem; font-weight: 650; }
.facts { margin: 0; } .facts div { display: grid; grid-template-columns: minmax(6rem, 9rem) minmax(0, 1fr); gap: 0.25rem 1rem; }
.facts dt { color: var(--mute); } .facts dd { margin: 0; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.8125rem; }
pre { white-space: pre-wrap; margin: 0.4rem 0 0; }
.badge { display: inline-block; border-radius: 99px; padding: 0.05rem 0.7rem; font-weight: 600; font-size: 0.8125rem; }
.ok { color: var(--ok); } .warn { color: var(--warn); } .fail { color: var(--fail); } .none { color: var(--none); }
.badge.ok, td.ok { background: var(--ok-soft); } .badge.warn, td.warn { background: var(--warn-soft); }
.badge.fail, td.fail { background: var(--fail-soft); } .badge.none, td.none { background: var(--none-soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.8125rem; }
caption { text-align: left; color: var(--mute); padding: 0 0 0.4rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid var(--line); }
th, td { max-width: 21rem; } th.t, td.t { white-space: nowrap; }
th.n, td.n { text-align: right; white-space: nowrap; } thead th { overflow-wrap: normal; }
th { min-width: 5.2rem; } th.n, .month th { min-width: 0; } p { margin-top: 0.5rem; }
 tbody th { font-weight: 600; }
.months { display: flex; flex-wrap: wrap; gap: 1.2rem; }
.month { width: auto; } .month th, .month td { text-align: center; border: 1px solid var(--line); padding: 0.1rem;
  width: 1.9rem; height: 1.9rem; line-height: 1.05; } .month b { display: block; font-size: 0.75rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1.2rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: currentColor; font-size: 9px; }
svg rect { fill: currentColor; stroke: currentColor; } svg .open { fill: var(--card); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media print { :root { color-scheme: light; --bg: #fff; --card: #fff; --ink: #000; --mute: #3c444d; --line: #b8bfc8;
  --ok: #17694a; --ok-soft: #fff; --warn: #7d5200; --warn-soft: #fff; --fail: #b4232d; --fail-soft: #fff; --none: #3c444d;
  --none-soft: #fff; }
  body { font-size: 9.5pt; } main, footer { max-width: none; padding: 0.4rem 0; } tr, .card, .month { break-inside: avoid; }
  thead { display: table-header-group; } .wide { overflow: visible; } }
"""
_MONO = ("Command", "Snapshot", "Run", "Entry hash", "Log root")
_SIGNS = {"ok": "✓", "warn": "!", "fail": "✕", "none": "–"}
_TIMES = ("Finished", "When (UTC)")


def of_run(shown: Sheet) -> bytes:
    """Return the report of one run."""
    tone = "fail" if shown.belief[0] == "fail" else _tone(shown.outcome)
    sign = "–" if shown.outcome is None else SIGNS[shown.outcome]
    return _page(f"Backup report: {shown.title}", _run_parts(shown, tone, sign), shown.rests)


def _run_parts(shown: Sheet, tone: str, sign: str) -> Iterator[str]:
    word = "No end yet" if shown.outcome is None else WORDS[shown.outcome]
    yield f"<h1>{_text(shown.title)}</h1>"
    yield f"<p>{_badge(tone, sign, word)} {_text(shown.reason)}</p>"
    if shown.advice:
        yield f'<p class="mute">{_text(shown.advice)}</p>'
    if shown.figures:
        yield f'<div class="card">{_list("figures", shown.figures)}</div>'
    yield f'<h2>What happened</h2><div class="card">{_list("facts", shown.facts)}</div>'
    if shown.steps:
        yield f"<h2>Steps</h2><ol>{''.join(f'<li>{_text(step)}</li>' for step in shown.steps)}</ol>"
    if shown.problems:
        yield f"<h2>Problems ({wording.count(len(shown.problems))})</h2>"
        yield _table("What could not be done", ("Item", "Message"), shown.problems)
    if shown.charted:
        yield from _charts(shown.charted)
    yield "<h2>Audit entry</h2>"
    tone, word, sentence = shown.belief
    yield f'<div class="card"><p>{_badge(tone, _SIGNS[tone], word)} {_text(sentence)}</p>{_list("facts", shown.proof)}'
    yield (_checkpoint(shown.rests) if shown.rests else "") + "</div>"


def _charts(runs: Sequence[EndedRun]) -> Iterator[str]:
    count = "this run" if len(runs) == 1 else f"the last {len(runs)} runs, this one at the right"
    yield f'<h2>Compared with {count}</h2><div class="charts">'
    yield _bars("Size", runs, lambda run: run.bytes_processed, wording.size)
    yield _bars("Duration", runs, lambda run: run.duration_ms, lambda ms: wording.duration(ms / 1000))
    yield "</div>"


def _bars(
    title: str, runs: Sequence[EndedRun], value: Callable[[EndedRun], int | None], word: Callable[[int], str]
) -> str:
    known = [found for run in runs if (found := value(run)) is not None]
    if not known:
        return f"<div><h3>{title}</h3><p>Not known of these runs.</p></div>"
    most, step = max(*known, 1), 300 / max(len(runs), 12)
    drawn = []
    for at, run in enumerate(runs):
        found = value(run)
        high = 1.0 if found is None else max(64 * found / most, 1.2)
        solid = ' class="open"' if run.outcome is not Outcome.SUCCEEDED else ""
        x, wide = at * step + step * 0.15, step * 0.7
        sign = "" if run.outcome in sums.GOOD else _sign(x + wide / 2, 76 - high, SIGNS[run.outcome])
        box = f'<rect{solid} x="{x:.1f}" y="{80 - high:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
        drawn.append(f'<g class="{_tone(run.outcome)}">{box}{sign}</g>')
    reach = f"lowest {word(min(known))}, highest {word(max(known))}, newest {_newest(runs, value, word)}"
    said = f"{title} of {wording.plural(len(runs), 'run')}: {reach}"
    head = f'<svg viewBox="0 0 300 84" role="img" aria-label="{_text(said)}"><title>{_text(said)}</title>'
    return f'<div><h3>{title}</h3>{head}{"".join(drawn)}</svg><p class="mute">{_text(said)}. A full bar is a success.</p></div>'


def _newest(runs: Sequence[EndedRun], value: Callable[[EndedRun], int | None], word: Callable[[int], str]) -> str:
    found = value(runs[-1])
    return "not known" if found is None else word(found)


def _sign(x: float, y: float, sign: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{sign}</text>'


def of_period(found: Summary) -> bytes:
    """Return the report of a period."""
    return _page(f"Backup report: {sums.period_words(found)}", _period_parts(found), found.rests)


def _period_parts(found: Summary) -> Iterator[str]:
    tone, sentence = sums.headline(found)
    yield f"<h1>{_text(sentence)}</h1><p>{_badge(tone, _SIGNS[tone], sums.period_words(found))}</p>"
    yield f'<div class="card">{_list("figures", sums.totals(found))}</div>'
    if asked := sums.asked_words(found.wanted):
        yield f'<h2>Asked for</h2><div class="card">{_list("facts", asked)}</div>'
    yield from (f'<p class="mute">{_text(note)}</p>' for note in sums.notes(found))
    yield _trust(found.rests)
    if found.runs:
        yield '<h2>Days: the worst outcome of each</h2><div class="months">'
        yield from (_month(year, month, found) for year, month in sums.months(found))
        legend = ", ".join(f"{SIGNS[outcome]} {word.lower()}" for outcome, word in WORDS.items())
        yield f'</div><p class="mute">{legend}. A day without a sign had no run.</p>'
    titles = ("Job", "#Runs", "#Succeeded", "#Warnings", "#Failed", "#Other", "#Rate", "#Longest gap", "#Added")
    yield "<h2>Jobs</h2>" + _table("Each job", titles, (sums.job_row(one, whole=found.whole) for one in found.jobs))
    failures = [
        (cells.when(run), _word(run), run.job, run.reason or "not known, or erased", cells.entry(run))
        for run in found.failures
    ]
    if failures:
        yield "<h2>What did not simply succeed</h2>"
        yield _table("The newest first", ("Finished", "Outcome", "Job", "Why", "#Entry"), failures)
    titles = ("Finished", "Outcome", "Job", "Kind", "#Duration", "#Size", "#Added", "#Files", "#Entry")
    yield "<h2>All runs</h2>" + _table("The newest first", titles, map(_run_row, found.runs))


def _run_row(run: EndedRun) -> tuple[str, ...]:
    return (
        cells.when(run),
        _word(run),
        run.job,
        run.kind,
        *cells.figures(run),
    )


def _word(run: EndedRun) -> str:
    return f"{SIGNS[run.outcome]} {WORDS[run.outcome]}"


def _month(year: int, month: int, found: Summary) -> str:
    rows = []
    for week in calendar.monthcalendar(year, month):
        cells = (_day(date(year, month, day), found) if day else "<td></td>" for day in week)
        rows.append(f"<tr>{''.join(cells)}</tr>")
    days = zip("MTWTFSS", calendar.day_name, strict=True)
    head = "".join(f'<th scope="col"><abbr title="{name}">{letter}</abbr></th>' for letter, name in days)
    caption = f"<caption>{calendar.month_name[month]} {year}</caption>"
    return f'<table class="month">{caption}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _day(day: date, found: Summary) -> str:
    if day not in found.days:
        return f'<td class="mute">{day.day}</td>'
    outcome, count = found.days[day]
    said = f'<span class="hidden">{WORDS[outcome]}, {wording.plural(count, "run")}</span>'
    return f'<td class="{_tone(outcome)}">{day.day}<b aria-hidden="true">{SIGNS[outcome]}</b>{said}</td>'


def of_entries(found: "Iterable[StoredEntry]", asked: Rows, rests: Base) -> bytes:
    """Return a list of entries of every kind."""
    titles = ("#Entry", "When (UTC)", "Action", "Result", "Severity", "Job", "Who")
    parts = ["<h1>Entries of the audit log</h1>", _trust(rests)]
    if asked:
        parts.append(f'<h2>Asked for</h2><div class="card">{_list("facts", asked)}</div>')
    parts.append("<h2>Entries</h2>" + _table("The newest first", titles, map(_entry_row, found)))
    return _page("Audit log: entries", parts, rests)


def _entry_row(entry: "StoredEntry") -> tuple[str, ...]:
    data = entry.data
    words = (data["time"], data["action"], data["result"], data["severity"], data["job"] or "–", data["actor"])
    return (wording.count(entry.seq), *map(str, words))


# -- parts


def _page(title: str, parts: Iterable[str], rests: Base | None) -> bytes:
    digest = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    foot = "No checkpoint: the record is not in this log."
    if rests is not None:
        foot = f"{_text(rests.foot)}, as of {clock.to_text(rests.as_of_ms)}"
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
    )
    body = "\n".join(parts)
    return f"{head}<body>\n<main>\n{body}\n</main>\n<footer>{foot}</footer>\n</body>\n</html>\n".encode()


def _trust(rests: Base) -> str:
    said = ""
    if rests.verdict is not None:
        tone, word, sentence = verdict_words(rests.verdict)
        said = f"<p>{_badge(tone, _SIGNS[tone], word)} {_text(sentence)}</p>"
    return f'<h2>Audit log</h2><div class="card">{said}{_checkpoint(rests)}</div>'


def _checkpoint(rests: Base) -> str:
    note = wording.escape(rests.note.decode("utf-8", "backslashreplace").replace("\n", "\0")).replace("\\x00", "\n")
    rows = [("Log root", rests.root.hex(" ", -4)), ("Size", f"{wording.count(rests.size)} entries")]
    return f"{_list('facts', rows)}<h3>Checkpoint</h3><pre>{escape(note.strip())}</pre>"


def _tone(outcome: Outcome | None) -> str:
    return "none" if outcome is None else TONES.get(outcome, "none")


def _badge(tone: str, sign: str, word: str) -> str:
    return f'<span class="badge {tone}"><span aria-hidden="true">{sign}</span> {_text(word)}</span>'


def _list(kind: str, rows: Iterable[tuple[str, str]]) -> str:
    return f'<dl class="{kind}">{"".join(_row(name, value) for name, value in rows)}</dl>'


def _row(name: str, value: str) -> str:
    shown = f"<code>{_text(value)}</code>" if name in _MONO else _text(value)
    return f"<div><dt>{_text(name)}</dt><dd>{shown}</dd></div>"


def _table(caption: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a title that begins with "#" is over numbers. The first cell of a row is its head; a time is one line."""
    kinds = [' class="n"' if title[0] == "#" else ' class="t"' if title in _TIMES else "" for title in titles]
    head = "".join(
        f'<th scope="col"{kind}>{_text(title.lstrip("#"))}</th>' for title, kind in zip(titles, kinds, strict=True)
    )
    lines = []
    for row in rows:
        first, *cells = [
            f"<{tag}{kind}>{_text(cell)}</{tag[:2]}>"
            for tag, kind, cell in zip(['th scope="row"'] + ["td"] * (len(titles) - 1), kinds, row, strict=True)
        ]
        lines.append(f"<tr>{first}{''.join(cells)}</tr>\n")
    head = f"<table><caption>{_text(caption)}</caption><thead><tr>{head}</tr></thead>"
    return f'<div class="wide">{head}<tbody>\n{"".join(lines)}</tbody></table></div>'


def _text(text: str) -> str:
    """Return *text* for HTML; what is invisible is made visible first."""
    return escape(wording.escape(text))
