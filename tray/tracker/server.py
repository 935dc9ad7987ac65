"""The tracker's conversations: one asyncio protocol per connection, nothing written to disk but socket, lock and pointer.

Who may talk is decided by the kernel's word on the peer's user id. A wrapper that vanishes without `run.finished` leaves its run
marked as untracked until its engine ends; then a helper process closes the run in the audit log, since the tracker itself
carries no cryptography.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tray import endpoint, ipc, runs
from tray.errors import BackupTrayError
from tray.locks import FileLock
from tray.model import Control, LiveRun
from tray.paths import Places, private, system_readable
from tray.tracker.control import refusal, release
from tray.tracker.helpers import Helpers
from tray.tracker.observed import Observer
from tray.tracker.state import Runs

ORPHAN_CHECK_SECONDS = 1.0
PUSH_SECONDS = 0.05
"""With a hundred runs at once a subscriber would else be woken 400 times a second."""
UNREAD_LIMIT = 8 * 1024 * 1024
"""A subscriber that leaves more than this unread is dropped: a stuck window must not fill our memory."""


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, tracker: "Tracker") -> None:
        self.tracker = tracker
        self.buffer = bytearray()
        self.greeted = False
        self.published: set[str] = set()
        self.pushes: list[bytes] = []
        self.pushing: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse anybody else's processes."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if not endpoint.same_user(transport.get_extra_info("socket")):
            transport.abort()
            return
        self.tracker.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        """The other side is gone; runs that it published may be orphans."""
        self.tracker.runs.unlisten(self.push)
        self.tracker.left(self)

    def data_received(self, data: bytes) -> None:
        """Take whole lines; a bad or over-long one ends the conversation."""
        self.buffer += data
        while (end := self.buffer.find(b"\n")) >= 0:
            line = bytes(self.buffer[:end])
            del self.buffer[: end + 1]
            try:
                if len(line) > ipc.MAX_REQUEST:
                    raise ipc.ProtocolError("line too long")
                self.answer(ipc.decode(line))
            except (ipc.ProtocolError, ValueError) as error:
                self.refuse(str(error))
                return
        if len(self.buffer) > ipc.MAX_REQUEST:
            self.refuse("line too long")

    def answer(self, message: ipc.Message) -> None:
        """Act on one message; unknown types are ignored."""
        known = self.tracker.runs
        match message["type"]:
            case "hello":
                if not endpoint.shows(self.tracker.token, message.get("token")):
                    raise ipc.ProtocolError("the token is wrong")
                self.greeted = True
                self.tell(ipc.hello("tracker"))
            case _ if not self.greeted:
                raise ipc.ProtocolError("hello comes first")
            case "status":
                self.send(known.snapshot())
            case "subscribe":
                self.send(known.snapshot())
                known.listen(self.push)
            case "run.started":
                run = LiveRun.from_json(_object(message, "run"))
                self.published.add(run.run)
                known.start(run)
            case "run.progress":
                known.progress(message)
            case "run.finished":
                self.published.discard(str(message.get("run")))
                known.finish(str(message.get("run")), message.get("last"))
                self.tracker.helpers.care_soon()
            case "handover":
                self.tracker.stop("handover")
            case "cancel" | "pause" | "resume":
                self.tell(self.tracker.pass_on(message))

    def tell(self, message: ipc.Message) -> None:
        """Send one message, unless the other side has stopped reading."""
        self.send(ipc.encode(message))

    def send(self, line: bytes) -> None:
        """Send what is one message already."""
        if self.transport.get_write_buffer_size() > UNREAD_LIMIT:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(line)

    def push(self, line: bytes) -> None:
        """Send a change to a subscriber: at once, but many in a row together."""
        self.pushes.append(line)
        if self.pushing is None:
            self.pushing = asyncio.get_running_loop().call_later(PUSH_SECONDS, self._push_rest)
            self._push_now()

    def _push_now(self) -> None:
        lines, self.pushes = self.pushes, []
        self.send(b"".join(lines))

    def _push_rest(self) -> None:
        self.pushing = None
        if self.pushes:
            self.pushing = asyncio.get_running_loop().call_later(PUSH_SECONDS, self._push_rest)
            self._push_now()

    def refuse(self, why: str) -> None:
        """Say why and hang up."""
        self.buffer.clear()
        self.tell({"type": "error", "why": why})
        self.transport.close()


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
        self._observer = Observer(
            places, self.runs, self._idle, self._observed_end, others=lambda: not system_readable()
        )
        self._done: asyncio.Event

    async def serve(self, listener: socket.socket, token: str | None = None) -> None:
        """Answer on *listener* until stopped; who says hello must show *token*, if there is one."""
        self.token = token
        loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, self.stop, "signal")
        server = await loop.create_server(lambda: Conversation(self), sock=listener)
        self._observer.begin()  # first: it takes the locks of the runs that it goes on with
        self._adopt()
        self.helpers.begin()
        self._idle()
        await self._done.wait()
        server.close()
        for conversation in tuple(self._conversations):
            conversation.transport.close()

    def stop(self, why: str) -> None:
        """End soon; *why* is "idle", "signal" or "handover"."""
        self._why = why
        self._done.set()

    @property
    def ended(self) -> Ended:
        """How it ended."""
        return Ended(self._why, self.helpers.on_record)

    def joined(self, conversation: Conversation) -> None:
        """Somebody connected."""
        self._conversations.add(conversation)
        self._idle()

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
        self._check_orphans()

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


def _object(message: ipc.Message, key: str) -> ipc.Message:
    value = message.get(key)
    if not isinstance(value, dict):
        raise ipc.ProtocolError(f"{key} must be an object")
    return value


def run(places: Places, *, idle_exit: float | None = None) -> Ended | None:
    """Be the tracker of this user until stopped, and return how it ended; None at once if there is one already.

    Raises:
        UnsafeFolderError: The runtime folder is not private.
        OSError: The socket cannot be made.
    """
    private(places.runtime)
    lock = FileLock(places.runtime / "tracker.lock")
    if not lock.acquire():
        return None
    with lock:
        listener, token = endpoint.listen(places.socket)
        with listener:
            _point(places)
            tracker = Tracker(places, idle_exit=idle_exit)
            asyncio.run(tracker.serve(listener, token))
        places.socket.unlink(missing_ok=True)
    return tracker.ended


def _point(places: Places) -> None:
    """Leave the runtime folder's name in the state folder, for callers with another environment; without one they poll the log."""
    with suppress(OSError, BackupTrayError):
        private(places.state)
        beside = places.socket_pointer.with_suffix(".new")
        beside.write_text(str(places.runtime))
        os.replace(beside, places.socket_pointer)
