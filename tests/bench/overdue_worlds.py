"""Years of machines and jobs for `bench_overdue.py`: when the machine was awake, and when the job ran, by seed.

Each rhythm is a machine (always on, a laptop, an office desktop), a scheduler, and the rhythm that the product is told, if any. Of
all tries 1.5 % fail for a passing reason and are recorded as failed. The zone has summer time.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tray.core.dataclass import dataclass
from tray.rhythm import Rhythm
from tray.rhythm.awake import Awake, Interval
from tray.rhythm.slots import calendar

BERLIN = "Europe/Berlin"
ZONE = ZoneInfo(BERLIN)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BEGIN = datetime(2026, 1, 1, tzinfo=ZONE)
DAYS = 560
"""A year, and time to notice a stop late in it."""

FAILS = 0.015


@dataclass(frozen=True)
class Run:
    """One run of the job, start and end in ms."""

    start: int
    end: int
    good: bool


@dataclass(frozen=True)
class World:
    """One history, and the rhythm as the product is told it; on other *weekdays* (0 Monday) the job never runs."""

    awake: Awake
    runs: list[Run]
    rhythm: Rhythm
    period: int
    weekdays: range = range(7)


def midnight(day: int) -> int:
    """Return the begin of a day since `BEGIN`."""
    moment = BEGIN.replace(tzinfo=None) + timedelta(days=day)
    return int(moment.replace(tzinfo=ZONE).timestamp()) * 1000


START, END = midnight(0), midnight(DAYS)
_MIDNIGHTS = [midnight(day) for day in range(DAYS + 1)]


def known(intervals: list[Interval]) -> Awake:
    """Return the awake times *intervals* of a machine that slept all the rest."""
    return Awake(intervals, [(START - DAY, END + DAY)])


def always_on(rng: random.Random) -> Awake:
    """A server: it restarts six times a year, and twice it is off for up to 30 hours."""
    off = [(rng.randrange(START, END), rng.randrange(3, 15) * MINUTE) for _ in range(9)]
    off += [(rng.randrange(START, END), rng.randrange(3 * HOUR, 30 * HOUR)) for _ in range(3)]
    intervals, begin = [], START
    for at, length in sorted(off):
        if at > begin:
            intervals.append((begin, at))
            begin = at + length
    return known([*intervals, (begin, END)])


def holidays(rng: random.Random) -> set[int]:
    """Return the days of two holidays a year."""
    days: set[int] = set()
    for first in (rng.randrange(20, 170), rng.randrange(190, 330), rng.randrange(380, 500)):
        days |= set(range(first, first + rng.randrange(6, 15)))
    return days


def laptop(rng: random.Random) -> Awake:
    """A laptop: 1 to 10 hours on most workdays, on a third of the other days; on some nights it wakes for two minutes."""
    away, intervals = holidays(rng), []
    for day in range(DAYS):
        begin = _MIDNIGHTS[day]
        if rng.random() < 0.3:
            at = begin + rng.randrange(1 * HOUR, 6 * HOUR)
            intervals.append((at, at + 2 * MINUTE))
        weekday = (day + BEGIN.weekday()) % 7
        if day in away or rng.random() >= (0.92 if weekday < 5 else 0.35):
            continue
        left, at = rng.uniform(1, 10) * HOUR, begin + int(rng.gauss(9, 1.2) * HOUR)
        while left > 0 and at < _MIDNIGHTS[day + 1]:
            length = min(left, rng.uniform(0.3, 5) * HOUR)
            intervals.append((at, int(at + length)))
            left -= length
            at = int(at + length + rng.uniform(0.2, 4) * HOUR)
    return known(intervals)


def office(rng: random.Random) -> Awake:
    """A desktop that is on during office hours and off at weekends and in holidays."""
    away, intervals = holidays(rng), []
    for day in range(DAYS):
        if (day + BEGIN.weekday()) % 7 < 5 and day not in away:
            begin = _MIDNIGHTS[day] + int(rng.gauss(8.5, 0.3) * HOUR)
            intervals.append((begin, begin + int(rng.gauss(9, 0.5) * HOUR)))
    return known(intervals)


def lasts(rng: random.Random, minutes: float) -> int:
    """Return a duration: the median is *minutes*, one in a hundred takes six times as long."""
    return int(rng.lognormvariate(math.log(minutes), 0.5) * (6 if rng.random() < 0.01 else 1) * MINUTE)


def by_clock(
    rng: random.Random, awake: Awake, on: str, *, minutes: float = 15, catch_up: bool = True, delay: int = 0
) -> Iterator[Run]:
    """Return the runs of a timer: late by seconds, after sleep by minutes, and sometimes by up to two hours without a network."""
    free = START
    for slot, next_slot in pairwise(slots(on)):
        at = slot + int(rng.random() * delay) + int(rng.expovariate(1 / 20_000))
        if awake.awake_from(at) != at:
            if not catch_up:
                continue
            at = awake.at(awake.awake_from(at), int(rng.expovariate(1 / (6 * MINUTE))), END)
            if rng.random() < 0.05 and slot + 12 * HOUR < next_slot:
                at = awake.at(at, rng.randrange(20, 120) * MINUTE, END)
        if slot < free:
            continue
        end = awake.at(at, lasts(rng, minutes), END)
        yield Run(at, end, rng.random() >= FAILS)
        free = end


def in_use(rng: random.Random, awake: Awake, *, minutes: float = 8) -> Iterator[Run]:
    """Return the runs of a program that backs up once on each day on which the machine is used, and misses one such day in 33."""
    for day in range(DAYS):
        begin, end = _MIDNIGHTS[day], _MIDNIGHTS[day + 1]
        if awake.between(begin, end) > HOUR and rng.random() < 0.97:
            at = awake.at(begin, rng.randrange(5, 45) * MINUTE, END)
            yield Run(at, awake.at(at, lasts(rng, minutes), END), rng.random() >= FAILS)


def since_last(rng: random.Random, awake: Awake, every: int) -> Iterator[Run]:
    """Return the runs of a program that looks every quarter of an hour awake whether *every* has passed since the last start."""
    at = awake.at(START, 2 * HOUR, END)
    while at < END:
        good = rng.random() >= FAILS
        yield Run(at, awake.at(at, lasts(rng, 8), END), good)
        at = awake.at(at + (every if good else HOUR), rng.randrange(1, 15) * MINUTE, END)


def by_hand(rng: random.Random, awake: Awake) -> Iterator[Run]:
    """Return the runs of a user who connects a drive about once a week, with gaps from 2 to 30 days."""
    day = rng.randrange(3, 10)
    while day < DAYS:
        at = awake.at(_MIDNIGHTS[day], rng.randrange(30, 200) * MINUTE, END)
        yield Run(at, awake.at(at, lasts(rng, 30), END), True)
        day = max(bisect_right(_MIDNIGHTS, at) - 1, day) + max(2, int(rng.lognormvariate(math.log(7), 0.6)))


def changing(rng: random.Random, awake: Awake) -> Iterator[Run]:
    """Return the runs of a job that is daily for half a year and weekly after that."""
    change = midnight(180)
    for run in in_use(rng, awake):
        if run.start < change or datetime.fromtimestamp(run.start / 1000, ZONE).weekday() == 2:
            yield run


def slots(on: str) -> list[int]:
    """Return the slots of *on* from `START` to `END`."""
    known_slots = calendar(on, ZONE)
    return [slot for slot in known_slots.after(START, 24 * DAYS + 100) if slot < END]


Make = Callable[[random.Random], World]


def timer(
    machine: Callable[[random.Random], Awake],
    on: str,
    period: int,
    *,
    stated: bool,
    minutes: float = 15,
    catch_up: bool = True,
    delay: int = 0,
) -> Make:
    """Return the maker of worlds with a timer; *stated*: the product knows the timer's line."""

    def make(rng: random.Random) -> World:
        awake = machine(rng)
        runs = list(by_clock(rng, awake, on, minutes=minutes, catch_up=catch_up, delay=delay))
        rhythm = Rhythm("stated", on=on, zone=BERLIN, delay_ms=delay) if stated else Rhythm(zone=BERLIN)
        return World(awake, runs, rhythm, period, range(5) if "Mon..Fri" in on or on.endswith("1-5") else range(7))

    return make


