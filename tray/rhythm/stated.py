"""Rule A: judge a job by the slots that the user, a timer or a crontab states."""

from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from math import ceil
from typing import Protocol

from tray.core.dataclass import dataclass
from tray.core.model.expectation import MOST_MISSED, Expectation, Word
from tray.rhythm import Rhythm
from tray.rhythm.awake import Awake
from tray.rhythm.zones import zone

HOUR_MS = 3_600_000
MOST_EARLY_MS = 2 * HOUR_MS
"""A run may end before its slot by a quarter of the gap, at most by this."""

FIRST_LATENESS_MS, FIRST_DURATION_MS = 900_000, HOUR_MS
"""How much is allowed until the past is long enough to tell."""

ONE_IS_ENOUGH_MS = 20 * HOUR_MS
"""With slots at least so far apart, one missed slot makes the job overdue; else two."""

ENOUGH_AWAKE_MS = 1_800_000
"""A slot is missed only if the machine was awake for so long in its window."""

_ENOUGH_RUNS = 20
_LEARN_FROM = 120
_GAPS = 16
_MOST_STEPS = 1000

Run = tuple[int, int]
"""Start and end of a good run."""


class Slots(Protocol):
    """The moments at which a job is meant to run."""

    def after(self, at_ms: int, count: int = 1) -> list[int]:
        """Return the next *count* slots later than *at_ms*; fewer if there are no more."""


class Calendar(Slots, Protocol):
    """Slots by the clock (`tray.rhythm.slots.Calendar`)."""

    def until(self, at_ms: int) -> int | None:
        """Return the last slot not later than *at_ms*."""


