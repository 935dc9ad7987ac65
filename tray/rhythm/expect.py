"""`expect`: the one pure function that judges a job against its rhythm."""

from collections.abc import Sequence
from datetime import tzinfo

from tray.core.clock import DAY_MS, EARLIEST_MS, SLACK_MS
from tray.core.dataclass import replace
from tray.core.model.expectation import Expectation, Word
from tray.rhythm import MOST_GOODS, Past, Rhythm, learn, stated
from tray.rhythm.awake import Awake
from tray.rhythm.plan import FIRST_DURATION_MS, Run, usually
from tray.rhythm.zones import zone

MAX_AGE_MS = 7 * DAY_MS
"""The ceiling of a job whose period is short; of others it is `MAX_PERIODS` periods."""

MAX_PERIODS = 3

MIN_RUNNING_MS = 6 * 3_600_000
"""A run may take so much awake time, or `MAX_PERIODS` times the usual duration, before it is "still running"."""


def expect(
    rhythm: Rhythm,
    past: Past,
    awake: Awake,
    now_ms: int,
    *,
    running_since_ms: int | None = None,
    seen_ms: int | None = None,
    moved_ms: int = 0,
) -> Expectation:
    """Judge a job against its rhythm.

    Args:
        rhythm: Stated, learnt or off. A stated rhythm that cannot be read is treated as learnt.
        past: The job's good runs. Those that end in the future, or before `EARLIEST_MS`, come from a wrong clock and prove nothing.
        awake: The machine's awake times, known until *now_ms*.
        now_ms: The moment to judge at.
        running_since_ms: Start of the oldest run of the job that goes on.
        seen_ms: When the user acknowledged the job; later missed slots are news (`Expectation.anew`).
        moved_ms: When the machine came into its present time zone: noon may come twice on a day on which it travels.
    """
    goods = _believed(past.goods, now_ms)
    first_ms = min(past.first_ms or now_ms, now_ms)
    terms = rhythm, goods, first_ms, awake, now_ms, running_since_ms
    moved_ms = 0 if rhythm.zone is not None or moved_ms > now_ms else moved_ms
    judged = _judged(*terms, moved_ms=moved_ms)
    if past.goods and past.goods[-1] not in goods:
        judged = _undated(judged, past.goods[-1][1], goods[-1][1] if goods else first_ms, now_ms)
    if seen_ms is not None:
        anew = _judged(*terms, after_ms=min(seen_ms, now_ms), moved_ms=moved_ms)
        until = _soonest(now_ms, judged.valid_until_ms, anew.valid_until_ms)
        judged = replace(judged, anew=anew.state, valid_until_ms=until)
    return replace(judged, valid_until_ms=_soonest(now_ms, judged.valid_until_ms, now_ms + DAY_MS))


def _judged(
    rhythm: Rhythm,
    goods: Sequence[Run],
    first_ms: int,
    awake: Awake,
    now_ms: int,
    running_since_ms: int | None,
    after_ms: int = 0,
    moved_ms: int = 0,
) -> Expectation:
    """Judge a job by its rhythm, the ceiling and the run that goes on, without the silence before *after_ms*."""
    since = goods[-1][1] if goods else first_ms
    resumed_ms = rhythm.from_ms if since < rhythm.from_ms <= now_ms else None
    after_ms = max(after_ms, resumed_ms or 0)
    judged: Expectation | None = None
    if rhythm.kind == "disabled":
        return Expectation(Word.DISABLED, off_until_ms=rhythm.from_ms or None, valid_until_ms=rhythm.from_ms)
    if rhythm.kind == "off":
        judged = Expectation(Word.OFF)
    elif rhythm.every_ms or rhythm.on:
        judged = stated.judge(rhythm, goods, first_ms, awake, now_ms, after_ms, moved_ms)
    if judged is None:
        judged = learn.judge(_zone(rhythm.zone), goods, first_ms, awake, now_ms, after_ms)
    last_ms = goods[-1][1] if goods else None
    judged = replace(judged, awake_ms=awake.between(since, now_ms), last_good_ms=last_ms, off_until_ms=resumed_ms)
    judged = _with_ceiling(judged, rhythm, max(since, after_ms), now_ms)
    if running_since_ms is not None:
        judged = _with_run(judged, goods, awake, now_ms, min(running_since_ms, now_ms))
    return judged


