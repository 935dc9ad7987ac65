"""Tests of the conversation with an MQTT broker: a refusal is quoted, and no broker holds us up."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread

import pytest

from tests.waiting import wait_for
from tray.core import clock
from tray.notify.channels import NotSentError
from tray.notify.mqtt import connection as mqtt

Part = Callable[[socket.socket], None]
SHORT_SECONDS = 0.3
LONG_SECONDS = 20.0
CONNACK_5, CONNACK_311 = b"\x20\x03\x00\x00\x00", b"\x20\x02\x00\x00"
MESSAGES = [("a/b", b"one"), ("a/c", b"")]


class Broker:
    """A broker that plays one part for each connection, in turn."""

    def __init__(self, *parts: Part) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = ("127.0.0.1", self._server.getsockname()[1])
        self.heard: list[bytes] = []
        self._thread = Thread(target=self._serve, args=(parts,), daemon=True)
        self._thread.start()

    def _serve(self, parts: tuple[Part, ...]) -> None:
        with suppress(OSError):  # the end of the test
            for part in parts:
                connection, _ = self._server.accept()
                connection.settimeout(LONG_SECONDS)
                with connection, suppress(OSError):
                    part(connection)

    def publish(self, *, seconds: float = LONG_SECONDS, tls: ssl.SSLContext | None = None) -> None:
        """Publish two messages to it."""
        mqtt.publish(self.address, MESSAGES, until=clock.monotonic() + seconds, tls=tls, login=("ann", "secret word"))

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._server.close()
        self._thread.join(LONG_SECONDS)


@pytest.fixture
def broker() -> Iterator[Callable[..., Broker]]:
    """Make a broker that plays the given parts."""
    made: list[Broker] = []

    def make(*parts: Part) -> Broker:
        made.append(Broker(*parts))
        return made[-1]

    yield make
    for each in made:
        each.close()


def packet(connection: socket.socket) -> bytes:
    """Return one packet from the client: its first byte, then its content."""
    first, length = connection.recv(1), connection.recv(1)[0]
    assert length < 0x80
    content = b""
    while len(content) < length:
        content += connection.recv(length - len(content))
    return first + content


def answering(*answers: bytes, heard: list[bytes] | None = None) -> Part:
    """A broker that hears a packet before each of its answers, and one more at the end."""

    def play(connection: socket.socket) -> None:
        for answer in answers:
            got = packet(connection)
            if heard is not None:
                heard.append(got)
            connection.sendall(answer)
        last = connection.recv(1 << 10)
        if heard is not None:
            heard.append(last)

    return play


def silent(connection: socket.socket) -> None:
    """Hear all, say nothing."""
    while connection.recv(1 << 16):
        pass


def puback(number: int, *code: int) -> bytes:
    """The acknowledgement of a message."""
    return bytes((0x40, 2 + len(code))) + struct.pack(">H", number) + bytes(code)


def test_each_message_is_sent_retained_and_acknowledged(broker: Callable[..., Broker]) -> None:
    """QoS 1, the flag to keep it, a clean session, user and password where the protocol has them."""
    heard: list[bytes] = []
    broker(answering(CONNACK_5, puback(1), puback(2, 0x10), heard=heard)).publish()
    wait_for(lambda: len(heard) == 4, what="the end of the conversation")
    hello, first, second, goodbye = heard
    assert hello[:11] == b"\x10\x00\x04MQTT\x05\xc2\x00\x3c"
    assert hello.endswith(b"\x00\x03ann\x00\x0bsecret word")
    assert first == b"\x33\x00\x03a/b\x00\x01\x00one"
    assert second == b"\x33\x00\x03a/c\x00\x02\x00"
    assert goodbye == b"\xe0\x00"


@pytest.mark.parametrize("refusal", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"])
def test_an_older_broker_is_spoken_to_in_its_version(broker: Callable[..., Broker], refusal: bytes) -> None:
    """A broker that knows only MQTT 3.1.1 says so, and gets 3.1.1."""
    heard: list[bytes] = []
    broker(answering(refusal), answering(CONNACK_311, puback(1), puback(2), heard=heard)).publish()
    assert heard[0][:11] == b"\x10\x00\x04MQTT\x04\xc2\x00\x3c"
    assert heard[1] == b"\x33\x00\x03a/b\x00\x01one"


@pytest.mark.parametrize(
    ("part", "why", "final"),
    [
        (answering(b"\x20\x03\x00\x86\x00"), "the user or the password is wrong", True),
        (answering(b"\x20\x02\x00\x05"), "the user or the password is wrong", True),
        (answering(b"\x20\x02\x00\x03"), "it is not ready", False),
        (answering(b"\x20\x03\x00\x93\x00"), "0x93", False),
        (answering(CONNACK_5, puback(1, 0x87)), "this user may not do that", True),
        (answering(CONNACK_5, puback(1), puback(2, 0x97, 0)), "a quota is used up", False),
        (answering(CONNACK_5, b"\xe0\x02\x9a\x00"), "it keeps no retained messages", True),
        (answering(CONNACK_5, puback(7)), "it acknowledged another message", False),
        (answering(CONNACK_5, b"\x40\x00"), "its answer is no MQTT", False),
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 200), "its answer is no MQTT", False),
        (answering(b"\x20\xff\xff\xff\xff\x7f"), "its answer is no MQTT", False),
        (answering(b"\x20\xff\xff\xff\x7f"), "its answer is too long", False),
        (answering(b""), "it closed the connection", False),
    ],
)
def test_a_broker_that_does_not_take_a_message_is_quoted(
    broker: Callable[..., Broker], part: Part, why: str, final: bool
) -> None:
    """Each refusal says why; one that would come again is final."""

    def closing(connection: socket.socket) -> None:
        if why == "it closed the connection":
            packet(connection)
        else:
            part(connection)

    with pytest.raises(NotSentError, match=why) as caught:
        broker(closing).publish()
    assert caught.value.final is final
    assert "secret" not in str(caught.value)


def dripping(connection: socket.socket) -> None:
    """Say one byte of a long answer whenever the client may have lost patience."""
    connection.sendall(b"\x20\xff\x7f")
    connection.settimeout(SHORT_SECONDS / 10)
    while True:
        connection.sendall(b"\0")
        with suppress(TimeoutError):
            if not connection.recv(1 << 10):
                return


@pytest.mark.parametrize("part", [silent, dripping])
def test_a_broker_that_gives_no_answer_is_given_up(broker: Callable[..., Broker], part: Part) -> None:
    """Neither silence nor a byte now and then lengthens the try."""
    with pytest.raises(NotSentError, match="gave no answer in time") as caught:
        broker(part).publish(seconds=SHORT_SECONDS)
    assert not caught.value.final


def test_a_broker_that_never_finishes_the_handshake_is_given_up(broker: Callable[..., Broker]) -> None:
    """The deadline holds before the first word of MQTT too."""
    with pytest.raises(NotSentError, match="gave no answer in time"):
        broker(silent).publish(seconds=SHORT_SECONDS, tls=ssl.create_default_context())


def test_a_program_without_tls_is_named_as_that(broker: Callable[..., Broker]) -> None:
    """The port of the unencrypted broker is a usual mistake."""
    with pytest.raises(NotSentError, match="does not speak TLS as it should"):
        broker(lambda it: it.sendall(b"\x20\x02\x00\x01" * 8)).publish(tls=ssl.create_default_context())


def test_nothing_is_tried_without_time() -> None:
    """A try whose time is used up already, by a slow keyring, ends at once."""
    with pytest.raises(NotSentError, match="gave no answer in time"):
        mqtt.publish(("127.0.0.1", 1), MESSAGES, until=clock.monotonic() - 1)


def test_a_port_without_a_broker_is_tried_again() -> None:
    """A broker that is off now may be on later."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotSentError, match="cannot be reached: Connection refused") as caught:
        mqtt.publish(("127.0.0.1", port), MESSAGES, until=clock.monotonic() + LONG_SECONDS)
    assert not caught.value.final


