"""Strict servers for the tools that channels report to, by their documented APIs; each remembers all that it has accepted.

    with Ntfy() as ntfy:
        ntfy.url        # "http://127.0.0.1:40123"
        ntfy.seen       # one dict for each message that it took
        ntfy.refused    # one line for each request that it did not take, and why

A request that breaks the API gets the error that the real server gives.
"""

import json
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import standardwebhooks

from tray.core import clock


class Incoming(NamedTuple):
    """A request; its headers have names in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Reply = tuple[int, str, Mapping[str, str]]
"""Status, content, and further headers of an answer."""
_PLAIN, _JSON = {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}


class _Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class Receiver:
    """A server on the loopback.

    Attributes:
        seen: All that it has accepted, in order.
        refused: Why it refused the others.
        requests: Method and target of every request, in order.
        fail: Gives the answer to the next requests instead of the server, until it is None again.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, address: str = "127.0.0.1") -> None:
        self.seen: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.requests: list[str] = []
        self.fail: Reply | None = None
        self._lock = threading.Lock()
        server = _Server6 if ":" in address else ThreadingHTTPServer
        self._server = server((address, 0), _handler(self))
        self._place = f"[{address}]" if ":" in address else address
        self._server.daemon_threads = True
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The address."""
        return f"{self._scheme}://{self._place}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: Incoming) -> Reply:
        """Return the answer to a request."""
        with self._lock:
            self.requests.append(f"{request.method} {request.target}")
            if self.fail is not None:
                return self.fail
            status, text, more = self.take(request)
            if status >= 400 or text.startswith("OK ("):
                self.refused.append(f"{status} {text}")
            return status, text, more

    def take(self, request: Incoming) -> Reply:
        """Accept a request, or say why not; this server takes everything."""
        self.seen.append(request._asdict())
        return 200, "OK", _PLAIN


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_all(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, text, more = receiver.answer(Incoming(self.command, self.path, headers, body))
            content = text.encode()
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content if self.command != "HEAD" else b"")

        do_GET = do_POST = do_HEAD = do_PUT = handle_all  # noqa: N815 - named by the standard library

        def log_message(self, *_: object) -> None:
            """Keep the test's output quiet."""

        def handle(self) -> None:
            try:
                if isinstance(self.request, ssl.SSLSocket):
                    self.request.do_handshake()
                super().handle()
            except OSError:
                pass  # the client hung up: a refused certificate, a deadline

    return Handler


