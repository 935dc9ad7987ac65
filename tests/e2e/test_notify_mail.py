"""Mails reach real servers, and every fault of a server is told as it is: retry or not, in words, within the time."""

import io
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from tests.e2e.mail_servers import PASSWORD, USER, Authority, Mailbox, Postfix, hear, scripted, serving
from tests.e2e.program import last, tray
from tests.unit.notify.mail.samples import NASTY, NOW, digest, failure, message, recovered
from tests.waiting import wait_for
from tray.config.channels import ChannelSettings
from tray.core import clock
from tray.core.locks import FileLock
from tray.core.model import State, Status
from tray.core.model.events import Message
from tray.core.paths import Places, private
from tray.notify import channels
from tray.notify.channels import NotSentError
from tray.notify.channels import mail as mail_channel
from tray.notify.mail import local

STATUS = Status(State.OK, NOW)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority of this test."""
    return Authority(tmp_path / "ca")


@pytest.fixture
def mailbox() -> Mailbox:
    """The mails that arrive."""
    return Mailbox()


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A file with the password."""
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text(PASSWORD + "\n")
    return str(file)


def send(places: Places, of: Message | None = None, **options: Any) -> None:
    """Send a message by a mail channel."""
    secret_file = options.pop("secret_file", None)
    settings = ChannelSettings("mail", "mail", {"to": ("ann@example.com",), **options}, secret_file=secret_file)
    channels.load(settings, places).send(of or message(failure()), STATUS)


def configure(places: Places, lines: str) -> None:
    """Let config.toml name a channel "mail" and no notices."""
    private(places.config)
    places.config_file.write_text(f"version = 1\n[channels.desktop]\nenabled = false\n[channels.mail]\n{lines}")


def locked(places: Places) -> bool:
    """Whether a sender works on the channel."""
    lock = FileLock(places.state / "notify" / "channel-mail")
    free = lock.acquire()
    if free:
        lock.release()
    return not free


def fails(places: Places, of: Message | None = None, **options: Any) -> NotSentError:
    """Send a message in vain, and return the failure."""
    with pytest.raises(NotSentError) as caught:
        send(places, of, **options)
    return caught.value


# -- delivery


def test_a_mail_arrives_over_tls(places: Places, authority: Authority, mailbox: Mailbox) -> None:
    """Both forms, the subject and the recipient reach the server, encrypted from the first byte."""
    with serving(mailbox, ssl_context=authority.context()) as port:
        send(places, server=f"smtps://127.0.0.1:{port}", ca_file=str(authority.file))
    ((recipients, mail),) = mailbox.mails
    assert recipients == ["ann@example.com"]
    assert mail["Subject"] == "home: backup failed"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert "the disk is not connected" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_a_mail_arrives_over_starttls_with_a_password(
    places: Places, authority: Authority, mailbox: Mailbox, secret: str
) -> None:
    """User and password, with letters outside ASCII, go out only after the connection is encrypted."""
    tls = {"tls_context": authority.context(), "require_starttls": True}
    with serving(mailbox, authenticator=mailbox.authenticate, auth_required=True, **tls) as port:
        facts = {"server": f"smtp://127.0.0.1:{port}", "ca_file": str(authority.file), "user": USER}
        send(places, secret_file=secret, **facts)
    assert mailbox.encrypted == [True]
    assert mailbox.users == [f"PLAIN {USER}"]
    assert mailbox.mails[0][1]["From"].addresses[0].addr_spec == USER


def test_a_server_on_this_machine_needs_no_encryption(places: Places, mailbox: Mailbox) -> None:
    """A mail to the loopback without AUTH never leaves the machine."""
    with serving(mailbox) as port:
        send(places, server=f"smtp://127.0.0.1:{port}")
        send(places, message(digest()), server=f"smtp://localhost:{port}")
    assert [mail["Subject"] for _, mail in mailbox.mails] == ["home: backup failed", "Both backups are fine"]


