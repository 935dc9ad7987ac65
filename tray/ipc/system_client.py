"""Talk with the system-wide instance: newline-delimited JSON on a socket that a group may connect to.

It trusts the service only if the kernel says that the right user listens there: root, or in a trial the owner of the named folder.
Requests and answers (see `tray.system.server`, which refuses everything else):

    hello      {protocol, version, role, pid}    both ways, first
    status     {}                       -> status  {status: Status, age: seconds since it was read}
    subscribe  {}                       -> status, then status, runs {runs} or alive {} as it changes, at least every 10 s
    history    {limit, job, before}     -> history {runs: [EndedRun…], next: entry|null}
    report     {run}                    -> report  {report: tray.report.Report}
    log        {run, offset}            -> log     {run, text, next, live}
    any failure                         -> failed  {error: code, what, why, next}
"""

import os
import select
import shlex
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from tray import ipc
from tray.core import clock, paths
from tray.core.errors import NotInGroupError, SystemViewError
from tray.ipc import endpoint

if sys.platform != "win32":
    import grp
    import pwd

CONNECT_SECONDS = 1.0
NEWER = "It is of another version than this program."


class Conversation:
    """One conversation. Every method raises SystemViewError when it breaks."""

    def __init__(self, connected: socket.socket, role: str) -> None:
        self._socket = connected
        self._buffer = bytearray()
        self._greeted = False
        self.send(ipc.hello(role))

    def send(self, message: ipc.Message) -> None:
        """Send one message."""
        try:
            self._socket.sendall(ipc.encode(message))
        except OSError as error:
            raise SystemViewError(f"Its service took no message ({error.strerror or error}).") from error

    def receive(self, seconds: float) -> ipc.Message:
        """Return the next message but the service's own `hello`, waiting at most *seconds*."""
        for message in self.waiting(seconds):
            return message
        raise SystemViewError("Its service has not answered.")

    def waiting(self, seconds: float = 0.0) -> Iterator[ipc.Message]:
        """Yield the messages that have arrived, but the service's own `hello`; wait for the first at most *seconds*."""
        deadline = clock.monotonic() + seconds
        while True:
            while (message := self._next()) is not None:
                deadline = 0.0
                yield message
            if not self._readable(max(deadline - clock.monotonic(), 0.0)):
                return
            self._read()

    def fileno(self) -> int:
        """The socket's descriptor, for select."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _readable(self, seconds: float) -> bool:
        return bool(select.select([self._socket], [], [], seconds)[0])

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(1 << 18)
        except OSError as error:
            raise SystemViewError(f"Its service gave no answer ({error.strerror or error}).") from error
        if not chunk:
            raise SystemViewError("Its service ended.")
        self._buffer += chunk

    def _next(self) -> ipc.Message | None:
        """Return the next whole message that has been read, the first of which must be a `hello` of our protocol."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > ipc.MAX_REPLY:
                raise SystemViewError("Its service sent too long an answer.")
            return None
        try:
            message = ipc.decode(bytes(self._buffer[:end]))
        except ipc.ProtocolError as error:
            raise SystemViewError(NEWER) from error
        del self._buffer[: end + 1]
        if self._greeted:
            return message
        protocol = message.get("protocol")
        if message["type"] != "hello" or not isinstance(protocol, list) or protocol[:1] != [ipc.PROTOCOL[0]]:
            raise SystemViewError(NEWER)
        self._greeted = True
        return self._next()


def connect(folder: Path, role: str) -> Conversation | None:
    """Begin a conversation with the service whose socket is in *folder*; None if none was ever set up.

    Raises:
        NotInGroupError: This user may not connect.
        SystemViewError: The service does not run, or the wrong user runs it.
    """
    try:
        status = folder.stat()
        owner = 0 if folder == paths.VIEW_FOLDER else status.st_uid
        connected = endpoint.dial_owner(folder / paths.VIEW_SOCKET, owner, CONNECT_SECONDS)
    except PermissionError as error:
        raise _not_in_group(folder) from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        if not os.path.lexists(folder):
            return None
        raise SystemViewError("Its service is not running.") from error
    except OSError as error:
        raise SystemViewError(f"{folder / paths.VIEW_SOCKET}: {error.strerror or error}.") from error
    return Conversation(connected, role)


def _not_in_group(folder: Path) -> NotInGroupError:
    """Return the error with names that can be typed as they stand."""
    group, user, added = "backup-tray", "NAME", False
    if sys.platform != "win32":
        user = str(os.geteuid())
        try:
            user = pwd.getpwuid(os.geteuid()).pw_name
            entry = grp.getgrgid(folder.stat().st_gid)
            group, added = entry.gr_name, user in entry.gr_mem
        except (OSError, KeyError):
            pass  # no name, or a folder that cannot even be looked at
    return NotInGroupError(shlex.quote(group), shlex.quote(user), added=added)
