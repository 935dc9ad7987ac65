"""The one judgement of a job against its rhythm."""

import pytest

from tests.unit.rhythm.rhythms import BERLIN, DAY, HOUR, MINUTE, at, daily
from tray.core.model import State
from tray.rhythm import Past, Rhythm, Word
from tray.rhythm.awake import Awake
from tray.rhythm.expect import expect

NIGHTLY = Rhythm("stated", on="*-*-* 02:00", zone="UTC")
HOURLY = Rhythm("stated", every_ms=HOUR)
SERVER = Awake()


@pytest.mark.parametrize(
    ("now", "word", "state"),
    [
        ("2026-03-31 01:59", Word.FINE, None),
        ("2026-03-31 02:00", Word.DUE, None),
        ("2026-03-31 03:14", Word.DUE, None),
        ("2026-03-31 03:15", Word.OVERDUE, State.OVERDUE),
        ("2027-03-31 02:30", Word.OVERDUE, State.OVERDUE),
    ],
)
def test_a_nightly_job_goes_from_fine_to_overdue(now: str, word: Word, state: State | None) -> None:
    """A job that is always on time may begin 15 minutes late and last an hour."""
    answer = expect(NIGHTLY, daily("2026-03-01 02:00", 30), SERVER, at(now))
    assert (answer.word, answer.state) == (word, state)
    assert answer.next_ms == at("2026-03-31 02:00")
    assert answer.expected_by_ms == at("2026-03-31 03:15")


@pytest.mark.parametrize(
    ("first", "lasts", "minutes"),
    [
        ("2026-03-01 02:00", 10, 75),
        ("2026-03-01 02:40", 10, 120),
        ("2026-03-01 02:00", 80, 135),
        ("2026-03-01 02:00", 900, 720),
    ],
)
def test_lateness_and_duration_are_learnt_apart(first: str, lasts: int, minutes: int) -> None:
    """Half as much again as usual is allowed for each, together at most half a gap."""
    answer = expect(NIGHTLY, daily(first, 30, lasts=lasts * MINUTE), SERVER, at("2026-03-31 03:00"))
    assert answer.tolerance_ms == minutes * MINUTE


def test_a_fast_job_is_late_before_it_is_overdue() -> None:
    """Two short gaps: the deadline of the first slot passes long before the second is missed."""
    past = daily("2026-03-01 00:00", 30, every=HOUR)
    answer = expect(HOURLY, past, SERVER, past.goods[-1][0] + 91 * MINUTE)
    assert (answer.word, answer.tolerance_ms, answer.state) == (Word.LATE, 30 * MINUTE, State.WARNING)


def test_a_run_shortly_before_its_slot_satisfies_it() -> None:
    """A timer that fires a minute early is no miss."""
    past = Past(((at("2026-03-01 01:30"), at("2026-03-01 01:40")),), at("2026-02-01 00:00"))
    assert expect(NIGHTLY, past, SERVER, at("2026-03-01 23:00")).next_ms == at("2026-03-02 02:00")


def test_sleep_is_no_delay() -> None:
    """Two weeks in a drawer make no job overdue, and after waking the scheduler has half a day to catch up, until it is known."""
    past = daily("2026-03-01 02:00", 30)
    wakes = at("2026-04-13 09:00")
    awake = Awake([(0, at("2026-03-30 22:00")), (wakes, wakes + DAY)], [(at("2026-03-30 22:00"), wakes)])
    asleep = expect(NIGHTLY, past, awake, wakes - 1)
    assert (asleep.overdue_since_ms, asleep.word) == (None, Word.OLD)
    assert expect(NIGHTLY, past, awake, wakes + 12 * HOUR - 1).overdue_since_ms is None
    late = expect(NIGHTLY, past, awake, wakes + 12 * HOUR)
    assert (late.word, late.overdue_since_ms) == (Word.OVERDUE, wakes + 12 * HOUR)
    assert late.missed == 14


