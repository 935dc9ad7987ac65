"""Days of a time zone, and the machine's own zone."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from tests.unit.rhythm.rhythms import BERLIN, HOUR, at
from tray.rhythm.slots import Calendar
from tray.rhythm.zones import LocalZone, midnights, zone


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine stands in Berlin."""
    monkeypatch.setenv("TZ", BERLIN)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_the_machine_s_own_zone_has_both_nights_of_summer_time() -> None:
    """Without a stated zone the rules of the operating system hold."""
    local, berlin = LocalZone(), ZoneInfo(BERLIN)
    for hour in range(at("2026-03-28 20:00") // HOUR, at("2026-03-29 08:00") // HOUR):
        moment = datetime.fromtimestamp(hour * 3600, UTC)
        assert moment.astimezone(local).replace(tzinfo=None) == moment.astimezone(berlin).replace(tzinfo=None)
        assert moment.astimezone(local).timestamp() == hour * 3600
    for half in range(at("2026-10-24 20:00") // HOUR * 2, at("2026-10-25 08:00") // HOUR * 2):
        moment = datetime.fromtimestamp(half * 1800, UTC).astimezone(local)
        assert moment.timestamp() == half * 1800
        assert moment.fold == datetime.fromtimestamp(half * 1800, berlin).fold
    for on in ("*-*-* 02:30", "30 2 * * *", "hourly"):
        for base in ("2026-03-28 12:00", "2026-10-24 12:00"):
            begin = at(base, BERLIN)
            assert Calendar(on, local).after(begin, 20) == Calendar(on, berlin).after(begin, 20)


@pytest.mark.usefixtures("in_berlin")
def test_a_machine_that_travels_gets_other_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """cron and timers follow the machine's zone, and so do we without a restart."""
    before = zone(None)
    assert before == LocalZone()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert zone(None) != before
    assert Calendar("12:00", zone(None)).after(at("2026-03-01 00:00")) == [at("2026-03-01 12:00", "Asia/Tokyo")]


def test_days_have_23_24_and_25_hours() -> None:
    """A day is what the calendar of the zone says."""
    days = list(islice(midnights(zone(BERLIN), at("2026-03-28 23:00", BERLIN)), 3))
    assert [(later - begin) // HOUR for (begin, _), (later, _) in pairwise(days)] == [24, 23]
    assert [weekday for _, weekday in days] == [5, 6, 0]
    year = [begin for begin, _ in islice(midnights(zone(BERLIN), at("2026-01-01 00:00", BERLIN)), 731)]
    assert {(later - begin) // HOUR for begin, later in pairwise(year)} == {23, 24, 25}
    assert year[365] == at("2027-01-01 00:00", BERLIN)