def test_names_and_addresses_outside_ascii_arrive(places: Places, mailbox: Mailbox) -> None:
    """Job, address and domain in any script; the domain in the form that DNS knows."""
    with serving(mailbox) as port:
        to = ("änn@example.com", "bob@müller.example")
        send(places, message(failure(job="Bücher 書籍")), server=f"smtp://127.0.0.1:{port}", to=to)
    ((recipients, mail),) = mailbox.mails
    assert recipients == ["änn@example.com", "bob@xn--mller-kva.example"]
    assert mail["Subject"] == "Bücher 書籍: backup failed"


def test_a_hostile_name_adds_neither_header_nor_recipient(places: Places, mailbox: Mailbox) -> None:
    """Line breaks, markup and bidi controls, also 64 kB of them, come out escaped and cut."""
    with serving(mailbox) as port:
        event = failure(job=NASTY * 900, reason=NASTY * 900, id=NASTY, incident=NASTY, advice=NASTY)
        send(places, message(event), server=f"smtp://127.0.0.1:{port}")
    ((recipients, mail),) = mailbox.mails
    assert recipients == ["ann@example.com"]
    assert (mail["Bcc"], mail.defects) == (None, [])
    page = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<img" not in page
    assert len(page) < 50_000


def test_the_mails_of_an_incident_are_one_thread(places: Places, mailbox: Mailbox) -> None:
    """A mail program shows the recovery under the alarm."""
    with serving(mailbox) as port:
        for event in (failure(), recovered()):
            send(places, message(event), server=f"smtp://127.0.0.1:{port}")
    (_, alarm), (_, end) = mailbox.mails
    assert end["In-Reply-To"] == end["References"] == alarm["Message-ID"]


def test_a_failed_backup_tells_by_mail_with_its_report(places: Places, mailbox: Mailbox) -> None:
    """Settings, run, queue, sender, server: the mail names run and entry, and the report of that run is attached."""
    with serving(mailbox) as port:
        configure(places, f'to = ["ann@example.com"]\nserver = "smtp://127.0.0.1:{port}"\nreport = true\n')
        tray("run", "--job", "home", "--", "sh", "-c", "echo the disk is full >&2; exit 1")
        wait_for(lambda: mailbox.mails, what="the mail")
        wait_for(lambda: not locked(places), what="the end of the sender")
    ((_, mail),) = mailbox.mails
    run = last()
    text = mail.get_body(("plain",)).get_content()
    assert mail["Subject"] == "home: backup failed"
    assert f"backup-tray report {run['run']}" in text
    assert f"{run['entry']} of the audit log" in text
    (report,) = mail.iter_attachments()
    assert report.get_content_type() == "application/pdf"
    pages = PdfReader(io.BytesIO(report.get_content())).pages
    assert run["run"] in "".join(page.extract_text() for page in pages)


def test_a_test_message_says_that_it_is_one(places: Places, mailbox: Mailbox) -> None:
    """`notify test` sends at once; a server that refuses is named with its words and the exit code tells it."""
    with serving(mailbox) as port:
        configure(places, f'to = ["ann@example.com"]\nserver = "smtp://127.0.0.1:{port}"\n')
        tray("notify", "test", "mail", check=True)
        mailbox.answer = "550 5.7.1 not from you"
        refused = tray("notify", "test", "mail")
    ((_, mail),) = mailbox.mails
    assert mail["Subject"] == "Test message of Backup Tray"
    assert refused.returncode != 0
    assert "550 5.7.1 not from you" in refused.stderr


# -- faults


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        ("421 4.3.2 shutting down", False),
        ("451 4.7.1 try again later", False),
        ("452 4.2.2 mailbox full", False),
        ("550 5.7.1 refused as spam", True),
        ("554 5.6.0 no", True),
    ],
)
def test_the_code_of_a_refusal_decides_whether_it_is_tried_again(
    places: Places, mailbox: Mailbox, answer: str, final: bool
) -> None:
    """4xx: later; 5xx: never. The server's own words are told."""
    mailbox.answer = answer
    with serving(mailbox) as port:
        error = fails(places, server=f"smtp://127.0.0.1:{port}")
    assert error.final is final
    assert answer in error.why


