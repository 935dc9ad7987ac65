"""Show messages on the desktop of Windows and macOS, by the library of this name.

It shows title and text and has no buttons: a click there would need a process of ours that waits for it. The tests run it on Linux,
where the library speaks to the same notification servers as `channels.desktop`; it was not run on Windows or macOS.
"""

from importlib import import_module
from typing import Any

from tray.config.channels import ChannelSettings
from tray.core import clock
from tray.core.errors.surfaces import pip_command
from tray.core.model import Status
from tray.core.model.events import Message
from tray.core.paths import Places, assets
from tray.notify.channels import NotSentError
from tray.notify.desktop import notices

_APP = "Backup Status"


class Channel:
    """The desktop of this user."""

    def __init__(self, settings: ChannelSettings, places: Places) -> None:
        try:
            self._library: Any = import_module("desktop_notifier")
            make = import_module("desktop_notifier.sync").DesktopNotifierSync
            icon = self._library.Icon(path=assets() / "icons" / "notice-ok.png")
            self._notifier: Any = make(app_name=_APP, app_icon=icon)
        except ImportError as error:
            step = f"install it with `{pip_command('desktop-notifier')}`"
            raise NotSentError(f"The package desktop-notifier is missing; {step}.", final=True) from error

    def send(self, message: Message, status: Status) -> None:
        """Show the notices of *message*; one that it would take away stays until the user closes it."""
        shown, _ = notices.of(notices.still_true(message, status), clock.now_ms(), lambda _: ())
        levels = self._library.Urgency
        try:
            for notice in shown:
                urgency = levels.Critical if notice.urgency == notices.CRITICAL else levels.Normal
                self._notifier.send(notice.title, notice.body, urgency=urgency, thread=notice.key)
        except Exception as error:  # each system has errors of its own
            raise NotSentError(f"The desktop shows no notification: {type(error).__name__}.") from error
