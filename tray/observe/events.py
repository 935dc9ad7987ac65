"""What the kernel tells at once of every process that becomes a program or ends: its process connector (linux/cn_proc.h).

Open to root, and from Linux 6.6 on to everybody in the first namespaces. Where it is, no engine is missed that lives for a moment,
and each exit status is known also on kernels that keep none with the pidfd (before 6.15). Where it is not, `fd` is None or nothing
comes, and the other ways must do: what is not told here means nothing.

A filter in the kernel lets only `exec` and the end of whole processes through. On a machine that starts thousands of programs a
second the buffer runs over, and the rest is dropped: that is no harm either.
"""

import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_CONNECTOR, _PROC = 11, 1  # NETLINK_CONNECTOR; CN_IDX_PROC and CN_VAL_PROC
_LISTEN, _IGNORE = 1, 2
_EXEC, _EXIT = 2, 0x80000000
_ATTACH_FILTER = 26
_BUFFER = 1024 * 1024
_MOST = 5000
"""Events that are taken at once."""
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_MESSAGE = struct.Struct("=IIIIHH")  # cn_msg
_WHAT, _DATA = 36, 52  # where `what` and the union of a proc_event stand
_FACTS = struct.Struct("=III")  # pid, tgid, exit status
_PARENT = struct.Struct(
    "=I"
)  # behind them and the signal to the parent: its thread and its process, from Linux 4.18 on
_PARENT_AT = _DATA + 20


@dataclass(frozen=True, slots=True)
class Event:
    """A process became another program (`status` None), or ended with a status as waitpid(2) gives it; its parent, 0: not known."""

    pid: int
    status: int | None
    parent: int = 0


class Events:
    """The kernel's notices. `fd` becomes readable when there are some; None where it has none to give.

    Args:
        matters: Whether somebody should look at once at a process that became another program.
    """

    def __init__(self, matters: Callable[[int], bool] = lambda _: True) -> None:
        self._matters = matters
        self._socket = _listen()
        self._taken: deque[Event] = deque(maxlen=_MOST)

    @property
    def fd(self) -> int | None:
        """The descriptor to wait for."""
        return None if self._socket is None else self._socket.fileno()

    def take(self) -> bool:
        """Take what has come, so that `fd` is readable no more; True if somebody should look at once. Never waits."""
        urgent = False
        for _ in range(_MOST):
            event = self._next()
            if event is None:
                break
            if event.status is None:
                if not self._matters(event.pid):
                    continue
                urgent = True
            self._taken.append(event)
        return urgent

    def drain(self) -> list[Event]:
        """Return what has come since the last call: programs that matter, and ends."""
        self.take()
        found = list(self._taken)
        self._taken.clear()
        return found

    def _next(self) -> Event | None:
        if self._socket is None:
            return None
        for _ in range(3):
            try:
                data, sender = self._socket.recvfrom(4096)
            except BlockingIOError:
                return None
            except OSError:  # it ran over: what was lost is lost
                continue
            if sender[0] == 0 and len(data) >= _DATA + _FACTS.size:  # from the kernel
                (what,) = struct.unpack_from("=I", data, _WHAT)
                pid, _, status = _FACTS.unpack_from(data, _DATA)
                if what != _EXIT:
                    return Event(pid, None)
                told = len(data) >= _PARENT_AT + _PARENT.size
                return Event(pid, status, _PARENT.unpack_from(data, _PARENT_AT)[0] if told else 0)
        return None

    def close(self) -> None:
        """Tell the kernel that nobody listens any more, and give the descriptor back."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.send(_request(_IGNORE))
            self._socket.close()
            self._socket = None


def _listen() -> socket.socket | None:
    if sys.platform != "linux":
        return None
    try:
        found = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _CONNECTOR)
    except OSError:
        return None
    try:
        _only_wanted(found)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        found.bind((0, _PROC))
        found.send(_request(_LISTEN))
    except OSError:  # not permitted, or a kernel without it
        found.close()
        return None
    return found


def _request(what: int) -> bytes:
    body = struct.pack("=I", what)
    size = _HEADER.size + _MESSAGE.size + len(body)
    return _HEADER.pack(size, 3, 0, 0, 0) + _MESSAGE.pack(_PROC, _PROC, 0, 0, len(body), 0) + body  # 3: NLMSG_DONE


def _only_wanted(found: socket.socket) -> None:
    """Let only `exec`, and the end of a process' first thread, through (bpf(4), classic)."""
    import ctypes

    load, jump, keep, take = 0x20, 0x15, 0x07, 0x06  # ld [k]; jeq #k; tax; ret #k
    program = (
        (load, 0, 0, _WHAT),
        (jump, 5, 0, socket.htonl(_EXEC)),
        (jump, 0, 5, socket.htonl(_EXIT)),
        (load, 0, 0, _DATA),
        (keep, 0, 0, 0),
        (load, 0, 0, _DATA + 4),
        (0x1D, 0, 1, 0),  # jeq x
        (take, 0, 0, 0xFFFF),
        (take, 0, 0, 0),
    )
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    found.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(buffer)))
