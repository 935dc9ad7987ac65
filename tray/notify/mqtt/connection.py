"""Publish retained messages to an MQTT broker: one connection, as much of MQTT as that takes, and one deadline over all of it.

https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html; a broker that does not know version 5 is spoken to in 3.1.1. Version 5
comes first because only it says that a message was refused: in 3.1.1 a broker acknowledges a message that its rules then drop.

Written out here since the common client library limits neither how long a try takes nor how much a broker may send.
"""

import secrets
import socket
import ssl
import struct
from collections.abc import Iterable
from threading import Thread
from types import TracebackType
from typing import Self

from tray.core import clock
from tray.notify.channels import NotSentError

_CONNECT, _CONNACK, _PUBLISH_RETAINED_ONCE, _PUBACK, _DISCONNECT = 0x10, 0x20, 0x33, 0x40, 0xE0
_LATEST, _OLDER = 5, 4
"""Protocol levels: MQTT 5 and MQTT 3.1.1."""
_MOST_ANSWER = 1 << 14
"""Bytes of the longest packet that is read; acknowledgements have a few."""
_CHUNK = 1 << 14
_KEEP_ALIVE_SECONDS = 60
_REFUSED = 0x80
"""Codes from here on are refusals."""
_OTHER_VERSION = (0x01, 0x84)
_WHY_REFUSED = {
    0x01: ("it does not speak MQTT 5 or 3.1.1", True),
    0x02: ("it does not take the name of this client", True),
    0x03: ("it is not ready", False),
    0x04: ("the user or the password is wrong", True),
    0x05: ("the user or the password is wrong", True),
    0x84: ("it does not speak MQTT 5 or 3.1.1", True),
    0x85: ("it does not take the name of this client", True),
    0x86: ("the user or the password is wrong", True),
    0x87: ("this user may not do that, or the password is wrong", True),
    0x88: ("it is not ready", False),
    0x89: ("it is busy", False),
    0x8A: ("this client is banned", True),
    0x95: ("the message is too long for it", True),
    0x97: ("a quota is used up", False),
    0x9A: ("it keeps no retained messages", True),
    0x9B: ("it takes no messages of QoS 1", True),
}
"""By code of either version: why the broker refuses, and whether another try would bring the same answer."""


class _OtherVersionError(Exception):
    """The broker does not know the version of the protocol."""


def publish(
    address: tuple[str, int],
    messages: Iterable[tuple[str, bytes]],
    *,
    until: float,
    tls: ssl.SSLContext | None = None,
    login: tuple[str, str | None] | None = None,
) -> None:
    """Publish *messages* (topic and content) in their order, retained; return once the broker has acknowledged each.

    Args:
        address: Name and port of the broker.
        until: When to give up, by `clock.monotonic`.
        tls: Checks the broker's certificate; None: not encrypted.
        login: User and password.

    Raises:
        NotSentError: One message or more was not acknowledged.
    """
    messages = list(messages)
    try:
        try:
            _published(_Connection(address, tls, until), messages, login, _LATEST)
        except _OtherVersionError:
            _published(_Connection(address, tls, until), messages, login, _OLDER)
    except _OtherVersionError as error:
        raise _refusal(_OTHER_VERSION[0]) from error
    except (OSError, UnicodeError) as error:
        raise _unreached(address, error) from error


def _published(
    connection: "_Connection", messages: list[tuple[str, bytes]], login: tuple[str, str | None] | None, level: int
) -> None:
    with connection:
        connection.send(_connect(login, level))
        code = connection.answer(_CONNACK)[1]
        if code in _OTHER_VERSION and level == _LATEST:
            raise _OtherVersionError
        if code:
            raise _refusal(code)
        for number, (topic, content) in enumerate(messages, 1):
            which = (number - 1) % 0xFFFF + 1
            properties = b"\0" if level == _LATEST else b""
            connection.send(
                _packet(_PUBLISH_RETAINED_ONCE, _text(topic), struct.pack(">H", which), properties, content)
            )
            answer = connection.answer(_PUBACK)
            if struct.unpack(">H", answer[:2])[0] != which:
                raise _no_broker("it acknowledged another message")
            if len(answer) > 2 and answer[2] >= _REFUSED:
                raise _refusal(answer[2])
        connection.send(bytes((_DISCONNECT, 0)))


