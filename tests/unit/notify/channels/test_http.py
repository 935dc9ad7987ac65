import gc
import json
import socket
import threading
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.certificates import Authority
from tests.fault_servers import FaultServer, Play, drip, endless, hang, hang_up, request, says, silent
from tests.receivers import Receiver
from tray.core import clock
from tray.notify.channels import NotSentError, http

SECONDS = 0.5
OK = b"HTTP/1.1 200 OK\r\n"
TOKEN = "t0kenInTheAddress"


def post(url: str, **more: object) -> http.Answer:
    """Send a request with a token in its address."""
    return http.send(http.Request("POST", f"{url}/{TOKEN}?key={TOKEN}", body=b"{}", **more))  # type: ignore[arg-type]


def why_not(url: str, **more: object) -> NotSentError:
    """Return why a request was not sent; no secret may be in it."""
    with pytest.raises(NotSentError) as caught:
        post(url, **more)
    assert TOKEN not in caught.value.why
    assert TOKEN not in repr(caught.value)
    assert caught.value.why.isprintable()
    return caught.value


def test_a_request_arrives_and_the_answer_comes_back() -> None:
    """The server gets method, address, headers and content as they were given."""
    with Receiver() as server:
        answer = post(server.url, headers={"X-More": "1"})
    assert (answer.status, answer.body) == (200, b"OK")
    (seen,) = server.seen
    assert (seen["method"], seen["target"], seen["body"]) == ("POST", f"/{TOKEN}?key={TOKEN}", b"{}")
    assert seen["headers"]["x-more"] == "1"
    assert seen["headers"]["user-agent"].startswith("backup-tray/")


def test_an_address_may_be_one_of_ipv6() -> None:
    """It stands in brackets."""
    with Receiver(address="::1") as server:
        assert "[::1]:" in server.url
        assert post(server.url).status == 200
        assert server.seen[0]["headers"]["host"] == server.url.removeprefix("http://")
        server.fail = (500, "", {})
        assert why_not(server.url).why.startswith("[::1]:")


def test_an_address_may_hold_letters_of_any_script() -> None:
    """A topic in Cyrillic is quoted on its way."""
    with Receiver() as server:
        http.send(http.Request("GET", f"{server.url}/тест?a=é%20b"))
    assert server.seen[0]["target"] == "/%D1%82%D0%B5%D1%81%D1%82?a=%C3%A9%20b"


@pytest.mark.parametrize(
    "play",
    [hang, silent, drip(b""), drip(OK), drip(OK + b"X: y\r\n"), drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 3)],
    ids=["hangs", "is silent", "drips the first line", "drips headers", "drips a header", "drips after 100"],
)
def test_the_deadline_holds_whatever_the_server_does(play: Play) -> None:
    """A server that never ends its answer gets no more than the deadline, and then the connection is closed."""
    with FaultServer(play) as server:
        error = why_not(server.url, seconds=SECONDS)
        assert server.left.wait(30)
    assert "gave no answer within" in error.why
    assert not error.final


def test_the_deadline_holds_in_a_handshake() -> None:
    """A server that accepts the connection and says nothing is left too."""
    with FaultServer(silent) as server:
        error = why_not(server.url.replace("http:", "https:"), seconds=SECONDS)
        assert server.left.wait(30)
    assert "gave no answer within" in error.why