def test_a_scheduler_that_catches_up_is_held_to_it() -> None:
    """A laptop that always ran its missed job ten minutes after waking is overdue after four hours awake, not after twelve."""
    goods, intervals = [], []
    for day in range(10):
        wakes = at("2026-03-01 09:00") + day * DAY
        intervals.append((wakes, wakes + 8 * HOUR))
        goods.append((wakes + 10 * MINUTE, wakes + 20 * MINUTE))
    awake = Awake(intervals, [(intervals[0][0], intervals[-1][1])])
    answer = expect(NIGHTLY, Past(tuple(goods[:-1]), goods[0][0]), awake, intervals[-1][0] + 4 * HOUR)
    assert (answer.word, answer.tolerance_ms) == (Word.OVERDUE, 4 * HOUR)


def test_a_scheduler_that_waits_for_the_next_slot_is_not_late_before_it() -> None:
    """A cron job at noon on an office desktop missed ten slots in a holiday; on the first morning nothing is wrong."""
    noon = Rhythm("stated", on="0 12 * * *", zone="UTC")
    past = daily("2026-03-01 12:00", 30)
    asleep = (past.goods[-1][1], at("2026-04-10 08:00"))
    awake = Awake([(asleep[1], asleep[1] + DAY)], [asleep])
    assert expect(noon, past, awake, at("2026-04-10 11:59")).overdue_since_ms is None
    overdue = expect(noon, past, awake, at("2026-04-10 13:15"))
    assert (overdue.word, overdue.overdue_since_ms) == (Word.OVERDUE, at("2026-04-10 13:15"))


@pytest.mark.parametrize(("now", "word"), [("2026-03-06 20:29", Word.FINE), ("2026-03-06 20:31", Word.OVERDUE)])
def test_three_missed_days_are_enough_on_a_laptop_that_is_on_for_two_hours_a_day(now: str, word: Word) -> None:
    """Twelve hours awake, the tolerance of a slot that the machine slept through, would be six of its days."""
    evenings = [(at("2026-03-01 20:00") + day * DAY, at("2026-03-01 22:00") + day * DAY) for day in range(20)]
    awake = Awake(evenings, [(at("2026-02-01 00:00"), at("2026-04-01 00:00"))])
    goods = tuple((begin, begin + 10 * MINUTE) for begin, _ in evenings[:3])
    answer = expect(Rhythm("stated", on="*-*-* 12:00", zone="UTC"), Past(goods, goods[0][0]), awake, at(now))
    assert (answer.state is State.OVERDUE) == (word is Word.OVERDUE)
    assert (answer.expected_by_ms, answer.missed) == (at("2026-03-06 20:30"), 3 if word is Word.OVERDUE else 0)
    assert answer.tolerance_ms == 270 * MINUTE  # two evenings, and half an hour
    later = expect(
        Rhythm("stated", on="*-*-* 12:00", zone="UTC"), Past(goods, goods[0][0]), awake, at("2026-03-15 23:00")
    )
    assert (later.overdue_since_ms, later.missed) == (at("2026-03-06 20:30"), 12)


def test_slots_between_two_wakes_of_two_minutes_are_one_sleep() -> None:
    """A laptop that wakes at night for its clock has missed nothing on four days in a bag: the catch-up gets its time."""
    goods = daily("2026-03-01 12:00", 20).goods
    wakes = [(at(f"2026-03-2{day} 03:00"), at(f"2026-03-2{day} 03:02")) for day in range(1, 5)]
    morning = at("2026-03-25 08:00")
    days = [(begin - HOUR, begin + HOUR) for begin, _ in goods]
    awake = Awake([*days, *wakes, (morning, morning + 4 * HOUR)], [(at("2026-02-01 00:00"), at("2026-04-01 00:00"))])
    answer = expect(Rhythm("stated", on="*-*-* 12:00", zone="UTC"), Past(goods, goods[0][0]), awake, morning + 2 * HOUR)
    assert answer.overdue_since_ms is None


def test_an_hourly_job_may_miss_one_slot() -> None:
    """One missed hour is late, two are overdue, and each needs half an hour awake of its own."""
    past = daily("2026-03-01 00:00", 30, every=HOUR)
    last = past.goods[-1][0]
    assert expect(HOURLY, past, SERVER, last + HOUR + 45 * MINUTE).word is Word.LATE
    assert expect(HOURLY, past, SERVER, last + 2 * HOUR + 29 * MINUTE).word is Word.LATE
    assert expect(HOURLY, past, SERVER, last + 2 * HOUR + 30 * MINUTE).word is Word.OVERDUE


