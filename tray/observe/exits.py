"""What programs processes were that have ended: the kernel's taskstats tell their names (linux/taskstats.h, generic netlink).

The process connector (`tray.observe.events`) tells of each end, but no name, and a program that lives for a millisecond is gone
before its name can be read. Open to root in the first namespaces alone; where it is not, no names are known here. What overruns the
buffer is lost, and is then not known either.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

_GENERIC, _CONTROL, _GET_FAMILY, _GET = (
    16,
    16,
    3,
    1,
)  # NETLINK_GENERIC, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, TASKSTATS_CMD_GET
_FAMILY_ID, _FAMILY_NAME, _REGISTER = 1, 2, 3  # CTRL_ATTR_*, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK
_OF_PROCESS, _STATS = 4, 3  # TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_STATS
_HEADER = struct.Struct("=IHHIIBBH")  # nlmsghdr, genlmsghdr
_ATTRIBUTE = struct.Struct("=HH")
_NAME_AT, _NAME_BYTES, _PID = 80, 32, struct.Struct("=I")  # ac_comm
_PID_AT = 128
_BUFFER = 1024 * 1024
_MOST = 5000


class Exits:
    """Tells the names of processes that have ended."""

    def __init__(self) -> None:
        self._socket = _listen()
        self._names: dict[int, str] = {}
        self._before: dict[int, str] = {}

    def name(self, pid: int) -> str:
        """Return the name that the process had when it ended; "" if that is not known. Ask once the end was told."""
        self._take()
        return self._names.get(pid) or self._before.get(pid, "")

    def forget(self) -> None:
        """Take what has come, and forget the names that had come at the call before: their ends were told meanwhile."""
        self._take()
        self._before, self._names = self._names, {}

    def close(self) -> None:
        """Give the descriptor back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _take(self) -> None:
        for _ in range(_MOST if self._socket is not None else 0):
            try:
                data, sender = self._socket.recvfrom(8192)  # type: ignore[union-attr] # see the range
            except BlockingIOError:
                return
            except OSError:  # it ran over
                continue
            if sender[0] == 0:
                self._names.update(names(data))


def names(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield number and name of the processes that a message of the kernel tells of."""
    for kind, whole in _attributes(data[_HEADER.size :]):
        for what, stats in _attributes(whole) if kind == _OF_PROCESS else ():
            if what == _STATS and len(stats) >= _PID_AT + _PID.size:
                raw = stats[_NAME_AT : _NAME_AT + _NAME_BYTES].partition(b"\0")[0]
                yield _PID.unpack_from(stats, _PID_AT)[0], raw.decode("utf-8", "replace")


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[_ATTRIBUTE.size : length]
        data = data[-(-length // 4) * 4 :]


def _message(family: int, command: int, kind: int, value: bytes) -> bytes:
    value += b"\0"
    length = _ATTRIBUTE.size + len(value)
    body = _ATTRIBUTE.pack(length, kind) + value + b"\0" * (-length % 4)
    return _HEADER.pack(_HEADER.size + len(body), family, 5, 1, 0, command, 1, 0) + body  # 5: NLM_F_REQUEST | NLM_F_ACK


def _listen() -> socket.socket | None:
    if sys.platform != "linux":
        return None
    try:
        found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _GENERIC)
    except OSError:
        return None
    try:
        found.settimeout(1.0)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        found.bind((0, 0))
        found.send(_message(_CONTROL, _GET_FAMILY, _FAMILY_NAME, b"TASKSTATS"))
        told = dict(_attributes(found.recv(8192)[_HEADER.size :]))
        found.recv(8192)  # the acknowledgement
        family = int.from_bytes(told[_FAMILY_ID][:2], sys.byteorder)
        found.send(_message(family, _GET, _REGISTER, b"0-%d" % (os.sysconf("SC_NPROCESSORS_CONF") - 1)))
        if struct.unpack_from("=i", found.recv(8192), 16)[0]:
            raise PermissionError
        found.setblocking(False)
    except (OSError, KeyError, struct.error):  # not permitted, or a kernel without it
        with suppress(OSError):
            found.close()
        return None
    return found
