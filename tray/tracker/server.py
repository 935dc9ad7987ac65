"""The tracker and its lifetime; it writes nothing to disk but socket, lock and pointer.

Who may talk is decided by the kernel's word on the peer's user id. A wrapper that vanishes without `run.finished` leaves its run
marked as untracked until its engine ends; then a helper process closes the run in the audit log, since the tracker itself
carries no cryptography.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from tray import ipc, runs
from tray.core import succession
from tray.core.dataclass import dataclass
from tray.core.errors import BackupTrayError
from tray.core.locks import FileLock
from tray.core.model import Control, LiveRun
from tray.core.paths import Places, private, system_readable
from tray.ipc import endpoint
from tray.tracker import watchdog
from tray.tracker.control import refusal, release
from tray.tracker.conversation import Conversation
from tray.tracker.helpers import Helpers
from tray.tracker.observer_thread import Apart
from tray.tracker.state import Runs

ORPHAN_CHECK_SECONDS = 1.0
UPKEEP_SECONDS = 5.0
"""How often the tracker looks after its own socket and the observer."""
MOST_CONNECTIONS = 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """How a tracker ended.

    Attributes:
        why: "idle", "signal" or "handover".
        on_record: Its beginning was given to the audit log, so its end belongs there too.
    """

    why: str
    on_record: bool


class Tracker:
    """The server and its lifetime.

    Args:
        idle_exit: Seconds without a client and without a run after which it ends; None: never.
    """

    def __init__(self, places: Places, *, idle_exit: float | None = None) -> None:
        self.places = places
        self.runs = Runs()
        self.idle_exit = idle_exit
        self.token: str | None = None
        self._conversations: set[Conversation] = set()
        self._orphans: set[str] = set()
        self._released: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.helpers = Helpers(places, self._later)
        self._why = "signal"
        self._observer = Apart(places, self.runs, self._idle, self._observed_end, others=lambda: not system_readable())
        self._most = MOST_CONNECTIONS
        self._server: asyncio.Server
        self._listening: asyncio.Task[None] | None = None
        self._done: asyncio.Event

    async def serve(self, listener: socket.socket, token: str | None = None) -> None:
        """Answer on *listener* until stopped; who says hello must show *token*, if there is one."""
        loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._most = min(MOST_CONNECTIONS, watchdog.descriptors() // 2)
        loop.set_exception_handler(watchdog.Quietly())
        watchdog.on_signal(loop, lambda: self.stop("signal"))
        watchdog.alive()
        await self._listen(listener, token)
        await self._observer.begin()  # first: it takes the locks of the runs that it goes on with
        self._adopt()
        self.helpers.begin()
        self._upkeep()
        self._idle()
        await self._done.wait()
        watchdog.alive()
        self._server.close()
        self._observer.end()
        for conversation in tuple(self._conversations):
            conversation.transport.close()

    async def _listen(self, listener: socket.socket, token: str | None) -> None:
        self.token = token
        self._server = await asyncio.get_running_loop().create_server(lambda: Conversation(self), sock=listener)

    def _upkeep(self) -> None:
        """See that callers find us: a cleaner of /tmp or a person may have removed the socket. Called again and again."""
        self._later("upkeep", UPKEEP_SECONDS, self._upkeep)
        watchdog.alive()
        self._observer.check()
        if not endpoint.LOOPBACK and not os.path.lexists(self.places.socket) and not self._done.is_set():
            with suppress(OSError, BackupTrayError):
                private(self.places.runtime)
                listener, token = endpoint.listen(self.places.socket)
                self._server.close()
                self._listening = asyncio.get_running_loop().create_task(self._listen(listener, token))

    def stop(self, why: str) -> None:
        """End soon; *why* is "idle", "signal" or "handover"."""
        self._why = why
        self._done.set()

    @property
    def ended(self) -> Ended:
        """How it ended."""
        return Ended(self._why, self.helpers.on_record)

    def joined(self, conversation: Conversation) -> bool:
        """Take one more connection; False if there are too many."""
        if len(self._conversations) >= self._most:
            return False
        self._conversations.add(conversation)
        self._idle()
        return True

    def left(self, conversation: Conversation) -> None:
        """Somebody hung up."""
        self._conversations.discard(conversation)
        for run in conversation.published:
            if run in self.runs:
                self._orphans.add(run)
        self._watch_orphans()
        self._idle()

    def pass_on(self, message: ipc.Message) -> ipc.Message:
        """Pass a wish on to the wrapper that published the run, and return the answer to whoever has it."""
        name, wish = str(message.get("run")), Control(message["type"])
        wrapper = next((found for found in self._conversations if name in found.published), None)
        error = refusal(name, self.runs.get(name), wish, reachable=wrapper is not None)
        answer = {"run": name, "control": wish.value}
        if error is not None or wrapper is None:
            return {"type": "refused", **answer, **({} if error is None else error.facts())}
        wrapper.tell({"type": wish.value, "run": name, "by": str(message.get("by"))[:20]})
        return {"type": "accepted", **answer}

    def _adopt(self) -> None:
        """Take in the runs whose wrapper died before we came; those with a wrapper announce themselves."""
        for folder in runs.live(self.places):
            with suppress(OSError, ValueError):
                info = folder.info()
                if folder.wrapped:
                    continue
                if folder.running(info):
                    self.runs.start(described(info))
                self._orphans.add(info.run)
        self._watch_orphans()

    def _observed_end(self, run: str) -> None:
        """Have a run that somebody else started put on record, now that it has ended."""
        self._orphans.add(run)
        self._later("ended", 0.0, self._check_orphans)  # many that end together are one look

    def _watch_orphans(self) -> None:
        if self._orphans:
            self._later("orphans", ORPHAN_CHECK_SECONDS, self._check_orphans)

    def _check_orphans(self) -> None:
        try:
            self._look_at_orphans()
        finally:  # a look that failed is followed by another
            self._watch_orphans()
            self._idle()

    def _look_at_orphans(self) -> None:
        folders = {folder.run: folder for folder in runs.live(self.places)}
        for run in tuple(self._orphans):
            folder = folders.get(run)
            if folder is None or self._republished(run):
                self._orphans.discard(run)
                if folder is None:
                    self.runs.finish(run)
            else:
                self._check_orphan(run, folder)

    def _check_orphan(self, run: str, folder: runs.RunFolder) -> None:
        try:
            info = folder.info()
            going = folder.running(info)
        except (OSError, ValueError):
            info, going = None, False
        if not going:
            self._released.discard(run)
            self.runs.finish(run)
            self.helpers.close_lost()
            self.helpers.care_soon()
        elif not folder.wrapped:
            self.runs.untracked(run)
            if info is not None and run not in self._released and release(folder, info):
                self._released.add(run)

    def _republished(self, run: str) -> bool:
        return any(run in conversation.published for conversation in self._conversations)

    def _idle(self) -> None:
        if self.idle_exit is None:
            return
        busy = self._conversations or len(self.runs) or self._orphans
        if busy:
            self._cancel("idle")
        elif "idle" not in self._timers:
            self._later("idle", self.idle_exit, lambda: self.stop("idle"))

    def _later(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        if name not in self._timers:

            def fire() -> None:
                self._timers.pop(name, None)
                act()

            self._timers[name] = asyncio.get_running_loop().call_later(seconds, fire)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


def described(info: runs.RunInfo) -> LiveRun:
    """Return what a run folder alone tells of a live run: that it goes on, without progress."""
    return info.live(tracked=False)


def run(places: Places, *, idle_exit: float | None = None) -> Ended | None:
    """Be the tracker of this user until stopped, and return how it ended; None at once if there is one already.

    Raises:
        UnsafeFolderError: The runtime folder is not private.
        OSError: The socket cannot be made.
    """
    private(places.runtime)
    lock = FileLock(places.runtime / ipc.LOCK)
    if not lock.acquire():
        return None
    with lock:
        succession.sign(lock.path)  # also for a person who has to end a tracker that hangs
        listener, token = endpoint.listen(places.socket)
        with listener:
            _point(places)
            tracker = Tracker(places, idle_exit=idle_exit)
            try:
                asyncio.run(tracker.serve(listener, token))
            finally:
                watchdog.calm()
        places.socket.unlink(missing_ok=True)
    return tracker.ended


def _point(places: Places) -> None:
    """Leave the runtime folder's name in the state folder, for callers with another environment; without one they poll the log."""
    with suppress(OSError, BackupTrayError):
        private(places.state)
        beside = places.socket_pointer.with_suffix(".new")
        beside.write_bytes(str(places.runtime).encode())
        os.replace(beside, places.socket_pointer)
