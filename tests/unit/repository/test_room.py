"""When a disk will be full: said only where the measurements show it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.core.clock import DAY_MS
from tray.core.model import RepositoryState
from tray.repository import room
from tray.repository.cache import MAX_ROOMS, Entry, Room

BEGIN = 1_790_000_000_000
GB = 1_000_000_000


def rooms(free: Sequence[float], every: float = 1) -> list[Room]:
    """Measurements of a disk of 500 GB, *every* so many days."""
    return [Room(BEGIN + int(day * every * DAY_MS), int(left * GB), 500 * GB) for day, left in enumerate(free)]


@pytest.mark.parametrize(
    ("free", "days"),
    [
        ([100, 98, 96, 94, 92, 90, 88, 86, 84], 42),
        ([100, 98, 96, 94, 92, 90, 88, 86], 43),
        ([100, 98, 96, 94, 92, 90, 88], None),
        ([100, 98, 99, 94, 95, 90, 88, 86, 0], 0),
        ([100, 100, 100, 100, 100, 100, 100, 100, 99.9], None),
        ([90, 92, 94, 96, 98, 100, 102, 104, 106], None),
        ([100, 90, 80, 70, 100, 90, 80, 70, 100, 90, 80, 70], None),
        ([100, 90, 80, 70, 60, 50, 40, 30, 100, 90, 80, 70], None),
    ],
)
def test_a_trend_is_told_only_if_the_room_falls(free: list[float], days: int | None) -> None:
    """A disk that is pruned every few days looks as if it fell, and is never full."""
    assert room.days_left(rooms(free)) == days


def test_few_measurements_over_a_long_time_say_nothing() -> None:
    """Two of them make a line through anything."""
    assert room.days_left(rooms([100, 90, 80, 70], every=10)) is None
    assert room.days_left(rooms([100, 90, 80, 70, 60], every=10)) == 60


@given(st.lists(st.integers(0, 500), max_size=MAX_ROOMS))
def test_no_history_gives_a_time_that_has_passed(free: list[int]) -> None:
    """Nor an error."""
    days = room.days_left(rooms(free))
    assert days is None or days >= 0


def test_an_entry_keeps_about_one_measurement_a_day_of_the_same_disk() -> None:
    """An hourly job would fill the file; another disk at the same place has another room; a wrong clock leaves no trace."""
    entry = Entry(RepositoryState("/mnt/b", "restic", BEGIN))
    for hour in range(24 * 10):
        entry = entry.with_room(Room(BEGIN + hour * 3_600_000, 5, 10))
    assert 10 <= len(entry.rooms) <= 14
    assert entry.rooms[-1].at_ms == BEGIN + 239 * 3_600_000
    assert entry.with_room(None) is entry
    other = entry.with_room(Room(BEGIN + 300 * 3_600_000, 50, 100))
    assert [room.total for room in other.rooms] == [100]
    back = entry.with_room(Room(BEGIN, 7, 10))
    assert back.rooms == (Room(BEGIN, 7, 10),)
    for day in range(200):
        entry = entry.with_room(Room(BEGIN + (20 + day) * DAY_MS, 5, 10))
    assert len(entry.rooms) == MAX_ROOMS
