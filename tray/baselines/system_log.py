"""Speak the languages of system logs: journald's native protocol, syslog as RFC 5424, and the dialect of the socket /dev/log.

All are datagrams that are built here, so no library is needed. A reader of the log gets one readable line and, beside it, fields to
filter by. Names come out escaped, so no line can pretend to be two.
"""

import os
import re
import select
import socket
import struct
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tray import wording
from tray.config import JOURNALD, SYSLOG, address
from tray.core import clock

JOURNAL_SOCKET = "/run/systemd/journal/socket"
SYSLOG_SOCKET = "/dev/log"
IDENTIFIER = "backup-tray"
SD_ID = "backup-tray@32473"
"""32473 is the enterprise number for documentation (RFC 5612); we have none of our own."""

FACILITY = 13
"""Log audit (RFC 5424, table 1)."""

PRIORITY = {"info": 6, "warning": 4, "error": 3, "critical": 2}
MAX_UDP = 2048
"""Bytes that a receiver should take (RFC 5424, 6.1)."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SEND_SECONDS = 1.0
_REFUSAL_SECONDS = 0.05
_MAX_VALUE = 256
_NOT_IN_NAMES = re.compile(r"[^A-Z0-9_]")


def journal(message: str, severity: str, fields: Mapping[str, object]) -> bytes:
    """Return one entry in journald's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

    Args:
        fields: Further fields; their names get the prefix BACKUP_TRAY_, and those that are None are left out.
    """
    known = {f"BACKUP_TRAY_{_NOT_IN_NAMES.sub('_', name.upper())}": value for name, value in fields.items()}
    every = {
        "MESSAGE": message,
        "PRIORITY": PRIORITY.get(severity, 4),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "SYSLOG_FACILITY": FACILITY,
        **known,
    }
    return b"".join(_field(name, str(value)) for name, value in every.items() if value is not None)


def _field(name: str, value: str) -> bytes:
    raw = value.encode("utf-8", "backslashreplace")
    if b"\n" in raw:
        return name.encode() + b"\n" + struct.pack("<Q", len(raw)) + raw + b"\n"
    return name.encode() + b"=" + raw + b"\n"


def syslog(message: str, severity: str, fields: Mapping[str, object], *, time_ms: int, kind: str) -> bytes:
    """Return one message as RFC 5424 has it, at most `MAX_UDP` bytes long.

    Args:
        fields: Become structured data, as many as there is room for; those that are None are left out.
        kind: The MSGID.
    """
    start = (
        f"<{_priority(severity)}>1 {clock.to_text(time_ms)} {_name(socket.gethostname(), 255)} "
        f"{IDENTIFIER} {os.getpid()} {_name(kind, 32)} "
    ).encode()
    raw = start + _data(fields, len(start)) + b" \xef\xbb\xbf" + message.encode("utf-8", "backslashreplace")
    return raw if len(raw) <= MAX_UDP else raw[:MAX_UDP].decode("utf-8", "ignore").encode()


def local(message: str, severity: str, fields: Mapping[str, object], *, time_ms: int) -> bytes:
    """Return one message for /dev/log as syslog(3) has it; the structured data stands behind the text.

    rsyslog and journald take only this there: of RFC 5424 they would show the header as text, with a wrong name before it.
    """
    moment = clock.local(time_ms)
    when = f"{_MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S}"
    start = f"<{_priority(severity)}>{when} {IDENTIFIER}[{os.getpid()}]: {message} ".encode("utf-8", "backslashreplace")
    start = start if len(start) <= MAX_UDP // 2 else start[: MAX_UDP // 2].decode("utf-8", "ignore").encode() + b" "
    return start + _data(fields, len(start))


def _priority(severity: str) -> int:
    return FACILITY * 8 + PRIORITY.get(severity, 4)


def _data(fields: Mapping[str, object], taken: int) -> bytes:
    """Return *fields* as structured data, as many as fit beside *taken* bytes."""
    raw = f"[{SD_ID}".encode()
    for name, value in fields.items():
        more = b"" if value is None else f' {name}="{_value(str(value))}"'.encode()
        if taken + len(raw) + len(more) <= MAX_UDP - _MAX_VALUE:
            raw += more
    return raw + b"]"


def _value(text: str) -> str:
    """Return *text* as a value of structured data: three characters are escaped (RFC 5424, 6.3.3), long ones are cut."""
    text = wording.escape(text)
    text = text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"
    return re.sub(r'(["\\\]])', r"\\\1", text)


def _name(text: str, limit: int) -> str:
    """Return *text* as a field of the header: printable ASCII without spaces, "-" for nothing."""
    return re.sub(r"[^!-~]", "_", text)[:limit] or "-"


class Receiver:
    """A place that takes messages: "journald", "syslog" or "udp://host:port".

    Raises:
        OSError: It is not there. (From every method.)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._native = name == JOURNALD
        self._udp = False
        self._socket = self._connected()

    def _connected(self) -> socket.socket:
        where = address(self.name)
        if where is not None:
            self._udp = True
            resolved = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)
            return _connect(resolved[0][0], resolved[0][4])
        if sys.platform == "win32" or self.name not in (JOURNALD, SYSLOG):
            raise OSError(f"this system has no {self.name}")
        return _connect(socket.AF_UNIX, JOURNAL_SOCKET if self._native else SYSLOG_SOCKET)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, message: str, severity: str, fields: Mapping[str, object], *, time_ms: int, kind: str) -> None:
        """Hand over one message in the receiver's own language."""
        line = wording.escape(message)
        if self._udp:
            raw = syslog(line, severity, fields, time_ms=time_ms, kind=kind)
        elif self._native:
            raw = journal(line, severity, fields)
        else:
            raw = local(line, severity, fields, time_ms=time_ms)
        self._socket.send(raw)

    def confirm(self) -> None:
        """Notice a refusal that comes after the last message; all that UDP ever says."""
        if self._udp and select.select([self._socket], [], [], _REFUSAL_SECONDS)[0]:
            self._socket.recv(1)


def _connect(family: int, where: object) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.settimeout(_SEND_SECONDS)
        made.connect(where)  # type: ignore[arg-type]  # a path or an address, as its family wants
    except BaseException:
        made.close()
        raise
    return made
