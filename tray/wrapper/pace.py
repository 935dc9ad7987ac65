"""The measures that an estimate is made of: the rate of a counter, the cost of files and bytes, and the expected end.

A run of nothing but bytes is rare: each file costs a fixed time besides its bytes, so that twenty thousand small files at the end
take long although they weigh little. `Costs` fits both costs to what was seen,

    time = files x cost of a file + bytes x cost of a byte,

by least squares. The recent past counts more, and the fitted times add up to the time that really passed. A cost that the run
has not shown yet (nothing but big files so far) stays at that of a common disk.

Predictions jump, but a person wants a clock that runs down. So the expected end of `Countdown` follows the predictions with a delay
and by bounded steps. It is shown only once the predictions of some seconds agree, and no longer when it has been "in a second" for
a while.
"""

import math
from collections import deque

WINDOW_SECONDS = 30.0
RATE_SETTLE_SECONDS = 3.0
STILL_SECONDS = 10.0
"""So long nothing must have come before that is called 0 a second."""
FILE_SECONDS = 0.0002
BYTE_SECONDS = 1e-8
"""Where we begin: five thousand files a second, 100 MB a second. All sums below are in these units."""
STEP_SECONDS = 1.0
STEP_PART = 0.01
"""Progress comes in bursts, so the fit looks at steps of at least this length, or this part of the run."""
MEMORY_SECONDS = 10.0
MEMORY_PART = 0.3
"""After so many seconds, or so much of the run if that is longer, what was seen counts half."""
RIDGE = 0.003
"""How strongly both costs are held at those of a common disk, against what a step shows: only where little else is known."""
DELAY_PART = 0.08
DELAY_SECONDS = (0.5, 30.0)
"""The end follows the predictions with this part of the time left as delay, within these bounds."""
MOST_GROWTH = 1.05
MOST_LOSS = 1.2
"""In one second the time left grows or shrinks at most by this factor, besides running down."""
STEADY_SECONDS = 8.0
AGREE_PART = 0.3
PATIENCE_SECONDS = 60.0
"""In the first minute the end is shown once the predictions of so many seconds lie within this part of the time left."""
LEAST_SECONDS = 5.0
"""Of a time left that is shorter, so many seconds count."""
SOON_SECONDS = 2.5
SOON_FOR_SECONDS = 5.0
"""A run that has been about to end for so long is not: then nothing is shown until the predictions say more."""


