"""When a run will be done: totals, rate and time left, as far as they can be known. Independent of engines and of display.

The time left blends two sources: the pace of this run (`pace`), and how long the last successful runs of the same job took
(`Past`). At the beginning only the past is known, at the end only the pace counts. There is no estimate while the engine still
counts, after the last byte, and where the end that was expected is over.
"""

from collections.abc import Sequence

from tray.core.dataclass import dataclass
from tray.core.model import Phase
from tray.wrapper.pace import PATIENCE_SECONDS, Costs, Countdown, Rate, work

SETTLE_SECONDS = 2.0
"""Nothing is concluded from a pace that was watched for less."""
TRUST = 2
"""At the part p of the run the past counts (1 - p) to this power, the pace the rest."""
GROWTH = 1.01
GROWTH_SECONDS = 3.0
"""A total that grew by more than this part, that short a time ago, will grow again: the engine is still counting."""
GAP_SECONDS = 60.0
"""More than this between two looks was a pause of the machine or of ours, no work."""
OVER = 1.05
"""A total of an earlier run may be exceeded by this much; beyond it is known to be wrong."""
MAX_SECONDS = 10 * 365 * 86_400
FIRST_PART = 0.5
MOST_SCALE = 20.0


@dataclass(frozen=True, slots=True)
class Past:
    """One earlier run of the same job that ended well. None: not recorded.

    Attributes:
        seconds: How long it took.
        files: Files that it looked at.
        size: Bytes that it looked at.
        added: Bytes that it had to store.
        copied: Its engine counts only the bytes that it copies, so its figures do not tell how much there is to count.
        empty: Sources that held no files; None if they were not looked at.
        emptied: Those of them that had held some before.
        sources: The folders and files that it backed up; empty if they are not on record.
    """

    seconds: float
    files: int | None = None
    size: int | None = None
    added: int | None = None
    copied: bool = False
    empty: tuple[str, ...] | None = None
    emptied: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def stored_most(self) -> bool:
        """Whether it had to store most of what it read, as a first run does: the next one will be much faster."""
        return self.added is not None and self.size is not None and self.added > FIRST_PART * self.size

    @property
    def changes_only(self) -> bool:
        """Whether it stored only what had changed, and passed over the rest."""
        return self.added is not None and self.size is not None and not self.stored_most

    def scale(self, files: int | None, size: int | None) -> float:
        """How many times more there is to do now than there was then, 1 if that is not known."""
        old = self.added if self.copied else self.size
        then = work(None if files is None else self.files, None if size is None else old)
        now = work(None if self.files is None else files, None if old is None else size)
        return min(max(now / then, 1 / MOST_SCALE), MOST_SCALE) if then > 0 and now > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Counters:
    """Progress as the engine told it, and when (monotonic seconds). None: not told."""

    now: float
    phase: Phase
    files_done: int | None = None
    files_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    eta_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate. None: not known.

    Attributes:
        totals_are_estimate: At least one total is that of an earlier run.
    """

    bytes_per_second: int | None = None
    eta_seconds: int | None = None
    files_total: int | None = None
    bytes_total: int | None = None
    totals_are_estimate: bool = False


class Estimator:
    """Estimates one run: `add` what the engine says, and `look` at least once a second. Times are monotonic seconds."""

    def __init__(self, began: float, past: Sequence[Past] = ()) -> None:
        self._past = tuple(past)
        self._rate, self._costs, self._countdown = Rate(), Costs(), Countdown()
        self._last = Counters(began, Phase.SCANNING)
        self._said = False
        self._now = began
        self._clock = 0.0  # seconds of this run, less its pauses
        self._paused = False
        self._moves_since: float | None = None
        self._files = self._size = 0
        self._counted = 0
        self._grown = -GROWTH_SECONDS
        self._speed: int | None = None

    def know(self, past: Sequence[Past]) -> None:
        """Take the earlier runs of the job, the newest first, once they are read."""
        self._past = tuple(past)

    def add(self, reading: Counters) -> Estimate:
        """Take a reading of the engine and return the estimate."""
        seconds = self._pass(reading.now)
        files, size = reading.files_done or 0, reading.bytes_done or 0
        more_files, more_size = max(files - self._files, 0), max(size - self._size, 0)
        if self._moves_since is not None:
            self._costs.add(seconds, more_files, more_size)
        elif more_files or more_size:
            self._moves_since = self._clock  # what came before was opening the repository
        self._files, self._size = max(files, self._files), max(size, self._size)
        self._grows(reading)
        self._last, self._said = reading, True
        if reading.bytes_done is not None:
            self._speed = self._rate.add(self._clock, reading.bytes_done)
        return self._estimate(seconds)

    def look(self, now: float, *, paused: bool = False) -> Estimate:
        """Return the estimate while the engine says nothing; while *paused*, time does not count."""
        seconds = self._pass(now)
        self._paused = paused
        if self._moves_since is not None and seconds:
            self._costs.add(seconds, 0, 0)
            if self._last.bytes_done is not None:
                self._speed = self._rate.add(self._clock, self._last.bytes_done)
        return self._estimate(seconds)

    def _pass(self, now: float) -> float:
        """Move the clock on and return the seconds that passed on it."""
        gone = max(now - self._now, 0.0)
        seconds = 0.0 if self._paused else min(gone, GAP_SECONDS)
        self._now = max(now, self._now)
        self._clock += seconds
        return seconds

    def _estimate(self, seconds: float) -> Estimate:
        files, size, old = self._totals()
        return Estimate(self._speed, self._eta(seconds, files, size, old=old), files, size, old)

    def _totals(self) -> tuple[int | None, int | None, bool]:
        """Return the totals, and whether one is that of the last run, where the engine has none or does not know it yet."""
        last, old = self._last, next((run for run in self._past[:1] if not run.copied), Past(0.0))
        counting = self._counting
        files, old_files = _total(last.files_total, old.files, last.files_done, counting=counting)
        size, old_size = _total(last.bytes_total, old.size, last.bytes_done, counting=counting)
        return files, size, old_files or old_size

    @property
    def _counting(self) -> bool:
        """Whether the engine does not know yet how much there is."""
        return self._last.phase is Phase.SCANNING or self._clock - self._grown < GROWTH_SECONDS

    def _grows(self, reading: Counters) -> None:
        """Note when the total grows."""
        now = reading.files_total if reading.bytes_total is None else reading.bytes_total
        if now is not None and now > GROWTH * self._counted:
            if self._counted:
                self._grown = self._clock
            self._counted = now

    def _eta(self, seconds: float, files: int | None, size: int | None, *, old: bool) -> int | None:
        if self._paused or self._last.phase is Phase.PAUSED:
            return None
        left = self._left(files, size, old=old)
        if left is None or not left <= MAX_SECONDS:
            self._countdown.clear()
            return None
        at_once = not self._said or self._clock > PATIENCE_SECONDS
        shown = self._countdown.follow(self._clock, seconds, left, at_once=at_once)
        return None if shown is None else max(1, round(shown))

    def _left(self, files: int | None, size: int | None, *, old: bool) -> float | None:
        """Return the predicted seconds until the end, None if nothing is known."""
        if self._last.phase is Phase.FINISHING:
            return None
        if files is None and size is None and not self._past:
            return self._left_by_engine()
        alike = _alike(self._past)
        past = self._left_by_past(alike, files, size)
        if (self._counting and not old) or (self._past and not alike):
            return past
        estimated = self._left_by_pace(files, size)
        if estimated is None:
            return past
        pace, part = estimated
        if past is None:
            return pace
        trust: float = (1 - part) ** TRUST
        if any(run.changes_only for run in alike):  # what had not changed flew by, and is no measure for the rest
            trust = 1 - (self._clock / (self._clock + past)) ** TRUST
        return (1 - trust) * pace + trust * past

    def _left_by_engine(self) -> float | None:
        """Return what the engine itself says is left, where there is nothing else to go by."""
        seconds = self._last.eta_seconds
        return None if seconds is None else max(seconds - (self._now - self._last.now), 0.0)

    def _left_by_past(self, alike: Sequence[Past], files: int | None, size: int | None) -> float | None:
        """Return what is left if this run takes as long as earlier ones; None if it has taken longer already."""
        if self._counting:
            files = size = None
            if len(alike) == 1 and alike[0].copied and alike[0].size is None:
                return None  # it may have been the first one, which copied everything
        took = sorted(run.seconds * run.scale(files, size) for run in alike)
        left = took[(len(took) - 1) // 2] - self._clock if took else 0.0  # the median, of two the shorter
        return left if left > 0 else None

    def _left_by_pace(self, files: int | None, size: int | None) -> tuple[float, float] | None:
        """Return what is left at the pace of this run, and the part that is done; None if it cannot be told."""
        if size is None or self._moves_since is None:  # files alone say too little: a few may be huge
            return None
        if self._clock - self._moves_since < SETTLE_SECONDS:
            return None
        left = self._costs.seconds(None if files is None else max(files - self._files, 0), max(size - self._size, 0))
        done = self._costs.seconds(None if files is None else self._files, self._size)
        return (left, done / (done + left)) if left > 0 else None


def _total(known: int | None, old: int | None, done: int | None, *, counting: bool) -> tuple[int | None, bool]:
    """Return one total and whether it is that of an earlier run."""
    if (known is not None and not counting) or old is None or (done or 0) > OVER * old:
        return known, False
    return max(old, known or 0, done or 0), True


def _alike(past: Sequence[Past]) -> list[Past]:
    """Return the earlier runs that this one may be like: without a first one that had to store everything, unless all are so."""
    alike = [run for run in past if not run.stored_most]
    return alike if alike or len(past) < 2 else list(past)
