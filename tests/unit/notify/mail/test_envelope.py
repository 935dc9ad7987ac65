"""Headers and threads of a mail."""

from email import message_from_bytes, message_from_string, policy
from email.message import EmailMessage

import pytest

from tests.unit.notify.mail.samples import NASTY, digest, failure, message, recovered
from tray.core.dataclass import replace
from tray.core.model.events import EventKind, Message
from tray.notify.mail import envelope
from tray.notify.mail.letter import letter

pytestmark = pytest.mark.usefixtures("utc")

INCIDENT = failure().incident
THREAD = f"<{INCIDENT}.mail@nas>"
OWN = "<0190cccc-0000-7000-8000-000000000003@nas>"


def sent(of: Message, sender: str = "tray@example.com", *recipients: str, host: str = "nas") -> EmailMessage:
    """Return the mail of a message as a mail program reads it."""
    made = envelope.mail(of, letter(of, host), sender, recipients or ("ann@example.com",), host, None)
    return message_from_string(made.as_bytes().decode(), policy=policy.default)


def test_the_first_alarm_has_the_id_of_its_thread() -> None:
    """The later mails of an incident, also after a restart, refer to exactly that id."""
    first = sent(message(failure()))
    assert first["Message-ID"] == THREAD
    assert (first["In-Reply-To"], first["References"]) == (None, None)
    for later in (recovered(), failure(id="e9", again=True), failure(id="e10", kind=EventKind.CLEARED)):
        mail = sent(message(later))
        assert (mail["Message-ID"], mail["In-Reply-To"], mail["References"]) == (OWN, THREAD, THREAD)


def test_a_mail_about_several_incidents_belongs_to_all_of_them() -> None:
    """A mail program that meets the recovery of one of them finds the mail of its begin."""
    mail = sent(message(failure(), failure(id="e2", incident="e2", job="photos")))
    assert mail["Message-ID"] == OWN
    assert mail["References"].split() == [THREAD, "<e2.mail@nas>"]
    assert sent(message(recovered(incident="e2")))["In-Reply-To"] == "<e2.mail@nas>"


def test_each_try_is_the_same_mail() -> None:
    """A receiver can tell a second delivery by Message-ID and Date."""
    one, two = sent(message(failure(), recovered())), sent(message(failure(), recovered()))
    assert [one[name] for name in ("Message-ID", "Date", "Subject")] == [
        two[name] for name in ("Message-ID", "Date", "Subject")
    ]
    assert one["Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"


def test_two_channels_make_two_mails() -> None:
    """A mailbox that gets mail of two channels drops neither as a duplicate."""
    assert sent(message(failure()))["Message-ID"] != sent(replace(message(failure()), channel="office"))["Message-ID"]


def test_neither_a_digest_nor_a_success_belongs_to_a_thread() -> None:
    """A mail program shows each by itself, not as an answer to a mail that never was."""
    for event in (digest(), recovered(kind=EventKind.SUCCESS, id="e3", incident="e3")):
        mail = sent(message(event))
        assert (mail["Message-ID"], mail["References"]) == (OWN, None)


def test_automatic_mail_says_so() -> None:
    """No absence note answers, and filters find these mails."""
    mail = sent(message(failure()))
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "Backup Tray on nas <backup-tray.nas>"
    assert mail["X-Backup-Tray-Events"] == "failure"


def test_a_name_adds_no_header() -> None:
    """Neither job, host, channel nor ids of a damaged queue can add a header or a recipient."""
    event = failure(job=NASTY, id=NASTY, incident=NASTY, reason=NASTY, host=NASTY, log=NASTY)
    mail = sent(Message(NASTY, "mail", 1_790_000_000_000, (event,)), host=NASTY)
    assert mail["Bcc"] is None
    assert [address.addr_spec for address in mail["To"].addresses] == ["ann@example.com"]
    assert "\n" not in mail["Subject"]
    assert mail.defects == []


def test_the_forms_are_alternatives() -> None:
    """A mail program chooses between plain text and HTML, the better one last."""
    mail = sent(message(failure()))
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_an_attachment_stands_beside_the_text() -> None:
    """The report is one file with a name."""
    report = envelope.Attachment("backup-report-1.pdf", "application/pdf", b"%PDF-1.4")
    made = envelope.mail(message(failure()), letter(message(failure()), "nas"), "a@b.c", ["d@e.f"], "nas", report)
    mail = message_from_bytes(made.as_bytes(), policy=policy.default)
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("backup-report-1.pdf", b"%PDF-1.4")
    assert "home: backup failed" in mail.get_body(("plain",)).get_content()


def test_names_and_addresses_outside_ascii_survive() -> None:
    """A job, a host and an address may use any script."""
    mail = sent(message(failure(job="Bücher 書籍")), "tray@example.com", "änn@example.com", host="büro")
    assert mail["Subject"] == "Bücher 書籍: backup failed"
    assert "büro" in mail["From"]
    assert mail["To"].addresses[0].addr_spec == "änn@example.com"
    assert envelope.plain("ann@müller.example") == "ann@xn--mller-kva.example"
    assert envelope.domain("büro.local") == "bro.local"
    assert envelope.domain("…") == "localhost"
