"""The observer in a thread with an event loop of its own: whatever a look at other programs takes, the tracker goes on answering.

Between the two only finished messages pass: what to show, that a run is over, what to say. The observer never waits for the
tracker, nor the tracker for the observer.
"""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress

from tray.core import clock
from tray.core.model import LiveRun
from tray.core.paths import Places
from tray.tracker.observer import Observer
from tray.tracker.state import Runs

BEGIN_SECONDS = 5.0
"""So long the tracker waits at its start for the observer to take the locks of runs that an earlier tracker watched."""
END_SECONDS = 1.0
SILENT_SECONDS = 30.0
"""An observer that has not looked for so long hangs, on a disk for instance; the status says so."""
SWITCH_SECONDS = 0.001
"""How soon one thread lets the other have the interpreter."""


class _Shown:
    """The tracker's live runs as the observer sees them: written in the tracker's thread."""

    def __init__(self, known: Runs, call: Callable[..., None]) -> None:
        self._known, self._call = known, call

    def start(self, run: LiveRun) -> None:
        """Show a run as it is now."""
        self._call(self._known.start, run)

    def at(self, repository: str | None) -> list[str]:
        """Return the ids of our own live runs on *repository*."""
        return self._known.at(repository)


class Apart:
    """Runs an `Observer` beside the tracker's own loop; arguments as of that, called back in the tracker's thread."""

    def __init__(
        self,
        places: Places,
        known: Runs,
        begun: Callable[[], None],
        over: Callable[[str], None],
        *,
        others: Callable[[], bool],
    ) -> None:
        self._known = known
        self._main: asyncio.AbstractEventLoop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun: asyncio.Future[None]
        self._wrong = ""
        self._said: tuple[str, ...] = ()
        self._observer = Observer(
            places,
            _Shown(known, self._call),
            lambda: self._call(begun),
            lambda run: self._call(over, run),
            others=others,
            notes=lambda notes: self._call(self._note, notes),
        )

    async def begin(self) -> None:
        """Start looking; returns when the observer has taken up what an earlier tracker left."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._main = asyncio.get_running_loop()
        self._begun = self._main.create_future()
        threading.Thread(target=self._work, name="observer", daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._begun), BEGIN_SECONDS)

    def end(self) -> None:
        """Stop looking; the thread ends by itself, and with the process at the latest."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._loop.stop)

    def check(self) -> None:
        """Say so where the observer hangs or failed; call now and then."""
        silent = clock.monotonic() - self._observer.looked
        hangs = self._observer.looks and silent > SILENT_SECONDS
        late = (f"the tracker has not looked for backups of other programs for {silent:.0f} s",) if hangs else ()
        wrong = (f"looking for backups of other programs failed: {self._wrong}",) if self._wrong else ()
        self._known.note((*self._said, *late, *wrong))

    def _note(self, notes: tuple[str, ...]) -> None:
        self._said = notes
        self.check()

    def _work(self) -> None:
        loop = self._loop = asyncio.new_event_loop()
        loop.set_exception_handler(self._failed)
        loop.call_soon(self._start)
        with suppress(RuntimeError):
            loop.run_forever()

    def _start(self) -> None:
        try:
            self._observer.begin()
        finally:
            self._call(self._answer)

    def _answer(self) -> None:
        if not self._begun.done():
            self._begun.set_result(None)

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Note what nobody expected: the next look may go well, but what this one missed is not known."""
        error = context.get("exception")
        wrong = f"{type(error).__name__}: {error}" if error is not None else str(context.get("message"))
        if wrong != self._wrong and isinstance(error, BaseException):
            traceback.print_exception(error)
        self._wrong = wrong[:200]
        self._call(self.check)

    def _call(self, act: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the tracker has ended
            self._main.call_soon_threadsafe(act, *arguments)
