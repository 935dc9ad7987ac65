"""The way to a server: its limits in time and size, and its faults in words."""

import re
import smtplib
import socket
import ssl
import threading

import pytest

from tray.notify.channels import NotSentError
from tray.notify.mail import smtp

SERVER = smtp.Server("mail.example.com", 465, True, "nas", "ann", "hunter2")
MAIL = smtp.Mail("tray@example.com", ("ann@example.com",), b"x")


def test_a_resolver_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver has no time limit; a try has one."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait() and [])
    with pytest.raises(NotSentError, match="could not be resolved in time") as caught:
        smtp.deliver(MAIL, SERVER, 0.05, all_or_none=True)
    release.set()
    assert not caught.value.final


@pytest.mark.parametrize(
    ("error", "words", "final"),
    [
        (
            smtplib.SMTPAuthenticationError(535, b"5.7.8 no: hunter2"),
            "refused user and password: 535 5.7.8 no: …",
            True,
        ),
        (smtplib.SMTPAuthenticationError(454, b"later"), "refused user and password: 454 later", False),
        (smtplib.SMTPResponseException(421, b"4.3.2 bye\nnow"), "refused the mail: 421 4.3.2 bye now", False),
        (smtplib.SMTPResponseException(550, b"\x1b[31m\xff\r\nx"), r"refused the mail: 550 \\x1b\[31m. x", True),
        (smtplib.SMTPNotSupportedError("x"), "offers no way to log in", True),
        (smtplib.SMTPServerDisconnected("x"), "closed the connection", False),
        (smtplib.SMTPException("odd \n answer"), r"answered in a way that is no SMTP: odd \\n answer", False),
        (TimeoutError("x"), "does not answer", False),
        (ssl.SSLError(1, "[SSL] odd"), "cannot be reached", False),
        (ConnectionRefusedError(111, "Connection refused"), "cannot be reached: Connection refused", False),
        (UnicodeEncodeError("ascii", "ä", 0, 1, "not in range"), "takes no user, password or address", True),
    ],
    ids=str,
)
def test_a_fault_is_told_in_words_without_the_password(error: Exception, words: str, final: bool) -> None:
    """The user reads the server's own reply on one line; only the same answer again makes it final."""
    told_as = smtp._not_sent(error, SERVER)
    assert told_as.final is final
    assert told_as.why.startswith("The mail server mail.example.com:465 ")
    assert re.search(words, told_as.why)
    assert "hunter2" not in told_as.why
