"""Write a letter as HTML for mail programs: tables and inline styles, no image, no script, nothing that is loaded from outside.

Light by default, dark where the mail program says that the reader prefers it. Each text is escaped here, in `_safe`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from html import escape

from tray.notify.four_weeks import EMPTY
from tray.notify.mail.letter import (
    CRITICAL,
    ERROR,
    INFO,
    OK,
    WARNING,
    Card,
    Letter,
    Row,
    Week,
)
from tray.rhythm.kept_slots import ASLEEP, KEPT, LATE, MISSED

_LOOKS = {
    "page": ("background:#f4f6f8;color:#1a1f26", "background:#15181c;color:#e7eaee"),
    "card": ("background:#ffffff;border:1px solid #dce1e8", "background:#1d2126;border-color:#31373f"),
    "ink": ("color:#1a1f26", "color:#e7eaee"),
    "mute": ("color:#56616d", "color:#a3adb9"),
    "rule": ("border-top:1px solid #dce1e8", "border-color:#31373f"),
    "code": (
        "background:#f4f6f8;border:1px solid #dce1e8;color:#1a1f26",
        "background:#15181c;border-color:#31373f;color:#e7eaee",
    ),
    OK: ("background:#dff3e8;color:#17694a", "background:#173628;color:#5ec995"),
    INFO: ("background:#dfeafd;color:#1b62d6", "background:#1c304f;color:#7db0ff"),
    WARNING: ("background:#fdf0d2;color:#7d5200", "background:#3a2e12;color:#e6b450"),
    ERROR: ("background:#fce4e5;color:#b4232d", "background:#43191d;color:#ff8a92"),
    CRITICAL: ("background:#b4232d;color:#ffffff", "background:#ff8a92;color:#2b0a0d"),
    "empty": ("background:#eceff3;color:#56616d", "background:#2d333a;color:#a3adb9"),
    "bar-ok": ("background:#17694a", "background:#5ec995"),
    "bar-info": ("background:#1b62d6", "background:#7db0ff"),
    "bar-warning": ("background:#b98500", "background:#e6b450"),
    "bar-error": ("background:#b4232d", "background:#ff8a92"),
    "bar-critical": ("background:#b4232d", "background:#ff8a92"),
}
"""Colours by class: inline for the light form, in a style sheet for the dark one. Those of the window, 4.5 : 1 in both."""
_SIGNS = {OK: "&#10003;", INFO: "i", WARNING: "!", ERROR: "&#10005;", CRITICAL: "!"}
_DAYS = {
    KEPT: (OK, "&#10003;", "backed up"),
    LATE: (WARNING, "+", "late"),
    MISSED: (ERROR, "&#10005;", "missed"),
    ASLEEP: ("empty", "~", "machine asleep"),
    EMPTY: ("empty", "&middot;", "no backup"),
}
_SANS = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',Helvetica,Arial,sans-serif"
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2})?")
_CELL = "display:inline-block;width:15px;line-height:15px;text-align:center;font-size:10px"
_TABLE = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"'
_BREAK = "overflow-wrap:anywhere;word-break:break-word"


def written(letter: Letter) -> str:
    """Return the letter as one HTML page."""
    dark = "".join(f".{name}{{{_important(look[1])}}}" for name, look in _LOOKS.items())
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'
        '<meta name="format-detection" content="telephone=no,date=no,address=no,email=no">'
        f"<title>{_safe(letter.title)}</title><style>:root{{color-scheme:light dark;supported-color-schemes:light dark}}"
        "@media (max-width:480px){.pad{padding:20px 18px !important}.edge{padding:12px 8px !important}}"
        f"@media (prefers-color-scheme:dark){{{dark}}}</style>"
    )
    body = "".join(
        (
            _tag("div", "", _safe(letter.preview) + "&#8199;&#847; " * 40, "display:none;max-height:0;overflow:hidden"),
            f'{_TABLE} {_look("page")}><tr><td align="center" {_look("edge", "padding:24px 12px")}>',
            '<!--[if mso]><table role="presentation" width="600"><tr><td><![endif]-->',
            f'{_TABLE} style="max-width:600px">{"".join(_row(part) for part in _parts(letter))}</table>',
            "<!--[if mso]></td></tr></table><![endif]-->",
            "</td></tr></table>",
        )
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en" dir="ltr"><head>{head}</head>'
        f"<body {_look('page', f'margin:0;padding:0;font:15px/1.5 {_SANS};-webkit-text-size-adjust:100%')}>{body}</body></html>\n"
    )


def _parts(letter: Letter) -> Iterator[str]:
    """Yield the parts of the page from top to bottom."""
    yield _brand(letter)
    single = letter.cards[0] if len(letter.cards) == 1 and not letter.cards[0].title else None
    yield _box(letter.tone, _headline(letter) + ("" if single is None else _card(single)))
    for card in () if single is not None else letter.cards:
        yield _box(card.tone, _card_head(card) + _card(card))
    if letter.rest:
        items = "".join(_tag("p", "ink", _rich(line), "margin:0 0 8px") for line in letter.rest)
        yield _box(INFO, items)
    if letter.rows:
        yield _box("", "".join(_job(row, first=number == 0) for number, row in enumerate(letter.rows)))
    if letter.calendar:
        yield _box("", _calendar(letter))
    if letter.commands:
        yield _box("", _label("To see more", 0) + _commands(letter.commands))
    yield "".join(_tag("p", "mute", _rich(line), f"margin:0 0 6px;font-size:12px;{_BREAK}") for line in letter.footer)


# -- parts


def _brand(letter: Letter) -> str:
    mark = _tag(
        "span",
        f"bar-{letter.tone}",
        "",
        "display:inline-block;width:12px;height:12px;border-radius:4px;vertical-align:-1px;margin-right:8px",
    )
    return _tag("p", "ink", f"{mark}<strong>Backup Tray</strong>", "margin:0;font-size:14px")


def _headline(letter: Letter) -> str:
    head = _tag("h1", "ink", _safe(letter.title), f"margin:0;font-size:21px;line-height:1.3;font-weight:650;{_BREAK}")
    at = _tag("p", "mute", _safe(letter.at), "margin:4px 0 0;font-size:13px")
    lines = "".join(_tag("p", "ink", _rich(line), f"margin:14px 0 0;{_BREAK}") for line in letter.lines)
    return _beside_sign(letter.tone, head + at, 40) + lines


def _card_head(card: Card) -> str:
    head = _tag("h2", "ink", _safe(card.title), f"margin:0;font-size:16px;line-height:1.35;font-weight:650;{_BREAK}")
    return _beside_sign(card.tone, head + _tag("p", "mute", _safe(card.at), "margin:2px 0 0;font-size:13px"), 28)


def _beside_sign(tone: str, content: str, size: int) -> str:
    """Return *content* with the round sign of its tone before it."""
    circle = (
        f"width:{size}px;height:{size}px;line-height:{size}px;border-radius:50%;text-align:center;font-weight:700;"
        f"font-size:{size * 9 // 20}px"
    )
    sign = _tag("div", tone, _SIGNS[tone], circle)
    return (
        f'{_TABLE}><tr><td width="{size + 14}" valign="top" style="width:{size + 14}px">{sign}</td>'
        f'<td valign="middle">{content}</td></tr></table>'
    )


def _card(card: Card) -> str:
    """Return the event and its cause, the next step, and the figures."""
    parts = [_tag("p", "ink", _rich(line), f"margin:14px 0 0;{_BREAK}") for line in card.lines]
    if card.advice:
        parts.append(_label("Next") + _tag("p", "ink", _rich(card.advice), f"margin:0 0 10px;{_BREAK}"))
    else:
        parts.append(_label("To see more"))
    parts.append(_commands(card.commands))
    if card.figures and card.title:
        parts.append(
            _tag("p", "mute", _brief(card.figures), f"margin:16px 0 0;font-size:13px;line-height:1.7;{_BREAK}")
        )
    elif card.figures:
        rows = "".join(_figure(label, value) for label, value in card.figures)
        parts.append(f'{_TABLE} style="margin-top:20px">{rows}</table>')
    return "".join(parts)


def _brief(figures: Sequence[tuple[str, str]]) -> str:
    """Return the figures of one event among several, one after the other."""
    return " &middot; ".join(f"{_safe(label)}&nbsp;{_tag('span', 'ink', _dated(value))}" for label, value in figures)


def _figure(label: str, value: str) -> str:
    cell = f"padding:8px 0;font-size:14px;{_BREAK}"
    return (
        f'<tr><td width="34%" valign="top" {_look("mute rule", cell)}>{_safe(label)}</td>'
        f'<td valign="top" {_look("ink rule", cell)}>{_dated(value)}</td></tr>'
    )


def _commands(commands: Sequence[str]) -> str:
    """Return a box for each command, which one click selects whole."""
    style = (
        f"padding:10px 14px;border-radius:8px;font:13px/1.5 {_MONO};{_BREAK};-webkit-user-select:all;user-select:all"
    )
    boxes = (
        f'{_TABLE} style="margin:0 0 8px"><tr><td {_look("code", style)}>{_safe(text)}</td></tr></table>'
        for text in commands
    )
    return "".join(boxes)


def _label(text: str, above: int = 20) -> str:
    return _tag("p", "mute", _safe(text), f"margin:{above}px 0 6px;font-size:13px;font-weight:600")


def _job(row: Row, *, first: bool) -> str:
    """Return one job of the table: name and badge, three figures under them."""
    badge = _tag(
        "span",
        row.tone,
        _safe(row.word),
        "display:inline-block;padding:2px 10px;border-radius:999px;font-size:12px;font-weight:600;white-space:nowrap",
    )
    name = _tag("strong", "ink", _safe(row.job), _BREAK)
    figures = (("Last good", row.last_good, "38%"), (row.label, row.next, "38%"), ("Size", row.size, "24%"))
    cells = "".join(
        f'<td width="{width}" valign="top" style="padding:6px 8px 0 0;font-size:13px">'
        f"{_tag('div', 'mute', label, 'font-size:12px')}{_tag('div', 'ink', _narrow(value))}</td>"
        for label, value, width in figures
    )
    look = 'style="padding:0 0 14px"' if first else _look("rule", "padding:14px 0")
    return (
        f'{_TABLE}><tr><td {look}>{_TABLE}><tr><td valign="top">{name}</td><td align="right" valign="top">{badge}</td></tr></table>'
        f"{_TABLE}><tr>{cells}</tr></table></td></tr></table>"
    )


def _calendar(letter: Letter) -> str:
    """Return the last four weeks, a small sheet a job, as many side by side as there is room."""
    first = date.fromisoformat(letter.first_day)
    sheets = "".join(_sheet(week, first) for week in letter.calendar)
    legend = " ".join(
        _tag(
            "span", "mute", f"{_tag('span', kind, sign, _CELL)}&nbsp;{words}&ensp;", "font-size:12px;white-space:nowrap"
        )
        for kind, sign, words in _DAYS.values()
    )
    head = _tag("p", "mute", "The last four weeks", "margin:0 0 10px;font-size:13px;font-weight:600")
    return head + sheets + _tag("div", "", legend, "line-height:1.9")


def _sheet(week: Week, first: date) -> str:
    letters = "".join(f"<td>{f'{first + timedelta(days=number):%a}'[0]}</td>" for number in range(7))
    rows = [f"<tr {_look('mute')}>{letters}</tr>"]
    for begin in range(0, len(week.days), 7):
        days = enumerate(week.days[begin : begin + 7], begin)
        rows.append(f"<tr>{''.join(_day(how, first + timedelta(days=number)) for number, how in days)}</tr>")
    name = _tag("div", "ink", _safe(week.job), f"font-size:13px;font-weight:600;width:121px;{_BREAK}")
    look = (
        'role="presentation" cellpadding="0" cellspacing="2" style="font-size:10px;line-height:15px;text-align:center"'
    )
    sheet = f"{name}<table {look}>{''.join(rows)}</table>"
    return _tag("div", "", sheet, "display:inline-block;vertical-align:top;margin:0 9px 16px 0")


def _day(how: str, day: date) -> str:
    kind, sign, words = _DAYS.get(how, _DAYS[EMPTY])
    return f'<td width="15" title="{day}: {words}" {_look(kind)}>{sign}</td>'


# -- markup


def _row(content: str) -> str:
    return f'<tr><td style="padding:0 0 14px">{content}</td></tr>'


def _box(tone: str, content: str) -> str:
    """Return a card, with a bar in the colour of its tone, if it has one."""
    bar = (
        f'<tr><td height="4" {_look(f"bar-{tone}", "height:4px;line-height:4px;font-size:0")}>&nbsp;</td></tr>'
        if tone
        else ""
    )
    return (
        f"{_TABLE} {_look('card', 'border-radius:12px;border-collapse:separate;overflow:hidden')}>{bar}"
        f"<tr><td {_look('pad', 'padding:24px 26px')}>{content}</td></tr></table>"
    )


def _tag(name: str, classes: str, content: str, style: str = "") -> str:
    look = _look(classes, style)
    return f"<{name}{' ' if look else ''}{look}>{content}</{name}>"


def _look(classes: str, style: str = "") -> str:
    """Return the attributes for *classes* and their light colours."""
    colours = (_LOOKS[name][0] for name in classes.split() if name in _LOOKS)
    styles = ";".join(filter(None, (*colours, style)))
    named = f'class="{classes}"' if classes else ""
    return " ".join(filter(None, (named, f'style="{styles}"' if styles else "")))


def _important(style: str) -> str:
    return ";".join(f"{rule} !important" for rule in style.split(";"))


def _rich(text: str) -> str:
    """Return a sentence with its commands, which stand in backticks, as code."""
    return "".join(_marked(text.split("`")))


def _marked(parts: Sequence[str]) -> Iterable[str]:
    for number, part in enumerate(parts):
        if number % 2 and number < len(parts) - 1:
            yield _tag("code", "code", _safe(part), f"padding:1px 5px;border-radius:4px;font:0.9em {_MONO}")
        else:
            yield _dated(part if not number % 2 else f"`{part}")


def _dated(text: str) -> str:
    """Return *text* with its dates and times kept on one line."""
    return _DATE.sub(lambda match: _tag("span", "", match[0], "white-space:nowrap"), _safe(text))


def _narrow(text: str) -> str:
    """Return a date and time that may stand on two lines, and a size on one."""
    parts = text.split(" ") if _DATE.match(text) else [text]
    return " ".join(_tag("span", "", _safe(part), "white-space:nowrap") for part in parts)


def _safe(text: str) -> str:
    return escape(text, quote=True)
