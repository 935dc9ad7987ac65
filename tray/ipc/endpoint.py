"""Listen for the tracker's clients, and connect to the tracker, on each system.

Linux and macOS: a Unix stream socket, mode 0600, in a folder that is ours alone; the kernel tells the peer's user id. No port is
opened. Windows has neither, so there it is a loopback port, and a file that only this user can read names the port and a token
which the first message must carry. `LOOPBACK` says which; the loopback way runs on every system, so that it can be tested.
"""

import os
import socket
import struct
import sys
from _operator import (
    _compare_digest as compare_digest,  # hmac's own: to import hmac costs as much as the rest of this module
)
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tray.core import files
from tray.core.files import content

LOOPBACK = sys.platform == "win32"
BACKLOG = 128
LONGEST = 107


def listen(path: Path) -> tuple[socket.socket, str | None]:
    """Return a non-blocking socket that listens at *path*, and the token to ask for, if any.

    This replaces the stale file of a tracker that died: the caller holds the tracker's lock.

    Raises:
        OSError: The socket cannot be made.
    """
    path.unlink(missing_ok=True)
    listener, token = _listen_loopback(path) if LOOPBACK else (_listen_unix(path), None)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener, token


def dial(path: Path, timeout: float) -> tuple[socket.socket, str | None]:
    """Connect to the tracker behind *path*; return the socket, and the token for the first message, if one is asked for.

    Raises:
        OSError: No process listens there, or it is another user's.
    """
    if LOOPBACK:
        port, token = content(path, 4096).decode("ascii").split()
        return socket.create_connection(("127.0.0.1", int(port)), timeout), token
    conversation = socket.socket(_unix(), socket.SOCK_STREAM)
    try:
        conversation.settimeout(timeout)
        with _short(path) as address:
            conversation.connect(address)
        if not same_user(conversation):
            raise OSError("the process that listens there belongs to another user")
    except OSError:
        conversation.close()
        raise
    return conversation, None


def listen_to_group(path: Path, group: int) -> socket.socket:
    """Return a non-blocking Unix socket at *path* to which only root and the members of *group* can connect.

    Raises:
        OSError: The socket cannot be made, or not be given to the group.
    """
    if sys.platform == "win32":
        raise OSError("there are no groups of this kind here")
    path.unlink(missing_ok=True)
    listener = _listen_unix(path)
    try:
        os.chown(path, -1, group)
        path.chmod(0o660)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def dial_owner(path: Path, owner: int, timeout: float) -> socket.socket:
    """Connect to the socket at *path*, behind which a process of the user *owner* must listen.

    Raises:
        PermissionError: We may not connect.
        OSError: No process listens there, or it is another user's.
    """
    conversation = socket.socket(_unix(), socket.SOCK_STREAM)
    try:
        # A blocking one waits in the kernel's queue where many want to connect at once; with settimeout() it would fail at once.
        conversation.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(timeout), int(timeout % 1 * 1e6))
        )
        with _short(path) as address:
            conversation.connect(address)
        conversation.settimeout(timeout)
        uid = peer_uid(conversation)
        if uid != owner:
            raise OSError(f"the process that listens there belongs to user {uid}, not {owner}")
    except OSError:
        conversation.close()
        raise
    return conversation


def same_user(conversation: socket.socket) -> bool:
    """Return whether the peer's process is our user's, by the kernel's word; a loopback peer must show the token instead."""
    if sys.platform == "win32" or LOOPBACK:
        return True
    return peer_uid(conversation) == os.geteuid()


def peer_uid(conversation: socket.socket) -> int:
    """Return the user id of the process at the other end of a Unix socket, by the kernel's word.

    Of a server it is the one that it had when it began to listen.
    """
    if sys.platform == "darwin":
        # struct xucred of sys/ucred.h begins with version and uid; SOL_LOCAL is 0, LOCAL_PEERCRED is 1.
        raw = conversation.getsockopt(0, 1, struct.calcsize("2Ih16I"))
        return int(struct.unpack_from("2I", raw)[1])
    raw = conversation.getsockopt(socket.SOL_SOCKET, getattr(socket, "SO_PEERCRED", 17), struct.calcsize("3I"))
    return int(struct.unpack("3I", raw)[1])


def shows(token: str | None, shown: object) -> bool:
    """Return whether the first message shows the *token* that is asked for."""
    return token is None or (isinstance(shown, str) and compare_digest(shown.encode(), token.encode()))


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(_unix(), socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with _short(path) as address:
            listener.bind(address)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _listen_loopback(path: Path) -> tuple[socket.socket, str]:
    listener = socket.create_server(("127.0.0.1", 0))
    token = os.urandom(16).hex()
    beside = path.with_suffix(".new")
    with suppress(FileNotFoundError):
        beside.unlink()
    with os.fdopen(files.descriptor(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(f"{listener.getsockname()[1]} {token}".encode())
    os.replace(beside, path)
    return listener, token


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield an address for *path* that fits: a socket's may have 107 bytes (sun_path, unix(7)), and a home folder may be deep."""
    if sys.platform != "linux" or len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _unix() -> int:
    """Return the family of Unix sockets, which Windows' Python does not name."""
    return int(getattr(socket, "AF_UNIX", 1))
