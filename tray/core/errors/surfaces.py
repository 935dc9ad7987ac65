"""Errors of the surfaces: tray, window, and the view of the whole system."""

import os
import shlex
import sys
from pathlib import Path

from tray.core.errors.base import BackupTrayError

GTK = "sudo apt install python3-gi gir1.2-gtk-3.0 gir1.2-webkit2-4.1"
QT = "pip install 'pywebview[pyqt6]>=6,<7'"


def sees_system_packages() -> bool:
    """Whether this Python has what the system's package manager installs, such as `gi`.

    The system's own Python does, and a virtual environment of it that was made with `--system-site-packages`.
    """
    if sys.base_prefix != "/usr":
        return False
    if sys.prefix == sys.base_prefix:
        return True
    try:
        with open(os.path.join(sys.prefix, "pyvenv.cfg"), encoding="utf-8") as file:
            lines = [line.replace(" ", "").strip().lower() for line in file]
    except (OSError, ValueError):
        return False
    return "include-system-site-packages=true" in lines


def pip_command(package: str) -> str:
    """Return the command that installs *package*, such as "apprise>=1.9", for this very Python."""
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(package)}"


def web_view_remedy() -> tuple[str, str]:
    """Return the command that brings a web view to this Python, and a remark to it; the remark may be empty."""
    if sees_system_packages():
        return GTK, ""
    remark = "this Python environment cannot see the system's GTK; `installers/linux/install.sh` makes one that does"
    return f"{shlex.quote(sys.executable)} -m {QT}", remark


class NoWebViewError(BackupTrayError):
    """No window can be shown: no web view, or no screen."""

    code = "ERROR_NO_WEB_VIEW"

    def __init__(self, why: str, next: str = "") -> None:
        command, remark = ("", "") if next else web_view_remedy()
        step = next or f"Install it with `{command}`, then try again{f' ({remark})' if remark else ''}."
        super().__init__("The window cannot be shown; what it would say stands in the terminal.", why=why, next=step)


class WebViewUnsafeError(BackupTrayError):
    """The web view library is not built as we need it to keep pages away from Python."""

    code = "ERROR_WEB_VIEW_UNSAFE"

    def __init__(self, module: str) -> None:
        super().__init__(
            "The window was not opened, because it would not be safe.",
            why=f"{module} of the installed pywebview has no door that we could guard.",
            next="Install the version that we know: `pip install 'pywebview>=6,<7'`.",
        )


class WindowBusyError(BackupTrayError):
    """A window is open but does not answer."""

    code = "ERROR_WINDOW_BUSY"

    def __init__(self, why: str) -> None:
        super().__init__(
            "The window is open already but does not answer.",
            why=why,
            next="Close that window, then try again; if you see none, run `backup-tray doctor`.",
        )


class NoTrayError(BackupTrayError):
    """There is no place for an icon, and none may come."""

    code = "ERROR_NO_TRAY"
    exit_code = 3

    def __init__(self, why: str) -> None:
        super().__init__(
            "The icon cannot be shown here.",
            why=why,
            next="See the same in this terminal with `backup-tray status --watch`; `backup-tray doctor` says what is missing.",
        )


class SystemViewError(BackupTrayError):
    """A system-wide instance was set up here, but what it knows cannot be had now."""

    code = "ERROR_SYSTEM_VIEW"
    exit_code = 3

    def __init__(
        self, why: str, next: str = "An administrator can look: `sudo systemctl status backup-tray` (and start it)."
    ) -> None:
        super().__init__("The system's backups (root's) are not known now.", why=why, next=next)


class NotInGroupError(BackupTrayError):
    """There is a system-wide instance, but this user is not in the group that may see it."""

    code = "ERROR_SYSTEM_GROUP"
    exit_code = 3

    def __init__(self, group: str, user: str, *, added: bool = False) -> None:
        super().__init__(
            f"Root's backups are not shown: you are not in the group {group}{' in this session' if added else ''}.",
            why=f"Only members of the group {group} may see them.",
            next="Log in again: you were added to it after you logged in."
            if added
            else f"An administrator can add you: sudo usermod -aG {group} {user} (then log in again).",
        )
        self.group, self.user, self.added = group, user, added


class SystemOwnedError(BackupTrayError):
    """The request would change a thing of root's; `thing` names it, `command` is the way for an administrator."""

    code = "ERROR_SYSTEM_OWNED"

    def __init__(self, thing: str, command: str) -> None:
        super().__init__(
            f"{thing} belongs to the system (root) and is only shown to you.",
            why="Nothing that an ordinary user asks for changes root's backups or their record.",
            next=f"An administrator can do it: `{command}`.",
        )
        self.thing, self.command = thing, command


class SystemServiceError(BackupTrayError):
    """The system-wide instance cannot show itself to its group."""

    code = "ERROR_SYSTEM_SERVICE"

    def __init__(self, why: str, next: str) -> None:
        super().__init__("The system's status cannot be shown to others.", why=why, next=next)


class BadDayError(BackupTrayError):
    """A time in a filter of the window cannot be read; `field` is the input that holds it."""

    code = "ERROR_BAD_DAY"

    def __init__(self, field: str, text: str, why: str, next: str) -> None:
        super().__init__(
            f"{text.strip()[:40]!r} is no day to search {'from' if field == 'since' else 'to'}.",
            why=why,
            next=next or "Give the earlier day first; an empty field means no limit.",
        )
        self.field = field


class ExportFailedError(BackupTrayError):
    """The process that writes a report for the window said no, or nothing at all."""

    code = "ERROR_EXPORT"

    def __init__(self, what: str, why: str, next: str) -> None:
        super().__init__(
            what or "The report was not written.",
            why=why,
            next=next or "Try another folder, or the same in a terminal: `backup-tray report --help`.",
        )


class MetricsFileError(BackupTrayError):
    """The file of figures for a monitoring system cannot be written."""

    code = "ERROR_METRICS_FILE"

    def __init__(self, file: Path, error: OSError) -> None:
        folder = shlex.quote(str(file.parent))
        super().__init__(
            f"The metrics cannot be written to {file}.",
            why=f"{error.strerror or error}.",
            next=f"Look at the folder: `ls -ld {folder}`. This user must be allowed to write there.",
        )


class ChannelNotFoundError(BackupTrayError):
    """No channel has this name."""

    code = "ERROR_CHANNEL_NOT_FOUND"

    def __init__(self, channel: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"There is no channel named {channel!r}.",
            why=f"The channels are: {', '.join(known)}.",
            next="Add a table [channels.NAME] to config.toml, or see them all: `backup-tray notify status`.",
        )


class MessageNotSentError(BackupTrayError):
    """A message was not sent by a channel."""

    code = "ERROR_MESSAGE_NOT_SENT"

    def __init__(self, channel: str, why: str, *, of_session: bool = False) -> None:
        again = f"`backup-tray notify test {channel}`"
        mend = f"Mend [channels.{channel}] in config.toml or the receiver, then try again: {again}."
        super().__init__(
            f"The message was not sent by {channel}.",
            why=why,
            next=f"Try it in a terminal of your desktop: {again}." if of_session else mend,
        )


class QueueUnavailableError(BackupTrayError):
    """The queue of messages cannot be written."""

    code = "ERROR_QUEUE_UNAVAILABLE"

    def __init__(self, why: str) -> None:
        super().__init__(
            "The queue of messages cannot be written.",
            why=f"{why}.",
            next="See which folder cannot be used, and how to mend it: `backup-tray doctor`.",
        )
