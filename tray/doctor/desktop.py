"""What this desktop can show: is there a place for the icon, a web view for the window, a start with the session?

Nothing here loads a toolkit into this process: the session bus is asked directly, and the web view by another Python.
"""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tray.core import ourselves
from tray.core.dataclass import dataclass
from tray.core.errors.surfaces import web_view_remedy
from tray.core.files import content
from tray.icon import xembed

WATCHER = "org.kde.StatusNotifierWatcher"
_ASK_SECONDS = 3.0
_GNOME = (
    "sudo apt install gnome-shell-extension-appindicator  (then log out and in again, and switch it on in Extensions)"
)
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


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: whether it is fine (or not needed here), one sentence, and what mends it."""

    fine: bool
    what: str
    remedy: str = ""


def has_screen(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process could show anything."""
    return sys.platform in ("win32", "darwin") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def tray() -> Finding:
    """Look for a place for the icon."""
    if sys.platform != "linux":
        return Finding(True, "The system has a tray of its own.")
    if not has_screen():
        return Finding(True, "No screen here; `backup-tray status` shows the same in the terminal.")
    if os.environ.get("DBUS_SESSION_BUS_ADDRESS") or os.path.exists(f"/run/user/{os.geteuid()}/bus"):
        if _watcher_answers():
            return Finding(True, f"A panel shows icons here ({WATCHER}).")
        bus = ""
    else:
        bus = " There is no session bus (D-Bus)."
    if xembed.has_tray():
        return Finding(True, "An older tray shows icons here (XEmbed).")
    if "GNOME" in os.environ.get("XDG_CURRENT_DESKTOP", ""):
        return Finding(False, "GNOME has no place for icons by itself; the window opens instead.", _GNOME)
    remedy = "Add a tray ('status notifier') to your panel; on GNOME: " + _GNOME
    return Finding(False, f"No panel here shows icons.{bus} The window opens instead.", remedy)


def web_view() -> Finding:
    """Look whether the window can be shown; only whether its parts are installed, if there is no screen."""
    if sys.platform != "linux":
        return Finding(True, "The system has a web view of its own.")
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
        return Finding(False, f"The web view does not answer: {error}.", _remedy())
    if done.returncode == 0:
        return Finding(True, f"WebKitGTK {done.stdout.decode().strip()} is installed.")
    if all(map(importlib.util.find_spec, ("qtpy", "PyQt6"))):
        return Finding(True, "Qt's web view is installed.")
    if not has_screen():
        return Finding(True, "No web view is installed, and there is no screen that would need one.")
    said = done.stderr.decode("utf-8", "backslashreplace").strip().split("\n")[-1]
    return Finding(False, f"No web view for the window: {said}. Reports are shown in a terminal instead.", _remedy())


def _remedy() -> str:
    command, remark = web_view_remedy()
    return f"{command}  ({remark})" if remark else command


def autostart() -> Finding:
    """Look whether the icon comes by itself after the next login."""
    if sys.platform != "linux":
        return Finding(True, "Not looked at on this system.")
    for folder in _autostart_folders(os.environ):
        file = folder / "backup-tray.desktop"
        try:
            text = content(file).decode("utf-8", "replace")
        except OSError:
            continue
        if "\nHidden=true" in text:
            return Finding(True, f"Switched off by you ({file}).")
        return Finding(True, f"The icon starts with your session ({file}).")
    if not has_screen():
        return Finding(True, "Not set up, and there is no screen here.")
    return Finding(False, "The icon does not start with your session.", "installers/linux/install.sh in the checkout")


def icon_shown(pid: int) -> bool:
    """Return whether a panel has taken an icon of the process *pid*; an XEmbed tray cannot be asked, so there it only has to be."""
    try:
        return asyncio.run(asyncio.wait_for(_registered(pid), _ASK_SECONDS))
    except Exception:  # whatever the bus or the panel did: nobody can say that the icon is shown
        return xembed.has_tray()


def _autostart_folders(environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config"))
    system = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    return [folder / "autostart" for folder in [home, *map(Path, system)]]


def _watcher_answers() -> bool:
    try:
        return asyncio.run(asyncio.wait_for(_has_watcher(), _ASK_SECONDS))
    except Exception:  # no bus, a dead one, one that does not answer: no place for an icon
        return False


async def _has_watcher() -> bool:
    from dbus_fast.aio import MessageBus

    bus = await MessageBus().connect()
    try:
        return bool(
            await _call(
                bus,
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus",
                "NameHasOwner",
                "s",
                WATCHER,
            )
        )
    finally:
        bus.disconnect()


async def _registered(pid: int) -> bool:
    from dbus_fast.aio import MessageBus

    bus = await MessageBus().connect()
    try:
        answer = await _call(
            bus,
            WATCHER,
            "/StatusNotifierWatcher",
            "org.freedesktop.DBus.Properties",
            "Get",
            "ss",
            WATCHER,
            "RegisteredStatusNotifierItems",
        )
        if answer is None:
            raise LookupError("no panel takes icons")
        for item in answer.value:
            name = str(item).split("/")[0].split("@")[0]
            owner = await _call(
                bus,
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus",
                "GetConnectionUnixProcessID",
                "s",
                name,
            )
            if owner == pid:
                return True
        return False
    finally:
        bus.disconnect()


async def _call(bus: Any, name: str, path: str, interface: str, member: str, signature: str, *body: str) -> Any:
    """Return the first value that the call answers with, None if it failed."""
    from dbus_fast import Message, MessageType

    message = Message(
        destination=name, path=path, interface=interface, member=member, signature=signature, body=list(body)
    )
    reply = await bus.call(message)
    return reply.body[0] if reply.message_type is MessageType.METHOD_RETURN and reply.body else None
