"""Read the times of a schedule, in systemd's OnCalendar form or as the five fields of cron, and write them as OnCalendar.

A `Calendar` holds plain sets of numbers, which each scheduler's module translates. The grammar is that of systemd.time(7), without
years, fractions of a second and the `@` form of one moment: a schedule has no end. Cron's fields are those of crontab(5): if both
days are restricted, either of them starts the job, so two calendars come out.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from zoneinfo import available_timezones

from tray.core.dataclass import dataclass, replace
from tray.core.errors import WhenError
from tray.rhythm.zones import apart

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WORDS = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
}
_CRON_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LIST = r"[\d*,./]+"
_DATE = re.compile(rf"(?:(?P<year>{_LIST})-)?(?P<month>{_LIST})(?P<sign>[-~])(?P<day>{_LIST})")
_TIME = re.compile(rf"(?P<hour>{_LIST}):(?P<minute>{_LIST})(?::(?P<second>{_LIST}))?")
_CRON_FIELD = re.compile(r"[\dA-Za-z*,/?#-]+")
HOURS, MINUTES, SECONDS = range(24), range(60), range(60)
MONTHS, MONTH_DAYS, WEEKDAYS = range(1, 13), range(1, 32), range(7)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Times of the wall clock, again and again: all moments whose parts lie in these sets.

    Attributes:
        weekdays: 0 is Monday.
        days: Days of the month; with `from_end` counted from its end, 1 being the last.
        zone: Name in the time zone database; None: the machine's zone.
    """

    weekdays: tuple[int, ...] = tuple(WEEKDAYS)
    months: tuple[int, ...] = tuple(MONTHS)
    days: tuple[int, ...] = tuple(MONTH_DAYS)
    hours: tuple[int, ...] = (0,)
    minutes: tuple[int, ...] = (0,)
    seconds: tuple[int, ...] = (0,)
    from_end: bool = False
    zone: str | None = None

    @property
    def any_weekday(self) -> bool:
        """Whether the day of the week does not matter."""
        return len(self.weekdays) == len(WEEKDAYS)

    @property
    def any_day(self) -> bool:
        """Whether the day of the month does not matter."""
        return len(self.days) == len(MONTH_DAYS) and not self.from_end

    def text(self) -> str:
        """Return it in OnCalendar's normalised form."""
        days = "" if self.any_weekday else f"{_written(self.weekdays, WEEKDAYS, DAYS)} "
        month = _written(self.months, MONTHS)
        date = f"*-{month}{'~' if self.from_end else '-'}{_written(self.days, MONTH_DAYS if not self.from_end else ())}"
        time = ":".join(
            _written(values, every)
            for values, every in ((self.hours, HOURS), (self.minutes, MINUTES), (self.seconds, SECONDS))
        )
        return f"{days}{date} {time}{f' {self.zone}' if self.zone else ''}"


def parse(text: str, zone: str | None = None) -> tuple[Calendar, ...]:
    """Return the calendars of *text*: one a line, but two of a cron line that names both kinds of days.

    Args:
        text: OnCalendar, or the five fields of cron, or one of cron's words such as @daily.
        zone: Time zone for a text that names none.

    Raises:
        WhenError: It is neither, or means no recurring time; the error names the nearest text where there is one.
    """
    if "\n" in text.strip():
        return tuple(calendar for line in text.strip().split("\n") for calendar in parse(line, zone))
    words = text.split()
    if not words or not text.strip().isprintable():
        raise WhenError(text, "It names no time.")
    if zone is not None:
        _check_zone(zone, text)
    rest, own_zone = apart(text)
    if own_zone is not None:
        _check_zone(own_zone, text)
        return parse(rest, own_zone)
    if words[0].startswith("@") or (len(words) >= 5 and all(_CRON_FIELD.fullmatch(word) for word in words[:5])):
        return tuple(replace(calendar, zone=zone) for calendar in _cron(text, words))
    calendar = _on_calendar(text, words)
    return (calendar if calendar.zone else replace(calendar, zone=zone),)


def minutes_a_day(calendars: Iterable[Calendar]) -> int:
    """Return at how many moments of one day the calendars start their job at most."""
    return sum(len(c.hours) * len(c.minutes) * len(c.seconds) for c in calendars)


def _check_zone(name: str, text: str) -> None:
    known = available_timezones()
    if name not in known:
        cities = {zone.rpartition("/")[2].lower(): zone for zone in sorted(known, key=len, reverse=True)}
        close = [cities[name.lower()]] if name.lower() in cities else get_close_matches(name, known, 1, 0.6)
        better = text.replace(name, close[0]) if close and name in text else ""
        raise WhenError(text, f"There is no time zone {name!r}.", better)


