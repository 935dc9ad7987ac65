"""Send a message by Apprise, which knows about a hundred services; the address names service, account and token.

https://appriseit.com/services/; the package is the extra `apprise`. Since the address is a secret, it comes from the channel's
secret or, where it holds none, from `url`.
"""

import json
import subprocess
from importlib.util import find_spec

from tray.config.channels import ChannelSettings
from tray.core import clock, ourselves
from tray.core.errors.surfaces import pip_command
from tray.core.model import Status
from tray.core.model.events import EventKind, Message
from tray.core.paths import Places
from tray.notify import secrets
from tray.notify.channels import PATIENCE_SECONDS, NotSentError
from tray.wording import messages

PACKAGE = "apprise>=1.9"
_PROCESS = "tray.notify.apprise_process"
_TYPES = {messages.CRITICAL: "failure", messages.ERROR: "failure", messages.WARNING: "warning"}
_WRONG_ADDRESS = (401, 403, 404, 410)
"""Codes of HTTP by which a service refuses the account or the token in the address."""


class Channel:
    """One address of Apprise."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None:
        self._settings = settings

    def send(self, message: Message, status: Status) -> None:
        """Send *message*."""
        until = clock.monotonic() + PATIENCE_SECONDS
        if (why := missing()) is not None:
            raise NotSentError(why, final=True)
        url = secrets.of(self._settings) or self._settings.options.get("url")
        if url is None:
            why = "the address, which Apprise's documentation explains, in the file that `secret_file` names"
            raise NotSentError(f"The channel {self._settings.name} needs {why}.", final=True)
        order = {
            "url": str(url),
            "title": messages.title(message),
            "body": f"{messages.text(message, message.made_ms)}\n\n{messages.more(message)}",
            "type": _type(message),
        }
        _judge(_answer(json.dumps(order).encode(), until - clock.monotonic()))


def missing() -> str | None:
    """Return a sentence with the command that installs Apprise, None if it is there."""
    if find_spec("apprise") is not None:
        return None
    return f"Apprise is not installed; install it with `{pip_command(PACKAGE)}`."


def _type(message: Message) -> str:
    """Return the word by which Apprise chooses sign and colour."""
    good = all(event.kind in (EventKind.RECOVERED, EventKind.SUCCESS) for event in message.events)
    return "success" if good else _TYPES.get(messages.severity(message), "info")


def _answer(order: bytes, seconds: float) -> dict[str, object]:
    """Return the answer of the process that sends *order*; none without any."""
    with ourselves.start(_PROCESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, session=False) as process:
        try:
            output, _ = process.communicate(order, timeout=max(seconds, 0))
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise NotSentError("The service behind Apprise gave no answer in time.") from error
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        answer = None
    return answer if isinstance(answer, dict) else {}


def _judge(answer: dict[str, object]) -> None:
    if answer.get("sent") is True:
        return
    if answer.get("known") is False:
        raise NotSentError("Apprise does not understand the address of the channel.", final=True)
    code = answer.get("code")
    if isinstance(code, int):
        raise NotSentError(f"The service behind Apprise refused with HTTP {code}.", final=code in _WRONG_ADDRESS)
    raise NotSentError("Apprise could not reach the service, or the service did not take the message.")
