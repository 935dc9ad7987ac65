"""The moment at which a run is expected to end, moving slowly enough to be watched.

Predictions jump; a person wants a clock that runs down. So the expected end follows the predictions with a delay and by bounded
steps, is shown only once two predictions agree, and no longer when it has been "in a second" for a while.
"""

import math

DELAY_PART = 0.08
DELAY_SECONDS = (0.5, 30.0)
"""The end follows the predictions with this part of the time left as delay, within these bounds."""
MOST_CHANGE = 1.35
"""In one second the time left changes at most by this factor, besides running down."""
AGREE = 1.5
PATIENCE_SECONDS = 10.0
APART_SECONDS = 1.0
"""The first prediction is shown when the next one, a second later, is within this factor of it, or after this time anyway."""
SOON_SECONDS = 2.5
SOON_FOR_SECONDS = 5.0
"""A run that has been about to end for so long is not: then nothing is shown until the predictions say more."""


class Countdown:
    """One run's expected end, on a clock that stands while the run is paused."""

    def __init__(self) -> None:
        self._end: float | None = None
        self._guess: tuple[float, float] | None = None
        self._soon: float | None = None

    def clear(self) -> None:
        """Nothing can be predicted."""
        self._end = self._guess = self._soon = None

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
        """Whether the end that is predicted now was predicted a moment ago too."""
        if self._guess is None:
            self._guess = (now, left)
            return False
        then, said = self._guess
        if now - then < APART_SECONDS:
            return False
        self._guess = (now, left)
        expected = max(said - (now - then), 0.0)
        return 1 / AGREE <= (left + 1.0) / (expected + 1.0) <= AGREE

    def _overdue(self, now: float, shown: float) -> bool:
        if shown > SOON_SECONDS:
            self._soon = None
            return False
        self._soon = now if self._soon is None else self._soon
        return now - self._soon > SOON_FOR_SECONDS


def _moved(before: float, left: float, seconds: float) -> float:
    low, high = DELAY_SECONDS
    gain = 1 - math.exp(-seconds / min(max(DELAY_PART * left, low), high))
    most = math.pow(MOST_CHANGE, seconds)
    return min(max(before + (left - before) * gain, before / most), before * most + seconds)
