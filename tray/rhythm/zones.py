"""Know the days of a time zone, summer time included."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib import import_module

_JANUARY, _JULY = 1_768_000_000, 1_784_000_000


class LocalZone(tzinfo):
    """The machine's own zone, by the rules of the operating system. Equal to another one if the machine has not moved since."""

    def __init__(self) -> None:
        seasons = [time.localtime(moment) for moment in (_JANUARY, _JULY)]
        self.rules = tuple((season.tm_zone, season.tm_gmtoff) for season in seasons)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalZone) and other.rules == self.rules

    def __hash__(self) -> int:
        return hash(self.rules)

    def utcoffset(self, moment: datetime | None, /) -> timedelta:
        """Return the distance to UTC at *moment*; its `fold` tells the two hours of an autumn night apart."""
        assert moment is not None
        naive = moment.replace(tzinfo=None)
        return naive - datetime.fromtimestamp(naive.timestamp(), UTC).replace(tzinfo=None)

    def dst(self, _: datetime | None, /) -> timedelta | None:
        """Return None: which part of the offset is summer time is not needed."""
        return None

    def tzname(self, _: datetime | None, /) -> str:
        """Return a word for the zone."""
        return "local"

    def fromutc(self, moment: datetime, /) -> datetime:
        """Return *moment*, whose clock shows UTC, in this zone."""
        seconds = moment.replace(tzinfo=UTC).timestamp()
        return datetime.fromtimestamp(seconds).replace(tzinfo=self)  # noqa: DTZ006 # by the machine's rules


def apart(on: str) -> tuple[str, str | None]:
    """Return the time *on* without cron's `CRON_TZ=ZONE` before it, and that zone, None if there is none."""
    match = re.match(r"\s*(?:CRON_TZ|TZ)=[\"']?([^\"'\s]+)[\"']?\s+(?=\S)", on)
    return (on, None) if match is None else (on[match.end() :], match[1])


def zone(name: str | None) -> tzinfo:
    """Return the time zone of an IANA *name*, or the machine's for None.

    Raises:
        ValueError: There is no such zone here.
    """
    return LocalZone() if name is None else _named(name)


@lru_cache(maxsize=32)
def _named(name: str) -> tzinfo:
    zoneinfo = import_module("zoneinfo")  # only for jobs that state a zone
    try:
        named: tzinfo = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"no such time zone: {name!r}") from error
    return named


def midnights(of: tzinfo, from_ms: int) -> Iterator[tuple[int, int]]:
    """Return the beginning and the weekday (0 Monday) of each day in the zone *of*, from the day of *from_ms* on, without end."""
    begin = datetime.fromtimestamp(from_ms / 1000, of)
    year, day = begin.year, begin.timetuple().tm_yday - 1
    while True:
        yield from _year(of, year)[day:]
        year, day = year + 1, 0


@lru_cache(maxsize=64)
def _year(of: tzinfo, year: int) -> tuple[tuple[int, int], ...]:
    first = date(year, 1, 1)
    days = [first + timedelta(days=number) for number in range((date(year + 1, 1, 1) - first).days)]
    return tuple(
        (int(datetime(day.year, day.month, day.day, tzinfo=of).timestamp()) * 1000, day.weekday()) for day in days
    )
