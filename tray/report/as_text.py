"""Write a sheet as text for a terminal."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from tray import wording
from tray.core import clock
from tray.report import facts

_MOST_LINES = 20
_MEASURED = 1000
"""Rows of a listing that decide how wide its columns are; a longer list is not held in memory."""
_WIDEST = 40


def written(sheet: facts.Sheet) -> bytes:
    """Return the report as text. Calendar and bars are left out; a sentence says the same as the bars."""
    return ("\n".join(_lines(sheet)) + "\n").encode()


def _lines(sheet: facts.Sheet) -> Iterator[str]:
    yield sheet.headline
    of_run = sheet.one_page  # there the headline holds the word
    yield from (f"  {text}" for text in (*sheet.under, "" if of_run else sheet.word) if text)
    for block in sheet.blocks:
        yield from _block(block)
    if sheet.rests is None:
        yield f"  {sheet.foot}"


def _block(block: facts.Block) -> Iterator[str]:
    match block:
        case facts.Figures(rows):
            yield from ["", *_pairs(rows)]
        case facts.Facts(title, rows):
            yield from ["", title, *_pairs(rows)]
        case facts.Note(text):
            yield f"  Note: {text}"
        case facts.Lines(title, rows):
            yield from ["", title]
            for item, message in rows[:_MOST_LINES]:
                yield f"  - {': '.join(filter(None, (item, message)))}"
            if len(rows) > _MOST_LINES:
                yield f"  … {wording.count(len(rows) - _MOST_LINES)} more in the entry, and in the run's log: `backup-tray log RUN`"
        case facts.Steps(title, rows):
            yield from ["", title, *_steps(rows)]
        case facts.Charts(_, charts):
            yield from ["", *(f"  {chart.words}" for chart in charts if chart.known)]
        case facts.Belief():
            yield from _belief(block)
        case facts.Listing(title, titles, rows):
            yield from ["", title, *_table(titles, (texts for texts, _ in rows))]


def _steps(rows: facts.Rows) -> Iterator[str]:
    for number, (words, command) in enumerate(rows, 1):
        yield f"  {number}. {words}"
        if command:
            yield f"       {command}"


def _belief(block: facts.Belief) -> Iterator[str]:
    verdict, rows, rests = block.verdict, block.rows, block.rests
    yield from ["", block.title if verdict is None else f"{block.title}: {verdict[1]}"]
    if verdict is not None:
        yield f"  {verdict[2]}"
    if rests is not None:
        as_of = clock.to_text(rests.as_of_ms)
        rows = [*rows, ("Log root", rests.root.hex()), ("As of", as_of), ("Checkpoint", rests.foot)]
    yield from _pairs([(name, value.replace(" ", "") if "hash" in name else value) for name, value in rows])


def _pairs(rows: facts.Rows) -> Iterator[str]:
    room = max((len(name) for name, _ in rows), default=0)
    return (f"  {name:<{room}}  {value}" for name, value in rows)


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    heads, rest = list(titles), iter(rows)
    first = list(islice(rest, _MEASURED))
    names = [title.lstrip("#") for title in heads]
    rooms = [min(max(map(len, column)), _WIDEST) for column in zip(names, *first, strict=True)]
    for cells in chain([names], first, rest):
        padded = (
            f"{cell:>{room}}" if title[0] == "#" else f"{cell:<{room}}"
            for title, cell, room in zip(heads, cells, rooms, strict=True)
        )
        yield f"  {'  '.join(padded)}".rstrip()