def test_a_server_that_closes_in_data_is_tried_again(places: Places, mailbox: Mailbox) -> None:
    """Whether it took the mail is not known; the next try has the same Message-ID."""
    mailbox.close = True
    with serving(mailbox) as port:
        error = fails(places, server=f"smtp://127.0.0.1:{port}")
        mailbox.close = False
        send(places, server=f"smtp://127.0.0.1:{port}")
    assert not error.final
    assert "closed the connection" in error.why


def test_a_recipient_is_refused_for_good_and_the_other_gets_the_mail_once(places: Places, mailbox: Mailbox) -> None:
    """The failure names the one who was refused, and is final."""
    mailbox.refuse = {"bob@example.com": "550 5.1.1 no such user"}
    with serving(mailbox) as port:
        to = ("ann@example.com", "bob@example.com")
        error = fails(places, server=f"smtp://127.0.0.1:{port}", to=to)
    assert error.final
    assert "bob@example.com (550 5.1.1 no such user)" in error.why
    assert [recipients for recipients, _ in mailbox.mails] == [["ann@example.com"]]


def test_a_recipient_is_refused_for_now_and_no_other_gets_the_mail_twice(places: Places, mailbox: Mailbox) -> None:
    """A young message waits for both; an old one goes to those who can be reached."""
    mailbox.refuse = {"bob@example.com": "450 4.2.0 greylisted"}
    to = ("ann@example.com", "bob@example.com")
    young = message(failure(), made_ms=clock.now_ms())
    with serving(mailbox) as port:
        assert not fails(places, young, server=f"smtp://127.0.0.1:{port}", to=to).final
        assert mailbox.mails == []
        assert fails(places, server=f"smtp://127.0.0.1:{port}", to=to).final
        mailbox.refuse = {}
        send(places, young, server=f"smtp://127.0.0.1:{port}", to=to)
    assert [len(recipients) for recipients, _ in mailbox.mails] == [1, 2]


@pytest.mark.parametrize(
    ("host", "ended_days", "trusted", "words"),
    [
        ("mail.example.com", 0, True, "IP address mismatch"),
        ("127.0.0.1", 20, True, "expired"),
        ("127.0.0.1", 0, False, "self-signed|unable to get local issuer"),
    ],
    ids=["wrong", "expired", "unknown"],
)
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_is_checked(
    places: Places,
    tmp_path: Path,
    mailbox: Mailbox,
    secret: str,
    scheme: str,
    host: str,
    ended_days: int,
    trusted: bool,
    words: str,
) -> None:
    """Neither mail nor password reaches a server that may be another one; it is tried again: certificates are renewed."""
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    context = ours.context(host, ended_days=ended_days)
    settings = {"ssl_context" if scheme == "smtps" else "tls_context": context}
    with serving(mailbox, authenticator=mailbox.authenticate, auth_require_tls=False, **settings) as port:
        facts = {"server": f"{scheme}://127.0.0.1:{port}", "user": USER}
        error = fails(places, secret_file=secret, ca_file=str((ours if trusted else other).file), **facts)
    assert not error.final
    assert re.search(f"certificate that is not valid: .*({words})", error.why)
    assert mailbox.mails == []
    assert mailbox.users == []


def test_no_password_goes_out_without_encryption(places: Places, mailbox: Mailbox, secret: str) -> None:
    """A server that offers no STARTTLS gets no AUTH, even on this machine."""
    with serving(mailbox, authenticator=mailbox.authenticate, auth_require_tls=False) as port:
        error = fails(places, server=f"smtp://127.0.0.1:{port}", user=USER, secret_file=secret)
    assert error.final
    assert "STARTTLS" in error.why
    assert (mailbox.mails, mailbox.users) == ([], [])


