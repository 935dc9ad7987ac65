"""Send a message as a mail: to an SMTP server, or by the local program `sendmail`.

One try takes `PATIENCE_SECONDS` at most, a report to attach included. Of several recipients those whom the server took get the mail
once: while a message is young, a refusal for now holds it back from all; later it goes to those who can be reached, and the
others are named in the failure, which is final.
"""

import getpass
import os
import socket
import subprocess
import tempfile
from typing import cast
from urllib.parse import urlsplit

from tray import wording
from tray.config.channels import ChannelSettings
from tray.core import clock, ourselves
from tray.core.model import Status
from tray.core.model.events import Message
from tray.core.paths import Places, expand
from tray.notify import secrets
from tray.notify.channels import PATIENCE_SECONDS, NotSentError
from tray.notify.mail import envelope, local, smtp
from tray.notify.mail.envelope import Attachment
from tray.notify.mail.letter import letter

HELD_BACK_MS = 300_000
"""So long a mail to several waits for a recipient whom the server refuses for now, as many do at the first mail of a sender."""
MOST_REPORT = 5 << 20
"""A larger report is not attached: many servers take no mail above 10 MB, and it grows by a third on the way."""
_REPORT_SECONDS = 12.0
_LEAST_SECONDS = 8.0
"""So much of the time is left to the server, whatever comes before."""
_RESERVE_SECONDS = 1.0


class Channel:
    """Mail to the addresses of one channel."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None:
        self._settings, self._options = settings, settings.options

    def send(self, message: Message, status: Status) -> None:
        """Deliver *message*; see `tray.notify.channels.Channel`."""
        deadline = clock.monotonic() + PATIENCE_SECONDS - _RESERVE_SECONDS
        server = self._server()
        host = socket.gethostname()
        try:
            sender = envelope.plain(self._options.get("from") or _own_address(server, host))
            recipients = [envelope.plain(address) for address in self._options["to"]]
        except UnicodeError as error:
            raise NotSentError("A domain in `to` or `from` has no form that mail servers know.", final=True) from error
        attachment = None
        if self._options.get("report"):
            attachment = _report(message, deadline - clock.monotonic() - _LEAST_SECONDS)
        mail = envelope.mail(message, letter(message, host), sender, recipients, host, attachment)
        left = deadline - clock.monotonic()
        if server is None:
            content = mail.as_bytes(policy=mail.policy.clone(linesep=os.linesep))
            local.deliver(content, self._options.get("from") and sender, left)
            return
        young = clock.now_ms() - message.made_ms < HELD_BACK_MS
        sent = smtp.Mail(sender, recipients, mail.as_bytes(), envelope.needs_utf8((sender, *recipients)))
        refused = smtp.deliver(sent, server, left, all_or_none=young)
        if refused:
            words = ", ".join(f"{wording.escape(address)} ({reply})" for address, reply in refused.items())
            rest = len(recipients) - len(refused)
            raise NotSentError(f"{wording.plural(rest, 'address')} got the mail, but not {words}.", final=True)

    def _server(self) -> smtp.Server | None:
        address = self._options.get("server")
        if address is None:
            return None
        parts = urlsplit(address)
        user = self._options.get("user")
        password = None if user is None else secrets.needed(self._settings)
        ca_file = self._options.get("ca_file")
        return smtp.Server(
            cast(str, parts.hostname),
            parts.port or smtp.PORTS[parts.scheme],
            parts.scheme == "smtps",
            envelope.domain(socket.gethostname()),
            user,
            password,
            None if ca_file is None else expand(ca_file),
        )


def _own_address(server: smtp.Server | None, host: str) -> str:
    """Return the address of a sender that names none: the account on the server if that is an address, else the user here."""
    if server is not None and server.user is not None and "@" in server.user:
        return server.user
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "backup-tray"
    return f"{name}@{envelope.domain(host)}"


def _report(message: Message, seconds: float) -> Attachment | None:
    """Return the report of the one run that a message is about, None if there is none or it cannot be made in time."""
    runs = {event.run for event in message.events if event.run is not None}
    if len(runs) != 1 or seconds <= 0:
        return None
    (run,) = runs
    with tempfile.TemporaryFile() as file:
        try:
            process = ourselves.start("report", run, "--format", "pdf", "--output", "-", stdout=file)
        except OSError:
            return None
        try:
            code = process.wait(min(seconds, _REPORT_SECONDS))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
        file.seek(0)
        content = file.read(MOST_REPORT + 1)
    if code or not content.startswith(b"%PDF") or len(content) > MOST_REPORT:
        return None
    return Attachment(f"backup-report-{envelope.domain(run)}.pdf", "application/pdf", content)