def test_the_deadline_holds_while_the_name_service_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver can wait for minutes; the sender does not, and sends nothing afterwards."""
    goes_on = threading.Event()
    real = socket.getaddrinfo

    def hanging(*arguments: object, **named: object) -> object:
        goes_on.wait(30)
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    with Receiver() as server:
        error = why_not(server.url, seconds=SECONDS)
        goes_on.set()
        for thread in threading.enumerate():
            if thread.name == "http":
                thread.join(30)
    assert "gave no answer within" in error.why
    assert server.requests == []


def test_a_success_counts_although_its_content_never_ends() -> None:
    """The head says that the message was taken; another try would send it twice."""
    with FaultServer(drip(OK + b"Content-Length: 100000\r\n\r\n")) as server:
        assert post(server.url, seconds=SECONDS).status == 200
        assert server.left.wait(30)


def test_a_refusal_counts_although_its_content_never_ends() -> None:
    """A wrong token stays a wrong token."""
    with FaultServer(drip(b"HTTP/1.1 401 No\r\n\r\n")) as server:
        assert why_not(server.url, seconds=SECONDS).final


@pytest.mark.parametrize("length", [b"Content-Length: 1048576000\r\n", b"", b"Transfer-Encoding: chunked\r\n"])
def test_a_gigabyte_is_not_read(length: bytes) -> None:
    """Of an answer without end the first 64 kB are read, and the connection is closed."""
    head = OK + length + b"\r\n" + (b"40000000\r\n" if b"chunked" in length else b"")
    with FaultServer(endless(head)) as server:
        answer = post(server.url)
        assert server.left.wait(60)
        assert server.sent < 500 << 20
    assert len(answer.body) == http.MOST_ANSWER


def test_a_gigabyte_of_headers_is_not_read() -> None:
    """A header line without end is no HTTP."""
    with FaultServer(endless(OK)) as server:
        assert "no HTTP" in why_not(server.url).why
        assert server.left.wait(60)
        assert server.sent < 500 << 20


@pytest.mark.parametrize("answer", [b"SMTP ready\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 9999 x\r\n\r\n"])
def test_an_answer_of_another_protocol_is_tried_again(answer: bytes) -> None:
    """A wrong server on the port may be a passing state."""
    with FaultServer(says(answer)) as server:
        error = why_not(server.url)
    assert "no HTTP" in error.why
    assert not error.final


_HEAD = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 302 Moved", b"HTTP/1.1 429 Wait", b"HTTP/1.1 500 ", b"HTTP/1.0 403", b""]
)
_FIELD = st.sampled_from(
    [
        b"Content-Length: ",
        b"Transfer-Encoding: chunked",
        b"Location: ",
        b"Retry-After: ",
        b"Content-Type: text/plain",
        b"",
    ]
)


@given(_HEAD, st.lists(st.tuples(_FIELD, st.binary(max_size=20)), max_size=5), st.binary(max_size=60))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_surprises_the_sender(head: bytes, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Whatever bytes a server sends, the message was taken, or it was not and a sentence says why."""
    lines = b"\r\n".join([head, *(name + value for name, value in fields)])
    with FaultServer(says(lines + b"\r\n\r\n" + body)) as server:
        why = ""
        try:
            post(server.url)
        except NotSentError as error:
            why = error.why
    assert why.isprintable()


def test_a_server_that_hangs_up_is_tried_again() -> None:
    """It may restart just now."""
    with FaultServer(hang_up) as server:
        error = why_not(server.url)
    assert "closed the connection" in error.why
    assert not error.final


def test_a_refused_connection_is_tried_again() -> None:
    """The server may not have started yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = why_not(f"http://127.0.0.1:{port}")
    assert error.why == f"127.0.0.1:{port} refuses the connection."
    assert not error.final


def test_a_dead_name_service_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop without a network finds no name."""

    def dead(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", dead)
    error = why_not("https://ntfy.example")
    assert error.why == "The name ntfy.example cannot be found: Temporary failure in name resolution."
    assert not error.final


@pytest.mark.parametrize("url", ["http://a..b", f"http://{'x' * 70}.example"])
def test_a_name_that_no_host_can_have_is_final(url: str) -> None:
    """Another try would not change the address."""
    assert why_not(url).final


def test_a_secret_with_a_line_break_is_no_second_header() -> None:
    """The header is refused, and the error does not repeat it."""
    with Receiver() as server:
        error = why_not(server.url, headers={"Authorization": f"Bearer {TOKEN}\r\nX-Evil: 1"})
    assert error.final
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "final"),
    [(status, True) for status in (400, 401, 403, 404, 409, 410, 413, 422)]
    + [(status, False) for status in (408, 425, 429, 500, 502, 503, 504)],
)
def test_a_refusal_is_final_where_another_try_would_bring_the_same(status: int, final: bool) -> None:
    """4xx blames the request, 5xx the server."""
    with Receiver() as server:
        server.fail = (status, "", {})
        error = why_not(server.url)
    assert error.final is final
    assert f"HTTP {status}" in error.why


