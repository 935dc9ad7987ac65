import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.rhythm import slots
from tray.takeover.schedule import DAY_MS, HOUR_MS, Schedule, in_words, of_cron, together


@pytest.mark.parametrize(
    ("text", "on", "said"),
    [
        ("15 2 * * *", "15 2 * * *", "every day at 02:15"),
        ("15  2\t* * *", "15 2 * * *", "every day at 02:15"),
        ("@daily", "0 0 * * *", "every day at 00:00"),
        ("@Weekly", "0 0 * * 0", "every Sunday at 00:00"),
        ("0 3 * jan-mar mon,fri", "0 3 * 1-3 1,5", "by the cron line `0 3 * 1-3 1,5`"),
        ("0 3 * * mon,fri", "0 3 * * 1,5", "every Monday and Friday at 03:00"),
        ("30 20 * * MON-FRI", "30 20 * * 1-5", "Monday to Friday at 20:30"),
        ("0 */6 * * *", "0 */6 * * *", "every 6 hours at minute 0"),
        ("*/15 * * * *", "*/15 * * * *", "every 15 minutes"),
        ("0 4 1 * *", "0 4 1 * *", "on day 1 of every month at 04:00"),
        ("0 4 24 dec *", "0 4 24 12 *", "every year on 24 December at 04:00"),
        ("0 2,14 * * *", "0 2,14 * * *", "every day at 02:00 and 14:00"),
        ("7 1 * * 7", "7 1 * * 7", "every Sunday at 01:07"),
    ],
)
def test_a_cron_line_is_read(text: str, on: str, said: str) -> None:
    """Names of months and days, names of schedules, in plain words; and the rhythm's reader follows each."""
    schedule = of_cron(text)
    assert (schedule.on, schedule.why) == (on, "")
    assert in_words(schedule) == said
    assert slots.fault(on) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@reboot", "the machine starts"),
        ("0~30 2 * * *", "by chance"),
        ("61 * * * *", "minute '61'"),
        ("* 24 * * *", "hour '24'"),
        ("* * 0 * *", "day of the month '0'"),
        ("* * * foo *", "month 'foo'"),
        ("* * * * mon-xyz", "day of the week"),
        ("*/0 * * * *", "minute '*/0'"),
        ("5-1 * * * *", "minute '5-1'"),
        ("* * * *", "none of cron's schedules"),
        ("@fortnightly", "none of cron's schedules"),
        ("", "none of cron's schedules"),
    ],
)
def test_a_line_that_states_no_rhythm_says_why(text: str, why: str) -> None:
    """No rhythm is invented."""
    schedule = of_cron(text)
    assert not schedule.stated
    assert why in schedule.why


def test_two_lines_of_one_backup_become_one_rhythm() -> None:
    """At 2 and at 14 o'clock is one rhythm; lines that differ in more than one field are none."""
    twice = together([of_cron("0 2 * * *"), of_cron("0 14 * * *")])
    assert (twice.on, twice.text) == ("0 2,14 * * *", "0 2 * * *, and 0 14 * * *")
    odd = together([of_cron("0 2 * * 1"), of_cron("30 14 * * *")])
    assert not odd.stated
    assert "do not fit" in odd.why


def test_calendar_expressions_stay_apart_lines() -> None:
    """OnCalendar may be given several times."""
    both = together([Schedule("a", on="Mon 10:00"), Schedule("b", on="Fri 12:00")])
    assert both.on == "Mon 10:00\nFri 12:00"
    assert in_words(both) == "every Monday at 10:00 and every Friday at 12:00"
    assert slots.fault(both.on or "") is None


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (Schedule("", every_ms=DAY_MS), "every day"),
        (Schedule("", every_ms=6 * HOUR_MS), "every 6 hours"),
        (Schedule("", every_ms=DAY_MS, delay_ms=900_000), "every day, up to 15 minutes later"),
        (Schedule("", on="Mon..Fri 20:30", zone="Europe/Berlin"), "Monday to Friday at 20:30, time of Europe/Berlin"),
        (Schedule("", on="*-*-* 04:00:00"), "every day at 04:00"),
        (Schedule("", on="*-*-01 04:00"), "by the calendar expression `*-*-01 04:00`"),
        (Schedule(""), "its rhythm is learnt from its runs"),
    ],
)
def test_a_rhythm_is_said_in_words(schedule: Schedule, said: str) -> None:
    """The user reads a sentence, not five fields."""
    assert in_words(schedule) == said


FIELD = st.text(alphabet="0123456789*/-,~abcjanmon?LW#", max_size=7)


@given(st.tuples(FIELD, FIELD, FIELD, FIELD, FIELD))
def test_each_line_that_is_taken_can_be_followed(fields: tuple[str, ...]) -> None:
    """A line that this reader takes is no fault to the rhythm's reader, unless it names a day that no year has."""
    schedule = of_cron(" ".join(fields))
    if schedule.on is not None:
        fault = slots.fault(schedule.on)
        assert fault is None or "no moment" in fault or "day-of-month" in fault, (schedule.on, fault)
    assert in_words(schedule)