def _believed(goods: Sequence[Run], now_ms: int) -> list[Run]:
    """Return the runs whose times can be believed, in the order of their ends."""
    latest = now_ms + SLACK_MS
    return sorted(
        (run for run in goods[-MOST_GOODS:] if EARLIEST_MS <= run[0] <= run[1] <= latest), key=lambda run: run[1]
    )


def _with_ceiling(judged: Expectation, rhythm: Rhythm, since: int, now_ms: int) -> Expectation:
    """Apply rule C: a good run that is too old is at least a warning, however long the machine slept."""
    age = rhythm.max_age_ms
    if age is None and judged.period_ms is not None:
        age = max(MAX_AGE_MS, MAX_PERIODS * judged.period_ms)
    if age is None or rhythm.max_age_off:
        return judged
    old = since + age
    judged = replace(judged, old_after_ms=old, valid_until_ms=_soonest(now_ms, judged.valid_until_ms, old))
    if old > now_ms:
        return judged
    word = judged.word if judged.word in (Word.OVERDUE, Word.NEVER_RAN) else Word.OLD
    return replace(judged, word=word, late_since_ms=min(old, judged.late_since_ms or old))


def _with_run(judged: Expectation, goods: Sequence[Run], awake: Awake, now_ms: int, since: int) -> Expectation:
    """Hold the judgement at late while a run goes on, which has a limit of its own.

    A run that began in time is late only once it takes longer than usual: an hourly run of 40 minutes is none to look at.
    """
    lasts = [awake.between(*run) for run in goods]
    usual = learn.middle(lasts)
    limit = max(MAX_PERIODS * usual, MIN_RUNNING_MS)
    ends = awake.at(since, limit, now_ms)
    word = Word.LATE if judged.word is Word.OVERDUE else judged.word
    late = judged.late_since_ms or judged.overdue_since_ms
    slow = awake.at(since, usually(lasts, FIRST_DURATION_MS), now_ms)
    if late is not None and since <= late < slow and word is not Word.OLD:
        late = slow
        if slow > now_ms:
            word, late = (Word.DUE if word is Word.LATE else word), None
    judged = replace(
        judged,
        word=word,
        late_since_ms=late,
        overdue_since_ms=None,
        running_since_ms=since,
        running_limit_ms=limit,
        valid_until_ms=_soonest(now_ms, judged.valid_until_ms, slow, ends),
    )
    if ends > now_ms or judged.word is Word.OFF:
        return judged
    return replace(judged, word=Word.STILL_RUNNING, late_since_ms=min(ends, judged.late_since_ms or ends))


def _undated(judged: Expectation, good_ms: int, since: int, now_ms: int) -> Expectation:
    """Say of a job whose newest good run has an impossible time that its age is not known, unless older runs prove it fine."""
    back = good_ms - SLACK_MS
    judged = replace(judged, valid_until_ms=_soonest(now_ms, judged.valid_until_ms, back))
    if judged.last_good_ms is not None and judged.late_since_ms is None and judged.overdue_since_ms is None:
        return judged
    return replace(judged, word=Word.UNDATED, late_since_ms=judged.late_since_ms or since, overdue_since_ms=None)


def _zone(name: str | None) -> tzinfo:
    """Return the zone with the *name*, or the machine's if there is none."""
    try:
        return zone(name)
    except ValueError:
        return zone(None)


def _soonest(now_ms: int, *moments: int) -> int:
    return min((moment for moment in moments if moment > now_ms), default=0)
