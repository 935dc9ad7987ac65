"""Tell when this machine was awake: from our own marks, from the system's records of its starts, and from the clocks of now.

A stretch of a boot between two marks was awake but for the time that the clocks show as sleep. Where in the stretch the machine
slept is not known, so the sleep is put at the beginning: the tracker notices a sleep when it is over. From now on the machine
counts as awake, until its clocks tell of sleep.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from operator import attrgetter

from tray.core import clock, locks
from tray.core.dataclass import replace
from tray.core.paths import Places
from tray.observe import awake_log, boots
from tray.observe.awake_log import BEAT, BEAT_SECONDS, BOOT, END, OFF, SLEEP_MS, Mark
from tray.rhythm.awake import UNKNOWN_ASLEEP_MS, Awake, Interval

AHEAD_MS = clock.DAY_MS
"""The machine is taken to stay awake for so long; long before that the times are read again."""
_AGAIN_MS = 3_600_000
_MOST_NOTICED = 200
_SYNC_MS = clock.JUMP_MS
_ALIVE_MS = int(BEAT_SECONDS * 1000) + _SYNC_MS

Boot = list[Mark]
"""The marks of one start of the machine, in their order; the first is that of the start itself."""


class AwakeTimes:
    """The awake time of this machine. A process that asks often notices each sleep itself, and reads the file once an hour."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._boot = locks.boot_id()
        self._known: Awake | None = None
        self._read_at = self._asked = Mark(BEAT, 0)
        self._noticed: list[Mark] = []

    def read(self, seen_ms: int | None) -> Awake:
        """Return the awake time as of now; the same object while nothing changed.

        Args:
            seen_ms: A moment at which the machine was surely awake: the end of the newest run on record. None: there is no run.
        """
        before, now = self._asked, self._now()
        self._asked = now
        passed = now.since_boot_ms - before.since_boot_ms
        slept = now.slept_ms - before.slept_ms > SLEEP_MS
        if self._known is not None and slept:
            self._noticed = [*self._noticed[-_MOST_NOTICED:], before, now]
        was_set = abs(now.wall_ms - before.wall_ms - passed) > _SYNC_MS
        if self._known is None or slept or was_set or now.since_boot_ms - self._read_at.since_boot_ms > _AGAIN_MS:
            marks = [*awake_log.read(self._places), *self._noticed]
            self._known, self._read_at = Awake(*intervals(marks, boots.recorded(), now, seen_ms)), now
        return self._known

    def _now(self) -> Mark:
        """Return the mark of now; of a system that does not tell its sleep, one that says nothing of the past."""
        slept = clock.slept_ms()
        if slept is None or self._boot == locks.UNKNOWN_BOOT:
            return Mark(BEAT, clock.now_ms())
        return Mark(BEAT, clock.now_ms(), self._boot, clock.since_boot_ms(), slept)


def intervals(
    marks: Iterable[Mark], recorded: Iterable[Mark], now: Mark, seen_ms: int | None = None
) -> tuple[list[Interval], list[Interval]]:
    """Return the stretches of time in which the machine was surely awake, and those in which it surely was not.

    Args:
        marks: Marks on record, in any order.
        recorded: Starts and ends that the system recorded, in any order.
        now: The mark of now.
        seen_ms: A moment at which it was awake; it counts where everything known is later.
    """
    marks = [mark for mark in marks if mark.wall_ms >= clock.EARLIEST_MS or mark.boot == now.boot]
    known = _boots([mark for mark in marks if mark.kind not in (BOOT, OFF)], now)
    noted = [mark for mark in (*marks, *recorded) if mark.kind in (BOOT, OFF) and mark.wall_ms <= now.wall_ms]
    starts = (Mark(BOOT, boot[0].wall_ms) for boot in known)
    events = sorted((*noted, *starts), key=attrgetter("wall_ms"))
    awake: list[Interval] = [(now.wall_ms, now.wall_ms + AHEAD_MS)]
    asleep: list[Interval] = []
    for boot in known:
        for mark, other in pairwise(boot):
            _between(mark, other, awake, asleep)
    for boot, later in pairwise(known):
        _after(boot, later[0].wall_ms, events, awake, asleep)
    _of_events(events, known, awake, asleep)
    begin = min(interval[0] for interval in (*awake, *asleep))
    if seen_ms is not None and clock.EARLIEST_MS < seen_ms < begin:
        awake.append((seen_ms - 1, seen_ms))
    return awake, asleep