class _Connection:
    """An open connection to a broker."""

    def __init__(self, address: tuple[str, int], tls: ssl.SSLContext | None, until: float) -> None:
        self._until = until
        self._socket = self._opened(address)
        if tls is not None:
            try:
                self._socket.settimeout(self._left())
                self._socket = tls.wrap_socket(self._socket, server_hostname=address[0])
            except BaseException:
                self._socket.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, packet: bytes) -> None:
        """Send all of *packet*."""
        view = memoryview(packet)
        while view:
            self._socket.settimeout(self._left())
            view = view[self._socket.send(view[:_CHUNK]) :]

    def answer(self, kind: int) -> bytes:
        """Return the content of the next packet, which must be of *kind*: at least two bytes."""
        first = self._received(1)[0]
        length = shift = 0
        while True:
            digit = self._received(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
            if shift > 21:
                raise _no_broker("its answer is no MQTT")
        if length > _MOST_ANSWER:
            raise _no_broker("its answer is too long")
        content = self._received(length)
        if first == _DISCONNECT:
            raise _refusal(content[0] if content else _REFUSED)
        if first != kind or length < 2:
            raise _no_broker("its answer is no MQTT")
        return content

    def _opened(self, address: tuple[str, int]) -> socket.socket:
        """Return a connection to the first address of the broker that takes one; each gets its share of the time."""
        addresses = _resolved(address, self._left())
        for number, (family, kind, protocol, _, where) in enumerate(addresses):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self._left() / (len(addresses) - number))
                connection.connect(where)
            except OSError:
                connection.close()
                if number == len(addresses) - 1:
                    raise
                continue
            return connection
        raise OSError("it has no address")

    def _received(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            self._socket.settimeout(self._left())
            part = self._socket.recv(length - len(parts))
            if not part:
                raise ConnectionResetError("it closed the connection")
            parts += part
        return bytes(parts)

    def _left(self) -> float:
        left = self._until - clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _resolved(address: tuple[str, int], seconds: float) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    """Return the answer of the system's resolver about *address*; it knows no deadline of its own, so a thread waits for it."""
    answers: list[list[tuple[int, int, int, str, tuple[object, ...]]]] = []
    errors: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            answers.append([*socket.getaddrinfo(*address, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:
            errors.append(error)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError
    return answers[0]


def _connect(login: tuple[str, str | None] | None, level: int) -> bytes:
    """Return the packet that begins a session of which the broker keeps nothing afterwards."""
    flags, fields = 0x02, [_text(f"backup-tray-{secrets.token_hex(5)}")]
    if login is not None:
        user, password = login
        flags |= 0x80
        fields.append(_text(user))
        if password is not None:
            flags |= 0x40
            fields.append(_text(password))
    properties = b"\0" if level == _LATEST else b""
    head = struct.pack(">BBH", level, flags, _KEEP_ALIVE_SECONDS)
    return _packet(_CONNECT, _text("MQTT"), head, properties, *fields)


def _packet(kind: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length, rest = bytearray(), len(content)
    while True:
        rest, digit = divmod(rest, 0x80)
        length.append(digit | (0x80 if rest else 0))
        if not rest:
            return bytes((kind,)) + bytes(length) + content


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 0xFFFF:
        raise NotSentError("The user, the password or a topic is too long for MQTT.", final=True)
    return struct.pack(">H", len(raw)) + raw


def _refusal(code: int) -> NotSentError:
    why, final = _WHY_REFUSED.get(code, (f"it gave the code {code:#04x}", False))
    return NotSentError(f"The MQTT broker refused: {why}.", final=final)


def _no_broker(why: str) -> NotSentError:
    return NotSentError(f"There is no working MQTT broker at the address: {why}.")


def _unreached(address: tuple[str, int], error: OSError | UnicodeError) -> NotSentError:
    """Return why nothing came of it, for a reader."""
    where = f"The MQTT broker {address[0]}:{address[1]}"
    match error:
        case ssl.SSLCertVerificationError():
            return NotSentError(f"{where} has a certificate that is not valid: {error.verify_message}.")
        case ssl.SSLError():
            return NotSentError(f"{where} does not speak TLS as it should: {error.reason or error.strerror}.")
        case socket.gaierror():
            return NotSentError(f"{where} was not found: {error.strerror}.")
        case UnicodeError():
            return NotSentError(f"{where} was not found: that is no name.", final=True)
        case TimeoutError():
            return NotSentError(f"{where} gave no answer in time.")
        case _:
            return NotSentError(f"{where} cannot be reached: {error.strerror or error}.")
