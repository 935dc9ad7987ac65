"""The ways by which a message leaves the machine: one module a kind of channel, loaded only in the sender.

Each module has a class `Channel`. The queue, the rules, the pace and the retries are none of its business: it gets one message and
either delivers it or says why not. It must give up by itself within `PATIENCE_SECONDS`.
"""

import sys
from importlib import import_module
from typing import Protocol, cast

from tray.config.channels import DESKTOP, ChannelSettings
from tray.core.model import Status
from tray.core.model.events import Message
from tray.core.paths import Places

PATIENCE_SECONDS = 30.0
"""The longest that one try may take."""


class NotSentError(Exception):
    """A message was not sent.

    Attributes:
        why: One sentence, without secrets.
        final: Another try would bring the same answer, such as a wrong address or a refused password.
        after_seconds: How long the receiver asks to wait; None if it does not say.
    """

    def __init__(self, why: str, *, final: bool = False, after_seconds: float | None = None) -> None:
        super().__init__(why)
        self.why, self.final, self.after_seconds = why, final, after_seconds


class Channel(Protocol):
    """One configured channel."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None: ...

    def send(self, message: Message, status: Status) -> None:
        """Deliver *message*, or raise NotSentError; *status* is that of this moment, for channels that show a state."""
        ...


def load(settings: ChannelSettings, places: Places) -> Channel:
    """Return the channel that *settings* describe.

    Raises:
        NotSentError: A package that it needs is not installed.
    """
    elsewhere = settings.type == DESKTOP and sys.platform != "linux"
    module = import_module(f"tray.notify.channels.{'desktop_notifier' if elsewhere else settings.type}")
    return cast(Channel, module.Channel(settings, places))
