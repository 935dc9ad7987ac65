"""The mail channel: from its settings to server or local program."""

import io
import subprocess
from email import message_from_bytes, policy
from typing import Any

import pytest

from tests.unit.notify.mail.samples import NOW, RUN, failure, message, recovered
from tray.config.channels import ChannelSettings
from tray.core import clock, ourselves
from tray.core.model import State, Status
from tray.core.paths import Places
from tray.notify import channels
from tray.notify.channels import NotSentError
from tray.notify.channels import mail as mail_channel
from tray.notify.mail import local, smtp

STATUS = Status(State.OK, NOW)


class Sent:
    """The mails that would have been delivered, and the answer of the server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refused: dict[str, str] | None = None) -> None:
        self.mails: list[tuple[smtp.Mail, smtp.Server, float, bool]] = []
        self.local: list[tuple[bytes, str | None]] = []

        def deliver(mail: smtp.Mail, server: smtp.Server, seconds: float, *, all_or_none: bool) -> dict[str, str]:
            self.mails.append((mail, server, seconds, all_or_none))
            return refused or {}

        monkeypatch.setattr(smtp, "deliver", deliver)
        monkeypatch.setattr(local, "deliver", lambda content, sender, _: self.local.append((content, sender)))


def channel(places: Places, **options: Any) -> channels.Channel:
    """Return a mail channel to one or two addresses."""
    facts = {"to": ("ann@example.com",), **options}
    secret = facts.pop("secret_file", None)
    return channels.load(ChannelSettings("mail", "mail", facts, secret_file=secret), places)


def test_a_server_gets_the_mail(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Host, port and encryption follow the address; without AUTH there is no secret."""
    sent = Sent(monkeypatch)
    channel(places, server="smtp://mail.example.com").send(message(failure()), STATUS)
    channel(places, server="smtps://mail.example.com").send(message(failure()), STATUS)
    (mail, server, seconds, _), (_, other, _, _) = sent.mails
    assert (server.host, server.port, server.tls, server.user) == ("mail.example.com", 587, False, None)
    assert (other.port, other.tls) == (465, True)
    assert list(mail.recipients) == ["ann@example.com"]
    assert seconds <= channels.PATIENCE_SECONDS
    assert message_from_bytes(mail.content, policy=policy.default)["Subject"] == "home: backup failed"


def test_a_user_needs_a_secret(places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """`user` without a secret is a fault that names the key; with one both reach the server."""
    sent = Sent(monkeypatch)
    with pytest.raises(NotSentError, match="secret_file") as caught:
        channel(places, server="smtps://m.example.com", user="tray@example.com").send(message(failure()), STATUS)
    assert caught.value.final
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text("hunter2\n")
    facts = {"server": "smtps://m.example.com", "user": "tray@example.com", "secret_file": str(file)}
    channel(places, **facts).send(message(failure()), STATUS)
    assert (sent.mails[0][1].user, sent.mails[0][1].password) == ("tray@example.com", "hunter2")
    assert sent.mails[0][0].sender == "tray@example.com"


def test_without_a_server_the_local_program_gets_it(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines end as local files do, and only a configured sender is imposed."""
    sent = Sent(monkeypatch)
    channel(places).send(message(failure()), STATUS)
    channel(places, **{"from": "tray@example.com"}).send(message(failure()), STATUS)
    assert b"\r" not in sent.local[0][0]
    assert [sender for _, sender in sent.local] == [None, "tray@example.com"]


def test_a_recipient_who_was_refused_is_named_and_the_others_are_not_asked_again(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is final: another try would send the mail twice to those who have it."""
    Sent(monkeypatch, {"bob@example.com": "550 no such user"})
    with pytest.raises(
        NotSentError, match=r"1 address got the mail, but not bob@example.com \(550 no such user\)"
    ) as caught:
        channel(places, to=("ann@example.com", "bob@example.com"), server="smtp://m").send(message(failure()), STATUS)
    assert caught.value.final


def test_only_a_young_message_waits_for_all_recipients(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipient whom the server refuses for now holds the others up for minutes, not for hours."""
    sent = Sent(monkeypatch)
    own = channel(places, server="smtp://m")
    own.send(message(failure(), made_ms=clock.now_ms()), STATUS)
    own.send(message(failure(), made_ms=clock.now_ms() - mail_channel.HELD_BACK_MS), STATUS)
    assert [all_or_none for *_, all_or_none in sent.mails] == [True, False]


class Reporter:
    """A process that makes a report, or fails to."""

    def __init__(self, content: bytes, code: int | None) -> None:
        self.content, self.code, self.asked, self.killed = content, code, (), False

    def start(self, *arguments: str, stdout: io.BufferedRandom) -> "Reporter":
        """Stand in for `ourselves.start`."""
        self.asked = arguments
        stdout.write(self.content)
        stdout.flush()
        return self

    def wait(self, seconds: float | None = None) -> int:
        """Return the exit code, or be too slow."""
        if self.code is None and seconds is not None:
            raise subprocess.TimeoutExpired("report", seconds)
        return self.code or 0

    def kill(self) -> None:
        """Note it."""
        self.killed = True


@pytest.mark.parametrize(
    ("content", "code", "attached"),
    [(b"%PDF-1.4 x", 0, 1), (b"%PDF-1.4 x", 2, 0), (b"%PDF-1.4", None, 0), (b"oops", 0, 0)],
)
def test_a_report_that_cannot_be_made_stops_no_mail(
    places: Places, monkeypatch: pytest.MonkeyPatch, content: bytes, code: int | None, attached: int
) -> None:
    """The mail goes out with the report of its run, or without it."""
    sent, reporter = Sent(monkeypatch), Reporter(content, code)
    monkeypatch.setattr(ourselves, "start", reporter.start)
    channel(places, server="smtp://m", report=True).send(message(failure()), STATUS)
    mail = message_from_bytes(sent.mails[0][0].content, policy=policy.default)
    assert len(list(mail.iter_attachments())) == attached
    assert reporter.asked[:2] == ("report", RUN)
    assert reporter.killed == (code is None)


def test_a_mail_about_several_runs_has_no_report(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most one report is attached, and never that of one run among several."""
    sent, reporter = Sent(monkeypatch), Reporter(b"%PDF", 0)
    monkeypatch.setattr(ourselves, "start", reporter.start)
    channel(places, server="smtp://m", report=True).send(message(failure(), recovered(run="other")), STATUS)
    assert reporter.asked == ()
    assert sent.mails
