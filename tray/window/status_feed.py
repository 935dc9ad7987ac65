"""Push the newest status into the page, as soon as it is known.

One thread follows the status, one pushes it. While a push is under way newer statuses replace the one that waits, so a slow page
skips pictures and never falls behind. Ages ("2 minutes ago") are kept fresh without anything happening.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from tray.core import clock
from tray.core.errors import StatusFetchError, UnexpectedError
from tray.core.model import Status
from tray.core.model.judge import unavailable
from tray.window import view

REFRESH_SECONDS = 10.0
AGAIN_SECONDS = 0.8
GAP_SECONDS = 0.08
"""At least this long between two pushes: each costs a repaint, and several runs at once may report often."""
_log = logging.getLogger("tray.window")


class Source(Protocol):
    """The source of the status, such as `tray.status.StatusSource`."""

    def follow(self, stop: threading.Event) -> Iterator[Status]:
        """Yield each new status until *stop* is set."""

    def close(self) -> None:
        """End."""


class Feed:
    """The feed of the page from *source*; a picture (see `view.dashboard`) is pushed when it differs from the last one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._status: Status | None = None
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to follow."""
        threading.Thread(target=self._follow, daemon=True, name="follow").start()

    def push_to(self, push: Callable[[dict[str, Any]], object]) -> None:
        """Begin to push; call when the page can take it."""
        threading.Thread(target=self._push, args=(push,), daemon=True, name="push").start()

    def stop(self) -> None:
        """End both threads as soon as they notice."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def first(self, seconds: float) -> Status | None:
        """Return the first status, waiting at most *seconds* for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._status is not None, seconds)
            return self._status

    @property
    def status(self) -> Status | None:
        """The newest status."""
        return self._status

    def picture(self, status: Status) -> dict[str, Any]:
        """Return *status* as the page shows it now."""
        return view.dashboard(status, clock.now_ms())

    def again(self) -> dict[str, Any] | None:
        """Return the picture after the source has had time to ask anew, which it does twice a second by itself."""
        with self._changed:
            self._changed.wait(AGAIN_SECONDS)
            status = self._status
        return None if status is None else self.picture(status)

    def _follow(self) -> None:
        try:
            while not self._stop.is_set():
                self._follow_once()
        finally:
            self._source.close()

    def _follow_once(self) -> None:
        """Follow until the end or a mistake of ours: then the picture on the screen is old, and must not look current."""
        try:
            for status in self._source.follow(self._stop):
                self._take(status)
        except Exception as error:
            _log.exception("the status could not be followed")
            self._take(_unavailable(self._status, error))
            self._stop.wait(AGAIN_SECONDS)

    def _take(self, status: Status) -> None:
        with self._changed:
            self._status = status
            self._changed.notify_all()

    def _next(self, done: Status | None) -> Status | None:
        """Return the newest status as soon as it is another one than *done*, or after a while the same."""
        with self._changed:
            self._changed.wait_for(lambda: self._stop.is_set() or self._status is not done, REFRESH_SECONDS)
            return self._status

    def _drawn(self, status: Status) -> dict[str, Any]:
        """Return the picture of *status*; if it cannot be drawn, that of an unknown status."""
        try:
            return self.picture(status)
        except Exception as error:
            _log.exception("a status could not be drawn")
            return self.picture(_unavailable(None, error))

    def _push(self, push: Callable[[dict[str, Any]], object]) -> None:
        done: Status | None = None
        shown: dict[str, Any] | None = None
        while not self._stop.is_set():
            done = self._next(done)
            if done is None or self._stop.is_set():
                continue
            try:
                picture = self._drawn(done)
                if picture != shown:
                    push(picture)
                    shown = picture
                    self._stop.wait(GAP_SECONDS)
            except Exception:
                _log.exception("a status could not be pushed into the page")


def _unavailable(known: Status | None, error: Exception) -> Status:
    """Return the last status marked as old, with the failure."""
    facts = StatusFetchError(UnexpectedError(error).why, "Close this window and open it again.").facts()
    return unavailable(facts, clock.now_ms(), known)