class Rate:
    """Units per second over the last half minute, so that a long pause shows and a burst does not jump."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()
        self._moved = 0.0

    def add(self, now: float, done: int) -> int | None:
        """Take a reading of a counter and return the rate; None until some seconds have passed, and while it may only pause.

        A counter that went backwards (a restart, a rescan) begins anew.
        """
        if self._points and done < self._points[-1][1]:
            self._points.clear()
        if not self._points or done > self._points[-1][1]:
            self._moved = now
        self._points.append((now, done))
        while len(self._points) > 2 and now - self._points[0][0] > WINDOW_SECONDS:
            self._points.popleft()
        first, before = self._points[0]
        if now - first < RATE_SETTLE_SECONDS or (done == before and now - self._moved < STILL_SECONDS):
            return None
        return int((done - before) / (now - first))


class Costs:
    """The two costs of one run."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._step = (0.0, 0.0, 0.0)  # seconds, files and bytes of the step that is not long enough yet
        self._sums = (0.0, 0.0, 0.0)  # the same of all steps
        self._products = (0.0, 0.0, 0.0, 0.0, 0.0)  # files², files·bytes, bytes², files·seconds, bytes·seconds

    def add(self, seconds: float, files: int, size: int) -> None:
        """Take what was done in the last *seconds*."""
        self._clock += seconds
        t, f, b = self._step
        t, f, b = t + seconds, f + files * FILE_SECONDS, b + size * BYTE_SECONDS
        self._step = (t, f, b)
        if t >= max(STEP_SECONDS, STEP_PART * self._clock):
            keep = 0.5 ** (t / max(MEMORY_SECONDS, MEMORY_PART * self._clock))
            now = (f * f, f * b, b * b, f * t, b * t)
            self._products = (
                self._products[0] * keep + now[0],
                self._products[1] * keep + now[1],
                self._products[2] * keep + now[2],
                self._products[3] * keep + now[3],
                self._products[4] * keep + now[4],
            )
            self._sums = (self._sums[0] * keep + t, self._sums[1] * keep + f, self._sums[2] * keep + b)
            self._step = (0.0, 0.0, 0.0)

    def factors(self) -> tuple[float, float]:
        """Return how many times the common cost a file and a byte have here."""
        t, f, b = self._all()
        if f + b <= 0:
            return 1.0, 1.0
        ff, fb, bb, ft, bt = self._products
        ridge = RIDGE * max(STEP_SECONDS, STEP_PART * self._clock) ** 2
        # The sums are one more equation, as heavy as all steps together: what was fitted must add up.
        ff, fb, bb = ff + f * f + ridge, fb + f * b, bb + b * b + ridge
        ft, bt = ft + f * t + ridge, bt + b * t + ridge
        det = ff * bb - fb * fb
        if det <= 0:
            return 1.0, 1.0
        file, byte = (ft * bb - bt * fb) / det, (bt * ff - ft * fb) / det
        if file < 0:
            return 0.0, bt / bb
        return (file, byte) if byte >= 0 else (ft / ff, 0.0)

    def seconds(self, files: int | None, size: int) -> float:
        """Return how long so many files and bytes take; *files* None: not counted, so the bytes stand for everything."""
        if files is None:
            t, _, b = self._all()
            return size * BYTE_SECONDS * (t / b if b > 0 else 1.0)
        file, byte = self.factors()
        return files * FILE_SECONDS * file + size * BYTE_SECONDS * byte

    def _all(self) -> tuple[float, float, float]:
        t, f, b = self._sums
        return t + self._step[0], f + self._step[1], b + self._step[2]


def work(files: int | None, size: int | None) -> float:
    """Return the seconds that so many files and bytes take on a common disk."""
    return (files or 0) * FILE_SECONDS + (size or 0) * BYTE_SECONDS


class Countdown:
    """One run's expected end, on a clock that stands while the run is paused."""

    def __init__(self) -> None:
        self._end: float | None = None
        self._guesses: deque[tuple[float, float]] = deque()  # when, and the end that was predicted
        self._soon: float | None = None

    def clear(self) -> None:
        """Forget all predictions."""
        self._end = self._soon = None
        self._guesses.clear()

    def follow(self, now: float, seconds: float, left: float, *, at_once: bool) -> float | None:
        """Take a prediction and return the seconds to show, None for nothing.

        Args:
            now: The run's clock.
            seconds: Time on it since the last prediction.
            left: The predicted seconds until the end.
            at_once: Show it even if it is the first one.
        """
        if self._end is None:
            if not (at_once or self._agreed(now, left)):
                return None
            self._end = now + left
        else:
            self._end = now + _moved(max(self._end - now, 0.0), left, seconds)
        shown = self._end - now
        return None if self._overdue(now, shown) else shown

    def _agreed(self, now: float, left: float) -> bool:
        """Whether the end was about the same in all predictions of the last seconds."""
        self._guesses.append((now, now + left))
        while len(self._guesses) > 2 and self._guesses[1][0] <= now - STEADY_SECONDS:
            self._guesses.popleft()
        ends = [end for _, end in self._guesses]
        long_enough = now - self._guesses[0][0] >= STEADY_SECONDS
        return long_enough and max(ends) - min(ends) <= AGREE_PART * max(left, LEAST_SECONDS)

    def _overdue(self, now: float, shown: float) -> bool:
        if shown > SOON_SECONDS:
            self._soon = None
            return False
        self._soon = now if self._soon is None else self._soon
        return now - self._soon > SOON_FOR_SECONDS


def _moved(before: float, left: float, seconds: float) -> float:
    low, high = DELAY_SECONDS
    gain = 1 - math.exp(-seconds / min(max(DELAY_PART * left, low), high))
    fewest, most = before / math.pow(MOST_LOSS, seconds), before * math.pow(MOST_GROWTH, seconds) + seconds
    return min(max(before + (left - before) * gain, fewest), most)
