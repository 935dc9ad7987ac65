"""The tracker and its lifetime; it writes nothing to disk but socket, lock, pointer, and when the machine was awake.

It talks to processes of its own user alone, by the kernel's word. If a wrapper vanishes without `run.finished`, its run stays,
marked as untracked, until the engine ends; a helper process then closes it in the audit log. The tracker carries no cryptography.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress

from tray import ipc, runs
from tray.core import succession
from tray.core.dataclass import dataclass
from tray.core.errors import BackupTrayError
from tray.core.locks import FileLock
from tray.core.model import Control
from tray.core.paths import Places, private, system_readable
from tray.ipc import endpoint
from tray.observe.awake_log import BEAT_SECONDS, Keeper
from tray.tracker import loop
from tray.tracker.conversation import Conversation
from tray.tracker.helpers import Helpers
from tray.tracker.loop import Loop, Reporter, Timer
from tray.tracker.observer_thread import ObserverThread
from tray.tracker.state import Runs, refusal

ORPHAN_CHECK_SECONDS = 1.0
UPKEEP_SECONDS = 5.0
"""How often the tracker looks after its own socket and the observer."""
ACCEPT_AGAIN_SECONDS = 1.0
"""Pause after a connection that could not be accepted, for instance because no descriptor was free."""
MOST_CONNECTIONS = 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """How a tracker ended.

    Attributes:
        why: "idle", "signal" or "handover".
        on_record: Whether its beginning was given to the audit log, so that its end belongs there too.
    """

    why: str
    on_record: bool


class Tracker:
    """The server and its lifetime; it ends after *idle_exit* seconds without a client and without a run, None: never."""

    def __init__(self, places: Places, *, idle_exit: float | None = None) -> None:
        self.places = places
        self.runs = Runs()
        self.idle_exit = idle_exit
        self.token: str | None = None
        self._report = Reporter()
        self.loop = Loop(self._report)
        self._conversations: set[Conversation] = set()
        self._orphans: set[str] = set()
        self._released: set[str] = set()
        self._timers: dict[str, Timer] = {}
        self.helpers = Helpers(places, self._later)
        self._why = "signal"
        self._observer = ObserverThread(
            places, self.runs, self.loop, self._observed_end, others=lambda: not system_readable()
        )
        self._awake = Keeper(places)
        self._most = MOST_CONNECTIONS
        self._listener: socket.socket | None = None

    def serve(self, listener: socket.socket, token: str | None = None) -> None:
        """Answer on *listener* until stopped; a client that says hello must show *token*, if there is one."""
        self._most = min(MOST_CONNECTIONS, loop.descriptors() // 2)
        loop.on_signal(self.loop, lambda: self.stop("signal"))
        loop.alive()
        self._listen(listener, token)
        self._observer.begin(self._begin)  # first: it takes the locks of the runs that it goes on with
        self.loop.run()
        loop.alive()
        self._observer.end()
        self._awake.end()
        listener.close()

    def _begin(self) -> None:
        self._upkeep()
        self._idle()
        self._adopt()
        self.helpers.begin()
        self._awake.begin()
        self._later("awake", BEAT_SECONDS, self._beat)

    def _listen(self, listener: socket.socket, token: str | None) -> None:
        if self._listener is not None:
            self.loop.watch(self._listener, None)
            self._listener.close()
        self._listener, self.token = listener, token
        self.loop.watch(listener, self._accept)

    def _accept(self) -> None:
        assert self._listener is not None
        for _ in range(endpoint.BACKLOG):
            try:
                connected, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._report(error, "a connection could not be accepted")
                self.loop.watch(self._listener, None)
                self._later("accept", ACCEPT_AGAIN_SECONDS, self._accept_again)
                return
            Conversation(self, connected).begin()

    def _accept_again(self) -> None:
        assert self._listener is not None
        self.loop.watch(self._listener, self._accept)

    def _upkeep(self) -> None:
        """See that callers find us: a cleaner of /tmp or a person may have removed the socket. Called again and again."""
        self._later("upkeep", UPKEEP_SECONDS, self._upkeep)
        loop.alive()
        self._observer.check()
        if not endpoint.LOOPBACK and not os.path.lexists(self.places.socket):
            with suppress(OSError, BackupTrayError):
                private(self.places.runtime)
                self._listen(*endpoint.listen(self.places.socket))

    def _beat(self) -> None:
        """Note every few minutes that the machine is awake."""
        self._later("awake", BEAT_SECONDS, self._beat)
        self._awake.beat()

    def stop(self, why: str) -> None:
        """End soon; *why* is "idle", "signal" or "handover"."""
        self._why = why
        self.loop.stop()

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
        """Note that a client has hung up."""
        self._conversations.discard(conversation)
        for run in conversation.published:
            if run in self.runs:
                self._orphans.add(run)
        self._watch_orphans()
        self._idle()

    def pass_on(self, message: ipc.Message) -> ipc.Message:
        """Pass a control request on to the wrapper that published the run, and return the answer to the client."""
        name, wish = str(message.get("run")), Control(message["type"])
        wrapper = next((other for other in self._conversations if name in other.published), None)
        error = refusal(name, self.runs.get(name), wish, reachable=wrapper is not None)
        answer = {"run": name, "control": wish.value}
        if error is not None or wrapper is None:
            return {"type": "refused", **answer, **({} if error is None else error.facts())}
        wrapper.tell({"type": wish.value, "run": name, "by": str(message.get("by"))[:20]})
        return {"type": "accepted", **answer}

    def _adopt(self) -> None:
        """Take in the runs whose wrapper died before this tracker began; those with a wrapper announce themselves."""
        for folder in runs.live(self.places):
            with suppress(OSError, ValueError):
                info = folder.info()
                if folder.wrapped:
                    continue
                if folder.running(info):
                    self.runs.start(info.live(tracked=False))
                self._orphans.add(info.run)
        self._watch_orphans()

    def _observed_end(self, run: str) -> None:
        """Have an observed run put on record, now that it has ended."""
        self._orphans.add(run)
        self._later("ended", 0.0, self._check_orphans)  # many that end together are one look

    def _watch_orphans(self) -> None:
        if self._orphans:
            self._later("orphans", ORPHAN_CHECK_SECONDS, self._check_orphans)

    def _check_orphans(self) -> None:
        self._watch_orphans()  # first: a look that fails is followed by another
        folders = {folder.run: folder for folder in runs.live(self.places)}
        for run in tuple(self._orphans):
            if run not in folders:
                self.runs.finish(run)
            if run not in folders or self._republished(run):
                self._orphans.discard(run)
            else:
                self._check_orphan(run, folders[run])
        self._idle()

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
            if info is not None and info.paused and run not in self._released and self.helpers.close_lost():
                self._released.add(run)

    def _republished(self, run: str) -> bool:
        return any(run in conversation.published for conversation in self._conversations)

    def _idle(self) -> None:
        """Have the tracker end after a while in which it has nothing to do."""
        if self.idle_exit is not None and not self._busy:
            self._later("idle", self.idle_exit, self._end_idle)
        elif "idle" in self._timers:
            self._timers.pop("idle").cancel()

    def _end_idle(self) -> None:
        if not self._busy:  # an observed run may have begun meanwhile
            self.stop("idle")

    @property
    def _busy(self) -> bool:
        return bool(self._conversations or len(self.runs) or self._orphans)

    def _later(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        if name not in self._timers:

            def fire() -> None:
                self._timers.pop(name, None)
                act()

            self._timers[name] = self.loop.later(seconds, fire)


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
                tracker.serve(listener, token)
            finally:
                loop.calm()
        places.socket.unlink(missing_ok=True)
    return tracker.ended


def _point(places: Places) -> None:
    """Write the runtime folder's name into the state folder, for callers with another environment; without it they poll the log."""
    with suppress(OSError, BackupTrayError):
        private(places.state)
        beside = places.socket_pointer.with_suffix(".new")
        beside.write_bytes(str(places.runtime).encode())
        os.replace(beside, places.socket_pointer)
