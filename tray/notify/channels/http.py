"""Send one HTTP request within a deadline and a bound of memory, whatever the other side does.

The request runs in a thread of its own: the name service, a connection, a handshake and each byte of an answer can take for ever,
and no single timeout covers them all. At the deadline the connection is closed, so that nothing is sent later behind our back.

Certificates are always checked. No redirect is followed: a request that carries a token or a signature goes to the configured host
only. Proxies are those of the system, on Linux `http_proxy`, `https_proxy` and `no_proxy` of the environment.
"""

import base64
import http.client
import json
import re
import ssl
import urllib.request
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from socket import SHUT_RDWR, gaierror, socket
from threading import Event, Thread
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from tray import __version__
from tray.core import clock
from tray.core.dataclass import dataclass, field
from tray.notify import tls
from tray.notify.channels import NotSentError
from tray.wording.numbers import escape, fit

SECONDS = 18.0
"""The longest that one request may take; a command for the secret may have taken ten seconds before."""
MOST_ANSWER = 1 << 16
"""So many bytes of an answer are read."""
_LONGEST_WAIT = 86_400.0
_SAID_UNITS = 200
_LEAST_SECRET, _LEAST_PART = 4, 6
"""Shorter words, such as "push" in an address, are no secrets and would only blacken the answer."""
_RETRY = {407, 408, 425, 429}
"""Answers of 400 to 499 that another try may change."""
_ASK_TO_WAIT = {429, 503}
_OF_TIME = {9, 10}
"""OpenSSL's codes of a certificate that is not valid yet, and that has expired."""
_SAFE = "%/:=&?~#+!$,;'@()*[]"


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        url: The address; no part of it but the host is ever named in an error.
        body: The content; None without any.
        ca_file: File of certificates that are trusted instead of the system's.
        hidden: Secrets that an answer may repeat, beside those in `url`.
        advice: By status of a refusal: the sentence that explains it.
        seconds: The deadline.
    """

    method: str
    url: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    hidden: tuple[str, ...] = ()
    advice: Mapping[int, str] = field(default_factory=dict)
    seconds: float = SECONDS

    @property
    def host(self) -> str:
        """The host and port, as an error names it."""
        parts = urlsplit(self.url)
        return fit(escape(parts.netloc.rpartition("@")[2]), 80)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: the status, the headers by their names in small letters, and the beginning of the content as far as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def send(request: Request) -> Answer:
    """Send *request* and return the answer, which is one of success.

    Raises:
        NotSentError: There was no answer, or it was a refusal.
    """
    try:
        exchange = _Exchange(request)
    except ValueError as error:  # such as a name with two dots in a row
        raise _no_answer(request, error) from error
    thread = Thread(target=exchange.run, name="http", daemon=True)  # a resolver that hangs must not keep the process
    thread.start()
    thread.join(request.seconds)
    fault, answer = None if thread.is_alive() else exchange.fault, exchange.answer
    exchange.stop()
    if answer is None:
        raise _no_answer(request, fault)
    if not 200 <= answer.status < 300:
        raise _refusal(request, answer)
    return answer


def data_of(answer: Answer) -> dict[str, Any]:
    """Return the JSON object that *answer* holds; an empty one if it holds none."""
    try:
        data = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def stranger(request: Request, name: str) -> NotSentError:
    """Return the error of a success that is none: it comes from another server, or from a hotel's network."""
    return NotSentError(f"{request.host} answered, but not as {name} does; look whether `url` is right.")


def said(request: Request, answer: Answer) -> str:
    """Return the words of the other side in one short line without our secrets; "" without any."""
    text = answer.body.decode("utf-8", "replace")
    if data := data_of(answer):
        words = (data.get(key) for key in ("error", "msg", "message", "detail", "title"))
        text = next((word for word in words if isinstance(word, str)), "")
    elif not answer.headers.get("content-type", "text/plain").startswith("text/plain"):
        text = ""  # a page for a browser
    for secret in sorted(_secrets(request), key=len, reverse=True):
        text = text.replace(secret, "***")
    return fit(escape(" ".join(text.split())), _SAID_UNITS)


def _secrets(request: Request) -> set[str]:
    """Return the words that may be secret: those given, and each part of path and query of some length, also as it is quoted."""
    parts = urlsplit(request.url)
    given = {word for word in request.hidden if len(word) >= _LEAST_SECRET}
    values = [pair.rpartition("=")[2] for pair in parts.query.split("&")]
    words = given | {word for word in (*parts.path.split("/"), *values) if len(word) >= _LEAST_PART}
    return {form for word in words for form in (word, unquote(word), quote(word))}


class _Connection(http.client.HTTPConnection):
    """A connection, directly or by a proxy.

    Attributes:
        wire: The socket from the moment at which it is there, so that another thread can shut it at any step; `sock` of the base
            is forgotten once the head of an answer has come.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, name: str, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self._secure, self._name = context, name
        self.wire: socket | None = None
        if context is not None:
            self.default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        """Connect. Over TLS the handshake comes apart from the wrapping, so that the socket can be shut during it."""
        super().connect()
        self.wire = self.sock
        if self._secure is not None:
            secured = self._secure.wrap_socket(self.sock, server_hostname=self._name, do_handshake_on_connect=False)
            self.sock = self.wire = secured
            secured.do_handshake()


class _Exchange:
    """One request in a thread of its own.

    Attributes:
        answer: The answer as soon as its head is there; another one once its content is there too.
        fault: The exception that ended the thread.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._over = Event()
        self._connection, self._target, self._more = _connection(request)
        self.answer: Answer | None = None
        self.fault: Exception | None = None

    def run(self) -> None:
        """Exchange request and answer."""
        try:
            self._run()
        except Exception as error:  # told by the thread that waits
            self.fault = error
        finally:
            self._connection.close()

    def _run(self) -> None:
        request = self._request
        headers = {"User-Agent": f"backup-tray/{__version__}", "Connection": "close", **self._more, **request.headers}
        self._connection.connect()
        if self._over.is_set():
            return
        self._connection.request(request.method, self._target, body=request.body, headers=headers)
        with self._connection.getresponse() as response:
            head = {name.lower(): value for name, value in response.getheaders()}
            self.answer = Answer(response.status, head)
            try:
                body = response.read(MOST_ANSWER)
            except http.client.IncompleteRead as error:
                body = error.partial
            self.answer = Answer(response.status, head, body)

    def stop(self) -> None:
        """Close the connection, at whichever step it is."""
        self._over.set()
        wire = self._connection.wire
        if wire is not None:
            try:
                wire.shutdown(SHUT_RDWR)
            except OSError:
                pass  # it is closed already


