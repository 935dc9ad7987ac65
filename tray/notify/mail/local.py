"""Deliver a mail by the local program `sendmail`, which every mail system installs: postfix, exim, msmtp, nullmailer."""

import os
import subprocess

from tray import wording
from tray.notify.channels import NotSentError

PROGRAMS = ("/usr/sbin/sendmail", "/usr/lib/sendmail")
_FINAL = {64, 65, 66, 67, 76, 77, 78}
"""Exit codes (sysexits.h) after which another try brings the same: usage, data, user, protocol, permission, configuration."""
_WORDS_UNITS = 300


def deliver(content: bytes, sender: str | None, seconds: float) -> None:
    """Hand a mail to the local program, which takes the recipients from its headers.

    Args:
        content: The mail with lines that end in a line feed.
        sender: The address to which a failure is reported; None for the user's own.
        seconds: How long the program may take.

    Raises:
        NotSentError: There is no such program, or it refused the mail.
    """
    program = next((path for path in PROGRAMS if os.access(path, os.X_OK)), None)
    if program is None:
        raise NotSentError(
            "This machine has no mail program (/usr/sbin/sendmail). Install one such as msmtp-mta or postfix, or name a "
            'mail server: `server = "smtps://mail.example.com"`.',
            final=True,
        )
    argv = [program, "-t", "-i", *(() if sender is None else ("-f", sender))]
    try:
        done = subprocess.run(
            argv, input=content, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotSentError(f"{program} did not take the mail within {seconds:.0f} seconds.") from error
    except OSError as error:
        raise NotSentError(f"{program} cannot be run: {error.strerror}.") from error
    if done.returncode:
        raise NotSentError(_refused(program, done.returncode, done.stderr), final=done.returncode in _FINAL)


def _refused(program: str, code: int, said: bytes) -> str:
    last = said[-4096:].decode("utf-8", "replace").strip().rpartition("\n")[2].rstrip(".")
    words = wording.fit(wording.escape(last), _WORDS_UNITS)
    return f"{program} refused the mail with exit code {code}{': ' if words else ''}{words}."