@pytest.mark.parametrize(("status", "text", "seconds"), [(429, "120", 120), (503, "7", 7), (429, "99999999", 86_400)])
def test_the_server_may_say_how_long_to_wait(status: int, text: str, seconds: float) -> None:
    """`Retry-After` is kept to, up to a day."""
    with Receiver() as server:
        server.fail = (status, "", {"Retry-After": text})
        assert why_not(server.url).after_seconds == seconds


def test_the_server_may_say_until_when_to_wait() -> None:
    """`Retry-After` may be a date."""
    with Receiver() as server:
        server.fail = (429, "", {"Retry-After": formatdate(clock.now_ms() / 1000 + 300, usegmt=True)})
        assert 200 < (why_not(server.url).after_seconds or 0) <= 300


@pytest.mark.parametrize("text", ["", "soon", "-5", "Mon, 99 Foo 9999 99:99:99 GMT", "9" * 400])
def test_a_wait_that_makes_no_sense_is_none(text: str) -> None:
    """The usual pauses hold then."""
    with Receiver() as server:
        server.fail = (429, "", {"Retry-After": text})
        assert why_not(server.url).after_seconds is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    """A token goes to no other host; the error names that host, and nothing of the address behind it."""
    with Receiver() as other, Receiver() as server:
        server.fail = (status, "", {"Location": f"{other.url}/{TOKEN}"})
        error = why_not(server.url)
    assert error.final
    assert other.url in error.why
    assert other.requests == []


@pytest.mark.parametrize("place", ["", "/login", "http://[", "//user:pass@evil.example/x", "\x1b[31m"])
def test_a_redirect_to_nowhere_is_an_error_too(place: str) -> None:
    """Whatever stands in `Location`, nothing breaks and no password is shown."""
    with FaultServer(says(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())) as server:
        error = why_not(server.url)
    assert error.final
    assert "pass" not in error.why


def test_the_words_of_the_server_are_told_without_our_secrets() -> None:
    """An error often repeats the address; it is cut and escaped."""
    with Receiver() as server:
        server.fail = (400, json.dumps({"error": f"bad\n\u202ekey {TOKEN} s3cret" + "x" * 999}), {})
        error = why_not(server.url, hidden=("s3cret",))
    assert 'It says: "bad \\u202ekey *** ***x' in error.why
    assert len(error.why) < 400


def test_ordinary_words_of_an_address_stay_readable() -> None:
    """`ping` and `push` stand in addresses and are no secrets."""
    with Receiver() as server:
        server.fail = (404, json.dumps({"msg": "Invalid ping of the push monitor"}), {})
        with pytest.raises(NotSentError, match="Invalid ping of the push monitor"):
            http.send(http.Request("GET", f"{server.url}/api/push/sesame?status=down&ping=7"))


def test_a_page_for_a_browser_is_not_told() -> None:
    """HTML explains nothing in one line."""
    with Receiver() as server:
        server.fail = (502, "<html><h1>Bad gateway</h1></html>", {"Content-Type": "text/html"})
        assert "It says" not in why_not(server.url).why


def test_advice_explains_a_refusal() -> None:
    """A channel knows better than HTTP what a status means."""
    with Receiver() as server:
        server.fail = (404, "no", {"Content-Type": "text/plain"})
        assert why_not(server.url, advice={404: "Look."}).why == 'Look. It says: "no"'


