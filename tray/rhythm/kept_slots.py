"""Count which slots of a job's rhythm were kept, late or missed in a period, and its silences where it is learnt. Pure.

Slots and deadlines are those of `tray.rhythm`, so a report and the status judge alike. A slot in whose window the machine was
hardly awake is neither kept nor missed.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from tray.core.dataclass import dataclass
from tray.core.model import Word
from tray.rhythm import MOST_GOODS, Past, Rhythm
from tray.rhythm.awake import Awake
from tray.rhythm.expect import expect
from tray.rhythm.learn import middle
from tray.rhythm.plan import HOUR_MS, Every, Plan, Run, Slots, plan
from tray.rhythm.stated import ENOUGH_AWAKE_MS

KEPT, LATE, MISSED, ASLEEP = "kept", "late", "missed", "asleep"
"""How a slot was met: in time, after its deadline, not at all; or the machine was hardly on until the next one."""
OVERDUE, SILENT = "overdue", "silent"
"""A learnt rhythm: longer without a backup than its past explains; without a known rhythm: too long to call it fine."""

MOST_SLOTS = 10_000
"""So many slots of one job are counted, the newest ones."""
_CHUNK = 256
_RELEARN = 10
"""How late a run may be is learnt anew after so many runs: from those before it, as the status did then."""
_LONG = 1.5
"""A learnt job can be overdue only in a gap that is so much longer than the median one."""
_MOST_GAPS = 50


@dataclass(frozen=True, slots=True)
class Met:
    """One slot: its moment, and how it was met."""

    slot_ms: int
    how: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring slots that were all late or all missed, or a silence.

    Attributes:
        how: LATE, MISSED, OVERDUE or SILENT.
        first_ms, last_ms: The first and the last of the slots; of a silence its begin and its end.
        number: How many slots.
        end_ms: When the good run came that ended it; None if none has come.
    """

    how: str
    first_ms: int
    last_ms: int
    number: int = 1
    end_ms: int | None = None


def met(
    rhythm: Rhythm, goods: Sequence[Run], first_ms: int, awake: Awake, begin_ms: int, end_ms: int
) -> tuple[list[Met], int] | None:
    """Return each slot of a stated rhythm that is decided at the end of the period, and from when on slots were counted.

    Args:
        rhythm: With `every_ms` or `on`.
        goods: The good runs until *end_ms*, in order of their ends, those before the period among them as far as they are known.
        first_ms: When the job became known.
        awake: Of the machine.
        begin_ms: Earlier slots do not count.
        end_ms: The end of the period.

    Returns:
        None if the rhythm cannot be read.
    """
    terms = plan(rhythm, goods, first_ms, awake)
    if terms is None:
        return None
    begin_ms = max(begin_ms, first_ms, rhythm.from_ms, end_ms - MOST_SLOTS * terms.gap_ms if terms.gap_ms else 0)
    runs: list[Run | None] = [None, *goods]
    judged: list[Met] = []
    learnt_from = -1
    for number, (before, run) in enumerate(zip(runs, [*goods, None], strict=True)):
        if run is None or run[1] >= begin_ms:
            exact = run is None or number < _RELEARN
            known = number if exact else number - number % _RELEARN
            if known != learnt_from:
                learnt_from, terms = (
                    known,
                    plan(rhythm, goods[max(0, known - MOST_GOODS) : known], first_ms, awake) or terms,
                )
            own = Every(before[0] if before else first_ms, rhythm.every_ms) if rhythm.every_ms else terms.slots
            since = max(begin_ms - 1, first_ms if before is None else before[1] + terms.early_ms - 1)
            until = end_ms + 1 if run is None else min(run[1] + terms.early_ms, end_ms + 1)
            judged += _gap(terms, own, list(_between(own, since, until)), run, awake, end_ms)
    return judged, begin_ms


def _between(slots: Slots, since_ms: int, until_ms: int) -> Iterator[int]:
    """Yield the slots later than *since_ms* and before *until_ms*."""
    while since_ms < until_ms:
        chunk = slots.after(since_ms, _CHUNK if until_ms - since_ms > HOUR_MS else 2)
        for slot in chunk:
            if slot >= until_ms:
                return
            yield slot
        if not chunk:
            return
        since_ms = chunk[-1]


def _gap(terms: Plan, own: Slots, slots: list[int], run: Run | None, awake: Awake, end_ms: int) -> Iterator[Met]:
    """Judge the slots between two good runs: *run* meets the last of them, the others were not met.

    As in the status, the first deadline of a slot that was not met decides when the job was late. Until then the machine was on
    too little for a scheduler that catches up after a sleep.
    """
    deadlines = [terms.deadline(slot, awake, end_ms) for slot in slots]
    late = min(deadlines if run is None else deadlines[:-1], default=0)
    for at, slot in enumerate(slots):
        is_last = at == len(slots) - 1
        if run is not None and is_last:
            yield Met(slot, LATE if run[1] > deadlines[at] else KEPT)
            continue
        following = next(iter(own.after(slot)), end_ms + 1) if is_last else slots[at + 1]
        if run is None and following > end_ms and deadlines[at] > end_ms:
            return  # it may still come
        until = min(max(following, slot + HOUR_MS), end_ms if run is None else run[1])
        slept = awake.between(slot, until) < ENOUGH_AWAKE_MS or until <= late
        yield Met(slot, ASLEEP if slept else MISSED)


def stretches(judged: Sequence[Met], goods: Sequence[Run]) -> list[Stretch]:
    """Return the late and the missed slots, neighbours of one kind as one, the oldest first. Slots of a sleep separate none."""
    ends = iter(end for _, end in goods)
    end = next(ends, None)
    listed: list[Stretch] = []
    for how, group in groupby((slot for slot in judged if slot.how != ASLEEP), key=lambda slot: slot.how):
        slots = [slot.slot_ms for slot in group]
        if how == KEPT:
            continue
        while end is not None and end < slots[-1]:
            end = next(ends, None)
        listed.append(Stretch(how, slots[0], slots[-1], len(slots), end))
    return listed


def silences(
    rhythm: Rhythm, goods: Sequence[Run], first_ms: int, awake: Awake, begin_ms: int, end_ms: int
) -> list[Stretch]:
    """Return the stretches of the period in which the job was overdue by its past, or silent for too long; the oldest first.

    Args: as those of `met`. The past of each moment decides, not later runs.
    """
    gaps = list(enumerate(zip([None, *goods], [*goods, None], strict=True)))
    usual = middle([later[1] - before[1] for before, later in pairwise(goods)])

    def length(gap: tuple[int, tuple[Run | None, Run | None]]) -> int:
        _, (before, run) = gap
        return (end_ms if run is None else run[1]) - (first_ms if before is None else before[1])

    reach = [gap for gap in gaps if gap[1][1] is None or gap[1][1][1] >= begin_ms]
    long = sorted((gap for gap in reach if length(gap) > _LONG * usual), key=length)[-_MOST_GAPS:]
    listed = []
    for known, (_, run) in sorted(long, key=lambda gap: gap[0]):
        now = end_ms if run is None else run[1] - 1
        judged = expect(rhythm, Past(tuple(goods[max(0, known - MOST_GOODS) : known]), first_ms), awake, now)
        since = judged.overdue_since_ms or judged.late_since_ms
        alarms = judged.overdue_since_ms is not None or judged.word in (Word.UNKNOWN, Word.NEVER_RAN)
        if since is not None and since <= now and alarms:
            how = SILENT if judged.overdue_since_ms is None else OVERDUE
            listed.append(Stretch(how, since, now, end_ms=None if run is None else run[1]))
    return listed
