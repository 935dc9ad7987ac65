"""Tell the tracker about the run: without waiting, at most four times a second, the first time at once.

The tracker is a convenience. If there is none, or it ends, we look for another once a second, and the run appears there whole.
"""

import socket
from typing import Any

from tray import ipc
from tray.core import clock
from tray.core.errors import TrackerGoneError
from tray.core.model import Control, EndedRun, LiveRun
from tray.core.paths import Places
from tray.wrapper.waker import Waker

INTERVAL_SECONDS = 0.25
RETRY_SECONDS = 1.0
GOODBYE_SECONDS = 0.2


class Publisher:
    """One run's connection to the tracker."""

    def __init__(self, places: Places, waker: Waker) -> None:
        self._places = places
        self._waker = waker
        self._socket: socket.socket | None = None
        self._out, self._in = bytearray(), bytearray()
        self._next_try = 0.0
        self._next_send = 0.0
        self._told: LiveRun | None = None
        self._fields: dict[str, Any] = {}  # of what was told

    @property
    def connected(self) -> bool:
        """Whether a tracker listens."""
        return self._socket is not None

    def offer(self, live: LiveRun) -> None:
        """Let the tracker know the state of the run, now or when its turn comes."""
        now = clock.monotonic()
        if self._socket is None and now >= self._next_try:
            self._connect(now)
        if self._socket is None:
            return
        if live == self._told or (self._told is not None and (now < self._next_send or self._out)):
            self._flush()
            return
        before, self._fields = self._fields, live.to_json()
        if self._told is None:
            self._queue({"type": "run.started", "run": self._fields})
        else:
            changed = {key: value for key, value in self._fields.items() if before[key] != value}
            self._queue({"type": "run.progress", "run": live.run, **changed})
        self._told, self._next_send = live, now + INTERVAL_SECONDS

    def wait_seconds(self, live: LiveRun) -> float:
        """How long the caller may sleep before `offer` has something to do."""
        now = clock.monotonic()
        if self._socket is None:
            return max(0.0, self._next_try - now)
        return max(0.0, self._next_send - now) if live != self._told else RETRY_SECONDS

    def finish(self, last: EndedRun) -> None:
        """Say how the run ended, waiting a moment at most, and hang up."""
        if self._socket is None:
            return
        self._socket.settimeout(GOODBYE_SECONDS)
        try:
            message = ipc.encode({"type": "run.finished", "run": last.run, "last": last.to_json()})
            self._socket.sendall(bytes(self._out) + message)
        except OSError:
            pass  # the audit log has it
        self._drop()

    def _connect(self, now: float) -> None:
        self._next_try = now + RETRY_SECONDS
        try:
            self._socket, token = ipc.connect(self._places, timeout=0)
        except TrackerGoneError:
            return
        self._told = None
        self._queue(ipc.hello("wrapper", token))

    def _queue(self, message: ipc.Message) -> None:
        self._out += ipc.encode(message)
        self._flush()

    def _flush(self) -> None:
        if self._socket is None:
            return
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop()
            return
        self._waker.watch_socket(self._socket.fileno(), writing=bool(self._out))

    def wishes(self, run: str) -> list[tuple[Control, str]]:
        """Take what the tracker said, notice when it is gone, and return what is asked of *run*, and from where."""
        if self._socket is None:
            return []
        try:
            while chunk := self._socket.recv(65536):
                self._in += chunk
            gone = True
        except BlockingIOError:
            gone = False
        except OSError:
            gone = True
        *lines, rest = bytes(self._in).split(b"\n")
        self._in = bytearray(rest)
        if gone or len(self._in) > ipc.MAX_REQUEST:
            self._drop()
        return [wish for line in lines if (wish := _wish(line, run)) is not None]

    def _drop(self) -> None:
        if self._socket is not None:
            self._waker.watch_socket(None)
            self._socket.close()
        self._socket, self._told = None, None
        self._out.clear()
        self._in.clear()
        self._next_try = clock.monotonic() + INTERVAL_SECONDS


def _wish(line: bytes, run: str) -> tuple[Control, str] | None:
    """Return what is asked of *run* in one line from the tracker, None if it says anything else."""
    if not any(b'"%s"' % wish.value.encode() in line for wish in Control):
        return None
    try:
        message = ipc.decode(line)
        return (Control(message["type"]), str(message.get("by"))) if message.get("run") == run else None
    except (ipc.ProtocolError, ValueError):
        return None
