"""Deliver a mail to an SMTP server: encrypted, with a checked certificate, and within a fixed time.

Without encryption a mail goes only to this very machine, and never a password. Certificates are always checked.
"""

import base64
import ipaddress
import queue
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread, Timer
from typing import Any

from tray import wording
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.notify import tls
from tray.notify.channels import NotSentError

MOST_REPLIES = 1 << 20
"""So many bytes are read from a server in all; a mail server says a few hundred."""
PORTS = {"smtp": 587, "smtps": 465}
_CONNECT_SECONDS = 10.0
_REPLY_UNITS = 200
_ACCEPTED, _GO_ON, _READY, _CLOSING = 250, 354, 220, 421
_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server.

    Attributes:
        tls: It speaks TLS from the first byte (`smtps`); else STARTTLS.
        user, password: For AUTH; None: without.
        ca_file: Certificates to trust in place of the system's.
        name: How this machine presents itself.
    """

    host: str
    port: int
    tls: bool
    name: str
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it is transmitted: `utf8` says that an address has letters outside ASCII."""

    sender: str
    recipients: Sequence[str]
    content: bytes
    utf8: bool = False


def deliver(mail: Mail, server: Server, seconds: float, *, all_or_none: bool) -> dict[str, str]:
    """Deliver *mail* within *seconds*, and return the recipients that the server refused, each with its reply.

    Args:
        all_or_none: Deliver to no recipient if the server refuses one for now, so that a later try can reach all.

    Raises:
        NotSentError: The server took it for no recipient.
    """
    deadline, context = clock.monotonic() + seconds, tls.context(server.ca_file)
    try:
        with _connected(server, deadline) as client:
            _greet(client, server, context, deadline)
            return _hand_over(client, mail, all_or_none=all_or_none)
    except (OSError, smtplib.SMTPException, ValueError, _FloodError) as error:  # UnicodeError is a ValueError
        if clock.monotonic() >= deadline:
            hint = "; port 465 speaks TLS at once: write `smtps://`" if server.port == 465 and not server.tls else ""
            raise NotSentError(f"{_at(server)} did not take the mail in time{hint}.") from error
        raise _not_sent(error, server) from error


class _Client(smtplib.SMTP):
    """The client of the standard library on a socket that is connected already; it reads `MOST_REPLIES` at most."""

    def __init__(self, connected: socket.socket, name: str) -> None:
        super().__init__(local_hostname=name)
        self.sock: socket.socket = connected

    def getreply(self) -> tuple[int, bytes]:
        """Return the next reply of the server, code and text."""
        if self.file is None:
            self.file = _Replies(self.sock.makefile("rb"))
        return super().getreply()

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Go on over TLS, and forget all that the server said before."""
        self.sock = context.wrap_socket(self.sock, server_hostname=host)
        self.file, self.ehlo_resp, self.helo_resp = None, None, None
        self.esmtp_features, self.does_esmtp = {}, False


class _FloodError(Exception):
    """A server sends far more than a mail server says."""


class _Replies:
    """The lines of a server, up to `MOST_REPLIES`."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, MOST_REPLIES

    def readline(self, limit: int) -> bytes:
        """Return the next line, as the file does."""
        line: bytes = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise _FloodError
        return line

    def close(self) -> None:
        """Close the file."""
        self._file.close()


# -- the connection


@contextmanager
def _connected(server: Server, deadline: float) -> Iterator[_Client]:
    """Connect, and cut the connection at *deadline*, whatever the server does then."""
    connected = _connect(server, deadline)
    line = connected.dup()  # TLS takes the socket over; this second handle reaches the connection at any time
    client = _Client(connected, server.name)
    cut = Timer(max(deadline - clock.monotonic(), 0), _shut, (line,))
    cut.daemon = True
    cut.start()
    try:
        yield client
    finally:
        cut.cancel()
        client.close()
        line.close()


def _shut(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is closed already


def _connect(server: Server, deadline: float) -> socket.socket:
    failed: OSError = TimeoutError("it has no address")
    for address in _addresses(server, deadline):
        rest = deadline - clock.monotonic()
        if rest <= 0:
            break
        try:
            connected = socket.create_connection(address, timeout=min(rest, _CONNECT_SECONDS))
        except OSError as error:
            failed = error
            continue
        connected.settimeout(max(deadline - clock.monotonic(), 0.1))
        return connected
    raise failed


def _addresses(server: Server, deadline: float) -> list[tuple[str, int]]:
    """Return the addresses of the server. The resolver knows no time limit, so a thread of its own asks it."""
    answers: queue.Queue[list[Any] | OSError | UnicodeError] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=max(deadline - clock.monotonic(), 0))
    except queue.Empty:
        raise NotSentError(f"The name {wording.escape(server.host)} could not be resolved in time.") from None
    if isinstance(answer, Exception):
        raise answer
    return [(str(info[4][0]), server.port) for info in answer]


# -- the conversation