def test_a_certificate_of_an_own_authority_is_trusted_by_its_file(authority: Authority) -> None:
    """`ca_file` is for servers at home."""
    with Receiver(authority.server()) as server:
        assert post(server.url, ca_file=str(authority.file)).status == 200


@pytest.mark.parametrize(
    ("name", "days", "words"),
    [
        ("other.example", (-1, 30), "is not valid for '127.0.0.1'"),
        ("127.0.0.1", (-30, -1), "expired, or the clock of one of the two is wrong"),
        ("127.0.0.1", (2, 30), "not yet valid, or the clock of one of the two is wrong"),
    ],
    ids=["other name", "expired", "not yet valid"],
)
def test_a_faulty_certificate_stops_the_message(
    authority: Authority, name: str, days: tuple[int, int], words: str
) -> None:
    """Nothing is sent; it is tried again, since a hotel's network or a wrong clock look the same."""
    with Receiver(authority.server(name, from_day=days[0], to_day=days[1])) as server:
        error = why_not(server.url, ca_file=str(authority.file))
    assert words in error.why
    assert not error.final
    assert server.requests == []


def test_a_certificate_of_an_unknown_authority_stops_the_message(authority: Authority) -> None:
    """Nothing is trusted that neither the system nor the user trusts."""
    with Receiver(authority.server()) as server:
        assert "certificate" in why_not(server.url).why
    assert server.requests == []


def test_a_server_without_encryption_is_not_taken_for_one_with() -> None:
    """`https` is never weakened."""
    with Receiver() as server:
        assert "encrypted connection" in why_not(server.url.replace("http:", "https:")).why
    assert server.requests == []


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_of_certificates_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    """The user mistyped a path, or named another file."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    error = why_not("https://127.0.0.1", ca_file=str(file))
    assert error.final
    assert str(file) in error.why


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a company's network only the proxy reaches the outside; its password goes to it alone."""
    with Receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//ann:p%40ss@"))
        post("http://ntfy.example")
    (seen,) = proxy.seen
    assert seen["target"] == f"http://ntfy.example:80/{TOKEN}?key={TOKEN}"
    assert seen["headers"]["proxy-authorization"] == "Basic YW5uOnBAc3M="


def test_a_proxy_only_passes_what_is_encrypted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over `https` the proxy sees the host, not the token; the certificate is the server's own."""
    heads = []

    def tunnel(client: socket.socket) -> None:
        heads.append(request(client))
        inner = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        back = threading.Thread(target=_pump, args=(inner, client))
        back.start()
        _pump(client, inner)  # until the client hangs up
        with suppress(OSError):
            inner.shutdown(socket.SHUT_RDWR)
        back.join()
        inner.close()

    with Receiver(authority.server()) as server, FaultServer(tunnel) as proxy:
        port = int(server.url.rpartition(":")[2])
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.port}")
        post(server.url, ca_file=str(authority.file))
    assert heads[0].startswith(f"CONNECT 127.0.0.1:{port} ".encode())
    assert TOKEN.encode() not in heads[0]
    assert server.seen[0]["target"].startswith(f"/{TOKEN}")


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)


@pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # Python 3.11.2 leaves that socket to the garbage collector
def test_a_proxy_that_refuses_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its password may be mended."""
    with FaultServer(says(b"HTTP/1.1 407 Login\r\n\r\n")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://ann:secretpass@127.0.0.1:{proxy.port}")
        error = why_not("https://ntfy.example")
    assert "407" in error.why
    assert "secretpass" not in error.why
    assert not error.final
    del error
    gc.collect()


@pytest.mark.parametrize("exceptions", ["127.0.0.1", "*"])
def test_a_host_without_proxy_is_reached_directly(monkeypatch: pytest.MonkeyPatch, exceptions: str) -> None:
    """`no_proxy` names the servers at home."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", exceptions)
    with Receiver() as server:
        assert post(server.url).status == 200


def test_a_proxy_of_another_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes around a proxy that the user has set."""
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1080")
    assert "`https_proxy`" in why_not("https://ntfy.example").why
