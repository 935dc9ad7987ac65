"""The page of notifications: every channel in words, a test in a process of its own, and messages that rest."""

import io
import json
import subprocess
from typing import Any
from unittest.mock import Mock

import pytest

from tray.config import channels as configured
from tray.core import clock, ourselves
from tray.core.errors import ConfigError
from tray.core.model import Instance
from tray.core.paths import Places, private
from tray.notify import outages, overview, snooze
from tray.window import bridge, calls, notify_page
from tray.wording import channel_lines

CONFIG = """
[channels.mail]
to = ["ann@example.com"]
server = "smtp://mail.example.com:587"
quiet = "22:00-07:00"
[channels.phone]
type = "ntfy"
topic = "secret-topic"
enabled = false
[channels.chat]
type = "apprise"
url = "tgram://123456:hunter2hunter/42"
[channels.hook]
type = "webhook"
url = "https://hooks.example.com/T000/hunter2hunter"
[channels.webhook]
[jobs.home]
command = ["true"]
notify = ["failure"]
"""


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has a desktop session."""
    monkeypatch.setattr(overview, "session_bus", lambda: "unix:path=/nowhere/bus")


@pytest.fixture
def written(places: Places) -> Places:
    """Channels in every state."""
    private(places.config)
    places.config_file.write_text(CONFIG)
    outages.remember(places, "mail", "The server \u202erefused the password.")
    return places


class Process:
    """A process of a test that printed *out*."""

    returncode = 2

    def __init__(self, out: bytes, *, hangs: bool = False) -> None:
        self.stdout, self.hangs, self.killed = io.BytesIO(out), hangs, False

    def communicate(self, timeout: float | None = None) -> tuple[bytes, None]:
        """Return the output, or run out of time."""
        if self.hangs and not self.killed:
            raise subprocess.TimeoutExpired("x", timeout or 0)
        return self.stdout.read(), None

    def kill(self) -> None:
        """End."""
        self.killed = True


def channel(page: dict[str, Any], name: str) -> dict[str, Any]:
    """The card of a channel."""
    return next(one for one in page["channels"] if one["name"] == name)


def test_each_channel_stands_in_words(written: Places) -> None:
    """State, reason, address and rules; a channel with a fault has no button that could not work."""
    page = notify_page.page(written)
    assert (page["kind"], page["summary"]) == ("fail", "mail and webhook cannot send.")
    mail = channel(page, "mail")
    assert (mail["title"], mail["whom"]) == ("Mail", "for people, to ann@example.com, by mail.example.com")
    assert (mail["kind"], mail["word"], mail["why"]) == (
        "fail",
        "Cannot send",
        "The server \\u202erefused the password.",
    )
    assert "Quiet from 22:00 to 07:00" in " ".join(mail["rules"])
    assert (channel(page, "desktop")["kind"], channel(page, "desktop")["word"]) == ("unknown", "Not tried yet")
    assert (channel(page, "phone")["word"], channel(page, "phone")["rules"]) == ("Turned off", [])
    broken = channel(page, "webhook")
    assert (broken["word"], broken["testable"]) == ("Cannot send", False)
    assert "needs `url`" in broken["why"]
    assert page["of_jobs"] == [{"job": "home", "text": "Messages only about failures."}]
    assert page["file"] == str(written.config_file)


def test_no_address_that_is_a_secret_reaches_the_page(written: Places) -> None:
    """The host is shown, never the path or the account that holds a token, nor the topic that others could read."""
    text = bridge.literal(notify_page.page(written))
    assert "hooks.example.com" in text
    assert "hunter2hunter" not in text
    assert "123456" not in text
    assert "secret-topic" not in text


def test_without_a_configuration_the_desktop_stands_alone(places: Places) -> None:
    """The page shows how to add every kind of channel."""
    page = notify_page.page(places)
    assert page["alone"]
    assert [kind["lines"] for kind in page["lines"]] == [kind.lines for kind in channel_lines.ALL]


def test_a_broken_configuration_is_the_pages_error(places: Places) -> None:
    """No channel is shown that may not be there."""
    private(places.config)
    places.config_file.write_text("[channels\n")
    with pytest.raises(ConfigError):
        notify_page.page(places)


@pytest.mark.parametrize("name", ["--json", "", "a b", "x" * 41, "../x", None, 5])
def test_only_the_name_of_a_channel_can_be_tested(name: object) -> None:
    """No program takes it for an option."""
    with pytest.raises(ValueError, match="the name of a channel"):
        notify_page.a_channel(name)
    assert configured.is_name("mail-2")


@pytest.mark.parametrize(
    ("process", "why"),
    [
        (Process(b'{"sent": true, "error": null}'), None),
        (Process(b'{"sent": false, "error": {"what": "No.", "why": "refused\\u202e", "next": "", "code": "X"}}'), "refused\\u202e"),
        (Process(b""), "said nothing"),
        (Process(b"[]"), "said nothing"),
        (Process(b'{"sent": false, "error": null}'), "said nothing"),
        (Process(b"", hangs=True), "was ended after 50 seconds"),
    ],
)  # fmt: skip
def test_the_end_of_a_test_is_told(process: Process, why: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent, refused, broken or too slow: the page always gets an answer."""
    asked: list[tuple[str, ...]] = []

    def start(*arguments: str, stdout: int) -> Process:
        asked.append(arguments)
        return process

    monkeypatch.setattr(ourselves, "start", start)
    error = notify_page.send_test("mail")["error"]
    assert asked == [("notify", "test", "mail", "--json")]
    assert (error is None) == (why is None)
    assert error is None or why in error["why"]
    assert process.killed == process.hangs