@dataclass(frozen=True, slots=True)
class Every:
    """Slots at a fixed distance, counted from *anchor_ms* and never before it."""

    anchor_ms: int
    every_ms: int

    def after(self, at_ms: int, count: int = 1) -> list[int]:
        """Return the next *count* slots later than *at_ms*."""
        first = max(1, (at_ms - self.anchor_ms) // self.every_ms + 1)
        return [self.anchor_ms + number * self.every_ms for number in range(first, first + count)]


@dataclass(frozen=True, slots=True)
class Plan:
    """The terms for all slots of a job: their shortest distance, early and late tolerance, the timer's own delay (ms)."""

    slots: Slots
    gap_ms: int
    early_ms: int
    tolerance_ms: int
    delay_ms: int

    @property
    def window_ms(self) -> int:
        """How long after a slot the machine must have been awake for `ENOUGH_AWAKE_MS` if two slots are needed."""
        return max(self.gap_ms, HOUR_MS)


def judge(rhythm: Rhythm, goods: Sequence[Run], first_ms: int, awake: Awake, now_ms: int) -> Expectation | None:
    """Judge a job with a stated rhythm; None if the rhythm names no slots or cannot be read.

    Args:
        rhythm: With `every_ms` or `on`.
        goods: The good runs in order of their ends, none in the future.
        first_ms: When the job became known.
        awake: Of the machine, until *now_ms*.
        now_ms: The moment to judge at.
    """
    plan = _plan(rhythm, goods, first_ms, awake)
    if plan is None:
        return None
    first = plan.slots.after(max(goods[-1][1] + plan.early_ms - 1, 0) if goods else first_ms)
    if not first:
        return Expectation(Word.FINE if goods else Word.NEVER_RAN, period_ms=plan.gap_ms)
    slot = first[0]
    deadline = awake.at(slot + plan.delay_ms, plan.tolerance_ms, now_ms)
    overdue = _overdue_at(plan, slot, awake, now_ms)
    missed, next_deadline = _missed(plan, slot, awake, now_ms) if deadline <= now_ms else (0, deadline)
    return Expectation(
        _word(now_ms, slot, deadline, overdue) if goods else Word.NEVER_RAN,
        expected_by_ms=deadline,
        next_ms=slot,
        late_since_ms=deadline if deadline <= now_ms else None,
        overdue_since_ms=overdue if overdue is not None and overdue <= now_ms else None,
        tolerance_ms=plan.tolerance_ms,
        missed=missed,
        period_ms=plan.gap_ms,
        valid_until_ms=min((at for at in (slot, deadline, overdue, next_deadline) if at and at > now_ms), default=0),
    )


def _word(now_ms: int, slot: int, deadline: int, overdue: int | None) -> Word:
    if overdue is not None and overdue <= now_ms:
        return Word.OVERDUE
    if deadline <= now_ms:
        return Word.LATE
    return Word.DUE if slot <= now_ms else Word.FINE


def _plan(rhythm: Rhythm, goods: Sequence[Run], first_ms: int, awake: Awake) -> Plan | None:
    recent = goods[-_LEARN_FROM:]
    delay = rhythm.delay_ms
    if rhythm.every_ms:
        gap = rhythm.every_ms
        early = min(gap // 4, MOST_EARLY_MS)
        late = [awake.between(before[0] + gap + delay, run[0]) for before, run in pairwise(recent)]
        slots: Slots = Every(goods[-1][0] if goods else first_ms, gap)
    else:
        try:
            # cronsim and oncalendar are for jobs that state slots
            calendar: Calendar = import_module("tray.rhythm.slots").calendar(rhythm.on or "", zone(rhythm.zone))
        except ValueError:
            return None
        slots = calendar
        near = calendar.after(goods[-1][0] if goods else first_ms, _GAPS)
        gap = min((later - slot for slot, later in pairwise(near)), default=0)
        early = min(gap // 4, MOST_EARLY_MS)
        late = _lateness(calendar, recent, early, delay, awake)
    usual = _usual(late, FIRST_LATENESS_MS) + _usual([awake.between(*run) for run in recent], FIRST_DURATION_MS)
    return Plan(slots, gap, early, min(usual, gap // 2), delay)


def _lateness(slots: Calendar, goods: Sequence[Run], early: int, delay: int, awake: Awake) -> list[int]:
    """Return how late, in awake time, the first run for each slot began."""
    late, before = [], None
    for start, _ in goods:
        slot = slots.until(start + early)
        if slot is not None and slot != before:
            late.append(awake.between(slot + delay, start))
        before = slot
    return late


def _usual(values: list[int], first: int) -> int:
    """Return the 99th percentile of *values*, at least *first* while there are few."""
    if len(values) < _ENOUGH_RUNS:
        return max(first, *values, 0)
    return sorted(values)[ceil(0.99 * len(values)) - 1]


def _overdue_at(plan: Plan, slot: int, awake: Awake, now_ms: int) -> int | None:
    """Return when the job became or becomes overdue if it has not run since before *slot*; None if that is far away."""
    if plan.gap_ms >= ONE_IS_ENOUGH_MS or not plan.gap_ms:
        return max(_deadline(plan, slot, awake, now_ms), awake.at(slot, ENOUGH_AWAKE_MS, now_ms))
    missed = 0
    for _ in range(_MOST_STEPS):
        enough = awake.at(slot, ENOUGH_AWAKE_MS, now_ms)
        if enough <= slot + plan.window_ms:
            missed += 1
            if missed == 2:
                return max(_deadline(plan, slot, awake, now_ms), enough)
        later = plan.slots.after(max(slot, min(awake.awake_from(slot + plan.window_ms), now_ms) - plan.window_ms))
        if not later:
            return None
        slot = later[0]
    return None


def _deadline(plan: Plan, slot: int, awake: Awake, now_ms: int) -> int:
    return awake.at(slot + plan.delay_ms, plan.tolerance_ms, now_ms)


def _missed(plan: Plan, slot: int, awake: Awake, now_ms: int) -> tuple[int, int]:
    """Return how many slots from *slot* on passed their deadline, and the deadline of the first that did not, or 0."""
    for number, each in enumerate(plan.slots.after(slot - 1, MOST_MISSED)):
        deadline = _deadline(plan, each, awake, now_ms)
        if deadline > now_ms:
            return number, deadline
    return MOST_MISSED, 0
