"""Describe when another scheduler starts a command: `Schedule`, and the words for it.

The cron dialects: Debian's cron knows five fields, names of months and days, `@daily` and its like, and no time zone of a crontab's
own. cronie (Fedora, Arch) also knows `CRON_TZ`, `RANDOM_DELAY` and `~` ranges.
"""

import re
from collections.abc import Sequence

from tray.core import regex
from tray.core.dataclass import dataclass

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""cron's names for schedules, and the lines that they stand for (crontab(5))."""
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHORT_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_FIELD = regex.compile(
    r"(?:\*|[0-9]{1,2}(?:-[0-9]{1,2})?)(?:/[0-9]{1,3})?(?:,(?:\*|[0-9]{1,2}(?:-[0-9]{1,2})?)(?:/[0-9]{1,3})?)*"
)
_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a scheduler starts a command.

    Attributes:
        text: As its owner wrote it.
        on: A cron line of five fields, or OnCalendar expressions, one a line; None if there is none that says it.
        every_ms: The interval, for schedulers that know only intervals.
        zone: IANA name of the zone in which the scheduler counts; None: the machine's.
        delay_ms: The scheduler starts the command up to so much later, by chance or by a delay of its own.
        why: The reason why no rhythm can be read from it; "" if one can.
    """

    text: str
    on: str | None = None
    every_ms: int | None = None
    zone: str | None = None
    delay_ms: int = 0
    why: str = ""

    @property
    def stated(self) -> bool:
        """Whether it states a rhythm."""
        return self.on is not None or self.every_ms is not None


def of_cron(text: str, *, zone: str | None = None, delay_ms: int = 0) -> Schedule:
    """Return the schedule of a cron line's five fields or name; one that cannot be followed has its reason in `why`."""
    text = " ".join(text.split())
    if text.lower() == "@reboot":
        return Schedule(text, why="it starts when the machine starts, so no clock says when it is due")
    fields = NAMED.get(text.lower(), text).split(" ")
    if len(fields) != len(_LIMITS):
        return Schedule(text, why="it is none of cron's schedules")
    numbers = [_numbers(field, place) for place, field in enumerate(fields)]
    for place, field in enumerate(numbers):
        if field is None:
            random = "~" in fields[place]
            why = (
                f"cron draws the {_FIELDS[place]} by chance (`~`)"
                if random
                else f"cron cannot follow its {_FIELDS[place]}{_quoted(fields[place])}"
            )
            return Schedule(text, why=why)
    return Schedule(text, on=" ".join(field for field in numbers if field), zone=zone, delay_ms=delay_ms)


def _quoted(field: str) -> str:
    """Return a field to be quoted; "" for one that looks like no part of a schedule, and may be a password."""
    return f" {field!r}" if re.fullmatch(r"[0-9*/,~-]{1,20}|[A-Za-z]{3}(?:-[A-Za-z]{3})?", field) else ""


def _numbers(field: str, place: int) -> str | None:
    """Return a field with names of months and days as numbers; None if it does not make sense."""
    names = {3: _MONTHS, 4: _SHORT_DAYS}.get(place, ())
    first = 1 if place == 3 else 0

    def number(match: "re.Match[str]") -> str:
        word = match[0].lower()
        return str(names.index(word) + first) if word in names else match[0]

    plain = re.sub(r"[A-Za-z]+", number, field) if names else field
    if not _FIELD.fullmatch(plain):
        return None
    low, high = _LIMITS[place]
    for part in plain.split(","):
        span, _, step = part.partition("/")
        ends = [int(end) for end in span.split("-")] if span != "*" else [low, high]
        if not all(low <= end <= high for end in ends) or ends[0] > ends[-1] or step == "0":
            return None
    return plain


def together(schedules: Sequence[Schedule]) -> Schedule:
    """Return one schedule for a command that has several; without one that says them all, no rhythm is stated."""
    first = schedules[0]
    if len(schedules) == 1 or all(schedule == first for schedule in schedules):
        return first
    text = ", and ".join(dict.fromkeys(schedule.text for schedule in schedules))
    delay_ms = max(schedule.delay_ms for schedule in schedules)
    same_zone = len({schedule.zone for schedule in schedules}) == 1
    if same_zone and all(schedule.on is not None for schedule in schedules):
        expressions = list(dict.fromkeys(schedule.on or "" for schedule in schedules))
        if all(is_cron(expression) for expression in expressions):
            expressions = _united(expressions)
        if len(expressions) == 1 or not any(map(is_cron, expressions)):
            return Schedule(text, on="\n".join(expressions), zone=first.zone, delay_ms=delay_ms)
    return Schedule(text, why="it has several schedules, which do not fit into a single expression")


def is_cron(on: str) -> bool:
    """Whether *on* is a cron line of five fields, not an OnCalendar expression."""
    fields = on.split()
    return len(fields) == 5 and all(map(_FIELD.fullmatch, fields))


