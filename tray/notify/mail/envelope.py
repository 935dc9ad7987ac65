"""Put a letter into a mail: headers, thread, plain and HTML form, attachment.

A thread is an incident, and its id is made of the incident's alone. The mail that begins one incident has that id itself; every
other mail refers to the incidents of all its events, so a mail about three failures opens one thread for all of them. Nothing needs
to be remembered for it, each try of a message makes the same ids, and the mail of an incident's begin need not have been sent.
"""

import re
from collections.abc import Sequence
from datetime import timedelta, timezone
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from tray import wording
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.model.events import Event, EventKind, Message
from tray.notify.mail import as_html, as_text
from tray.notify.mail.letter import Letter
from tray.wording import messages

MOST_THREADS = 20
"""A mail about more incidents refers to the first of them only."""
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file beside the text; `name` is safe as a file name."""

    name: str
    kind: str
    content: bytes


def mail(
    message: Message, letter: Letter, sender: str, recipients: Sequence[str], host: str, attachment: Attachment | None
) -> EmailMessage:
    """Return the mail of *message*, the same at each try.

    Args:
        sender, recipients: Addresses.
        host: This machine.
    """
    name, made = domain(host), clock.local(message.made_ms)
    mail = EmailMessage(policy.SMTPUTF8 if needs_utf8((sender, *recipients)) else policy.SMTP)
    mail["Date"] = format_datetime(made.astimezone(timezone(made.utcoffset() or timedelta())))
    mail["From"] = _address(sender, f"Backup Tray on {wording.fit(wording.escape(host), 60)}")
    mail["To"] = [_address(recipient) for recipient in recipients]
    mail["Subject"] = letter.title
    own, others = _ids(message, name)
    mail["Message-ID"] = own
    if others:
        mail["In-Reply-To"] = others[0]
        mail["References"] = " ".join(others)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["List-Id"] = f"Backup Tray on {name} <backup-tray.{name}>"
    mail["X-Backup-Tray-Events"] = ", ".join(dict.fromkeys(event.kind.value for event in message.events))
    mail["X-Backup-Tray-Severity"] = messages.severity(message)
    mail["X-Backup-Tray-Message"] = _part(message.id)
    mail.set_content(as_text.written(letter), cte="quoted-printable")
    mail.add_alternative(as_html.written(letter), subtype="html", cte="quoted-printable")
    if attachment is not None:
        main, _, sub = attachment.kind.partition("/")
        mail.add_attachment(attachment.content, maintype=main, subtype=sub, filename=attachment.name)
    return mail


def needs_utf8(addresses: Sequence[str]) -> bool:
    """Whether the part of an address before the @ has letters outside ASCII, which older servers cannot take."""
    return not all(address.rpartition("@")[0].isascii() for address in addresses)


def plain(address: str) -> str:
    """Return *address* with its domain in ASCII: "ann@xn--mller-kva.de".

    Raises:
        UnicodeError: The domain has no such form.
    """
    user, _, of = address.rpartition("@")
    return address if of.isascii() else f"{user}@{of.encode('idna').decode('ascii')}"


def domain(host: str) -> str:
    """Return *host* as the right side of a message's id."""
    ascii_only = host.encode("ascii", "ignore").decode()
    return _UNSAFE.sub("-", ascii_only).strip(".-")[:120] or "localhost"


def _ids(message: Message, name: str) -> tuple[str, list[str]]:
    """Return the id of the mail, and those of the threads that it belongs to."""
    events = [event for event in message.events if event.incident and event.kind is not EventKind.SUCCESS]
    threads = list(dict.fromkeys(_thread(message, event, name) for event in events))
    if len(message.events) == 1 and threads and events[0].id == events[0].incident:
        return threads[0], []
    return f"<{_part(message.id)}@{name}>", threads[:MOST_THREADS]


def _thread(message: Message, event: Event, name: str) -> str:
    """Return the id of an incident's thread: one a channel, since two channels may write to one mailbox."""
    return f"<{_part(event.incident)}.{message.channel}@{name}>"


def _part(ident: str) -> str:
    """Return an id as a part of the left side of a message's id."""
    return _UNSAFE.sub("-", ident)[:80].strip(".") or "-"


def _address(address: str, name: str = "") -> Address:
    user, _, of = address.rpartition("@")
    return Address(name, user, of)
