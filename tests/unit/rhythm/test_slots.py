"""Slots of cron lines and OnCalendar, on both nights of summer time too."""

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from tests.unit.rhythm.rhythms import BERLIN, DAY, at
from tray.rhythm.slots import Calendar, calendar, fault, is_cron
from tray.rhythm.zones import zone

NIGHTS = ["2026-03-28 20:45", "2026-10-24 20:45", "2026-12-30 10:10", "2028-02-28 23:59"]
EXPRESSIONS = [
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "yearly",
    "02:30",
    "*:00/30",
    "*-*-* 02:00",
    "*-*-* 0/6:15",
    "Mon..Fri 20:30",
    "Sat,Sun 08:00",
    "Mon *-*-1..7 04:00",
    "*-*-01 04:00",
    "*-*~01 23:00",
    "*-02-29 12:00",
    "*-1,4,7,10-15 01:02:03",
    "02:30 America/New_York",
    "Sun 03:00 UTC",
    "2027-05-01 10:00",
]


def shown(times: list[int], name: str = BERLIN) -> list[str]:
    """Return *times* as the clock of the zone shows them."""
    return [datetime.fromtimestamp(ms / 1000, zone(name)).strftime("%a %m-%d %H:%M %z") for ms in times]


def by_systemd(expression: str, base: str, count: int) -> list[int]:
    """Return the next *count* moments of *expression* after *base*, as systemd computes them; none if it refuses."""
    command = ["systemd-analyze", "calendar", f"--base-time={base}", f"--iterations={count}", expression]
    text = subprocess.run(
        command, env={**os.environ, "TZ": BERLIN, "LC_ALL": "C"}, capture_output=True, text=True
    ).stdout
    return [
        int(datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()) * 1000
        for moment in re.findall(r"\(in UTC\): \w+ (.*) UTC", text)
    ]


def by_us(expression: str, base: str, count: int) -> list[int]:
    """Return the same as we compute it."""
    return Calendar(expression, zone(BERLIN)).after(at(base, BERLIN), count)


@pytest.mark.process
@pytest.mark.parametrize("base", NIGHTS)
def test_slots_are_those_of_systemd(base: str) -> None:
    """A timer and our expectation of it never disagree, and where there is no systemd there is no timer."""
    if shutil.which("systemd-analyze"):
        for expression in EXPRESSIONS:
            assert by_systemd(expression, base, 12) == by_us(expression, base, 12)


numbers = st.sampled_from(["*", "{0}", "{0},{1}", "{0}..{1}", "{0}/{1}"])


@st.composite
def fields(draw: st.DrawFn, least: int, most: int) -> str:
    """Return a field of OnCalendar whose numbers lie between *least* and *most*."""
    one, other = sorted(draw(st.lists(st.integers(max(least, 1), most), min_size=2, max_size=2, unique=True)))
    form = draw(numbers)
    return form.format(one, min(other, most - one) if "/" in form else other) if one < most else str(one)


expressions = st.builds(
    "{}*-{}-{} {}:{}".format,
    st.sampled_from(["", "Mon ", "Mon..Fri ", "Sat,Sun ", "Wed,Fri "]),
    fields(1, 12),
    fields(1, 28),
    fields(0, 23),
    fields(0, 59),
)


@pytest.mark.process
@settings(max_examples=60, phases=[Phase.generate])  # each starts a program, and a smaller example says no more
@given(expressions, st.sampled_from(NIGHTS))
def test_any_expression_has_the_slots_of_systemd(expression: str, base: str) -> None:
    """The same for expressions made by chance."""
    if shutil.which("systemd-analyze"):
        theirs = by_systemd(expression, base, 5)
        # systemd 252 gives up on some in the night of 25 hours: "infinite loop in calendar calculation"
        assume(theirs)
        assert theirs == by_us(expression, base, len(theirs))


def test_a_night_of_23_hours_has_no_slot_in_the_missing_one() -> None:
    """systemd's timer leaves the day out, so nothing is expected then, though cron would run right after the jump.

    The hours of an hourly job are an hour apart.
    """
    march = at("2026-03-28 12:00", BERLIN)
    assert shown(calendar("*-*-* 02:30", zone(BERLIN)).after(march, 1)) == ["Mon 03-30 02:30 +0200"]
    assert shown(calendar("30 2 * * *", zone(BERLIN)).after(march, 1)) == ["Mon 03-30 02:30 +0200"]
    assert shown(calendar("0 2,3 * * *", zone(BERLIN)).after(march, 2)) == [
        "Sun 03-29 03:00 +0200",
        "Mon 03-30 02:00 +0200",
    ]
    hours = calendar("0 * * * *", zone(BERLIN)).after(march, 24)
    assert {later - slot for slot, later in pairwise(hours)} == {3_600_000}