@pytest.mark.process
def test_a_real_test_that_fails_says_why(written: Places) -> None:
    """The words are those of the command; nothing listens at the port of the mail server."""
    places = written
    places.config_file.write_text('[channels.mail]\nto = ["ann@example.com"]\nserver = "smtp://127.0.0.1:9"\n')
    error = notify_page.send_test("mail")["error"]
    assert error["what"] == "The message was not sent by mail."
    assert "127.0.0.1:9" in error["why"]
    assert channel(notify_page.page(places), "mail")["word"] == "Cannot send"
    json.loads(bridge.literal(error))


def test_a_rest_is_shown_and_ended(written: Places) -> None:
    """That of a job of the system, too; the other stays."""
    snooze.put(written, "home", clock.now_ms() + 10_000_000)
    snooze.put(written, "home", clock.now_ms() + 20_000_000, Instance.SYSTEM)
    first, second = notify_page.page(written)["rests"]
    assert (first["job"], first["system"], second["system"]) == ("home", False, True)
    assert "home (system) rest until" in second["text"]
    page = notify_page.end_rest(written, "home", system=True)
    assert [rest["system"] for rest in page["rests"]] == [False]


def test_names_that_are_hostile_or_long_come_out_escaped_and_cut(places: Places) -> None:
    """A table of any name, and a rest of a job of any name, which can be ended all the same."""
    private(places.config)
    long = "x" * 65_536
    places.config_file.write_text(f'[channels."<b>\\u202e"]\ntype = "mail"\n[channels.{long}]\ntype = "mail"\n')
    jobs = [long, "two\nlines", "right\u202eto left"]
    for job in jobs:
        snooze.put(places, job, clock.now_ms() + 10_000_000)
    page = notify_page.page(places)
    assert all(len(one["shown"]) <= 60 and len(one["why"]) <= 500 for one in page["channels"])
    assert channel(page, "<b>\u202e")["shown"] == "<b>\\u202e"
    assert all(len(rest["text"]) < 160 and rest["text"].isprintable() for rest in page["rests"])
    assert {rest["job"] for rest in page["rests"]} == set(jobs)
    check = calls.table(places, Mock(), Mock())["end_rest"].takes["job"]
    for job in jobs:
        page = notify_page.end_rest(places, check(job), system=False)
    assert page["rests"] == []
