"""The wire between wrapper, tracker, tray and window: newline-delimited JSON over a Unix stream socket.

Every connection starts with `hello`, which carries the protocol (major, minor) and the program version. Unknown fields and
message types are ignored, so that a minor version may add some. A line that is no JSON object, or is too long, ends the
connection. Messages:

    hello         {protocol: [1, 1], version, role, pid[, token]}  both ways, first
    status        {[change]}               -> status  {runs: [LiveRun…], change}, or same {} if *change* is still the newest
    subscribe     {}                       -> status, then run {run: LiveRun} and gone {run: id, last: EndedRun|null} as they happen
    run.started   {run: LiveRun}           from a wrapper; also after it reconnects
    run.progress  {run: id, …changed fields of LiveRun}
    run.finished  {run: id, last: EndedRun}
    handover      {}                       from a newer program: the tracker ends so that a newer one can start
    cancel, pause, resume  {run: id, by: cli|tray|window}  -> accepted {run, control}: the wrapper has been told; or
                  refused {run, control, code, what, why, next}. To a wrapper the tracker passes the same message on.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tray import __version__
from tray.core import clock, locks
from tray.core.errors import TrackerGoneError, UnsafeFolderError
from tray.core.files import content
from tray.core.paths import SOCKET, Places, check_private
from tray.ipc import endpoint

PROTOCOL = (1, 1)
ANSWER_SECONDS = 0.5
_LEAST_SECONDS = 0.001
LOCK = "tracker.lock"
"""The file in the runtime folder that a tracker holds locked as long as it lives."""
MAX_REQUEST = 64 * 1024
MAX_REPLY = 4 * 1024 * 1024

Message = dict[str, Any]


class ProtocolError(Exception):
    """The other side sent something that is not a message."""


_text = json.JSONEncoder(separators=(",", ":")).encode


def encode(message: Message) -> bytes:
    """Return *message* as one line."""
    return _text(message).encode() + b"\n"


def is_still(change: int) -> bytes:
    """Return the `status` request of a client that has read *change*, as one line: asked once a second, it costs no JSON."""
    return b'{"type":"status","change":%d}\n' % change


SAME = encode({"type": "same"})
"""The answer to `is_still` as long as it is."""
_SAME = SAME[:-1]


def decode(line: bytes) -> Message:
    """Return the message in *line*; raise ProtocolError if it is no JSON object with a text `type`."""
    if line == _SAME:
        return {"type": "same"}
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("no object with a type")
    return message


def hello(role: str, token: str | None = None) -> Message:
    """Return our first message; *role* is wrapper, tray, window, cli or tracker, *token* the one that the endpoint asks for."""
    message: Message = {
        "type": "hello",
        "protocol": list(PROTOCOL),
        "version": __version__,
        "role": role,
        "pid": os.getpid(),
    }
    return message if token is None else {**message, "token": token}


def socket_paths(places: Places) -> list[Path]:
    """Return the places where a tracker of this user may listen, the most likely first.

    cron and systemd set no `XDG_RUNTIME_DIR`; the pointer that the tracker leaves in the state folder then names its socket.
    """
    paths = [places.socket]
    with suppress(OSError, ValueError):
        paths.append(Path(content(places.socket_pointer, 4096).decode().strip()) / SOCKET)
    return list(dict.fromkeys(paths))


def connect(places: Places, *, timeout: float | None) -> tuple[socket.socket, str | None]:
    """Connect to the tracker; return the socket and the token for `hello`, if the endpoint asks for one.

    Args:
        timeout: Seconds for this and every later call on the socket; 0 makes it non-blocking once connected.

    Raises:
        TrackerGoneError: None answers, or the one that answers is another user's.
    """
    why, there = "No tracker is running.", False
    for path in socket_paths(places):
        try:
            check_private(path.parent, path.parent.lstat())
            conversation, token = endpoint.dial(path, timeout or 1.0)
            conversation.settimeout(timeout)
            return conversation, token
        except UnsafeFolderError as error:
            why = error.why
        except (FileNotFoundError, ConnectionRefusedError):
            continue
        except (OSError, ValueError) as error:
            why, there = f"{path}: {error}.", there or _waits(error)
    if not there and (held := next(filter(_held, socket_paths(places)), None)) is not None:
        why, there = f"A tracker runs, but it does not listen at {held}.", True
    raise TrackerGoneError(why, there=there, pid=pid_of(places) if there else None)


def pid_of(places: Places) -> int | None:
    """Return the process number that a living tracker left in its lock; None where there is none or it cannot be read."""
    for path in socket_paths(places):
        with suppress(OSError, ValueError):
            if _held(path):
                return int(content(path.parent / LOCK, 8192).split(b"\n")[0])
    return None


def _held(path: Path) -> bool:
    """Return whether a tracker lives whose socket would be at *path*."""
    return locks.is_held(path.parent / LOCK, unknown=False)


class Client:
    """A blocking conversation with the tracker, for tray, window and command line.

    Raises:
        TrackerGoneError: From any method, when the tracker does not answer, or its answer makes no sense.
    """

    def __init__(self, places: Places, role: str, *, timeout: float = ANSWER_SECONDS) -> None:
        self._places, self._timeout = places, timeout
        self._socket, token = connect(places, timeout=timeout)
        self._limit = timeout
        self._buffer = bytearray()
        try:
            try:
                self.send(hello(role, token))
            except TrackerGoneError:
                self._answer()  # it may have sent its reason before it hung up
                raise
            self.tracker = self._answer()
        except BaseException:
            self._socket.close()
            raise

    def request(self, kind: str, **fields: Any) -> Message:
        """Send a message of *kind* and return the answer; a field that is None is left out."""
        self.send({"type": kind, **{name: value for name, value in fields.items() if value is not None}})
        return self._answer()

    def send(self, message: Message) -> None:
        """Send one message."""
        self._send(encode(message))

    def status(self, change: int | None) -> Message:
        """Return the answer to `status`: `same` if *change* is still the newest."""
        self._send(encode({"type": "status"}) if change is None else is_still(change))
        return self._answer()

    def _send(self, line: bytes) -> None:
        try:
            self._within(self._timeout)
            self._socket.sendall(line)
        except OSError as error:
            raise self._gone(f"The tracker took no message: {error}.", there=_waits(error)) from error

    def _answer(self) -> Message:
        answer = self.receive()
        if answer["type"] == "error":
            raise TrackerGoneError(f"The tracker refused: {str(answer.get('why'))[:200]}.", there=True)
        return answer

    def receive(self) -> Message:
        """Return the next message; it must be whole within the time limit, also if it comes letter by letter."""
        deadline, left = clock.monotonic() + self._timeout, self._timeout
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_REPLY:
                raise TrackerGoneError("The tracker's answer is too long.", there=True)
            try:
                self._within(left)
                chunk = self._socket.recv(65536)
            except OSError as error:
                raise self._gone(f"The tracker gave no answer: {error}.", there=_waits(error)) from error
            if not chunk:
                raise TrackerGoneError("The tracker ended.")
            self._buffer += chunk
            left = max(deadline - clock.monotonic(), _LEAST_SECONDS)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            return decode(line)
        except ProtocolError as error:
            raise TrackerGoneError(f"The tracker's answer makes no sense: {error}.", there=True) from error

    def _within(self, seconds: float) -> None:
        """Let the next call on the socket take so long; each `settimeout` is a call into the kernel."""
        if seconds != self._limit:
            self._socket.settimeout(seconds)
            self._limit = seconds

    def _gone(self, why: str, *, there: bool) -> TrackerGoneError:
        return TrackerGoneError(why, there=there, pid=pid_of(self._places) if there else None)

    def waiting(self) -> Iterator[Message]:
        """Yield the whole messages that have already arrived; call it when the socket is readable."""
        yield self.receive()
        while b"\n" in self._buffer:
            yield self.receive()

    def fileno(self) -> int:
        """The socket's descriptor, for select."""
        return self._socket.fileno()

    def close(self) -> None:
        """End the conversation."""
        self._socket.close()


def _waits(error: Exception) -> bool:
    """Return whether *error* means that the tracker lives but does nothing, rather than that it has ended."""
    return isinstance(error, TimeoutError | BlockingIOError)