def _connection(request: Request) -> tuple[_Connection, str, dict[str, str]]:
    """Return the connection for *request*, the target that its first line names, and headers for a proxy.

    Raises:
        NotSentError: The address, the proxy or `ca_file` cannot be used.
    """
    parts = urlsplit(quote(request.url, safe=_SAFE))
    name = (urlsplit(request.url).hostname or "").encode("idna").decode()
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    context = tls.context(request.ca_file) if parts.scheme == "https" else None
    proxy = _proxy(parts.scheme, name, port)
    if proxy is None:
        return _Connection(name, port, context, name, request.seconds), target, {}
    connection = _Connection(proxy.hostname or "", proxy.port or 80, context, name, request.seconds)
    login = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
    headers = {"Proxy-Authorization": f"Basic {base64.b64encode(login).decode()}"} if proxy.username else {}
    if context is None:
        return connection, f"http://{f'[{name}]' if ':' in name else name}:{port}{target}", headers
    connection.set_tunnel(name, port, headers)
    return connection, target, {}


def _proxy(scheme: str, name: str, port: int) -> SplitResult | None:
    address = urllib.request.getproxies().get(scheme, "")
    if not address or urllib.request.proxy_bypass(f"{name}:{port}") or urllib.request.proxy_bypass(name):
        return None
    proxy = urlsplit(address if "://" in address else f"http://{address}")
    if proxy.scheme != "http" or not proxy.hostname:
        why = f"The proxy in `{scheme}_proxy` is none of HTTP, and no other kind is supported."
        raise NotSentError(why)
    return proxy


def _no_answer(request: Request, fault: Exception | None) -> NotSentError:
    """Return the error of a request that got no answer."""
    host = request.host
    match fault:
        case None | TimeoutError():
            return NotSentError(f"{host} gave no answer within {request.seconds:.0f} seconds.")
        case ssl.SSLCertVerificationError():
            advice = ", or the clock of one of the two is wrong" if fault.verify_code in _OF_TIME else ""
            return NotSentError(f"The certificate of {host} is not valid: {fault.verify_message}{advice}.")
        case ssl.SSLError():
            return NotSentError(f"{host} failed to set up an encrypted connection: {fault.reason or 'it hung up'}.")
        case gaierror():
            return NotSentError(f"The name {host} cannot be found: {fault.strerror}.")
        case ConnectionRefusedError():
            return NotSentError(f"{host} refuses the connection.")
        case http.client.RemoteDisconnected() | ConnectionError():
            return NotSentError(f"{host} closed the connection before it answered.")
        case OSError():
            return NotSentError(f"{host} cannot be reached: {fit(escape(fault.strerror or str(fault)), 120)}.")
        case http.client.InvalidURL() | ValueError():
            return NotSentError(f"The address or the secret of {host} holds characters that none may have.", final=True)
        case http.client.HTTPException():
            return NotSentError(f"{host} gave an answer that is no HTTP.")
        case _:
            raise fault


def _refusal(request: Request, answer: Answer) -> NotSentError:
    """Return the error of an answer that is no success."""
    host, status = request.host, answer.status
    if 300 <= status < 400:
        return NotSentError(_elsewhere(request, answer), final=True)
    words = said(request, answer)
    told_by = f' It says: "{words}"' if words else ""
    final = 400 <= status < 500 and status not in _RETRY
    if status in request.advice:
        sentence = request.advice[status]
    elif status in (401, 403):
        sentence = f"{host} refuses the secret of this channel (HTTP {status})."
    elif status in (404, 410):
        sentence = f"{host} does not know the address of this channel (HTTP {status})."
    elif status == 429:
        sentence = f"{host} takes no more messages for now (HTTP 429)."
    else:
        sentence = f"{host} refused the message with HTTP {status}."
    wait = _wait(answer) if status in _ASK_TO_WAIT else None
    return NotSentError(sentence + told_by, final=final, after_seconds=wait)


def _elsewhere(request: Request, answer: Answer) -> str:
    """Return the sentence of a redirect; it names the other host, never the rest of the address, which may hold a token."""
    try:
        other = urlsplit(answer.headers.get("location", ""))
        place = f"{other.scheme}://{other.netloc.rpartition('@')[2]}" if other.netloc else "another address of its own"
    except ValueError:
        place = "another address"
    return (
        f"{request.host} sends messages on to {fit(escape(place), 120)} (HTTP {answer.status}), which is not followed;"
        " if that place is right, put its address into `url`."
    )


def _wait(answer: Answer) -> float | None:
    """Return the seconds for which the other side asks to wait: `Retry-After` as a number or a date."""
    text = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return min(float(text), _LONGEST_WAIT)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - clock.now_ms() / 1000
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)