def _greet(client: _Client, server: Server, context: ssl.SSLContext, deadline: float) -> None:
    """Begin the conversation, encrypt it, and log in."""
    if server.tls:
        client.encrypt(context, server.host)
    code, reply = client.getreply()
    if code != _READY:
        raise smtplib.SMTPConnectError(code, reply)
    client.ehlo_or_helo_if_needed()
    if not server.tls and (server.user is not None or server.ca_file is not None or not _is_loopback(client)):
        if not client.has_extn("starttls"):
            raise NotSentError(
                f"{_at(server)} offers no encryption (STARTTLS). Without it mail goes only to this machine itself, and "
                'never with a password; try `server = "smtps://…"`.',
                final=True,
            )
        code, reply = client.docmd("STARTTLS")
        if code != _READY:
            raise smtplib.SMTPResponseException(code, reply)
        client.sock.settimeout(max(deadline - clock.monotonic(), 0.1))
        client.encrypt(context, server.host)
        client.ehlo_or_helo_if_needed()
    if server.user is not None:
        _log_in(client, server.user, server.password or "")


def _is_loopback(client: _Client) -> bool:
    try:
        return ipaddress.ip_address(client.sock.getpeername()[0].partition("%")[0]).is_loopback
    except (OSError, ValueError):
        return False


def _log_in(client: _Client, user: str, password: str) -> None:
    """Log in by PLAIN where the server offers it, since it alone takes passwords with letters outside ASCII."""
    if "PLAIN" not in client.esmtp_features.get("auth", "").upper().split():
        client.login(user, password)
        return
    token = base64.b64encode(f"\0{user}\0{password}".encode()).decode("ascii")
    code, reply = client.docmd("AUTH", f"PLAIN {token}")
    if code not in (235, 503):  # accepted; logged in already
        raise smtplib.SMTPAuthenticationError(code, reply)


def _hand_over(client: _Client, mail: Mail, *, all_or_none: bool) -> dict[str, str]:
    """Transmit the mail; the answer to its last line decides."""
    options = [f"size={len(mail.content)}"] if client.has_extn("size") else []
    if mail.utf8:
        if not client.has_extn("smtputf8"):
            why = "The mail server takes no addresses with letters outside ASCII (it does not offer SMTPUTF8)."
            raise NotSentError(why, final=True)
        options += ["SMTPUTF8", "BODY=8BITMIME"]
        client.command_encoding = "utf-8"
    _expect(*client.mail(mail.sender, options))
    refused: dict[str, tuple[int, bytes]] = {}
    for recipient in mail.recipients:
        code, reply = client.rcpt(recipient)
        if code == _CLOSING:
            _expect(code, reply)
        if code not in (_ACCEPTED, 251):
            refused[recipient] = code, reply
    waits = [answer for answer in refused.values() if answer[0] < _PERMANENT]
    if len(refused) == len(mail.recipients) or (waits and all_or_none):
        _expect(*(waits or list(refused.values()))[0])
    _expect(*client.data(mail.content))
    client.putcmd("QUIT")  # its answer changes nothing any more
    return {recipient: _reply(code, reply) for recipient, (code, reply) in refused.items()}


def _expect(code: int, reply: bytes) -> None:
    if code not in (_ACCEPTED, 251):
        raise smtplib.SMTPResponseException(code, reply)


# -- faults in words


def _at(server: Server) -> str:
    return f"The mail server {wording.escape(server.host)}:{server.port}"


def _reply(code: int, reply: bytes | str) -> str:
    """Return the reply of a server on one line, cut."""
    said = reply if isinstance(reply, str) else reply.decode("utf-8", "replace")
    return wording.fit(wording.escape(f"{code} {' '.join(said.split())}"), _REPLY_UNITS)


def _not_sent(error: Exception, server: Server) -> NotSentError:
    """Return *error* in words, and whether another try would bring the same."""
    why, final = _words(error)
    if server.password:
        why = why.replace(server.password, "…")  # a server may repeat it
    return NotSentError(f"{_at(server)} {why.rstrip('.')}.", final=final)


def _words(error: Exception) -> tuple[str, bool]:
    match error:
        case smtplib.SMTPAuthenticationError():
            said = _reply(error.smtp_code, error.smtp_error)
            return f"refused user and password: {said}", error.smtp_code >= _PERMANENT
        case smtplib.SMTPResponseException() if error.smtp_code < 0 or isinstance(error.smtp_error, str):
            return "speaks no SMTP on this port", False  # smtplib's own codes: no number, an endless line
        case smtplib.SMTPResponseException():
            return f"refused the mail: {_reply(error.smtp_code, error.smtp_error)}", error.smtp_code >= _PERMANENT
        case smtplib.SMTPNotSupportedError():
            return "offers no way to log in (AUTH)", True
        case smtplib.SMTPServerDisconnected() if isinstance(error.__context__, TimeoutError):
            return "does not answer", False
        case smtplib.SMTPServerDisconnected():
            return "closed the connection before it had taken the mail", False
        case _FloodError():
            return "sends far more than a mail server says", False
        case UnicodeError():
            return "takes no user, password or address with letters outside ASCII", True
        case _:
            return _words_of_network(error)


def _words_of_network(error: Exception) -> tuple[str, bool]:
    why = wording.fit(wording.escape(getattr(error, "strerror", None) or str(error)), _REPLY_UNITS)
    match error:
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not valid: {wording.escape(error.verify_message)}", False
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return "speaks no TLS on this port; for STARTTLS write `smtp://` in place of `smtps://`", True
        case TimeoutError():
            return "does not answer", False
        case socket.gaierror():
            return f"cannot be found: {why}", False
        case OSError() if not isinstance(error, smtplib.SMTPException):
            return f"cannot be reached: {why}", False
        case _:
            return f"answered in a way that is no SMTP: {why}", False
