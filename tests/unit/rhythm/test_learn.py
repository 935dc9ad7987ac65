"""A rhythm learnt from the past."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rhythm.rhythms import DAY, HOUR, MINUTE, at, daily
from tray.core.model import State
from tray.rhythm import Ask, Past, Rhythm, Word
from tray.rhythm.awake import Awake
from tray.rhythm.expect import expect

LEARNT = Rhythm(zone="UTC")
SERVER = Awake()


@pytest.mark.parametrize(
    ("now", "word", "state"),
    [
        ("2026-03-31 02:24", Word.FINE, None),
        ("2026-03-31 02:25", Word.DUE, None),
        ("2026-04-01 02:24", Word.DUE, None),
        ("2026-04-01 02:25", Word.OVERDUE, State.OVERDUE),
        ("2030-04-01 02:25", Word.OVERDUE, State.OVERDUE),
    ],
)
def test_a_nightly_job_is_due_after_one_missed_night_and_overdue_after_two(
    now: str, word: Word, state: State | None
) -> None:
    """A day counts a quarter of an hour after the usual time, not only at midnight."""
    answer = expect(LEARNT, daily("2026-03-01 02:00", 30), SERVER, at(now))
    assert (answer.word, answer.state) == (word, state)
    assert answer.expected_by_ms == at("2026-04-01 02:25")
    assert answer.overdue_since_ms == (at("2026-04-01 02:25") if word is Word.OVERDUE else None)


def test_a_week_of_workdays_leaves_the_weekend_out() -> None:
    """A job of the office is expected on Monday, whatever the machine does on Sunday."""
    goods = [run for run in daily("2026-03-02 20:30", 60).goods if (run[0] // DAY + 3) % 7 < 5]
    past = Past(tuple(goods), goods[0][0])
    assert expect(LEARNT, past, SERVER, at("2026-05-04 20:00")).word is not Word.OVERDUE
    assert expect(LEARNT, past, SERVER, at("2026-05-06 20:56")).word is Word.OVERDUE


def test_sleep_does_not_count_against_a_learnt_rhythm() -> None:
    """After three weeks in a drawer the job has two awake days to run."""
    past, wakes = daily("2026-03-01 02:00", 30), at("2026-04-20 00:00")
    awake = Awake([(wakes, wakes + 9 * DAY)], [(past.goods[-1][1], wakes)])
    assert expect(LEARNT, past, awake, wakes + 20 * HOUR).overdue_since_ms is None
    assert expect(LEARNT, past, awake, wakes + 2 * DAY).word is Word.OVERDUE


def test_an_outage_of_the_past_is_no_part_of_the_rhythm() -> None:
    """A job that was dead for a month and ran again for a month is told within a week when it dies again, not after a month."""
    before, after = daily("2026-01-01 02:00", 100), daily("2026-05-11 02:00", 30)
    past = Past((*before.goods, *after.goods), before.goods[0][0])
    assert expect(LEARNT, past, SERVER, at("2026-06-16 03:00")).word is Word.OVERDUE


@pytest.mark.parametrize(("pauses", "told"), [((), 2), ((40,), 3), ((40, 41), 3), ((40, 41, 42, 60, 61, 62), 5)])
def test_three_days_without_a_daily_backup_are_enough_unless_the_past_has_more(
    pauses: tuple[int, ...], told: int
) -> None:
    """One pause of two days is chance, and does not put off the alarm; pauses of three days are a habit."""
    goods = [run for number, run in enumerate(daily("2026-03-01 02:00", 90).goods) if number not in pauses]
    last = goods[-1][1]
    days = next(
        day
        for day in range(1, 10)
        if expect(LEARNT, Past(tuple(goods), goods[0][0]), SERVER, last + day * DAY + HOUR).state
    )
    assert days == told


def test_a_machine_that_is_on_for_half_an_hour_a_day_is_told_too() -> None:
    """Its days count, though none has an hour; two minutes at night are no day."""
    past = daily("2026-03-01 19:05", 60, lasts=MINUTE)
    evenings = [(at("2026-03-01 19:00") + day * DAY, at("2026-03-01 19:30") + day * DAY) for day in range(90)]
    nights = [(begin + 8 * HOUR, begin + 8 * HOUR + 2 * MINUTE) for begin, _ in evenings]
    for times, word in ((evenings, Word.OVERDUE), (evenings[:60] + nights, Word.FINE)):
        awake = Awake(times, [(at("2026-02-01 00:00"), at("2026-07-01 00:00"))])
        assert expect(LEARNT, past, awake, at("2026-05-03 19:31")).word is word


def test_an_hourly_job_is_judged_by_the_hour() -> None:
    """With gaps below half a day the unit is an hour."""
    past = daily("2026-03-01 00:05", 100, every=HOUR)
    last = past.goods[-1][0]
    assert expect(LEARNT, past, SERVER, last + HOUR + 50 * MINUTE).word is Word.DUE
    assert expect(LEARNT, past, SERVER, last + 3 * HOUR).word is Word.OVERDUE


def test_a_rare_job_is_asked_about_and_never_red() -> None:
    """Four months show too little of a monthly job."""
    past = daily("2026-01-01 02:00", 4, every=30 * DAY)
    answer = expect(LEARNT, past, SERVER, at("2026-04-10 02:00"))
    assert (answer.word, answer.ask, answer.state) == (Word.UNKNOWN, Ask.RARE, None)
    assert answer.ask_since_ms == past.goods[2][1]
    late = expect(LEARNT, past, SERVER, past.goods[-1][1] + 75 * DAY)
    assert (late.word, late.state) == (Word.UNKNOWN, State.WARNING)
    assert expect(LEARNT, past, SERVER, past.goods[-1][1] + 90 * DAY).word is Word.OLD


def test_a_changed_rhythm_is_asked_about_for_one_moment() -> None:
    """A daily job became one of every third day: the question is about the first long gap, however many follow."""
    first = daily("2026-01-01 02:00", 60)
    slower = daily("2026-03-04 02:00", 6, every=3 * DAY)
    early = Past((*first.goods, *slower.goods[:2]), first.first_ms)
    assert expect(LEARNT, early, SERVER, early.goods[-1][1] + HOUR).ask is None
    moments = set()
    for count in (3, 4):
        past = Past((*first.goods, *slower.goods[:count]), first.first_ms)
        answer = expect(LEARNT, past, SERVER, past.goods[-1][1] + HOUR)
        assert answer.ask is Ask.CHANGED
        moments.add(answer.ask_since_ms)
    assert moments == {slower.goods[0][1]}


def test_a_user_who_backs_up_by_hand_is_not_nagged() -> None:
    """Gaps between two days and three weeks make the threshold long."""
    rng = random.Random(1)
    begin, goods = at("2026-01-01 18:00"), []
    for _ in range(30):
        goods.append((begin, begin + HOUR))
        begin += int(min(21, max(2, rng.lognormvariate(2, 0.6)))) * DAY
    past = Past(tuple(goods), goods[0][0])
    assert expect(LEARNT, past, SERVER, goods[-1][1] + 20 * DAY).overdue_since_ms is None
    assert expect(LEARNT, past, SERVER, goods[-1][1] + 60 * DAY).word is Word.OVERDUE


def test_many_runs_a_day_and_two_runs_at_once_are_no_trouble() -> None:
    """Runs that end in the same moment, or every five minutes, are one success of their hour."""
    past = daily("2026-03-01 00:00", 200, every=5 * MINUTE, lasts=0)
    doubled = Past(tuple(run for run in past.goods for _ in range(2)), past.first_ms)
    assert expect(LEARNT, doubled, SERVER, past.goods[-1][1] + DAY).word is Word.OVERDUE


gaps = st.lists(st.integers(1, 9 * 24), min_size=1, max_size=60)


def _past(hours: list[int]) -> Past:
    begin, goods = at("2026-01-05 02:00"), []
    for gap in hours:
        goods.append((begin, begin + 10 * MINUTE))
        begin += gap * HOUR
    return Past(tuple(goods), goods[0][0])


ORDER = [None, State.WARNING, State.OVERDUE]
rhythms = st.sampled_from(
    [
        Rhythm("off", max_age_ms=9 * DAY),
        LEARNT,
        Rhythm("stated", every_ms=DAY),
        Rhythm("stated", every_ms=HOUR),
        Rhythm("stated", on="Mon..Fri 20:30", zone="UTC"),
        Rhythm("stated", on="0 */6 * * *", zone="UTC"),
    ]
)
spells = st.lists(st.tuples(st.integers(0, 40 * DAY), st.integers(HOUR, 5 * DAY)), max_size=5)


@given(gaps, rhythms, spells, st.integers(0, 60 * DAY), st.floats(0, 1), st.none() | st.integers(0, 9 * HOUR))
def test_as_long_as_an_answer_is_valid_it_does_not_change(
    hours: list[int], rhythm: Rhythm, sleeps: list[tuple[int, int]], after: int, part: float, running: int | None
) -> None:
    """A poll that finds nothing new may keep the answer until `valid_until_ms`."""
    past = _past(hours)
    last = past.goods[-1][1]
    now = last + after
    begun = None if running is None else max(last, now - running)
    known = _slept([(last + begin, min(now, last + begin + length)) for begin, length in sleeps], now + 90 * DAY)
    answer = expect(rhythm, past, known, now, running_since_ms=begun)
    assert answer.valid_until_ms > now
    later = now + int(part * (answer.valid_until_ms - 1 - now))
    again = expect(rhythm, past, known, later, running_since_ms=begun)
    for name in ("word", "state", "missed", "next_ms", "expected_by_ms", "late_since_ms", "overdue_since_ms"):
        assert getattr(again, name) == getattr(answer, name), name


def _slept(sleeps: list[tuple[int, int]], until: int) -> Awake:
    """Return the awake times of a machine that slept in *sleeps* only."""
    intervals, begin = [], 0
    for start, end in sorted(span for span in sleeps if span[0] < span[1]):
        intervals.append((begin, max(begin, start)))
        begin = max(begin, end)
    return Awake([*intervals, (begin, until)], [(0, until)])


@given(gaps, rhythms, spells, spells, st.integers(0, 40 * DAY))
def test_more_awake_time_never_makes_a_job_less_overdue(
    hours: list[int],
    rhythm: Rhythm,
    awake: list[tuple[int, int]],
    more: list[tuple[int, int]],
    after: int,
) -> None:
    """The longer the machine was awake since the last good run, the worse it is that there was no other."""
    past = _past(hours)
    last = past.goods[-1][1]
    known = [(0, last), *((last + begin, last + begin + length) for begin, length in awake)]
    longer = [*known, *((last + begin, last + begin + length) for begin, length in more)]
    asleep = [(0, last + 60 * DAY)]
    before = expect(rhythm, past, Awake(known, asleep), last + after).state
    assert ORDER.index(expect(rhythm, past, Awake(longer, asleep), last + after).state) >= ORDER.index(before)


@given(gaps, rhythms, spells, st.integers(HOUR, 40 * DAY))
def test_a_success_never_makes_it_worse(
    hours: list[int], rhythm: Rhythm, awake: list[tuple[int, int]], after: int
) -> None:
    """A good run that ends now leaves the job no worse than it was."""
    past = _past(hours)
    now = past.goods[-1][1] + after
    known = Awake(
        [(0, past.goods[-1][1]), *((now - begin - length, now - begin) for begin, length in awake)], [(0, now)]
    )
    better = Past((*past.goods, (now - 10 * MINUTE, now)), past.first_ms)
    assert ORDER.index(expect(rhythm, better, known, now).state) <= ORDER.index(expect(rhythm, past, known, now).state)
