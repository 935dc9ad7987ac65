"""The moment at which a run is expected to end, moving slowly enough to be watched.

Predictions jump; a person wants a clock that runs down. So the expected end follows the predictions with a delay and by bounded
steps, is shown only once the predictions of some seconds agree, and no longer when it has been "in a second" for a while.
"""

import math
from collections import deque

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


class Countdown:
    """One run's expected end, on a clock that stands while the run is paused."""

    def __init__(self) -> None:
        self._end: float | None = None
        self._guesses: deque[tuple[float, float]] = deque()  # when, and the end that was predicted
        self._soon: float | None = None

    def clear(self) -> None:
        """Nothing can be predicted."""
        self._end = self._soon = None
        self._guesses.clear()

    def follow(self, now: float, seconds: float, left: float, *, at_once: bool) -> float | None:
        """Take a prediction and return the seconds to show, None for nothing.

        Args:
            now: The run's clock.
            seconds: What passed on it since the last prediction.
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
