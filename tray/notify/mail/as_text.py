"""Write a letter as plain text, for mail programs that show no HTML and for people who read in a terminal."""

import re
import textwrap
from collections.abc import Iterator, Sequence

from tray.notify.four_weeks import EMPTY
from tray.notify.mail.letter import Card, Letter, Row
from tray.rhythm.kept_slots import ASLEEP, KEPT, LATE, MISSED

WIDTH = 76
_SIGNS = {KEPT: "#", LATE: "+", MISSED: "x", ASLEEP: "~", EMPTY: "."}
LEGEND = "# backed up   + late   x missed   ~ machine asleep   . no backup"
_NAME = 20
_NO_BREAK = "\0"


def written(letter: Letter) -> str:
    """Return the letter; lines that can be wrapped are."""
    parts = [_heading(letter.title, "="), letter.at, *(_wrapped(line) for line in letter.lines)]
    parts += [_card(card) for card in letter.cards]
    if letter.rest:
        parts.append("\n".join(_wrapped(line, "- ") for line in letter.rest))
    if letter.rows:
        parts.append(_table(letter.rows))
    if letter.calendar:
        parts.append("\n".join(_calendar(letter)))
    if letter.commands:
        parts.append("\n".join(("To see more:", "", *(f"    {command}" for command in letter.commands))))
    return "\n\n".join(part for part in parts if part) + "\n\n-- \n" + "\n".join(map(_wrapped, letter.footer)) + "\n"


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * min(len(text), WIDTH)}"


def _wrapped(text: str, mark: str = "") -> str:
    """Return *text* on lines of `WIDTH`, each command whole on one line."""
    indent = " " * len(mark)
    whole = re.sub(r"`[^`]*`", lambda match: match[0].replace(" ", _NO_BREAK), text)
    lines = textwrap.fill(
        whole, WIDTH, initial_indent=mark, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
    return lines.replace(_NO_BREAK, " ")


def _card(card: Card) -> str:
    parts = [f"{_heading(card.title, '-')}\n{card.at}"] if card.title else []
    parts += [_wrapped(line) for line in card.lines]
    if card.advice:
        parts.append(_wrapped(f"Next: {card.advice}"))
    parts.append("\n".join(f"    {command}" for command in card.commands))
    width = max((len(label) for label, _ in card.figures), default=0) + 2
    parts.append("\n".join(f"{label + ':':<{width}}{value}" for label, value in card.figures))
    return "\n\n".join(part for part in parts if part)


def _table(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        lines.append(f"{row.job}: {row.word}")
        lines.append(f"    last good {row.last_good}, {row.label.lower()} {row.next}, size {row.size}")
    return "\n".join(lines)


def _calendar(letter: Letter) -> Iterator[str]:
    yield f"The last four weeks, from {letter.first_day} on, a sign a day:"
    yield ""
    for week in letter.calendar:
        signs = "".join(_SIGNS.get(day, "?") for day in week.days)
        weeks = " ".join(signs[at : at + 7] for at in range(0, len(signs), 7))
        name = week.job if len(week.job) <= _NAME else week.job[: _NAME - 1] + "…"
        yield f"{name:<{_NAME}}  {weeks}"
    yield ""
    yield LEGEND