def test_a_wrong_password_ends_it_and_is_not_told(
    places: Places, authority: Authority, mailbox: Mailbox, tmp_path: Path
) -> None:
    """Another try would bring the same; the failure holds no secret."""
    file = tmp_path / "wrong"
    file.touch(0o600)
    file.write_text("not-the-password")
    with serving(
        mailbox, authenticator=mailbox.authenticate, ssl_context=authority.context(), auth_require_tls=False
    ) as port:
        facts = {"server": f"smtps://127.0.0.1:{port}", "ca_file": str(authority.file), "user": USER}
        error = fails(places, secret_file=str(file), **facts)
    assert error.final
    assert "refused user and password: 535" in error.why
    assert "not-the-password" not in error.why


def test_tls_on_a_plain_port_is_told(places: Places, mailbox: Mailbox, authority: Authority) -> None:
    """The scheme of the address is the usual mistake, so the failure names the other one."""
    with serving(mailbox) as port:
        error = fails(places, server=f"smtps://127.0.0.1:{port}", ca_file=str(authority.file))
    assert error.final
    assert "smtp://" in error.why


def test_certificates_that_cannot_be_read_are_told(places: Places, mailbox: Mailbox, tmp_path: Path) -> None:
    """A missing or broken `ca_file` is a fault of the settings."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for file in (tmp_path / "missing.pem", broken):
        error = fails(places, server="smtps://127.0.0.1:1", ca_file=str(file))
        assert error.final
        assert "`ca_file`" in error.why


def test_a_name_that_cannot_be_found_is_tried_again(places: Places) -> None:
    """DNS may be back in a minute."""
    error = fails(places, server="smtps://mail.invalid")
    assert not error.final
    assert "cannot be found" in error.why


def test_a_closed_port_is_tried_again(places: Places) -> None:
    """The server may be restarting."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        error = fails(places, server=f"smtp://127.0.0.1:{probe.getsockname()[1]}")
    assert not error.final


# -- servers that keep us waiting


def hang(connection: socket.socket) -> None:
    """Accept and say nothing."""
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    """Say a byte every now and then, for ever, so that no single read takes long."""
    while True:
        connection.send(b"2")
        time.sleep(0.05)


def drip_replies(connection: socket.socket) -> None:
    """Greet, then answer EHLO with a line that never ends."""
    connection.send(b"220 here\r\n")
    hear(connection, b"EHLO")
    drip(connection)


def hang_in_data(connection: socket.socket) -> None:
    """Take everything, and never answer the end of the mail."""
    connection.send(b"220 here\r\n")
    file = connection.makefile("rb")
    for answer in (b"250 here\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"):
        file.readline()
        connection.send(answer)
    connection.recv(1 << 20)
    while connection.recv(1 << 20):
        pass


def flood(connection: socket.socket) -> None:
    """Answer EHLO with lines without end."""
    connection.send(b"220 here\r\n")
    hear(connection, b"EHLO")
    while True:
        connection.send(b"250-more\r\n" * 10_000)


