"""Servers that do to a client all that a server should not: hang, drip, never end, hang up."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Play = Callable[[socket.socket], None]
"""Does with an accepted connection whatever the server is for; an OSError ends it."""
SECONDS = 60.0
"""The longest that a server waits for a client."""


class FaultServer:
    """A server on the loopback that plays one part with each client.

    Attributes:
        sent: Bytes that it has sent.
        left: Is set once a client has closed its connection, or was left.
    """

    def __init__(self, play: Play) -> None:
        self._play = play
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.left = threading.Event()
        self.sent = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def port(self) -> int:
        """The port."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(SECONDS)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.settimeout(SECONDS)
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            self._play(Counted(client, self))  # type: ignore[arg-type]
        self.left.set()


class Counted:
    """A connection that counts the bytes that are sent over it."""

    def __init__(self, client: socket.socket, server: FaultServer) -> None:
        self._client, self._server = client, server

    def sendall(self, data: bytes) -> None:
        """Send *data*."""
        self._client.sendall(data)
        self._server.sent += len(data)

    def recv(self, most: int) -> bytes:
        """Receive up to *most* bytes."""
        return self._client.recv(most)


def request(client: socket.socket) -> bytes:
    """Return the head of a request, with as much of its content as came along."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65_536)
        if not piece:
            raise OSError("the client hung up")
        data += piece
    return data


def hang(client: socket.socket) -> None:
    """Take the request and never answer."""
    request(client)
    _until_it_leaves(client)


def silent(client: socket.socket) -> None:
    """Never say anything, not even in a handshake."""
    _until_it_leaves(client)


def hang_up(client: socket.socket) -> None:
    """Close the connection after the request."""
    request(client)


def drip(head: bytes) -> Play:
    """Return a server that sends *head*, and then a byte from time to time, for ever."""

    def play(client: socket.socket) -> None:
        request(client)
        client.sendall(head)
        pause = threading.Event()
        while True:
            client.sendall(b"x")
            pause.wait(0.05)

    return play


def endless(head: bytes) -> Play:
    """Return a server that sends *head*, and then a gigabyte."""

    def play(client: socket.socket) -> None:
        request(client)
        client.sendall(head)
        block = b"x" * (1 << 20)
        for _ in range(1000):
            client.sendall(block)

    return play


def says(answer: bytes) -> Play:
    """Return a server that answers with exactly these bytes."""

    def play(client: socket.socket) -> None:
        request(client)
        client.sendall(answer)

    return play


def _until_it_leaves(client: socket.socket) -> None:
    while client.recv(65_536):
        pass
