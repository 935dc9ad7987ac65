"""The slots of a stated rhythm, and how early and late a run for one of them may be, learnt from the job's past."""

from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from math import ceil
from typing import Protocol

from tray.core.dataclass import dataclass
from tray.rhythm import Rhythm
from tray.rhythm.awake import Awake
from tray.rhythm.zones import zone

HOUR_MS = 3_600_000
MOST_EARLY_MS = 2 * HOUR_MS
"""A run may end before its slot by a quarter of the gap, at most by this."""

FIRST_LATENESS_MS, FIRST_DURATION_MS = 900_000, HOUR_MS
"""So much is allowed at least; lateness and duration together at most half a gap."""

MARGIN = 1.5
"""The learnt tolerance is so much larger than the 99th percentile of the past."""

FEW_SLEPT, FIRST_SLEPT_MS, LEAST_SLEPT_MS = 5, 12 * HOUR_MS, 3 * HOUR_MS
"""A run for a slot that the machine slept through may be 12 h awake late until a few such runs are known, then 3 h at least."""

_LEARN_FROM = 120
_GAPS = 16

Run = tuple[int, int]
"""Start and end of a good run."""


class Slots(Protocol):
    """The moments at which a job is meant to run."""

    def after(self, at_ms: int, count: int = 1) -> list[int]:
        """Return the next *count* slots later than *at_ms*; fewer if there are no more."""


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
    """The terms for all slots of a job, in ms.

    Attributes:
        slots: The slots.
        gap_ms: Their shortest distance; 0 if there is only one.
        early_ms: How long before its slot a run may end.
        tolerance_ms: How much awake time after a slot is allowed.
        slept_ms: The same for a slot that the machine slept through: some schedulers catch up, others wait for the next slot.
        delay_ms: The timer's own random delay.
    """

    slots: Slots
    gap_ms: int
    early_ms: int
    tolerance_ms: int
    slept_ms: int
    delay_ms: int

    def tolerance(self, slot: int, awake: Awake, now_ms: int) -> int:
        """Return how much awake time after *slot* is allowed."""
        return self.slept_ms if _slept(awake, slot + self.delay_ms, now_ms) else self.tolerance_ms

    def deadline(self, slot: int, awake: Awake, now_ms: int) -> int:
        """Return the moment after which a run for *slot* is late."""
        return awake.at(slot + self.delay_ms, self.tolerance(slot, awake, now_ms), now_ms)


def plan(rhythm: Rhythm, goods: Sequence[Run], first_ms: int, awake: Awake) -> Plan | None:
    """Return the terms of a stated *rhythm*, None if it cannot be read; for the arguments see `tray.rhythm.stated.judge`."""
    begin = goods[-1][0] if goods else first_ms
    if rhythm.every_ms:
        slots: Slots = Every(begin, rhythm.every_ms)
    else:
        try:
            # cronsim and oncalendar are for jobs that state slots
            slots = import_module("tray.rhythm.slots").calendar(rhythm.on or "", zone(rhythm.zone))
        except ValueError:
            return None
    gap = min((later - slot for slot, later in pairwise(slots.after(begin, _GAPS))), default=0)
    early, half = min(gap // 4, MOST_EARLY_MS), gap // 2
    recent = goods[-_LEARN_FROM:]
    on_time, slept = list[int](), list[int]()
    for before, run in pairwise(recent):
        own = Every(before[0], rhythm.every_ms) if rhythm.every_ms else slots
        first, *others = (*own.after(before[1] + early - 1, 2), run[0] + early + 1)
        late = awake.between(first + rhythm.delay_ms, run[0])
        if first > run[0] + early or late > half:
            continue  # it ran before its slot was due, or it was missed
        if _slept(awake, first + rhythm.delay_ms, run[0]):
            slept.append(late)
        elif others[0] > run[0] + early:
            on_time.append(late)  # else it is the run of a later slot, and this slot was missed
    lasts = usually([awake.between(*run) for run in recent], FIRST_DURATION_MS)
    after_sleep = FIRST_SLEPT_MS
    if len(slept) >= FEW_SLEPT:
        after_sleep = max(LEAST_SLEPT_MS, int(MARGIN * max(slept))) + lasts
    return Plan(
        slots,
        gap,
        early,
        min(usually(on_time, FIRST_LATENESS_MS) + lasts, half),
        min(after_sleep, half),
        rhythm.delay_ms,
    )


def _slept(awake: Awake, at_ms: int, now_ms: int) -> bool:
    """Whether the machine slept at *at_ms*, or fell asleep so soon that its scheduler may have missed the moment."""
    until = min(at_ms + FIRST_LATENESS_MS, now_ms)
    return awake.between(at_ms, until) < until - at_ms


def usually(values: list[int], least: int) -> int:
    """Return the 99th percentile of *values* with a margin, at least *least*."""
    return max(least, int(MARGIN * sorted(values)[ceil(0.99 * len(values)) - 1])) if values else least