def speak_ssh(connection: socket.socket) -> None:
    """Greet as another service does."""
    connection.send(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    connection.recv(1)


def speak_without_end(connection: socket.socket) -> None:
    """Greet with a line of 100 kB."""
    connection.send(b"220 " + b"x" * 100_000)
    connection.recv(1)


@pytest.mark.parametrize("talk", [speak_ssh, speak_without_end])
def test_another_service_on_the_port_is_told(places: Places, talk: Callable[[socket.socket], None]) -> None:
    """The number of the port is a usual mistake."""
    with scripted(talk) as port:
        error = fails(places, server=f"smtp://127.0.0.1:{port}")
    assert not error.final
    assert "speaks no SMTP on this port" in error.why


@pytest.mark.parametrize("talk", [hang, drip, drip_replies, hang_in_data, flood])
def test_a_server_that_keeps_us_waiting_is_left(
    places: Places, monkeypatch: pytest.MonkeyPatch, talk: Callable[[socket.socket], None]
) -> None:
    """Whatever it does, the try ends by itself, without filling the memory, and another one follows."""
    monkeypatch.setattr(mail_channel, "PATIENCE_SECONDS", 3.0)
    with scripted(talk) as port:
        error = fails(places, server=f"smtp://127.0.0.1:{port}")
    assert not error.final
    assert "in time" in error.why or "far more" in error.why


def test_a_handshake_that_never_ends_is_left(
    places: Places, monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    """A server that takes the connection and speaks no TLS cannot hold the sender."""
    monkeypatch.setattr(mail_channel, "PATIENCE_SECONDS", 3.0)
    with scripted(hang_until_closed) as port:
        error = fails(places, server=f"smtps://127.0.0.1:{port}", ca_file=str(authority.file))
    assert not error.final
    assert "in time" in error.why


def hang_until_closed(connection: socket.socket) -> None:
    """Read everything and say nothing."""
    while connection.recv(4096):
        pass


# -- postfix


@pytest.fixture(scope="module")
def relayed() -> Iterator[tuple[Postfix, Mailbox]]:
    """A private postfix that passes mails on, and the mailbox behind it."""
    mailbox = Mailbox()
    with serving(mailbox) as port:
        postfix = Postfix(port)
        try:
            postfix.start()
            yield postfix, mailbox
        finally:
            postfix.close()


def arrived(mailbox: Mailbox, postfix: Postfix, job: str) -> tuple[list[str], Any]:
    """Wait for the mail about *job*."""

    def found() -> list[tuple[list[str], Any]]:
        return [mail for mail in mailbox.mails if mail[1]["Subject"].startswith(f"{job}:")]

    try:
        return wait_for(found, seconds=30, what=f"the mail about {job}")[0]
    except AssertionError as error:
        raise AssertionError(f"{error}: {postfix.log()}") from None


def test_postfix_takes_a_mail_and_passes_it_on(places: Places, relayed: tuple[Postfix, Mailbox]) -> None:
    """By SMTP: the mail arrives as it was sent."""
    postfix, mailbox = relayed
    send(places, message(failure(job="by-smtp")), server=f"smtp://127.0.0.1:{postfix.port}")
    recipients, mail = arrived(mailbox, postfix, "by-smtp")
    assert recipients == ["ann@example.com"]
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_the_local_program_takes_a_mail(
    places: Places, relayed: tuple[Postfix, Mailbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `server` the mail goes through sendmail: a line with one dot does not cut it, no header is added."""
    postfix, mailbox = relayed
    monkeypatch.setattr(local, "PROGRAMS", (str(postfix.sendmail),))
    to = ("ann@example.com", "bob@example.com")
    send(places, message(failure(job="by-sendmail", reason=".")), to=to, **{"from": "tray@example.com"})
    recipients, mail = arrived(mailbox, postfix, "by-sendmail")
    assert sorted(recipients) == ["ann@example.com", "bob@example.com"]
    assert mail["From"].addresses[0].addr_spec == "tray@example.com"
    assert "backup-tray report" in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize(("code", "final"), [(75, False), (67, True), (78, True), (1, False)])
def test_the_exit_code_of_the_local_program_decides(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, final: bool
) -> None:
    """sysexits.h: a passing failure is tried again, a wrong address is not; its last line is told."""
    program = tmp_path / "sendmail"
    program.write_text(f"#!/bin/sh\ncat >/dev/null\necho first >&2\necho 'no such <user>' >&2\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(local, "PROGRAMS", (str(program),))
    error = fails(places)
    assert error.final is final
    assert f"exit code {code}: no such <user>." in error.why


def test_a_local_program_that_hangs_is_ended(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets as much time as a server."""
    program = tmp_path / "sendmail"
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(local, "PROGRAMS", (str(program),))
    monkeypatch.setattr(mail_channel, "PATIENCE_SECONDS", 2.0)
    error = fails(places)
    assert not error.final
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_machine_without_mail_program_says_which_to_install(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual case on a desktop."""
    monkeypatch.setattr(local, "PROGRAMS", (str(tmp_path / "none"),))
    error = fails(places)
    assert error.final
    assert "msmtp-mta" in error.why
