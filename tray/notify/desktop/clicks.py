"""Start the command of a button that the user clicked, on the screen of the notice, and tell why a start failed.

A sender that a backup from cron started has no variables of the desktop (`DISPLAY` and others). They come from systemd's manager of
the session, else from the program that shows the notices.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from tray.core import ourselves
from tray.core.files import content
from tray.core.started import Started

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
VARIABLES = (
    *SCREENS,
    *("XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP", "DBUS_SESSION_BUS_ADDRESS"),
)
_REFUSALS = (64, 70, 75)
"""Exit codes with which a backup says that it did not start at all; after others there is a run, and a notice about it."""
_TITLES = {"window": "The Backup Status window did not open", "notify": "The job was not snoozed"}
_NOT_STARTED = "The backup was not started"


def variables(lines: Iterable[str]) -> dict[str, str]:
    """Return the variables of the desktop among lines NAME=VALUE."""
    named = (line.partition("=") for line in lines)
    return {name: value for name, _, value in named if name in VARIABLES and value}


def of_process(pid: int) -> dict[str, str]:
    """Return the variables of the desktop with which a process was started; none where that is not to be seen."""
    with suppress(OSError):
        return variables(content(f"/proc/{pid}/environ").decode("utf-8", "surrogateescape").split("\0"))
    return {}


class Clicks:
    """The processes that clicks have started."""

    def __init__(self) -> None:
        self._started = Started()

    def start(self, command: tuple[str, ...], desktop: Mapping[str, str], token: str | None) -> tuple[str, str] | None:
        """Start a command of this program; return title and text if it cannot be started.

        Args:
            desktop: Variables of the desktop, which take the place of our own.
            token: With it the new window may come to the front (XDG activation).
        """
        environment = {**ourselves.environ(), **desktop}
        if token:
            environment |= {"XDG_ACTIVATION_TOKEN": token, "DESKTOP_STARTUP_ID": token}
        reason = self._started.start(*command, environment=environment)
        return None if reason is None else (_TITLES.get(command[0], _NOT_STARTED), reason)

    def young(self) -> bool:
        """Whether a process runs of which it is not known yet that it came up."""
        return self._started.young()

    def failures(self) -> list[tuple[str, str]]:
        """Return title and text about each start that failed since the last call."""
        return [
            (_TITLES.get(failure.command, _NOT_STARTED), failure.reason)
            for failure in self._started.failures()
            if failure.command in _TITLES or failure.code in _REFUSALS
        ]