@pytest.mark.parametrize("name", ["broker.invalid", "a" * 70 + ".example", ""])
def test_a_name_that_is_not_found_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Names come from the resolver of the system; its answer is passed on."""
    real = socket.getaddrinfo

    def offline(host: str, *rest: object, **more: object) -> object:
        host.encode("idna")
        if host == "broker.invalid":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real("", 1, family=socket.AF_INET)

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    with pytest.raises(NotSentError, match=r"was not found|cannot be reached"):
        mqtt.publish((name, 1), MESSAGES, until=clock.monotonic() + LONG_SECONDS)


def test_a_dead_resolver_holds_nothing_up(monkeypatch: pytest.MonkeyPatch, broker: Callable[..., Broker]) -> None:
    """The resolver waits longer than we do; its answer is not waited for."""
    here, there = socket.socketpair()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: there.recv(1))
    with pytest.raises(NotSentError, match="gave no answer in time"):
        mqtt.publish(("broker", 1), MESSAGES, until=clock.monotonic() + SHORT_SECONDS)
    here.close()
    there.close()


def test_texts_that_the_protocol_cannot_carry_are_refused(broker: Callable[..., Broker]) -> None:
    """A text has at most 65,535 bytes in MQTT."""
    with pytest.raises(NotSentError, match="too long") as caught:
        mqtt.publish(broker(silent).address, [], until=clock.monotonic() + LONG_SECONDS, login=("u" * 70_000, None))
    assert caught.value.final
