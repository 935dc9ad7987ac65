"""Tell from the room that a disk had after each run when it will be full. Pure.

Backups are removed in one go now and then, so the trend is the median of the slopes between all pairs of measurements, and it
counts only if nearly all of them fall.
"""

from collections.abc import Sequence
from itertools import combinations

from tray.core.clock import DAY_MS
from tray.repository.cache import Room

FEW = 5
"""With fewer measurements nothing is said of the trend."""
LEAST_MS = 7 * DAY_MS
"""The measurements must reach back so far."""
_MOST_RISING = 0.25


def days_left(rooms: Sequence[Room]) -> int | None:
    """Return in how many days the disk is full if it goes on as before; None if that is not known, or its room does not fall."""
    if len(rooms) < FEW or rooms[-1].at_ms - rooms[0].at_ms < LEAST_MS or rooms[-1].free >= rooms[0].free:
        return None
    slopes = sorted(
        (later.free - before.free) / (later.at_ms - before.at_ms)
        for before, later in combinations(rooms, 2)
        if later.at_ms > before.at_ms
    )
    if sum(slope >= 0 for slope in slopes) > _MOST_RISING * len(slopes):
        return None
    return round(rooms[-1].free / -slopes[len(slopes) // 2] / DAY_MS)
