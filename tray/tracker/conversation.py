"""One connection to the tracker: reads lines, acts on them and answers (the messages: `tray.ipc`)."""

import socket
from typing import TYPE_CHECKING

from tray import ipc
from tray.core import succession
from tray.core.model import LiveRun
from tray.ipc import endpoint
from tray.tracker.loop import Timer, print_error

if TYPE_CHECKING:
    from tray.tracker.server import Tracker

PUSH_SECONDS = 0.05
"""Least time between two pushes: with a hundred runs at once a subscriber would else be woken 400 times a second."""
UNREAD_LIMIT = 1024 * 1024
"""A client that leaves more than this unread and asks for more is dropped: a stuck window must not fill our memory."""
GREETING_SECONDS = 5.0
"""A connection that does not say hello within this time is closed."""
MOST_RUNS = 1000
"""Live runs at once: more would not fit into one answer."""
_CHUNK = 65536


class Conversation:
    """One connection. The tracker answers whatever the client sends, if only with an `error` that no other client notices.

    Attributes:
        published: Runs that this client, a wrapper, has announced.
        closing: Whether the tracker has said its last word here.
    """

    def __init__(self, tracker: "Tracker", connected: socket.socket) -> None:
        self.published: set[str] = set()
        self.closing = False
        self._tracker, self._socket = tracker, connected
        self._unread, self._unsent = bytearray(), bytearray()
        self._greeted = False
        self._patience: Timer | None = None
        self._pushes: list[bytes] = []
        self._pushing: Timer | None = None
        self._behind = False
        self._full = False

    def begin(self) -> None:
        """Start to listen; refuse another user's process, and one connection too many."""
        try:
            ours = endpoint.same_user(self._socket)
        except OSError:  # the client is gone already
            ours = False
        if not ours:
            self._socket.close()
            return
        self._socket.setblocking(False)
        self._tracker.loop.watch(self._socket, self._read)
        self._within(GREETING_SECONDS)
        if not self._tracker.joined(self):
            self.refuse("too many connections")

    def close(self) -> None:
        """Hang up; runs that the client published may be orphans now."""
        if self._socket.fileno() < 0:
            return
        self.closing = True
        for timer in (self._patience, self._pushing):
            if timer is not None:
                timer.cancel()
        self._tracker.loop.watch(self._socket, None)
        self._socket.close()
        self._tracker.runs.unlisten(self.push)
        self._tracker.left(self)

    def take(self, data: bytes) -> None:
        """Act on whole lines; a bad or over-long one ends the conversation."""
        self._unread += data
        while not self.closing and (end := self._unread.find(b"\n")) >= 0:
            line = bytes(self._unread[: end + 1])
            del self._unread[: end + 1]
            if self._greeted and line == ipc.is_still(self._tracker.runs.changes):
                self.send(ipc.SAME)
                continue
            try:
                if len(line) > ipc.MAX_REQUEST + 1:
                    raise ipc.ProtocolError("line too long")
                self.answer(ipc.decode(line))
            except (ipc.ProtocolError, ValueError) as error:
                self.refuse(str(error)[:200])
            except Exception as error:  # our own mistake; this conversation ends and the others go on
                print_error(error)
                self.refuse(f"the tracker made a mistake: {type(error).__name__}")
        if not self.closing and len(self._unread) > ipc.MAX_REQUEST:
            self.refuse("line too long")

    def answer(self, message: ipc.Message) -> None:
        """Act on one message; unknown types are ignored."""
        known = self._tracker.runs
        match message["type"]:
            case "hello":
                if not endpoint.shows(self._tracker.token, message.get("token")):
                    raise ipc.ProtocolError("the token is wrong")
                self._greeted = True
                self._in_time()
                self.tell({**ipc.hello("tracker"), "program": succession.program()})
            case _ if not self._greeted:
                raise ipc.ProtocolError("hello comes first")
            case "status":
                self.send(ipc.SAME if message.get("change") == known.changes else known.snapshot())
            case "subscribe":
                known.listen(self.push)
                self.send(
                    known.snapshot()
                )  # a client that is gone already ends the conversation, and the listening with it
            case "run.started":
                run = LiveRun.from_json(message.get("run"))  # type: ignore[arg-type] # it checks
                if run.run not in known and len(known) >= MOST_RUNS:
                    raise ipc.ProtocolError("too many runs at once")
                known.start(run)
                self.published.add(run.run)
            case "run.progress":
                known.progress(message)
            case "run.finished":
                self.published.discard(str(message.get("run")))
                known.finish(str(message.get("run")), message.get("last"))
                self._tracker.helpers.tell_soon()
                self._tracker.helpers.care_soon()
            case "handover":
                self._tracker.stop("handover")
            case "cancel" | "pause" | "resume":
                self.tell(self._tracker.pass_on(message))

    def tell(self, message: ipc.Message) -> None:
        """Send one message, unless the client has stopped reading."""
        self.send(ipc.encode(message))

    def send(self, line: bytes) -> None:
        """Send an encoded message."""
        if self.closing:
            return
        if len(self._unsent) > UNREAD_LIMIT:
            self.close()
            return
        self._unsent += line
        if len(self._unsent) == len(line):  # else the rest of an earlier message waits already
            self._write()

    def push(self, line: bytes) -> None:
        """Send a change to a subscriber: at once, but many in a row together. One that does not read gets the whole state later."""
        if self._unsent:
            self._behind = True
            self._pushes.clear()
        else:
            self._pushes.append(line)
        if self._pushing is None:
            self._push()

    def _push(self) -> None:
        """Send the changes that have gathered, and see whether there are more in a moment."""
        self._pushing = None
        if self._pushes:
            lines, self._pushes = self._pushes, []
            self._pushing = self._tracker.loop.later(PUSH_SECONDS, self._push)
            self.send(b"".join(lines))

    def refuse(self, why: str) -> None:
        """Say why and hang up; a client that does not read gets only a moment for that."""
        self._unread.clear()
        self.tell({"type": "error", "why": why})
        if not self._unsent:
            self.close()
        elif not self.closing:
            self.closing = True
            self._tracker.loop.watch(self._socket, None, self._write)
            self._within(GREETING_SECONDS)

    def _read(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.take(data)
        else:
            self.close()

    def _write(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self._unsent:
            self._full = True
            self._tracker.loop.watch(self._socket, None if self.closing else self._read, self._write)
        elif self.closing:
            self.close()
        elif self._full:
            self._full = False
            self._tracker.loop.watch(self._socket, self._read)
            if self._behind:
                self._behind = False
                self.send(self._tracker.runs.snapshot())

    def _within(self, seconds: float) -> None:
        """Hang up unless the client says hello, or takes our last word, within *seconds*."""
        self._in_time()
        self._patience = self._tracker.loop.later(seconds, self._too_late)

    def _in_time(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_late(self) -> None:
        self._patience = None
        if self.closing:
            self.close()
        else:
            self.refuse("no hello came")
