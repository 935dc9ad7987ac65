"""How fast a counter grows: per second, over the recent past."""

from collections import deque

WINDOW_SECONDS = 10.0
SETTLE_SECONDS = 1.0


class Rate:
    """Units per second over the last ten seconds, so that a pause shows and a burst does not jump."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> int | None:
        """Take a reading of a counter and return the rate; None until a second has passed.

        A counter that went backwards (a restart, a rescan) begins anew.
        """
        if self._points and done < self._points[-1][1]:
            self._points.clear()
        self._points.append((now, done))
        while len(self._points) > 2 and now - self._points[0][0] > WINDOW_SECONDS:
            self._points.popleft()
        first, before = self._points[0]
        return int((done - before) / (now - first)) if now - first >= SETTLE_SECONDS else None
