"""One connection to the tracker: an asyncio protocol that reads lines, acts on them and answers (the messages: `tray.ipc`)."""

import asyncio
import traceback
from typing import TYPE_CHECKING

from tray import ipc
from tray.core import succession
from tray.core.model import LiveRun
from tray.ipc import endpoint

if TYPE_CHECKING:
    from tray.tracker.server import Tracker

PUSH_SECONDS = 0.05
"""With a hundred runs at once a subscriber would else be woken 400 times a second."""
UNREAD_LIMIT = 8 * 1024 * 1024
"""A subscriber that leaves more than this unread is dropped: a stuck window must not fill our memory."""
GREETING_SECONDS = 5.0
"""A connection that does not say hello within this time is closed."""
MOST_RUNS = 1000
"""Live runs at once: more would not fit into one answer."""

_SAME = ipc.encode({"type": "same"})


class Conversation(asyncio.Protocol):
    """One connection. Whatever the other side sends, it gets an answer or an `error`, and nobody else notices."""

    def __init__(self, tracker: "Tracker") -> None:
        self.tracker = tracker
        self.buffer = bytearray()
        self.greeted = False
        self.patience: asyncio.TimerHandle | None = None
        self.published: set[str] = set()
        self.pushes: list[bytes] = []
        self.pushing: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse anybody else's processes, and one connection too many."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        try:
            ours = endpoint.same_user(transport.get_extra_info("socket"))
        except OSError:  # the other side is gone already
            ours = False
        if not ours:
            transport.abort()
            return
        self._within(GREETING_SECONDS)
        if not self.tracker.joined(self):
            self.refuse("too many connections")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        """The other side is gone; runs that it published may be orphans."""
        self._in_time()
        self.tracker.runs.unlisten(self.push)
        self.tracker.left(self)

    def data_received(self, data: bytes) -> None:
        """Take whole lines; a bad or over-long one ends the conversation."""
        if self.transport.is_closing():
            return
        self.buffer += data
        while (end := self.buffer.find(b"\n")) >= 0:
            line = bytes(self.buffer[:end])
            del self.buffer[: end + 1]
            try:
                if len(line) > ipc.MAX_REQUEST:
                    raise ipc.ProtocolError("line too long")
                self.answer(ipc.decode(line))
            except (ipc.ProtocolError, ValueError) as error:
                self.refuse(str(error)[:200])
                return
            except Exception as error:  # our own mistake; this conversation ends and the others go on
                traceback.print_exception(error)
                self.refuse(f"the tracker made a mistake: {type(error).__name__}")
                return
            if self.transport.is_closing():
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
                self._in_time()
                self.tell({**ipc.hello("tracker"), "program": succession.program()})
            case _ if not self.greeted:
                raise ipc.ProtocolError("hello comes first")
            case "status":
                self.send(_SAME if message.get("change") == known.changes else known.snapshot())
            case "subscribe":
                self.send(known.snapshot())
                known.listen(self.push)
            case "run.started":
                run = LiveRun.from_json(_object(message, "run"))
                if run.run not in known and len(known) >= MOST_RUNS:
                    raise ipc.ProtocolError("too many runs at once")
                known.start(run)
                self.published.add(run.run)
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
        """Say why and hang up, at once if the other side does not read."""
        self.buffer.clear()
        self.tell({"type": "error", "why": why})
        self.transport.close()
        self._within(GREETING_SECONDS)

    def _within(self, seconds: float) -> None:
        """Hang up unless the other side says hello, or takes our last word, within *seconds*."""
        self._in_time()
        self.patience = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def _in_time(self) -> None:
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None

    def _too_late(self) -> None:
        self.patience = None
        if self.transport.is_closing():
            self.transport.abort()
        else:
            self.refuse("no hello came")


def _object(message: ipc.Message, key: str) -> ipc.Message:
    value = message.get(key)
    if not isinstance(value, dict):
        raise ipc.ProtocolError(f"{key} must be an object")
    return value