def test_a_night_of_sleep_is_not_eight_missed_hours() -> None:
    """Half an hour after waking an hourly job has missed one slot at most."""
    past = daily("2026-03-01 00:00", 30, every=HOUR)
    sleeps, wakes = past.goods[-1][1], past.goods[-1][1] + 8 * HOUR
    awake = Awake([(0, sleeps), (wakes, wakes + DAY)], [(sleeps, wakes)])
    assert expect(HOURLY, past, awake, wakes + 40 * MINUTE).word is Word.LATE
    assert expect(HOURLY, past, awake, wakes + 2 * HOUR).word is Word.OVERDUE


def test_a_run_that_goes_on_is_not_overdue_but_has_a_limit() -> None:
    """A long first upload is late, after six hours awake it is "still running"."""
    past, now = daily("2026-03-01 02:00", 30), at("2026-03-31 07:59")
    begin = at("2026-03-31 02:00")
    going = expect(NIGHTLY, past, SERVER, now, running_since_ms=begin)
    assert (going.word, going.state, going.overdue_since_ms) == (Word.LATE, State.WARNING, None)
    assert going.valid_until_ms == at("2026-03-31 08:00")
    stuck = expect(NIGHTLY, past, SERVER, now + MINUTE, running_since_ms=begin)
    assert (stuck.word, stuck.state) == (Word.STILL_RUNNING, State.WARNING)


def test_a_run_that_began_in_time_may_take_as_long_as_it_always_does() -> None:
    """An hourly backup of 40 minutes is not late for ten minutes in every hour."""
    past = Past(tuple((at(f"2026-03-01 {hour:02}:00"), at(f"2026-03-01 {hour:02}:40")) for hour in range(12)), 1)
    begin = at("2026-03-01 12:00")
    for minute in range(1, 60):
        going = expect(HOURLY, past, SERVER, begin + minute * MINUTE, running_since_ms=begin)
        assert (going.word, going.state) == (Word.DUE, None)
    slow = expect(HOURLY, past, SERVER, begin + 61 * MINUTE, running_since_ms=begin)
    assert (slow.word, slow.state, slow.late_since_ms) == (Word.LATE, State.WARNING, begin + HOUR)
    tardy = expect(HOURLY, past, SERVER, begin + 45 * MINUTE, running_since_ms=begin + 40 * MINUTE)
    assert tardy.word is Word.LATE


def test_old_is_old_awake_or_not() -> None:
    """The ceiling counts wall time; it can be moved and switched off."""
    past, now = daily("2026-03-01 02:00", 3), at("2026-03-10 12:00")
    asleep = Awake([(0, past.goods[-1][1])], [(past.goods[-1][1], now)])
    assert expect(NIGHTLY, past, asleep, now - 48 * HOUR).word is Word.DUE
    assert expect(NIGHTLY, past, asleep, now + 12 * HOUR).word is Word.OLD
    assert expect(Rhythm("stated", every_ms=DAY, max_age_ms=30 * DAY), past, asleep, now).word is Word.DUE
    assert expect(Rhythm("stated", every_ms=DAY, max_age_off=True), past, asleep, now + 9 * DAY).word is Word.DUE
    assert expect(Rhythm("stated", every_ms=7 * DAY), past, SERVER, now).old_after_ms == past.goods[-1][1] + 21 * DAY


def test_off_is_off() -> None:
    """A job that the user does not want judged is judged only by a ceiling that they set themselves."""
    past, now = daily("2026-03-01 02:00", 3), at("2027-03-10 12:00")
    assert expect(Rhythm("off"), past, SERVER, now).state is None
    assert expect(Rhythm("off", max_age_ms=DAY), past, SERVER, now).word is Word.OLD


