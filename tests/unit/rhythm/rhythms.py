"""Times, pasts and awake times that the tests of this room share."""

from datetime import datetime
from zoneinfo import ZoneInfo

from tray.rhythm import Past

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> int:
    """Return the milliseconds of "2026-03-02 08:00" in *zone*."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def daily(first: str, count: int, *, every: int = DAY, lasts: int = 10 * MINUTE, zone: str = "UTC") -> Past:
    """Return the past of a job that ran *count* times, *every* so many ms, since *first*."""
    begin = at(first, zone)
    return Past(tuple((begin + number * every, begin + number * every + lasts) for number in range(count)), begin)
