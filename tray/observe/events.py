"""Read the kernel's notices about processes: which became programs, and how and under which name they ended.

The process connector (linux/cn_proc.h) tells of each `exec` and each end. It is open to root, and from Linux 6.6 on to every user
in the first namespaces. With it no engine is missed that lives for a moment, and each exit status is known also on kernels that
keep none with the pidfd (before 6.15). A filter in the kernel lets only `exec` and the end of whole processes through.

It tells no names, and a program that lives for a millisecond is gone before its name can be read. The kernel's taskstats
(linux/taskstats.h, generic netlink) tell the name with the end, to root in the first namespaces alone.

Both are extras: where the kernel gives no notices, or drops some because thousands of programs start in a second, the other ways
to find processes must do. So a notice that did not come means nothing.
"""

import ctypes
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from tray.core.dataclass import dataclass

_BUFFER = 1024 * 1024
_MOST = 5000
"""Notices that are taken at once."""

_CONNECTOR, _PROC = 11, 1  # NETLINK_CONNECTOR; CN_IDX_PROC and CN_VAL_PROC
_LISTEN, _IGNORE = 1, 2
_EXEC, _EXIT = 2, 0x80000000
_ATTACH_FILTER = 26
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_MESSAGE = struct.Struct("=IIIIHH")  # cn_msg
_KIND_AT, _DATA_AT = 36, 52  # where `what` and the union of a proc_event stand
_FACTS = struct.Struct("=III")  # pid, tgid, exit status
_PARENT = struct.Struct("=I")  # the parent's thread, from Linux 4.18 on
_PARENT_AT = _DATA_AT + 20

_GENERIC, _CONTROL, _GET_FAMILY, _GET = (
    16,
    16,
    3,
    1,
)  # NETLINK_GENERIC, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, TASKSTATS_CMD_GET
_FAMILY_ID, _FAMILY_NAME, _REGISTER = 1, 2, 3  # CTRL_ATTR_*, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK
_OF_PROCESS, _STATS = 4, 3  # TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_STATS
_GENERIC_HEADER = struct.Struct("=IHHIIBBH")  # nlmsghdr, genlmsghdr
_ATTRIBUTE = struct.Struct("=HH")
_NAME_AT, _NAME_BYTES, _PID_AT, _PID = 80, 32, 128, struct.Struct("=I")  # ac_comm, ac_pid


@dataclass(frozen=True, slots=True)
class Event:
    """A process that became another program (`status` None), or ended with a status as waitpid(2) gives it; *parent* may be 0."""

    pid: int
    status: int | None
    parent: int = 0


class Events:
    """The notices of the process connector. `fd` becomes readable when there are some; None where the kernel has none to give.

    *matters* tells whether a process that became another program is worth a look at once.
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
        """Read all notices that have come, without waiting; return whether a program among them is worth a look at once."""
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
        """Return the notices since the last call: programs that matter, and ends."""
        self.take()
        events = list(self._taken)
        self._taken.clear()
        return events

    def _next(self) -> Event | None:
        if self._socket is None:
            return None
        for _ in range(3):
            try:
                data, sender = self._socket.recvfrom(4096)
            except BlockingIOError:
                return None
            except OSError:  # the buffer ran over: the notices in it are lost
                continue
            if sender[0] == 0 and len(data) >= _DATA_AT + _FACTS.size:  # from the kernel
                (kind,) = struct.unpack_from("=I", data, _KIND_AT)
                pid, _, status = _FACTS.unpack_from(data, _DATA_AT)
                if kind != _EXIT:
                    return Event(pid, None)
                named = len(data) >= _PARENT_AT + _PARENT.size
                return Event(pid, status, _PARENT.unpack_from(data, _PARENT_AT)[0] if named else 0)
        return None

    def close(self) -> None:
        """Tell the kernel to send no more notices, and close the socket."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.send(_request(_IGNORE))
            self._socket.close()
            self._socket = None


