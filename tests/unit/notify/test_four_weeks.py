"""The calendar of the last four weeks: no day is called kept or missed that was not."""

import os
import time

import pytest

from tests.unit.report.help import HOUR, ended, writer
from tray.audit.entry import Action, Draft
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.model import Outcome
from tray.core.paths import Places, private
from tray.notify import four_weeks
from tray.notify.four_weeks import DAYS, EMPTY
from tray.rhythm.awake import Awake
from tray.rhythm.kept_slots import ASLEEP, KEPT, MISSED
from tray.status.awake_times import AwakeTimes

BEGIN = 1_789_948_800_000
"""2026-09-21 00:00 UTC, the first day of the calendar."""
NOW = BEGIN + DAYS * DAY_MS + 12 * HOUR
"""Noon of the day after the last one of the calendar."""
NOON_DAILY = '[jobs.home]\ncommand = ["true"]\non = "12:00"\nzone = "UTC"\n'

pytestmark = pytest.mark.usefixtures("utc")


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine was awake all the time; records of this one have no say."""
    monkeypatch.setattr(AwakeTimes, "read", lambda *_: Awake())


def configure(places: Places, text: str) -> None:
    """Make *text* the configuration, as if the user had written it long ago."""
    private(places.config)
    places.config_file.write_text(f"version = 1\n{text}")
    os.utime(places.config_file, (BEGIN / 1000 - 999_999, BEGIN / 1000 - 999_999))


def at_noon(days: list[int], outcome: Outcome = Outcome.SUCCEEDED) -> list[Draft]:
    """Runs of "home" that ended shortly after noon of these days, counted from the first one of the calendar."""
    made = []
    for day in days:
        run = f"019a0000-0000-7000-8000-{outcome.value[0]:0>6}{day + 100:06d}"
        made.append(ended(0, "home", outcome, run=run, time_ms=int(BEGIN + day * DAY_MS + 12.2 * HOUR)))
    return made


def days(places: Places) -> list[str]:
    """How the days of "home" were."""
    return list(four_weeks.of_jobs(places, ["home"], NOW).get("home", ()))


def test_a_day_with_its_backup_is_kept_and_one_without_is_missed(places: Places) -> None:
    """28 days, the last of them yesterday."""
    configure(places, NOON_DAILY)
    with writer(places) as log:
        log.append(at_noon([day for day in range(-3, DAYS) if day not in (5, 6)]))
    assert str(four_weeks.first_day(NOW)) == f"{clock.local(BEGIN):%Y-%m-%d}"
    assert days(places) == [MISSED if day in (5, 6) else KEPT for day in range(DAYS)]


def test_a_failed_run_keeps_no_day(places: Places) -> None:
    """Only a good backup counts."""
    configure(places, NOON_DAILY)
    with writer(places) as log:
        log.append(at_noon([-1, 0, 1]))
        log.append(at_noon([2], Outcome.FAILED))
        log.append(at_noon(list(range(3, DAYS))))
    assert days(places)[:4] == [KEPT, KEPT, MISSED, KEPT]


def test_days_before_the_job_was_known_are_empty(places: Places) -> None:
    """A job that is new has missed nothing."""
    configure(places, NOON_DAILY)
    with writer(places) as log:
        log.append(at_noon(list(range(20, DAYS))))
    assert days(places) == [EMPTY] * 20 + [KEPT] * 8


def test_a_rhythm_counts_from_the_day_on_which_it_was_stated(places: Places) -> None:
    """Before that another rhythm may have been stated: a day without a backup is empty, one with a backup is kept."""
    configure(places, NOON_DAILY)
    with writer(places) as log:
        log.append(at_noon([-1, 3]))
        changes = {"changes": [{"key": "jobs.home.on", "from": '"Mon 12:00"', "to": '"12:00"'}]}
        log.append([Draft(Action.CONFIG_CHANGED, time_ms=BEGIN + 10 * DAY_MS, result="changed", body=changes)])
        log.append(at_noon([26, 27]))
    assert days(places) == [KEPT if day in (3, 26, 27) else EMPTY if day < 10 else MISSED for day in range(DAYS)]


def test_a_learnt_rhythm_misses_only_the_days_of_a_silence(places: Places) -> None:
    """Where no time is stated, a day without a backup is empty until the past makes it overdue."""
    configure(places, '[jobs.home]\ncommand = ["true"]\n')
    with writer(places) as log:
        log.append(at_noon(list(range(-30, 10))))
    known = days(places)
    assert known[:10] == [KEPT] * 10
    assert known[10] == EMPTY
    assert known[20:] == [MISSED] * 8


def test_a_day_that_the_machine_slept_through_is_neither(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that was closed has missed nothing."""
    slept = (BEGIN + 4 * DAY_MS, BEGIN + 8 * DAY_MS)
    monkeypatch.setattr(AwakeTimes, "read", lambda *_: Awake([(0, slept[0]), (slept[1], NOW)], [slept]))
    configure(places, NOON_DAILY)
    with writer(places) as log:
        log.append(at_noon([day for day in range(-3, DAYS) if not 4 <= day < 8]))
    assert days(places)[3:9] == [KEPT, *[ASLEEP] * 4, KEPT]


def test_without_a_log_there_is_no_calendar(places: Places) -> None:
    """Nothing is shown that is not known."""
    assert days(places) == []
    with writer(places) as log:
        log.append(at_noon([1]))
    places.audit_db.write_bytes(b"no database")
    assert days(places) == []


def test_a_broken_configuration_calls_no_day_missed(places: Places) -> None:
    """Without the rhythms the days with a backup are still known."""
    configure(places, "jobs = 3\n")
    with writer(places) as log:
        log.append(at_noon([26, 27]))
    assert days(places) == [EMPTY] * 26 + [KEPT] * 2


def test_the_first_day_counts_whole_where_summer_time_ends_after_it(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of the first minutes of a day is missed on that day too."""
    configure(places, '[jobs.home]\ncommand = ["true"]\non = "00:20"\n')
    now = clock.from_text("2026-11-10T12:00:00.000+01:00")
    runs = [clock.from_text(f"2026-10-{day:02}T00:25:00.000+02:00") for day in (10, 11, 12, 14)]
    with writer(places) as log:
        log.append([ended(0, run=f"019a0000-0000-7000-8000-{at % 10**12:012d}", time_ms=at) for at in runs])
    with monkeypatch.context() as patch:  # the fixture `utc` reads the zone again after the test
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        hows = four_weeks.of_jobs(places, ["home"], now)["home"]
    assert hows[:3] == (MISSED, KEPT, MISSED)