def _on_calendar(text: str, words: Sequence[str]) -> Calendar:
    zone, rest = None, list(words)
    if len(rest) > 1 and re.fullmatch(r"[A-Za-z][\w+-]*(?:/[\w+-]+)*", rest[-1]) and not _is_weekday(rest[-1]):
        zone = rest.pop()
        _check_zone(zone, text)
    plain = " ".join(rest)
    parts = _WORDS.get(plain.lower(), plain).split()
    weekdays = parts.pop(0) if parts[0][0].isalpha() else ""
    date = _DATE.fullmatch(parts[0]) if parts and ":" not in parts[0] else None
    time = _TIME.fullmatch(parts[-1]) if parts and ":" in parts[-1] else None
    if len(parts) != (date is not None) + (time is not None):
        raise WhenError(text, _reason(text), _guess(plain, zone))
    if date is not None and date["year"] not in (None, "*"):
        raise WhenError(text, "It names a year, so the schedule would end.", _without_year(plain, zone))
    numbers = _Numbers(text)
    hour, minute, second = (time["hour"], time["minute"], time["second"] or "0") if time else ("0", "0", "0")
    return Calendar(
        weekdays=_weekdays(weekdays, text) if weekdays else tuple(WEEKDAYS),
        months=numbers.of(date["month"] if date else "*", MONTHS, "month"),
        days=numbers.of(date["day"] if date else "*", MONTH_DAYS, "day"),
        hours=numbers.of(hour, HOURS, "hour"),
        minutes=numbers.of(minute, MINUTES, "minute"),
        seconds=numbers.of(second, SECONDS, "second"),
        from_end=date is not None and date["sign"] == "~",
        zone=zone,
    )


def _reason(text: str) -> str:
    if "%" in text:
        return "A percent sign has no meaning here."
    return "It is neither systemd's OnCalendar (`Mon..Fri 20:30`, `*-*-01 03:00`) nor the five fields of cron (`15 2 * * *`)."


def _guess(plain: str, zone: str | None) -> str:
    """Return the time within a text that makes no sense as a whole, as a daily schedule, or a word for an interval; "" without."""
    if length := re.fullmatch(r"(\d+) ?(h|d|w|min|m)[a-z]*", plain):
        return {"h": "hourly", "d": "weekly" if int(length[1]) > 3 else "daily", "w": "weekly"}.get(length[2], "*:0/15")
    match = re.search(r"(?<!\d)([01]?\d|2[0-3]):([0-5]\d)\b", plain)
    return "" if match is None else f"{int(match[1]):02}:{match[2]}{f' {zone}' if zone else ''}"


def _without_year(plain: str, zone: str | None) -> str:
    better = re.sub(r"(?<!\S)[\d*,./]+-([\d*,./]+[-~])", r"*-\1", plain)
    return f"{better}{f' {zone}' if zone else ''}"


def _is_weekday(word: str) -> bool:
    return all(part.lower()[:3] in _short() for part in re.split(r"\.\.|,", word) if part)


def _short() -> list[str]:
    return [day.lower() for day in DAYS]


def _weekdays(word: str, text: str) -> tuple[int, ...]:
    """Return the days of a list such as `Mon..Wed,Sat`."""
    days: set[int] = set()
    for part in filter(None, word.split(",")):
        first, _, end = part.partition("..")
        numbers = [_weekday(name, text) for name in ((first, end) if end else (first,))]
        if numbers[0] > numbers[-1]:
            wrapped = [*range(numbers[0], 7), *range(numbers[-1] + 1)]
            better = text.replace(part, ",".join(DAYS[day] for day in wrapped))
            raise WhenError(text, "A range of weekdays goes from Monday to Sunday.", better)
        days.update(range(numbers[0], numbers[-1] + 1))
    return tuple(sorted(days))


def _weekday(name: str, text: str) -> int:
    lower = name.lower()
    for number, (short, long) in enumerate(zip(_short(), _LONG_DAYS, strict=True)):
        if lower in (short, long):
            return number
    close = get_close_matches(lower, [*_LONG_DAYS, *_short(), *_WORDS], 1)
    better = text.replace(name, close[0].title() if close[0] not in _WORDS else close[0]) if close else ""
    raise WhenError(text, f"{name!r} is neither a weekday nor a word such as daily.", better)