class Exits:
    """The names of processes that have ended; none where the kernel does not tell them."""

    def __init__(self) -> None:
        self._socket = _register()
        self._names: dict[int, str] = {}
        self._before: dict[int, str] = {}

    def name(self, pid: int) -> str:
        """Return the name that the process had when it ended; "" if that is not known. Ask after its end."""
        self._take()
        return self._names.get(pid) or self._before.get(pid, "")

    def forget(self) -> None:
        """Read the names that have come, and drop those that had come before the last call."""
        self._take()
        self._before, self._names = self._names, {}

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _take(self) -> None:
        for _ in range(_MOST if self._socket is not None else 0):
            try:
                data, sender = self._socket.recvfrom(8192)  # type: ignore[union-attr] # see the range
            except BlockingIOError:
                return
            except OSError:  # the buffer ran over
                continue
            if sender[0] == 0:
                self._names.update(names(data))


def names(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield number and name of the ended processes in one taskstats message."""
    for kind, whole in _attributes(data[_GENERIC_HEADER.size :]):
        for inner, stats in _attributes(whole) if kind == _OF_PROCESS else ():
            if inner == _STATS and len(stats) >= _PID_AT + _PID.size:
                raw = stats[_NAME_AT : _NAME_AT + _NAME_BYTES].partition(b"\0")[0]
                yield _PID.unpack_from(stats, _PID_AT)[0], raw.decode("utf-8", "replace")


def _listen() -> socket.socket | None:
    """Return a socket that receives the notices of the process connector."""
    if sys.platform != "linux":
        return None
    try:
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _CONNECTOR)
    except OSError:
        return None
    try:
        _filter(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        listener.bind((0, _PROC))
        listener.send(_request(_LISTEN))
    except OSError:  # not permitted, or a kernel without it
        listener.close()
        return None
    return listener


def _request(wish: int) -> bytes:
    body = struct.pack("=I", wish)
    size = _HEADER.size + _MESSAGE.size + len(body)
    return _HEADER.pack(size, 3, 0, 0, 0) + _MESSAGE.pack(_PROC, _PROC, 0, 0, len(body), 0) + body  # 3: NLMSG_DONE


def _filter(listener: socket.socket) -> None:
    """Let only `exec`, and the end of a process' first thread, through (bpf(4), classic)."""
    load, jump, keep, take = 0x20, 0x15, 0x07, 0x06  # ld [k]; jeq #k; tax; ret #k
    program = (
        (load, 0, 0, _KIND_AT),
        (jump, 5, 0, socket.htonl(_EXEC)),
        (jump, 0, 5, socket.htonl(_EXIT)),
        (load, 0, 0, _DATA_AT),
        (keep, 0, 0, 0),
        (load, 0, 0, _DATA_AT + 4),
        (0x1D, 0, 1, 0),  # jeq x
        (take, 0, 0, 0xFFFF),
        (take, 0, 0, 0),
    )
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(buffer)))


def _register() -> socket.socket | None:
    """Return a socket that receives the taskstats of each process that ends."""
    if sys.platform != "linux":
        return None
    try:
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _GENERIC)
    except OSError:
        return None
    try:
        listener.settimeout(1.0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        listener.bind((0, 0))
        listener.send(_generic(_CONTROL, _GET_FAMILY, _FAMILY_NAME, b"TASKSTATS"))
        answer = dict(_attributes(listener.recv(8192)[_GENERIC_HEADER.size :]))
        listener.recv(8192)  # the acknowledgement
        family = int.from_bytes(answer[_FAMILY_ID][:2], sys.byteorder)
        listener.send(_generic(family, _GET, _REGISTER, b"0-%d" % (os.sysconf("SC_NPROCESSORS_CONF") - 1)))
        if struct.unpack_from("=i", listener.recv(8192), 16)[0]:
            raise PermissionError
        listener.setblocking(False)
    except (OSError, KeyError, struct.error):  # not permitted, or a kernel without it
        listener.close()
        return None
    return listener


def _generic(family: int, command: int, kind: int, value: bytes) -> bytes:
    value += b"\0"
    length = _ATTRIBUTE.size + len(value)
    body = _ATTRIBUTE.pack(length, kind) + value + b"\0" * (-length % 4)
    size = _GENERIC_HEADER.size + len(body)
    return _GENERIC_HEADER.pack(size, family, 5, 1, 0, command, 1, 0) + body  # 5: NLM_F_REQUEST | NLM_F_ACK


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[_ATTRIBUTE.size : length]
        data = data[-(-length // 4) * 4 :]
