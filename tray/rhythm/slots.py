"""Read cron lines and OnCalendar expressions: the moments (slots) that they name, and why one cannot be followed.

The only module that loads `cronsim` and `oncalendar`; `tray.rhythm.plan` imports it for jobs that state `on`.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, tzinfo
from functools import lru_cache
from threading import Lock

from cronsim import CronSim, CronSimError
from oncalendar import OnCalendar, OnCalendarError

from tray.core.clock import DAY_MS, EARLIEST_MS
from tray.rhythm.zones import apart, zone

CRON_NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
TOO_OFTEN = "names many moments within a minute"
_FIELD = re.compile(r"[\d*,/\-#?LWlw]+|[A-Za-z]{3}([,-][A-Za-z]{3})*")
_FIRST_MS = 1_767_225_600_000
_LOOKED_AT, _LOOKED_AT_FIRST = 16, 3
"""A rhythm is refused by which so many slots from 2026 on are less than a minute apart on average: a week takes seconds to read."""
_MOST_KEPT, _FAR_MS = 20_000, 400 * DAY_MS


class Calendar:
    """The slots of one expression. It keeps those that were asked for, since the same past is looked at again and again."""

    def __init__(self, on: str, of: tzinfo) -> None:
        """Read *on* in the zone *of*.

        Raises:
            ValueError: It is neither OnCalendar nor a cron line of five fields; the text says which part is wrong.
        """
        self._on, self._zone = on, of
        self._lock = Lock()  # the window asks in several threads
        self._restart(EARLIEST_MS)

    def after(self, at_ms: int, count: int = 1) -> list[int]:
        """Return the next *count* slots that are later than *at_ms*; fewer if there are no more."""
        with self._lock:
            last = self._slots[-1] if self._slots else self._since
            far = at_ms > last + _FAR_MS and not self._ended
            if at_ms < self._since or far or len(self._slots) > _MOST_KEPT:
                self._restart(at_ms)
            place = bisect_right(self._slots, at_ms)
            while len(self._slots) < place + count and self._more():
                place = bisect_right(self._slots, at_ms)
            return self._slots[place : place + count]

    def _restart(self, from_ms: int) -> None:
        self._since, self._ended = from_ms, False
        self._slots: list[int] = []
        self._rest = _moments(self._on, datetime.fromtimestamp(from_ms // 1000, self._zone))

    def _more(self) -> bool:
        """Read one more slot; False if there are no more."""
        moment = None if self._ended else next(self._rest, None)
        self._ended = moment is None
        if moment is not None:
            slot = int(moment.timestamp()) * 1000
            if slot > (self._slots[-1] if self._slots else self._since):
                self._slots.append(slot)
        return not self._ended


@lru_cache(maxsize=128)
def calendar(on: str, of: tzinfo) -> Calendar:
    """Return the `Calendar` of *on* in the zone *of*.

    Raises:
        ValueError: See `Calendar`.
    """
    return Calendar(on, of)


def fault(on: str, name: str | None = None) -> str | None:
    """Return why *on*, in the zone with the IANA *name*, cannot be followed, with the nearest form that can; None if it can."""
    try:
        made, least_ms = Calendar(on, zone(name)), (_LOOKED_AT - 1) * 60_000
        slots = made.after(_FIRST_MS, _LOOKED_AT_FIRST)
        if not slots:
            return f"{on!r} names no moment after 2025"
        if slots[-1] - slots[0] < least_ms:  # most need no more, and hundreds of jobs are read at once
            slots = made.after(_FIRST_MS, _LOOKED_AT)
        if len(slots) == _LOOKED_AT and slots[-1] - slots[0] < least_ms:
            return f'{on!r} {TOO_OFTEN}; the shortest rhythm is every minute: "*:*"'
    except ValueError as error:
        return str(error)
    return None


def is_cron(on: str) -> bool:
    """Whether *on* is written as a cron line rather than as OnCalendar."""
    fields = on.split()
    return on.lstrip().startswith("@") or (len(fields) == 5 and all(_FIELD.fullmatch(field) for field in fields))


def _moments(on: str, start: datetime) -> Iterator[datetime]:
    """Return the moments of *on* after *start*, in order but for the repeated hour of an autumn night."""
    rest, own_zone = apart(on)
    if own_zone is not None:
        raise ValueError(
            f'{on!r} names a time zone, which has a key of its own: write on = "{rest}" and zone = "{own_zone}"'
        )
    try:
        if is_cron(on):
            return _on_the_clock(CronSim(_cron_line(on), start))
        if "*/" in on:  # oncalendar knows it, systemd does not
            raise OnCalendarError('a step needs a number before it: "0/30" instead of "*/30"')
        return OnCalendar(on, start)
    except CronSimError as error:
        raise ValueError(f"{on!r} is no cron line that can be followed: {_small(error)}") from error
    except (OnCalendarError, ValueError, IndexError, KeyError) as error:
        hint = 'write for example "daily", "Mon..Fri 20:30", "*-*-01 04:00", or a cron line such as "30 20 * * 1-5"'
        raise ValueError(f"{on!r} is no OnCalendar expression: {_small(error)}; {hint}") from error


def _on_the_clock(line: CronSim) -> Iterator[datetime]:
    """Return the moments of a cron line without those that the clock passes over in spring.

    Cron runs the job right after the jump then, but systemd, whose timer may follow the same line, leaves the day out.
    """
    return (moment for moment in line if moment.hour in line.hours and moment.minute in line.minutes)


def _cron_line(on: str) -> str:
    name = on.strip().lower()
    if not name.startswith("@"):
        return on
    if name not in CRON_NAMES:
        raise CronSimError('it names no time of day; use rhythm = "learn", or one of ' + ", ".join(CRON_NAMES))
    return CRON_NAMES[name]


def _small(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text[0].lower() + text[1:]
