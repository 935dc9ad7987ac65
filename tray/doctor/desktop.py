"""Check the desktop: a web view for the window, and a start with the session.

No toolkit is loaded into this process: the web view is asked in another Python.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tray.core import ourselves
from tray.core.errors.surfaces import web_view_remedy
from tray.core.files import content
from tray.core.paths import Places
from tray.doctor import Check, Level

_ASK_GI = """
import gi
gi.require_version("Gtk", "3.0")
try:
    gi.require_version("WebKit2", "4.1")
except ValueError:
    gi.require_version("WebKit2", "4.0")
from gi.repository import WebKit2
print(WebKit2.get_major_version(), WebKit2.get_minor_version(), sep=".")
"""


def has_screen(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process could show anything."""
    return sys.platform in ("win32", "darwin") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def good() -> Level:
    """Return the level of a good answer: without a screen there is no icon to praise."""
    return Level.OK if has_screen() else Level.NOTE


def web_view(_: Places) -> Check:
    """Check that the window can be shown; without a screen, only that its parts are installed."""
    if sys.platform != "linux":
        return Check("window", Level.OK, "The system has a web view of its own.")
    try:
        done = subprocess.run(
            [*ourselves.python(), "-c", "import sys\n" + _ASK_GI],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
            cwd=ourselves.FOLDER,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("window", Level.WARN, f"The web view does not answer: {error}.", _remedy())
    if done.returncode == 0:
        return Check("window", Level.OK, f"WebKitGTK {done.stdout.decode().strip()} is installed.")
    if all(map(importlib.util.find_spec, ("qtpy", "PyQt6"))):
        return Check("window", Level.OK, "Qt's web view is installed.")
    if not has_screen():
        return Check("window", Level.OK, "No web view is installed, and there is no screen that would need one.")
    last_words = done.stderr.decode("utf-8", "backslashreplace").strip().split("\n")[-1]
    return Check(
        "window",
        Level.WARN,
        f"No web view for the window: {last_words}. Reports are shown in a terminal instead.",
        _remedy(),
    )


def _remedy() -> str:
    command, remark = web_view_remedy()
    return f"{command}  ({remark})" if remark else command


def autostart(_: Places) -> Check:
    """Check that the icon starts with the session."""
    if sys.platform != "linux":
        return Check("start at login", good(), "Not looked at on this system.")
    entry = _autostart_entry()
    if entry is not None:
        file, on = entry
        words = "The icon starts with your session" if on else "Switched off by you"
        return Check("start at login", good(), f"{words} ({file}).")
    if not has_screen():
        return Check("start at login", good(), "Not set up, and there is no screen here.")
    return Check(
        "start at login",
        Level.WARN,
        "The icon does not start with your session.",
        "installers/linux/install.sh in the checkout",
    )


def starts_at_login() -> bool:
    """Whether the icon starts with the session, where there is a screen for one."""
    entry = _autostart_entry()
    return has_screen() and entry is not None and entry[1]


def _autostart_entry() -> tuple[Path, bool] | None:
    """Return the file that starts the icon with the session, and whether it does; None without one."""
    for folder in _autostart_folders(os.environ):
        file = folder / "backup-tray.desktop"
        with suppress(OSError):
            return file, "\nHidden=true" not in content(file).decode("utf-8", "replace")
    return None


def _autostart_folders(environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config"))
    system = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    return [folder / "autostart" for folder in [home, *map(Path, system)]]
