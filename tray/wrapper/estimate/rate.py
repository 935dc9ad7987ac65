"""How fast a counter grows: per second, over the recent past."""

from collections import deque

WINDOW_SECONDS = 30.0
SETTLE_SECONDS = 3.0
STILL_SECONDS = 10.0
"""So long nothing must have come before that is called 0 a second."""


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
        if now - first < SETTLE_SECONDS or (done == before and now - self._moved < STILL_SECONDS):
            return None
        return int((done - before) / (now - first))
