"""Count how much of a stretch of time the machine was awake."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tray.core.clock import DAY_MS

UNKNOWN_ASLEEP_MS = 14 * DAY_MS
"""A stretch of which nothing is known counts as asleep for so long, then as awake: an absent watcher must not mean endless calm."""

_EVER = 1 << 53

Interval = tuple[int, int]
"""Begin and end in wall-clock milliseconds."""


class Awake:
    """The awake and asleep times of the machine, fixed when it is made.

    Before the first known moment the machine counts as awake (a job's past may be older than the records of sleep), and so it does
    if nothing at all is known. Where intervals overlap, awake wins: a process of ours ran then.
    """

    def __init__(self, awake: Iterable[Interval] = (), asleep: Iterable[Interval] = ()) -> None:
        """Take the intervals known as *awake* and as *asleep*, in any order; they may touch and overlap."""
        known = _merged(awake)
        covered = _merged((*known, *asleep))
        edges = [-_EVER, *(edge for interval in covered for edge in interval), _EVER]
        unknown = list(zip(edges[::2], edges[1::2], strict=True))
        counted = [unknown[0], *((begin + UNKNOWN_ASLEEP_MS, end) for begin, end in unknown[1:])]
        intervals = _merged((*known, *counted))
        self._begins = [begin for begin, _ in intervals]
        self._ends = [end for _, end in intervals]
        self._sums = [0]
        for begin, end in intervals:
            self._sums.append(self._sums[-1] + end - begin)

    def between(self, a_ms: int, b_ms: int) -> int:
        """Return the milliseconds between *a_ms* and *b_ms* for which the machine was awake; 0 if *b_ms* is not later."""
        return max(0, self._before(b_ms) - self._before(a_ms))

    def at(self, a_ms: int, awake_ms: int, now_ms: int) -> int:
        """Return the moment at which the machine has been awake for *awake_ms* since *a_ms*.

        It is exact if it is not after *now_ms*; after that it assumes that the machine stays awake.
        """
        if awake_ms <= 0:
            return a_ms
        ahead = awake_ms - self.between(a_ms, now_ms)
        if ahead > 0:
            return max(a_ms, now_ms) + ahead
        wanted = self._before(a_ms) + awake_ms
        place = bisect_right(self._sums, wanted - 1) - 1
        return self._begins[place] + wanted - self._sums[place]

    def awake_from(self, at_ms: int) -> int:
        """Return the first awake moment that is not before *at_ms*."""
        place = bisect_right(self._begins, at_ms) - 1
        return at_ms if at_ms < self._ends[place] else self._begins[place + 1]

    def each(self, edges: Sequence[int]) -> list[int]:
        """Return the awake milliseconds between each two neighbours of *edges*, which are in order."""
        place = bisect_right(self._begins, edges[0]) - 1
        if edges[-1] <= self._ends[place]:
            return [later - edge for edge, later in pairwise(edges)]
        before = [self._before(edge) for edge in edges]
        return [later - earlier for earlier, later in pairwise(before)]

    def _before(self, at_ms: int) -> int:
        place = bisect_right(self._begins, at_ms) - 1
        return self._sums[place] + min(at_ms, self._ends[place]) - self._begins[place]


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the intervals in order, those that touch or overlap as one; empty and reversed ones are left out."""
    merged: list[Interval] = []
    for begin, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged
