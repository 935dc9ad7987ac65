"""Which slots of a rhythm a report calls kept, late, missed or asleep, and that it judges as the status does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.core.clock import DAY_MS
from tray.rhythm import MOST_MISSED, Past, Rhythm, kept_slots
from tray.rhythm.awake import Awake
from tray.rhythm.expect import expect
from tray.rhythm.kept_slots import ASLEEP, KEPT, LATE, MISSED, OVERDUE, SILENT
from tray.rhythm.plan import Run

HOUR = 3_600_000
BEGIN = 1_790_035_200_000
"""2026-09-22 00:00 UTC, a Tuesday."""
NOON = Rhythm("stated", on="12:00", zone="UTC")
DAILY = Rhythm("stated", every_ms=DAY_MS)
AWAKE = Awake()


def noon(day: float) -> Run:
    """A good run at noon of that day, ten minutes long."""
    start = BEGIN + int(day * DAY_MS) + 12 * HOUR
    return start, start + 600_000


def hows(
    rhythm: Rhythm, goods: list[Run], end_ms: int, awake: Awake = AWAKE, first_ms: int = BEGIN, begin_ms: int = BEGIN
) -> list[str]:
    """How each slot was met."""
    made = kept_slots.met(rhythm, goods, first_ms, awake, begin_ms, end_ms)
    assert made is not None
    return [slot.how for slot in made[0]]


@pytest.mark.parametrize("rhythm", [NOON, DAILY])
def test_a_day_without_a_backup_is_missed_and_a_slow_one_late(rhythm: Rhythm) -> None:
    """The deadline is that of the status at that time: a run that was late teaches only those behind it."""
    goods = [noon(0), noon(1), noon(3), noon(4.2), noon(5.2)]
    judged = hows(rhythm, goods, BEGIN + 6 * DAY_MS)
    if rhythm is NOON:
        assert judged == [KEPT, KEPT, MISSED, KEPT, LATE, KEPT]
    else:
        assert judged == [KEPT, MISSED, KEPT, LATE, KEPT], "each run moves the next slot"


def test_a_slot_whose_deadline_has_not_passed_is_not_counted() -> None:
    """The backup may still come; a little later it is missed."""
    goods = [noon(0), noon(1)]
    assert hows(NOON, goods, BEGIN + 2 * DAY_MS + 13 * HOUR) == [KEPT, KEPT]
    assert hows(NOON, goods, BEGIN + 2 * DAY_MS + 14 * HOUR) == [KEPT, KEPT, MISSED]


def test_a_slot_that_the_machine_slept_through_is_neither_kept_nor_missed() -> None:
    """Off for two days and on for twenty minutes in the third: nothing could come; on for thirteen hours: it could."""
    awake = Awake(
        [(BEGIN, BEGIN + 20 * HOUR), (BEGIN + 3 * DAY_MS, BEGIN + 3 * DAY_MS + 20 * 60_000)],
        [(BEGIN + 20 * HOUR, BEGIN + 3 * DAY_MS), (BEGIN + 3 * DAY_MS + 20 * 60_000, BEGIN + 5 * DAY_MS)],
    )
    assert hows(NOON, [noon(0)], BEGIN + 5 * DAY_MS, awake) == [KEPT, ASLEEP, ASLEEP, ASLEEP]
    on = Awake([(BEGIN, BEGIN + 20 * HOUR), (BEGIN + 36 * HOUR, BEGIN + 49 * HOUR)], [(BEGIN, BEGIN + 5 * DAY_MS)])
    assert hows(NOON, [noon(0)], BEGIN + 5 * DAY_MS, on) == [KEPT, MISSED, ASLEEP, ASLEEP]


def test_nothing_counts_before_the_job_was_known_or_while_it_was_off() -> None:
    """A job made in the middle of a month missed nothing before."""
    end = BEGIN + 6 * DAY_MS
    assert hows(NOON, [], end, first_ms=BEGIN + 4 * DAY_MS) == [MISSED, MISSED]
    assert hows(NOON, [noon(0)], end, begin_ms=BEGIN + 4 * DAY_MS) == [MISSED, MISSED]
    resumed = Rhythm("stated", on="12:00", zone="UTC", from_ms=BEGIN + 5 * DAY_MS)
    assert hows(resumed, [noon(0)], end) == [MISSED]


def test_a_run_shortly_before_its_slot_keeps_it_and_a_further_one_keeps_no_other() -> None:
    """An extra run by hand does not make up for the slot of tomorrow."""
    early = (BEGIN + 10 * HOUR + 30 * 60_000, BEGIN + 11 * HOUR)
    extra = (BEGIN + 18 * HOUR, BEGIN + 19 * HOUR)
    assert hows(NOON, [early, extra], BEGIN + 2 * DAY_MS) == [KEPT, MISSED]


def test_a_rhythm_of_minutes_counts_its_newest_slots_only() -> None:
    """A year of them would take longer than a report may."""
    every_minute = Rhythm("stated", every_ms=60_000)
    end = BEGIN + 100 * DAY_MS
    made = kept_slots.met(every_minute, [noon(0)], BEGIN, AWAKE, BEGIN, end)
    assert made is not None
    assert len(made[0]) <= kept_slots.MOST_SLOTS + 1
    assert made[1] == end - kept_slots.MOST_SLOTS * 60_000


def test_neighbours_become_one_stretch_with_the_backup_that_ended_it() -> None:
    """A month without a backup is one line, not thirty."""
    goods = [noon(0), noon(4), noon(5)]
    end = BEGIN + 9 * DAY_MS
    made = kept_slots.met(NOON, goods, BEGIN, AWAKE, BEGIN, end)
    assert made is not None
    first, second = kept_slots.stretches(made[0], goods)
    assert (first.how, first.number, first.first_ms, first.end_ms) == (MISSED, 3, noon(1)[0], noon(4)[1])
    assert (second.how, second.number, second.last_ms, second.end_ms) == (MISSED, 3, noon(8)[0], None)


def test_a_learnt_rhythm_has_no_slots_but_times_in_which_it_was_overdue() -> None:
    """No share of kept slots is made up; where nothing is known, a long silence is all that can be said."""
    goods = [noon(day) for day in (*range(20), *range(40, 60))]
    end = BEGIN + 62 * DAY_MS
    (silence,) = kept_slots.silences(Rhythm(), goods, BEGIN, AWAKE, BEGIN, BEGIN + 60 * DAY_MS)
    assert (silence.how, silence.end_ms) == (OVERDUE, noon(40)[1])
    assert noon(20)[0] < silence.first_ms < noon(24)[0]
    assert kept_slots.silences(Rhythm(), goods, BEGIN, AWAKE, BEGIN + 50 * DAY_MS, BEGIN + 60 * DAY_MS) == []
    (unknown,) = kept_slots.silences(Rhythm(), [noon(0), noon(1)], BEGIN, AWAKE, BEGIN, end)
    assert (unknown.how, unknown.end_ms) == (SILENT, None)


@given(
    st.lists(st.integers(0, 40), max_size=20, unique=True),
    st.sampled_from(
        [NOON, DAILY, Rhythm("stated", on="Mon,Thu 06:00", zone="UTC"), Rhythm("stated", every_ms=6 * HOUR)]
    ),
    st.integers(0, 24 * 45),
)
def test_a_report_and_the_status_miss_the_same_backups(days: list[int], rhythm: Rhythm, hours: int) -> None:
    """The slots that are open at the end of the period are those that the status counts at that moment."""
    end = BEGIN + hours * HOUR
    goods = [run for day in sorted(days) if (run := noon(day))[1] <= end]
    made = kept_slots.met(rhythm, goods, BEGIN, AWAKE, BEGIN, end)
    assert made is not None
    last = goods[-1][1] if goods else BEGIN
    open_slots = [slot for slot in made[0] if slot.slot_ms > last + 2 * HOUR and slot.how == MISSED]
    judged = expect(rhythm, Past(tuple(goods), BEGIN), AWAKE, end)
    if judged.missed < MOST_MISSED:
        assert len(open_slots) == judged.missed
