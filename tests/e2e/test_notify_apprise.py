"""Messages by the real Apprise to a receiver on the loopback: good ones, bad ones, and one that never answers."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from tests.waiting import wait_for
from tray.config.channels import ChannelSettings
from tray.core import clock, paths
from tray.core.model import Outcome, State, Status
from tray.core.model.events import Event, EventKind, Message
from tray.notify.channels import NotSentError
from tray.notify.channels import apprise as channel

NOW = 1_790_000_000_000
TOKEN = "s3cret-token"


class Receiver:
    """A service that takes JSON, and answers as its path says: "/200/…", "/403/…", "/endless/…"."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                answer = self.path.split("/")[1]
                self.send_response(200 if answer == "endless" else int(answer))
                self.end_headers()
                with suppress(OSError):
                    while answer == "endless":
                        self.wfile.write(b"x" * (1 << 20))

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self._thread = Thread(target=self.server.serve_forever)
        self._thread.start()

    def url(self, answer: str) -> str:
        """The address that Apprise takes."""
        return f"json://ann:{TOKEN}@127.0.0.1:{self.server.server_port}/{answer}/{TOKEN}"

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens."""
    made = Receiver()
    yield made
    made.close()


def send(url: str, folder: Path, **facts: Any) -> None:
    """Send one message to *url*, which stands in the file of the secret."""
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(url + "\n")
    settings = ChannelSettings("pager", "apprise", secret_file=str(secret))
    event = Event(**{"id": "one", "kind": EventKind.FAILURE, "at_ms": NOW, "job": "home", "run": "r1", **facts})
    channel.Channel(settings, paths.places()).send(Message("m1", "pager", NOW, (event,)), Status(State.FAILED, NOW))


def refused(url: str, folder: Path) -> NotSentError:
    """Send to *url* in vain, and return the error, which names no secret."""
    with pytest.raises(NotSentError) as caught:
        send(url, folder)
    assert TOKEN not in str(caught.value)
    return caught.value


def test_a_message_arrives_in_our_words(receiver: Receiver, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Title, lines and the command that shows more; nothing is printed beside that."""
    send(receiver.url("200"), tmp_path, outcome=Outcome.FAILED, reason="The disk is full", streak=3)
    (seen,) = receiver.seen
    assert seen["title"] == "home: backup failed"
    assert seen["message"].startswith("The disk is full.\n")
    assert seen["message"].endswith("backup-tray report r1")
    assert seen["type"] == "failure"
    send(receiver.url("200"), tmp_path, kind=EventKind.RECOVERED, outcome=Outcome.SUCCEEDED)
    assert receiver.seen[1]["type"] == "success"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a\nb", "<b>fat</b>", "x\r\nBcc: eve@example.com", "\u202egpj", "n" * 64_000])
def test_any_name_of_a_job_is_one_line(receiver: Receiver, tmp_path: Path, name: str) -> None:
    """Names are escaped and cut before they leave."""
    send(receiver.url("200"), tmp_path, job=name)
    title = receiver.seen[0]["title"]
    assert title.endswith(": backup failed")
    assert title.isprintable()
    assert len(title) < 130


@pytest.mark.parametrize(
    ("code", "final"), [("401", True), ("403", True), ("404", True), ("429", False), ("500", False)]
)
def test_a_refusal_is_told_by_its_code(receiver: Receiver, tmp_path: Path, code: str, final: bool) -> None:
    """The log of Apprise may quote the address, so that only the number comes out."""
    error = refused(receiver.url(code), tmp_path)
    assert str(error) == f"The service behind Apprise refused with HTTP {code}."
    assert error.final is final


def test_a_service_that_is_off_is_tried_again(tmp_path: Path) -> None:
    """Nothing listens there now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = refused(f"json://ann:{TOKEN}@127.0.0.1:{port}/", tmp_path)
    assert "could not reach the service" in str(error)
    assert not error.final


@pytest.mark.parametrize("url", [f"nosuch://{TOKEN}", TOKEN, "https://", "json://a b", f"{{{TOKEN}"])
def test_an_address_that_is_none_is_final(tmp_path: Path, url: str) -> None:
    """Another try would bring the same."""
    error = refused(url, tmp_path)
    assert error.final or "could not reach" in str(error)


def test_a_service_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that waits for it ends with the try."""
    monkeypatch.setattr(channel, "PATIENCE_SECONDS", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"json://ann:{TOKEN}@127.0.0.1:{server.getsockname()[1]}/?rto=60"
        assert "gave no answer in time" in str(refused(url, tmp_path))
    mine = psutil.Process(os.getpid())
    wait_for(lambda: not [child for child in mine.children() if "apprise_process" in " ".join(child.cmdline())])


def test_an_answer_without_end_takes_neither_memory_nor_time(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may use so much and no more."""
    monkeypatch.setattr(channel, "PATIENCE_SECONDS", 20.0)
    refused(receiver.url("endless"), tmp_path)


def test_the_address_may_stand_in_the_settings(receiver: Receiver) -> None:
    """For a service on one's own machine, whose address is no secret."""
    settings = ChannelSettings("pager", "apprise", options={"url": receiver.url("200")})
    message = Message("m1", "pager", NOW, (Event(clock.new_id(), EventKind.TEST, NOW),))
    channel.Channel(settings, paths.places()).send(message, Status(State.OK, NOW))
    assert receiver.seen[0]["type"] == "info"
