"""Numbers, times and names as people read them. Sizes are decimal (1 MB = 1,000,000 bytes)."""

from collections.abc import Callable

from tray.core import clock

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_SHOWN_AS_THEY_ARE = frozenset("\u00a0\u3000\u202f\u200c\u200d")  # spaces, and the joiners that Persian and emoji need
_ZONE_LETTERS = 5
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str) -> str:
    r"""Return *text* on one line with everything invisible made visible.

    Control characters, ANSI codes, bidi controls and line separators become `\n`, `\x1b`, `\u202e`; bytes that were no UTF-8
    (surrogates, see PEP 383) become `\xff`. Backslashes stay, so this is for reading, not for parsing back.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _SHOWN_AS_THEY_ARE else _visible(c) for c in text)


def _visible(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def markup(text: str) -> str:
    """Return *text* for places that desktops read as markup: the lower part of a tooltip, the text of a notice."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fit(text: str, units: int) -> str:
    """Return *text*, cut with "…" so that it takes at most *units* UTF-16 units."""
    if width(text) <= units:
        return text
    kept, used = [], 1
    for char in text:
        used += width(char)
        if used > units:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def width(text: str) -> int:
    """Return how many UTF-16 units *text* takes."""
    return len(text) + sum(char > "\uffff" for char in text)


def size(amount: int) -> str:
    """Return *amount* bytes as "12.3 MB"."""
    value, unit = float(amount), 0
    while unit < len(_UNITS) - 1 and value >= (1000 if unit == 0 else 999.5):
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{amount} B"
    return f"{value:.1f} {_UNITS[unit]}" if value < 99.95 else f"{value:,.0f} {_UNITS[unit]}"


def rate(bytes_per_second: int) -> str:
    """Return a throughput as "12.3 MB/s"."""
    return f"{size(bytes_per_second)}/s"


def count(number: int) -> str:
    """Return *number* as "1,204"."""
    return f"{number:,}"


def plural(number: int, thing: str) -> str:
    """Return "1 file" or "1,204 files"."""
    return f"{count(number)} {thing}" if number == 1 else f"{count(number)} {thing}s"


def duration(seconds: float) -> str:
    """Return a length of time as "0.4 s", "45 s", "6 min 40 s", "2 h 5 min" or "3 d 4 h"."""
    if 0 < seconds < 9.95:
        return f"{max(seconds, 0.1):.1f} s"
    return _span(max(round(seconds), 0))


def elapsed(ms: int) -> str:
    """Return a length of time in milliseconds as `duration` does."""
    return duration(ms / 1000)


def known(value: int | None, say: Callable[[int], str], otherwise: str = "–") -> str:
    """Return *value* as *say* puts it, or *otherwise* if it is not known."""
    return otherwise if value is None else say(value)


def _span(seconds: int) -> str:
    """Two units at most, the smaller one left out when it is zero."""
    steps = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    for big, big_name, small, small_name in steps:
        if seconds >= big:
            rest = seconds % big // small
            return f"{seconds // big} {big_name}" + (f" {rest} {small_name}" if rest else "")
    return f"{seconds} s"


def time_left(seconds: float, *, estimate: bool = False) -> str:
    """Return an ETA as "3 min left", rounded so that it does not flicker; *estimate* says "about" before it."""
    if seconds < 10:
        text = "a few seconds"
    elif seconds <= 50:
        text = f"{-(-int(seconds) // 10) * 10} s"
    elif seconds < 3570:
        text = f"{round(seconds / 60) or 1} min"
    else:
        text = _span(round(seconds / 60) * 60)
    return f"about {text} left" if estimate and seconds >= 10 else f"{text} left"


def ago(now_ms: int, ms: int) -> str:
    """Return the age of *ms* as "just now", "5 minutes ago", "2 hours ago"; of a time under a wrong clock that it was wrong."""
    seconds = (now_ms - ms) // 1000
    if ms < clock.EARLIEST_MS:
        return "at a time when the clock was behind"
    if now_ms - ms < -clock.SLACK_MS:
        return "at a time ahead of this clock"
    if seconds < 60:
        return "just now"
    for limit, length, name in ((3600, 60, "minute"), (172_800, 3600, "hour"), (5_184_000, 86_400, "day")):
        if seconds < limit:
            return f"{plural(seconds // length, name)} ago"
    months = seconds // 2_629_800
    return f"{plural(months, 'month')} ago" if months < 24 else f"{plural(months // 12, 'year')} ago"


def both_times(ms: int) -> str:
    """Return a time as people read it, in their zone, and in UTC behind it; only once where their zone is UTC.

    The zone is named as people name it, or by its offset: Windows has sentences for names.
    """
    local = clock.local(ms)
    if not local.utcoffset():
        return f"{local:%Y-%m-%d %H:%M:%S} UTC"
    name = local.tzname() or ""
    zone = name if name.isalpha() and len(name) <= _ZONE_LETTERS else f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M:%S} {zone} ({clock.to_text(ms)[:19].replace('T', ' ')} UTC)"