def _united(lines: list[str]) -> list[str]:
    """Return cron lines that differ in one field as one line."""
    fields = [line.split() for line in lines]
    differ = [place for place in range(5) if len({line[place] for line in fields}) > 1]
    if len(differ) != 1 or any("*" in line[differ[0]] for line in fields):
        return lines
    joined = list(fields[0])
    joined[differ[0]] = ",".join(dict.fromkeys(line[differ[0]] for line in fields))
    return [" ".join(joined)]


def in_words(schedule: Schedule) -> str:
    """Return the rhythm in plain words: "every day at 02:15", "Monday to Friday at 20:30", "every 6 hours"."""
    if schedule.every_ms is not None:
        said = "every " + length(schedule.every_ms)
    elif schedule.on is None:
        return "its rhythm is learnt from its runs"
    else:
        said = _cron_words(schedule.on) if is_cron(schedule.on) else calendar_words(schedule.on)
    zone = f", time of {schedule.zone}" if schedule.zone else ""
    later = f", up to {length(schedule.delay_ms)} later" if schedule.delay_ms else ""
    return said + zone + later


def length(ms: int) -> str:
    """Return a length of time as people say it behind "every": "day", "6 hours", "90 minutes"."""
    for unit, name in ((7 * DAY_MS, "week"), (DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute")):
        if ms >= unit and ms % unit == 0:
            number = ms // unit
            return name if number == 1 else f"{number} {name}s"
    return f"{max(ms // 1000, 1)} seconds"


def _cron_words(on: str) -> str:
    minute, hour, day, month, weekday = on.split()
    if month != "*" and not month.isdecimal():
        return f"by the cron line `{on}`"
    if hour == "*" and (day, month, weekday) == ("*", "*", "*"):
        if step := re.fullmatch(r"\*/(\d+)", minute):
            return f"every {step[1]} minutes"
        return f"every hour at minute {minute}" if minute.isdecimal() else f"by the cron line `{on}`"
    if not minute.isdecimal():
        return f"by the cron line `{on}`"
    every = re.fullmatch(r"\*/(\d+)", hour)
    times = f"every {every[1]} hours at minute {minute}" if every else _times(hour, minute)
    days = _days(day, month, weekday)
    if not times or not days:
        return f"by the cron line `{on}`"
    return f"{times}, {days}" if every and days != "every day" else times if every else f"{days} at {times}"


def _times(hour: str, minute: str) -> str:
    hours = hour.split(",")
    if not all(text.isdecimal() for text in hours):
        return ""
    return _listed([f"{int(text):02}:{int(minute):02}" for text in hours])


def _days(day: str, month: str, weekday: str) -> str:
    if (day, weekday) == ("*", "*"):
        return "every day" if month == "*" else f"every day in {_MONTH_NAMES[int(month) - 1]}"
    if day == "*":
        named = _weekdays(weekday)
        return named if month == "*" else f"{named} in {_MONTH_NAMES[int(month) - 1]}" if named else ""
    if weekday == "*" and day.isdecimal():
        if month == "*":
            return f"on day {day} of every month"
        return f"every year on {day} {_MONTH_NAMES[int(month) - 1]}"
    return ""


def _weekdays(field: str) -> str:
    if span := re.fullmatch(r"(\d)-(\d)", field):
        return f"{_DAYS[int(span[1])]} to {_DAYS[int(span[2])]}"
    numbers = field.split(",")
    if not all(number.isdecimal() for number in numbers):
        return ""
    return "every " + _listed([_DAYS[int(number)] for number in numbers])


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


_CALENDAR = regex.compile(
    r"(?:(?P<days>[A-Z][a-z]{2}(?:(?:\.\.|,)[A-Z][a-z]{2})*) )?(?:\*-\*-\* )?(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::00)?"
)


def calendar_words(on: str) -> str:
    """Return the rhythm of OnCalendar expressions, one a line, in plain words."""
    lines = on.split("\n")
    said = [_one_calendar(line.strip()) for line in lines]
    return _listed(said) if all(said) else f"by the calendar expression `{'; '.join(lines)}`"


def _one_calendar(line: str) -> str:
    simple = {"hourly": "every hour", "daily": "every day at 00:00", "weekly": "every Monday at 00:00"}
    simple |= {"monthly": "on day 1 of every month at 00:00", "yearly": "every year on 1 January at 00:00"}
    if line in simple:
        return simple[line]
    match = _CALENDAR.fullmatch(line)
    if match is None:
        return ""
    at = f"{int(match['hour']):02}:{int(match['minute']):02}"
    if match["days"] is None:
        return f"every day at {at}"
    names = dict(zip((day.title() for day in _SHORT_DAYS), _DAYS, strict=False))
    parts = re.split(r"(\.\.|,)", match["days"])
    if any(part not in names for part in parts[::2]):
        return ""
    if len(parts) == 3 and parts[1] == "..":
        return f"{names[parts[0]]} to {names[parts[2]]} at {at}"
    return "" if ".." in parts else f"every {_listed([names[part] for part in parts[::2]])} at {at}"