class _Numbers:
    """Reads the lists of numbers in an OnCalendar text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def of(self, field: str, every: range, name: str) -> tuple[int, ...]:
        """Return the numbers of *field*, such as `*`, `1..5,9` or `0/15`, all of them in *every*."""
        if field == "*":
            return tuple(every)
        values: set[int] = set()
        for item in field.split(","):
            values.update(self._item(item, every, name))
        if every is MONTH_DAYS and "~" in self._text and max(values) > 28:
            raise WhenError(self._text, "Every month has 28 days to be counted from its end.")
        return tuple(sorted(values))

    def _item(self, item: str, every: range, name: str) -> range:
        match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?(?:/(\d+))?", item)
        if match is None:
            step = re.fullmatch(r"\*/(\d+)", item)
            better = self._text.replace(item, f"{every[0]}/{step[1]}") if step else ""
            why = f"{item!r} is no {name}" + (": systemd writes a step with its first number." if step else ".")
            raise WhenError(self._text, why, better)
        first, step_by = int(match[1]), int(match[3] or 1)
        end = int(match[2]) if match[2] else every[-1] if match[3] else first
        if first not in every or end not in every or first > end or step_by < 1:
            raise WhenError(self._text, f"{item!r} is no {name}: it goes from {every[0]} to {every[-1]}.")
        return range(first, end + 1, step_by)


def _cron(text: str, words: Sequence[str]) -> tuple[Calendar, ...]:
    """Return the calendars of cron's five fields or of one of its words."""
    if words[0].startswith("@"):
        return _cron_word(text, words)
    if len(words) > 5:
        why = "Only the five fields of time belong here; the command is the job's."
        raise WhenError(text, why, " ".join(words[:5]))
    minute, hour, day, month, weekday = words
    fields = (minute, MINUTES, ()), (hour, HOURS, ()), (day, MONTH_DAYS, ()), (month, MONTHS, _MONTHS)
    minutes, hours, days, months = (_cron_field(text, *field) for field in fields)
    cron_days = _cron_field(text, weekday, range(8), ("sun", "mon", "tue", "wed", "thu", "fri", "sat"), 0)
    weekdays = tuple(sorted({(number - 1) % 7 for number in cron_days}))
    both = Calendar(weekdays, months, days, hours, minutes)
    if both.any_day or both.any_weekday or day.startswith("*") or weekday.startswith("*"):
        return (both,)
    return replace(both, weekdays=tuple(WEEKDAYS)), replace(both, days=tuple(MONTH_DAYS))


def _cron_word(text: str, words: Sequence[str]) -> tuple[Calendar, ...]:
    if words[0].lower() == "@reboot":
        why = "A start of the machine is no time, and a machine that stays on would never be backed up."
        raise WhenError(text, f"{why} A schedule catches up on a missed start by itself.", "daily")
    fields = _CRON_WORDS.get(words[0].lower())
    if fields is None or len(words) > 1:
        better = words[0] if fields else next(iter(get_close_matches(words[0].lower(), _CRON_WORDS, 1)), "")
        raise WhenError(text, "Cron has no such word." if fields is None else "The command is the job's.", better)
    return _cron(text, fields.split())


def _cron_field(text: str, field: str, every: range, names: Sequence[str], base: int = 1) -> tuple[int, ...]:
    """Return the numbers of one of cron's fields; *names* stand for the numbers from *base* on."""
    values: set[int] = set()
    for item in field.split(","):
        match = re.fullmatch(r"(?:\*|([\dA-Za-z]+)(?:-([\dA-Za-z]+))?)(?:/(\d+))?", item)
        if match is None:
            raise WhenError(text, f"{item!r} is nothing that cron knows.")
        first, end = (None if word is None else _cron_number(word, names, base) for word in (match[1], match[2]))
        step = int(match[3] or 1)
        low = every[0] if match[1] is None else first
        high = end if match[2] else every[-1] if match[1] is None or match[3] else low
        if low is None or high is None or low not in every or high not in every or low > high or step < 1:
            raise WhenError(text, f"{item!r} does not fit cron's field, which goes from {every[0]} to {every[-1]}.")
        values.update(range(low, high + 1, step))
    return tuple(sorted(values))


def _cron_number(word: str, names: Sequence[str], base: int) -> int | None:
    if word.isdecimal():
        return int(word)
    lower = word.lower()[:3]
    return names.index(lower) + base if lower in names and word.isalpha() else None


def _written(values: Sequence[int], every: Sequence[int], names: Sequence[str] = ()) -> str:
    """Return *values* as OnCalendar writes a list of them, `*` for all of *every*."""
    if not names and len(values) == len(every):
        return "*"
    parts, start = [], 0
    for at in range(1, len(values) + 1):
        if at == len(values) or values[at] != values[at - 1] + 1:
            first, end = (names[value] if names else f"{value:02}" for value in (values[start], values[at - 1]))
            length = at - start
            parts.append(first if length == 1 else f"{first},{end}" if length == 2 else f"{first}..{end}")
            start = at
    return ",".join(parts)
