"""Tell when a job was turned on in a period, by the changes of its keys `enabled` and `off_until` on record. Pure."""

import json
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from operator import itemgetter

from tray.core.dataclass import dataclass

Change = tuple[int, str | None, str | None]
"""When a key was changed, and its values before and after that as JSON; None: the key was not there."""


@dataclass(frozen=True, slots=True)
class OnTimes:
    """When a job was on.

    Attributes:
        stretches: Begin and end of each stretch within the period, in their order; neighbours do not touch.
        off: It was off at the end of the period.
        until_ms: Off, but on again from this moment by itself; None if it was not off, or for good.
    """

    stretches: Sequence[tuple[int, int]]
    off: bool = False
    until_ms: int | None = None


def on_times(
    enabled: Sequence[Change],
    until: Sequence[Change],
    present: tuple[bool, int],
    of: tzinfo,
    begin_ms: int,
    end_ms: int,
) -> OnTimes:
    """Return when a job was on between *begin_ms* and *end_ms*.

    Args:
        enabled: The changes of `enabled`, the oldest first.
        until: The changes of `off_until`.
        present: Whether the job is enabled now, and until when it is off, 0 if it is not: so it was always if nothing was changed.
        of: The time zone of the days.
    """
    is_on = _is_on(enabled[0][1]) if enabled else present[0]
    off_until = _moment(until[0][1], of) if until else present[1]
    changes = [*((at, "enabled", to) for at, _, to in enabled), *((at, "until", to) for at, _, to in until)]
    events = sorted(changes, key=itemgetter(0))
    on: list[tuple[int, int]] = []
    since = 0
    for at, key, to in [*(event for event in events if event[0] < end_ms), (end_ms, "", None)]:
        first, last = max(since, off_until, begin_ms), min(at, end_ms)
        if is_on and first < last:
            on[-1:] = [(on[-1][0], last)] if on and on[-1][1] == first else [*on[-1:], (first, last)]
        since = at
        if key == "enabled":
            is_on = _is_on(to)
        elif key == "until":
            off_until = _moment(to, of)
    off = not is_on or off_until > end_ms
    return OnTimes(on, off, off_until if off and is_on else None)


def _is_on(text: str | None) -> bool:
    return text != "false"


def _moment(text: str | None, of: tzinfo) -> int:
    """Return when the day in *text* begins, 0 if it is none."""
    try:
        day = date.fromisoformat(json.loads(text or "null"))
        return int(datetime(day.year, day.month, day.day, tzinfo=of).timestamp()) * 1000
    except (TypeError, ValueError, OverflowError, OSError):
        return 0