def test_a_job_that_never_ran_is_overdue_after_its_first_deadline() -> None:
    """A new job is not alarmed about before its first slot, and is after it."""
    past = Past((), at("2026-03-01 12:00"))
    before = expect(NIGHTLY, past, SERVER, at("2026-03-02 01:00"))
    assert (before.word, before.state, before.next_ms) == (Word.NEVER_RAN, None, at("2026-03-02 02:00"))
    assert expect(NIGHTLY, past, SERVER, at("2026-03-02 04:00")).state is State.OVERDUE
    assert expect(Rhythm(), past, SERVER, at("2026-03-05 04:00")).state is None
    assert expect(Rhythm(), past, SERVER, at("2026-03-09 04:00")).state is State.WARNING


def test_a_rhythm_not_known_yet_is_never_red() -> None:
    """With few gaps we warn after eight days, or longer if the job's gaps are."""
    past = daily("2026-03-01 02:00", 3)
    assert expect(Rhythm(), past, SERVER, at("2026-03-10 02:00")).state is None
    late = expect(Rhythm(), past, SERVER, at("2027-03-12 02:00"))
    assert (late.word, late.state) == (Word.UNKNOWN, State.WARNING)


def test_a_success_from_the_future_proves_nothing() -> None:
    """A run that was recorded while the clock was a year ahead keeps no job fine."""
    past = daily("2026-03-01 02:00", 30)
    ahead = Past((*past.goods, (at("2027-03-31 02:00"), at("2027-03-31 02:10"))), past.first_ms)
    assert expect(NIGHTLY, ahead, SERVER, at("2026-03-30 12:00")).word is Word.FINE
    unknown = expect(NIGHTLY, ahead, SERVER, at("2026-04-02 12:00"))
    assert (unknown.word, unknown.state) == (Word.UNDATED, State.WARNING)
    assert unknown.last_good_ms == past.goods[-1][1]
    later = Past((*ahead.goods, (at("2026-04-03 02:00"), at("2026-04-03 02:10"))), past.first_ms)
    assert expect(NIGHTLY, later, SERVER, at("2026-04-03 12:00")).word is Word.FINE


def test_a_clock_that_was_set_back_makes_nothing_fine() -> None:
    """All of the past lies in the future: the age of the last backup is not known."""
    assert expect(NIGHTLY, daily("2026-03-01 02:00", 30), SERVER, at("2025-01-01 12:00")).word is Word.UNDATED
    assert expect(Rhythm(), daily("2026-03-01 02:00", 30), SERVER, at("2025-01-01 12:00")).word is Word.UNDATED


def test_both_nights_of_summer_time_are_one_day() -> None:
    """A day of 23 or 25 hours makes no nightly job late."""
    for before, on in (("2026-03-28", "2026-03-29"), ("2026-10-24", "2026-10-25")):
        start = at(f"{before} 04:00", BERLIN)
        past = Past(((start, start + MINUTE),), start)
        rhythm = Rhythm("stated", on="0 4 * * *", zone=BERLIN)
        answer = expect(rhythm, past, SERVER, at(f"{on} 04:00", BERLIN) - 1)
        assert (answer.word, answer.next_ms) == (Word.FINE, at(f"{on} 04:00", BERLIN))


def test_a_timer_with_a_random_delay_gets_it() -> None:
    """RandomizedDelaySec moves the deadline, in awake time like the rest."""
    late = expect(Rhythm("stated", on="02:00", zone="UTC", delay_ms=HOUR), daily("2026-03-01 02:00", 3), SERVER, 0)
    assert late.word is Word.UNDATED
    past = daily("2026-03-01 02:50", 30)
    answer = expect(Rhythm("stated", on="02:00", zone="UTC", delay_ms=HOUR), past, SERVER, at("2026-03-31 02:59"))
    assert answer.expected_by_ms == at("2026-03-31 04:15")


def test_an_expression_that_cannot_be_read_is_learnt_instead() -> None:
    """The configuration refuses it; a judgement must not fail all the same."""
    assert expect(Rhythm("stated", on="gibberish"), Past(), SERVER, at("2026-03-31 02:59")).learnt
    assert expect(Rhythm("stated", on="02:00", zone="No/Where"), Past(), SERVER, at("2026-03-31 02:59")).learnt