def test_a_night_of_25_hours_has_one_slot_in_the_doubled_one() -> None:
    """The first of both, as systemd and cron do it; a look from the second one goes on with the next day."""
    for on in ("*-*-* 02:30", "30 2 * * *"):
        slots = calendar(on, zone(BERLIN)).after(at("2026-10-24 12:00", BERLIN), 2)
        assert shown(slots) == ["Sun 10-25 02:30 +0200", "Mon 10-26 02:30 +0100"]
        assert Calendar(on, zone(BERLIN)).after(slots[0] + 1_800_000, 1) == slots[1:]


@given(st.sampled_from(EXPRESSIONS[:8]), st.lists(st.integers(0, 900 * DAY), max_size=6))
def test_it_does_not_matter_in_which_order_slots_are_asked_for(on: str, moments: list[int]) -> None:
    """A calendar keeps slots; the answers are those of a fresh one."""
    kept, begin = Calendar(on, zone(BERLIN)), at("2026-01-01 00:00")
    for moment in moments:
        answer = kept.after(begin + moment, 3)
        assert answer == Calendar(on, zone(BERLIN)).after(begin + moment, 3)
        assert all(slot > begin + moment for slot in answer)


def test_several_expressions_are_one_calendar() -> None:
    """A timer may have several OnCalendar lines."""
    slots = calendar("08:00\nSat 12:00", zone("UTC")).after(at("2026-03-06 09:00"), 3)
    assert shown(slots, "UTC") == ["Sat 03-07 08:00 +0000", "Sat 03-07 12:00 +0000", "Sun 03-08 08:00 +0000"]


def test_a_calendar_can_end() -> None:
    """One date in the past has no slot after it, however often we ask."""
    ended = calendar("2026-05-01 10:00", zone("UTC"))
    assert ended.after(at("2026-01-01 00:00"), 5) == [at("2026-05-01 10:00")]
    assert ended.after(at("2029-01-01 00:00"), 5) == ended.after(at("2029-01-01 00:00"), 5) == []


@pytest.mark.parametrize(
    "on",
    [
        "15 2 * * *",
        "*/5 * * * *",
        "0 0 1 jan *",
        "0 22 * * mon-fri",
        "0 22 * * MON,WED",
        "@daily",
        "@Weekly",
        "0 4 L * *",
    ],
)
def test_cron_lines_are_recognised(on: str) -> None:
    """Names of months and days, steps and the short names are cron."""
    assert is_cron(on)
    assert fault(on) is None


@pytest.mark.parametrize("on", EXPRESSIONS[:-1])
def test_oncalendar_is_not_taken_for_cron(on: str) -> None:
    """An expression with at most four words is OnCalendar."""
    assert not is_cron(on)
    assert fault(on, BERLIN) is None


@pytest.mark.parametrize(
    ("on", "zone_name", "part"),
    [
        ("@reboot", None, "@daily"),
        ("61 2 * * *", None, "minute"),
        ("15 25 * * *", None, "hour"),
        ("at night", None, "Mon..Fri 20:30"),
        ("", None, "Mon..Fri 20:30"),
        ("   ", None, "Mon..Fri 20:30"),
        ("25:00", None, "hour"),
        ("*:*/30", None, "0/30"),
        ("*:*:*", None, "every minute"),
        ("*:*:0/5", BERLIN, "every minute"),
        ("Mun 20:30", None, "Mon..Fri 20:30"),
        ("2020-01-01", None, "no moment"),
        ("0 0 31 2 *", None, "day-of-month"),
        ("02:00", "Europe/Atlantis", "no such time zone"),
        ("02:00", "../../etc/passwd", "no such time zone"),
        ("02:00", "", "no such time zone"),
    ],
)
def test_a_faulty_expression_gets_its_reason(on: str, zone_name: str | None, part: str) -> None:
    """The text names the wrong part or the nearest form that can be followed."""
    reason = fault(on, zone_name)
    assert reason is not None
    assert part in reason


@given(st.text(max_size=40), st.none() | st.text(max_size=20))
def test_any_text_is_followed_or_refused(on: str, zone_name: str | None) -> None:
    """No text from a configuration or a crontab breaks the reader."""
    reason = fault(on, zone_name)
    assert reason is None or reason
