"""Rule A: judge a job by the slots that the user, a timer or a crontab states."""

from collections.abc import Iterator, Sequence

from tray.core.clock import DAY_MS
from tray.core.model.expectation import MOST_MISSED, Expectation, Word
from tray.rhythm import Rhythm
from tray.rhythm.awake import Awake
from tray.rhythm.plan import HOUR_MS, Plan, Run, plan

ONE_IS_ENOUGH_MS = 20 * HOUR_MS
"""With slots at least so far apart, one missed slot makes the job overdue; else two."""

ENOUGH_AWAKE_MS = 1_800_000
"""A slot is missed only if the machine was awake for so long in its window."""

MISSES = 3
"""After so many slots without a good run, each with enough time awake, no tolerance counts: it may be all of a laptop's week."""

_MOST_STEPS = 1000


def judge(
    rhythm: Rhythm,
    goods: Sequence[Run],
    first_ms: int,
    awake: Awake,
    now_ms: int,
    after_ms: int = 0,
    moved_ms: int = 0,
) -> Expectation | None:
    """Judge a job with a stated rhythm; None if the rhythm cannot be read.

    Args:
        rhythm: With `every_ms` or `on`.
        goods: The good runs in order of their ends, none in the future.
        first_ms: When the job became known.
        awake: Of the machine, until *now_ms*.
        now_ms: The moment to judge at.
        after_ms: Slots that are not later do not count.
        moved_ms: When the machine's time zone was set. On the day after the last good run, slots before that were other ones.
    """
    terms = plan(rhythm, goods, first_ms, awake)
    if terms is None:
        return None
    since = goods[-1][1] + terms.early_ms - 1 if goods else first_ms
    if rhythm.on and since < moved_ms < since + DAY_MS:
        since = moved_ms
    first = terms.slots.after(max(since, after_ms))
    if not first:
        return Expectation(Word.FINE if goods else Word.NEVER_RAN, period_ms=terms.gap_ms)
    slot = first[0]
    deadline = min(terms.deadline(each, awake, now_ms) for each in _open(terms, slot, awake, now_ms))
    overdue = _overdue_at(terms, slot, awake, now_ms)
    tolerance = terms.tolerance(slot, awake, now_ms)
    if overdue is not None and overdue < deadline:  # by so many misses, before the tolerance of any is used up
        deadline, tolerance = overdue, awake.between(slot, min(overdue, now_ms)) + max(0, overdue - now_ms)
        moments = [_enough(terms, each, awake, now_ms) for each in _open(terms, slot, awake, now_ms)]
    else:
        near = terms.slots.after(slot - 1, MOST_MISSED) if deadline <= now_ms else ()
        moments = [terms.deadline(each, awake, now_ms) for each in near] or [deadline]
    missed, upcoming = sum(at <= now_ms for at in moments), min((at for at in moments if at > now_ms), default=0)
    return Expectation(
        _word(now_ms, slot, deadline, overdue) if goods else Word.NEVER_RAN,
        expected_by_ms=deadline,
        next_ms=slot,
        late_since_ms=deadline if deadline <= now_ms else None,
        overdue_since_ms=overdue if overdue is not None and overdue <= now_ms else None,
        tolerance_ms=tolerance,
        missed=min(missed, MOST_MISSED) if deadline <= now_ms else 0,
        period_ms=terms.gap_ms,
        valid_until_ms=min((at for at in (slot, deadline, overdue, upcoming) if at and at > now_ms), default=0),
    )


def _word(now_ms: int, slot: int, deadline: int, overdue: int | None) -> Word:
    if overdue is not None and overdue <= now_ms:
        return Word.OVERDUE
    if deadline <= now_ms:
        return Word.LATE
    return Word.DUE if slot <= now_ms else Word.FINE


def _open(terms: Plan, slot: int, awake: Awake, now_ms: int) -> Iterator[int]:
    """Return the slots from *slot* on that have no good run, and one to come; of those in one sleep only the first."""
    for _ in range(_MOST_STEPS):
        yield slot
        after = awake.awake_from(slot + terms.delay_ms) - terms.delay_ms
        later = terms.slots.after(max(slot, min(after, now_ms) - 1))
        if slot > now_ms or not later:
            return
        slot = later[0]


def _overdue_at(terms: Plan, slot: int, awake: Awake, now_ms: int) -> int | None:
    """Return when the job became or becomes overdue if it has not run since before *slot*; None if that is far away."""
    if terms.gap_ms >= ONE_IS_ENOUGH_MS or not terms.gap_ms:
        moments, passed, enough = list[int](), 0, 0
        for each in _open(terms, slot, awake, now_ms):
            passed += 0 < enough <= each
            enough = _enough(terms, each, awake, now_ms)
            moments.append(enough if passed + 1 == MISSES else max(terms.deadline(each, awake, now_ms), enough))
        return min(moments)
    missed, window = 0, max(terms.gap_ms, HOUR_MS)
    for _ in range(_MOST_STEPS):
        enough = awake.at(slot, ENOUGH_AWAKE_MS, now_ms)
        if enough <= slot + window:
            missed += 1
            if missed == 2:
                return max(terms.deadline(slot, awake, now_ms), enough)
        later = terms.slots.after(max(slot, min(awake.awake_from(slot + window), now_ms) - window))
        if not later:
            return None
        slot = later[0]
    return None


def _enough(terms: Plan, slot: int, awake: Awake, now_ms: int) -> int:
    """Return the moment at which the machine has been awake for `ENOUGH_AWAKE_MS` since *slot*."""
    return awake.at(slot + terms.delay_ms, ENOUGH_AWAKE_MS, now_ms)
