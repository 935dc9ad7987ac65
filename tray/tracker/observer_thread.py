"""The observer in a thread with a loop of its own: whatever a look at other programs takes, the tracker goes on answering.

Only finished messages pass between the two: a run to show, the end of a run, notes. The observer never waits for the tracker, nor
the tracker for the observer.
"""

import sys
import threading
from collections.abc import Callable

from tray.core import clock
from tray.core.paths import Places
from tray.tracker.loop import Loop, print_error
from tray.tracker.observer import Observer
from tray.tracker.state import Runs

BEGIN_SECONDS = 5.0
"""Time that the tracker gives the observer at its start to take the locks of runs that an earlier tracker watched."""
SILENT_SECONDS = 30.0
"""An observer that has not looked for so long hangs, on a disk for instance; the status says so."""
SWITCH_SECONDS = 0.001
"""How soon one thread lets the other have the interpreter."""


class ObserverThread:
    """An `Observer` beside the tracker's own loop *main*; *over* is called in the tracker's thread."""

    def __init__(
        self,
        places: Places,
        known: Runs,
        main: Loop,
        over: Callable[[str], None],
        *,
        others: Callable[[], bool],
    ) -> None:
        self._known, self._main = known, main
        self._ready: Callable[[], None] | None = None
        self._wrong = ""
        self._loop = Loop(self._failed)
        self._observer = Observer(
            places,
            lambda run: main.soon(lambda: known.start(run)),
            known.at,
            self._loop,
            lambda run: main.soon(lambda: over(run)),
            others=others,
        )

    def begin(self, ready: Callable[[], None]) -> None:
        """Start to look; call *ready* once the observer has taken up what an earlier tracker left, or takes too long."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._ready = ready
        self._main.later(BEGIN_SECONDS, self._begun)
        threading.Thread(target=self._work, name="observer", daemon=True).start()

    def end(self) -> None:
        """Stop looking; the thread ends by itself, and with the process at the latest."""
        self._loop.soon(self._loop.stop)

    def check(self) -> None:
        """Put a note beside the runs where the observer hangs or failed; call now and then."""
        silent = clock.monotonic() - self._observer.looked
        hangs = self._observer.looks and silent > SILENT_SECONDS
        late = (f"the tracker has not looked for backups of other programs for {silent:.0f} s",) if hangs else ()
        wrong = (f"looking for backups of other programs failed: {self._wrong}",) if self._wrong else ()
        self._known.note((*self._observer.notes, *late, *wrong))

    def _work(self) -> None:
        try:
            self._observer.begin()
        except Exception as error:  # the tracker serves without it, and says so
            self._failed(error)
        self._main.soon(self._begun)
        self._loop.run()

    def _begun(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            ready()

    def _failed(self, error: Exception) -> None:
        """Note an unexpected error: the next look may go well, but what this one missed is not known."""
        wrong = f"{type(error).__name__}: {error}"[:200]
        if wrong != self._wrong:
            print_error(error)
        self._wrong = wrong
        self._main.soon(self.check)