def person(
    machine: Callable[[random.Random], Awake],
    runs: Callable[[random.Random, Awake], Iterator[Run]],
    period: int,
    rhythm: Rhythm | None = None,
) -> Make:
    """Return the maker of worlds in which a program or a user decides when to run."""

    def make(rng: random.Random) -> World:
        awake = machine(rng)
        return World(awake, list(runs(rng, awake)), rhythm or Rhythm(zone=BERLIN), period)

    return make


def _every_day(rng: random.Random, awake: Awake) -> Iterator[Run]:
    return since_last(rng, awake, DAY)


RHYTHMS: dict[str, Make] = {
    "server, nightly, stated": timer(always_on, "15 2 * * *", DAY, stated=True),
    "server, nightly, learnt": timer(always_on, "15 2 * * *", DAY, stated=False),
    "server, 1 h random delay, stated": timer(always_on, "*-*-* 02:00", DAY, stated=True, delay=HOUR),
    "server, workdays, stated": timer(always_on, "Mon..Fri 20:30", DAY, stated=True),
    "server, workdays, learnt": timer(always_on, "Mon..Fri 20:30", DAY, stated=False),
    "server, hourly, stated": timer(always_on, "0 * * * *", HOUR, stated=True, minutes=5),
    "server, hourly, learnt": timer(always_on, "0 * * * *", HOUR, stated=False, minutes=5),
    "server, every 6 h, learnt": timer(always_on, "0 */6 * * *", 6 * HOUR, stated=False),
    "server, weekly, stated": timer(always_on, "Sun 03:00", 7 * DAY, stated=True, minutes=60),
    "server, weekly, learnt": timer(always_on, "Sun 03:00", 7 * DAY, stated=False, minutes=60),
    "server, monthly, stated": timer(always_on, "*-*-01 04:00", 30 * DAY, stated=True, minutes=60),
    "server, monthly, learnt (asks)": timer(always_on, "*-*-01 04:00", 30 * DAY, stated=False, minutes=60),
    "laptop, noon with catch-up, stated": timer(laptop, "*-*-* 12:00", DAY, stated=True),
    "laptop, noon with catch-up, learnt": timer(laptop, "*-*-* 12:00", DAY, stated=False),
    "laptop, every day, stated": person(laptop, _every_day, DAY, Rhythm("stated", every_ms=DAY, zone=BERLIN)),
    "laptop, when in use, learnt": person(laptop, in_use, DAY),
    "laptop, hourly, learnt": timer(laptop, "0 * * * *", HOUR, stated=False, minutes=3),
    "laptop, hourly, stated": timer(laptop, "0 * * * *", HOUR, stated=True, minutes=3),
    "office desktop, 12:30, stated": timer(office, "30 12 * * 1-5", DAY, stated=True, catch_up=False),
    "office desktop, 12:30, learnt": timer(office, "30 12 * * 1-5", DAY, stated=False, catch_up=False),
    "laptop, daily then weekly, learnt": person(laptop, changing, DAY),
    "by hand, learnt": person(laptop, by_hand, 7 * DAY),
}
