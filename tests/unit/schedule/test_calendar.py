"""Times of schedules are read as systemd and cron read them, or refused with the nearest that can be followed."""

import shutil
import subprocess
from contextlib import suppress
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.unit.schedule.times import CRON, NONSENSE, ON_CALENDAR
from tray.core.errors import WhenError
from tray.rhythm import slots
from tray.schedule.calendar import Calendar, apart, minutes_a_day, parse


@pytest.mark.parametrize(("text", "normal"), ON_CALENDAR.items())
def test_oncalendar_is_read_as_systemd_reads_it(text: str, normal: str) -> None:
    """The normal form is systemd's own (`systemd-analyze calendar`)."""
    (calendar,) = parse(text)
    assert calendar.text() == normal
    assert parse(normal) == (calendar,)


@pytest.mark.parametrize(("text", "normal"), CRON.items())
def test_cron_is_read_as_crontab_5_says(text: str, normal: tuple[str, ...]) -> None:
    """Names, steps, Sunday's two numbers, and both kinds of days at once, of which either starts the job."""
    assert tuple(calendar.text() for calendar in parse(text)) == normal


@pytest.mark.parametrize(("text", "nearest"), NONSENSE.items())
def test_a_text_that_cannot_be_followed_is_refused_with_the_nearest_that_can(text: str, nearest: str) -> None:
    """The user need not guess: the proposal is itself understood."""
    with pytest.raises(WhenError) as refused:
        parse(text)
    assert refused.value.nearest == nearest
    assert refused.value.why
    if nearest:
        assert parse(nearest)
        assert f"--on {nearest}" in refused.value.next.replace("'", "")


@pytest.mark.parametrize("text", [*ON_CALENDAR, *(text for text in CRON if "=" not in text)])
def test_the_rhythm_of_a_job_follows_the_same_texts(text: str) -> None:
    """A time that is saved as `on` is also one against which the job can be judged."""
    assert slots.fault(text, None) is None


def test_the_zone_of_the_text_comes_before_that_of_the_job() -> None:
    """`zone` is for texts that name none."""
    assert parse("daily", "Europe/Berlin")[0].zone == "Europe/Berlin"
    assert parse("daily UTC", "Europe/Berlin")[0].zone == "UTC"
    assert parse("0 2 * * *", "Europe/Berlin")[0].zone == "Europe/Berlin"


def test_cron_tz_is_taken_apart_from_the_fields() -> None:
    """The configuration has a key of its own for the zone."""
    assert apart("CRON_TZ=Europe/Berlin 0 2 * * *") == ("0 2 * * *", "Europe/Berlin")
    assert apart("0 2 * * *") == ("0 2 * * *", None)


def test_several_lines_are_several_times() -> None:
    """A timer may have several lines OnCalendar, and a job's `on` too."""
    assert [calendar.hours for calendar in parse("Mon..Fri 20:30\nSat 8:00\n")] == [(20,), (8,)]


def test_starts_of_a_day_are_counted() -> None:
    """Only a job that starts seldom gets a random delay."""
    assert minutes_a_day(parse("daily")) == 1
    assert minutes_a_day(parse("*:0/15")) == 96


_numbers = {"months": (1, 12), "days": (1, 31), "hours": (0, 23), "minutes": (0, 59), "seconds": (0, 59)}


@some.composite
def calendars(draw: some.DrawFn) -> Calendar:
    """Any calendar."""
    parts = {
        name: tuple(sorted(draw(some.sets(some.integers(low, high), min_size=1, max_size=9))))
        for name, (low, high) in _numbers.items()
    }
    weekdays = tuple(sorted(draw(some.sets(some.integers(0, 6), min_size=1))))
    zone = draw(some.sampled_from([None, "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"]))
    return Calendar(weekdays=weekdays, zone=zone, **parts)


@given(calendars())
def test_any_calendar_is_read_back_from_its_text(calendar: Calendar) -> None:
    """Text and calendar say the same."""
    assert parse(calendar.text()) == (calendar,)
    assert calendar.zone is None or ZoneInfo(calendar.zone)


@given(some.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    """Nothing that a user can write makes it stumble."""
    with suppress(WhenError):
        assert parse(text)


@pytest.mark.process
def test_systemd_agrees_with_every_text() -> None:
    """`systemd-analyze calendar` reads each of our texts, and as the same times."""
    assert shutil.which("systemd-analyze"), "the package systemd is missing"
    texts = [calendar.text() for text in (*ON_CALENDAR, *CRON) for calendar in parse(text)]
    done = subprocess.run(["systemd-analyze", "calendar", *texts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    normal = [line.partition("form: ")[2] for line in done.stdout.splitlines() if "Normalized form" in line]
    assert normal == texts