class Ntfy(Receiver):
    """An ntfy server: `POST /` with JSON. Messages as `seen`: topic, title, message, priority, tags, click, actions.

    Args:
        token: The access token that it demands; None: everybody may write.
    """

    KEYS = frozenset({"topic", "message", "title", "tags", "priority", "click", "actions", "markdown", "icon", "delay"})
    MOST_MESSAGE, MOST_BODY = 4096, 8192

    def __init__(self, token: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.token = token

    def take(self, request: Incoming) -> Reply:
        """Accept a message."""
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            return _json(401, {"code": 40101, "http": 401, "error": "unauthorized"})
        if request.method != "POST":
            return _json(404, {"http": 404, "error": "page not found"})
        if topic := request.target.strip("/"):  # then the content is the text, whatever it is
            self.seen.append({"topic": topic, "message": request.body.decode("utf-8", "replace")})
            return _json(200, {"id": "x", "event": "message"})
        if fault := self._fault(request.body):
            return _json(400, {"http": 400, "error": f"invalid request: {fault}"})
        self.seen.append(json.loads(request.body))
        return _json(200, {"id": "x", "event": "message"})

    def _fault(self, body: bytes) -> str:
        try:
            data = json.loads(body.decode("utf-8"))
        except ValueError:
            return "request body must be message JSON"
        rules: list[tuple[bool, str]] = [
            (len(body) <= self.MOST_BODY, "JSON body too large"),
            (not data.keys() - self.KEYS, f"unknown keys {data.keys() - self.KEYS}"),
            (bool(re.fullmatch(r"[-_A-Za-z0-9]{1,64}", str(data.get("topic", "")))), "topic invalid"),
            (isinstance(data.get("message", ""), str) and isinstance(data.get("title", ""), str), "text expected"),
            (len(str(data.get("message", "")).encode()) <= self.MOST_MESSAGE, "message too long"),
            (type(data.get("priority", 3)) is int and 1 <= data.get("priority", 3) <= 5, "priority invalid"),
            (all(isinstance(tag, str) for tag in data.get("tags", [])), "tags invalid"),
            (len(data.get("actions", [])) <= 3, "too many actions"),
        ]
        return next((why for fits, why in rules if not fits), "")


class Webhook(Receiver):
    """A receiver of Standard Webhooks, which checks signatures with their own library, and drops a message whose id it knows.

    `seen`: the bodies, each with its "webhook-id".

    Args:
        secret: "whsec_…" with which messages must be signed; None: signatures are not looked at.

    Attributes:
        repeated: Ids of messages that came again.
    """

    MOST_BODY = 1 << 20
    """As nginx has it, unless it is configured."""

    def __init__(self, secret: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.secret = secret
        self.repeated: list[str] = []

    def take(self, request: Incoming) -> Reply:
        """Accept a message."""
        headers, body = request.headers, request.body
        name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if request.method != "POST" or headers.get("content-type") != "application/json":
            return 400, "POST of application/json expected", _PLAIN
        if len(body) > self.MOST_BODY:
            return 413, "too large", _PLAIN
        if not name or not stamp.isdigit():
            return 400, "webhook-id or webhook-timestamp wrong", _PLAIN
        if self.secret is not None:
            try:
                standardwebhooks.Webhook(self.secret).verify(body, dict(headers))
            except (standardwebhooks.WebhookVerificationError, ValueError) as error:
                return 401, f"signature wrong: {error}", _PLAIN
        if any(message["webhook-id"] == name for message in self.seen):
            self.repeated.append(name)
            return 200, "OK", _PLAIN
        data = json.loads(body.decode("utf-8"))
        if set(data) != {"type", "timestamp", "data"}:
            return 400, "type, timestamp and data expected", _PLAIN
        clock.from_text(data["timestamp"])
        self.seen.append({**data, "webhook-id": name})
        return 204, "", _PLAIN


class Healthchecks(Receiver):
    """The pinging API of healthchecks. `seen`: check (uuid or slug), action ("success", "fail", "log"), rid, body.

    Args:
        uuids: The checks that are known by uuid.
        hosted: Answer to an unknown uuid as healthchecks.io does; else as an own server, with 404.
        key: The ping key of the project; checks by slug are made with `?create=1`.
        slugs: The checks of the project by slug; a slug that stands twice is not unique.

    Attributes:
        states: By check "up", "down" or "new", by its last pings.
    """

    MOST_BODY = 10_000
    _UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    _ACTIONS = r"(?:/(start|fail|log|\d{1,3}))?"

    def __init__(
        self,
        uuids: tuple[str, ...] = (),
        key: str = "k" * 22,
        slugs: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
        *,
        hosted: bool = True,
    ) -> None:
        super().__init__(tls)
        self.uuids, self.key, self.slugs, self.hosted = uuids, key, list(slugs), hosted
        self.states: dict[str, str] = {}

    def take(self, request: Incoming) -> Reply:
        """Accept a ping."""
        parts = urlsplit(request.target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        rid = query.get("rid")
        if rid is not None and not re.fullmatch(self._UUID, rid):
            return 400, "invalid uuid format", _PLAIN
        if by_uuid := re.fullmatch(f"(?:/ping)?/({self._UUID}){self._ACTIONS}", parts.path):
            if by_uuid[1] not in self.uuids:
                return (200, "OK (not found)", _PLAIN) if self.hosted else (404, "not found", _PLAIN)
            return self._ping(by_uuid[1], by_uuid[2], rid, request.body, 200)
        by_slug = re.fullmatch(rf"(?:/ping)?/([A-Za-z0-9_-]{{22}})/([a-z0-9_-]{{1,100}}){self._ACTIONS}", parts.path)
        if by_slug is None or by_slug[1] != self.key:
            return 404, "not found", _PLAIN
        if self.slugs.count(by_slug[2]) > 1:
            return 409, "ambiguous slug", _PLAIN
        created = by_slug[2] not in self.slugs
        if created and query.get("create") != "1":
            return 404, "not found", _PLAIN
        if created:
            self.slugs.append(by_slug[2])
        return self._ping(by_slug[2], by_slug[3], rid, request.body, 201 if created else 200)

    def _ping(self, check: str, action: str | None, rid: str | None, body: bytes, status: int) -> Reply:
        kept = body[: self.MOST_BODY].decode("utf-8")
        self.seen.append({"check": check, "action": action or "success", "rid": rid, "body": kept})
        state = {None: "up", "0": "up", "log": None, "start": None}.get(action, "down")
        self.states[check] = state or self.states.get(check, "new")
        return status, "OK" if status == 200 else "Created", {**_PLAIN, "Ping-Body-Limit": str(self.MOST_BODY)}


class Kuma(Receiver):
    """The push monitors of Uptime Kuma. `seen`: token, status, msg, ping.

    Args:
        tokens: The tokens of active monitors; a paused one answers as an unknown one.
    """

    def __init__(self, tokens: tuple[str, ...] = ("pushtoken1",), tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.tokens = tokens

    def take(self, request: Incoming) -> Reply:
        """Accept a push."""
        parts = urlsplit(request.target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        token = parts.path.removeprefix("/api/push/")
        if request.method != "GET" or token not in self.tokens:
            return _json(404, {"ok": False, "msg": "Monitor not found or not active."})
        ping = query.get("ping", "")
        if query.get("status", "up") not in ("up", "down") or len(query.get("msg", "")) > 250:
            return _json(400, {"ok": False, "msg": "Invalid status or msg."})
        if ping and not 0 <= float(ping) <= 100_000_000_000:
            return _json(404, {"ok": False, "msg": "Invalid ping value."})
        push = {"token": token, "status": query.get("status"), "msg": query.get("msg"), "ping": ping or None}
        self.seen.append(push)
        return _json(200, {"ok": True})


def _json(status: int, data: Mapping[str, Any]) -> Reply:
    return status, json.dumps(data), _JSON