def _boots(marks: Sequence[Mark], now: Mark) -> list[Boot]:
    """Return the boots that have marks, the oldest first, with wall clocks that agree within each."""
    ordered = sorted(marks, key=attrgetter("boot", "since_boot_ms"))
    groups = {boot: list(group) for boot, group in groupby(ordered, key=attrgetter("boot"))}
    mine = [mark for mark in groups.pop(now.boot, []) if mark.since_boot_ms <= now.since_boot_ms]
    past = [boot for group in groups.values() if (boot := _dated(group))[-1].wall_ms <= now.wall_ms]
    return [*sorted(past, key=lambda boot: boot[0].wall_ms), _dated([*mine, now])]


def _dated(group: Sequence[Mark]) -> Boot:
    """Return the marks of a boot behind one of its start, in the time of the last one's clock.

    Where the clock was behind, it was set; where it was ahead, it was set, or the whole machine was held, as virtual ones are: then
    the earlier marks were right. They stay, unless that is too long ago to be true.
    """
    boot = [group[-1]]
    for mark in reversed(group[:-1]):
        later = boot[-1]
        wall_ms = later.wall_ms - (later.since_boot_ms - mark.since_boot_ms)
        held = _SYNC_MS < wall_ms - mark.wall_ms < UNKNOWN_ASLEEP_MS
        boot.append(mark if held else replace(mark, wall_ms=wall_ms))
    first = boot[-1]
    boot.append(Mark(BEAT, first.wall_ms - first.since_boot_ms, first.boot))
    return boot[::-1]


def _between(mark: Mark, other: Mark, awake: list[Interval], asleep: list[Interval]) -> None:
    """Add the stretch between two marks of a boot: the sleep first, also that of a machine that was held, then the rest."""
    slept = other.slept_ms - mark.slept_ms
    slept = 0 if slept <= SLEEP_MS else slept
    woke = other.wall_ms - (other.since_boot_ms - mark.since_boot_ms) + slept
    if woke - mark.wall_ms > SLEEP_MS:
        asleep.append((mark.wall_ms, woke))
    awake.append((woke, other.wall_ms))


def _after(boot: Boot, until_ms: int, events: Sequence[Mark], awake: list[Interval], asleep: list[Interval]) -> None:
    """Add the time from the last mark of *boot* to the next start: off since a recorded moment or the tracker's last sign."""
    last = boot[-1]
    off = next((mark.wall_ms for mark in events if mark.kind == OFF and last.wall_ms <= mark.wall_ms <= until_ms), None)
    if off is not None:
        asleep.append((off, until_ms))
        if last.slept_ms <= SLEEP_MS:  # a machine that never slept before did not sleep then
            awake.append((last.wall_ms, off))
    elif _was_watched(boot):
        asleep.append((last.wall_ms, until_ms))


def _was_watched(boot: Boot) -> bool:
    """Whether a tracker lived at the end of *boot*, so that a time without marks was no time of the machine."""
    signs = [mark for mark in boot[1:] if mark.kind in (BEAT, END)]
    if not signs or signs[-1].kind == END:
        return False
    last = boot[-1]
    return last.since_boot_ms - last.slept_ms - (signs[-1].since_boot_ms - signs[-1].slept_ms) <= _ALIVE_MS


def _of_events(events: Sequence[Mark], known: Sequence[Boot], awake: list[Interval], asleep: list[Interval]) -> None:
    """Add what the system recorded of times without marks: on from a start until it went off, then off until the next start."""
    for mark, other in pairwise(events):
        stretch = mark.wall_ms, other.wall_ms
        if mark.kind == OFF and other.kind == BOOT:
            asleep.append(stretch)
        elif mark.kind == BOOT and other.kind == OFF and not any(_meets(boot, stretch) for boot in known):
            awake.append(stretch)


def _meets(boot: Boot, stretch: Interval) -> bool:
    return boot[0].wall_ms < stretch[1] and stretch[0] < boot[-1].wall_ms
