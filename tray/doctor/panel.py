"""Check that a panel has a place for the icon, by questions on the session bus (D-Bus)."""

import asyncio
import os
import sys
from contextlib import suppress
from typing import Any

from tray.core.paths import Places
from tray.doctor import Check, Level
from tray.doctor.desktop import good, has_screen
from tray.icon import xembed

if sys.platform == "linux":
    from dbus_fast import Message, MessageType
    from dbus_fast.aio import MessageBus

WATCHER = "org.kde.StatusNotifierWatcher"
_ASK_SECONDS = 3.0
_GNOME = (
    "sudo apt install gnome-shell-extension-appindicator  (then log out and in again, and switch it on in Extensions)"
)


def tray(_: Places) -> Check:
    """Check that there is a place for the icon."""
    if sys.platform != "linux":
        return Check("tray", good(), "The system has a tray of its own.")
    if not has_screen():
        return Check("tray", good(), "No screen here; `backup-tray status` shows the same in the terminal.")
    if os.environ.get("DBUS_SESSION_BUS_ADDRESS") or os.path.exists(f"/run/user/{os.geteuid()}/bus"):
        if _watcher_answers():
            return Check("tray", good(), f"A panel shows icons here ({WATCHER}).")
        bus = ""
    else:
        bus = " There is no session bus (D-Bus)."
    if xembed.has_tray():
        return Check("tray", good(), "An older tray shows icons here (XEmbed).")
    if "GNOME" in os.environ.get("XDG_CURRENT_DESKTOP", ""):
        return Check("tray", Level.WARN, "GNOME has no place for icons by itself; the window opens instead.", _GNOME)
    remedy = "Add a tray ('status notifier') to your panel; on GNOME: " + _GNOME
    return Check("tray", Level.WARN, f"No panel here shows icons.{bus} The window opens instead.", remedy)


def icon_shown(pid: int) -> bool:
    """Return whether a panel shows an icon of the process *pid*; an XEmbed tray cannot be asked, so it counts if it is there."""
    if sys.platform == "linux":
        with suppress(Exception):  # without an answer of bus and panel, it is not known that the icon is shown
            return asyncio.run(asyncio.wait_for(_registered(pid), _ASK_SECONDS))
    return xembed.has_tray()


def _watcher_answers() -> bool:
    if sys.platform == "linux":
        with suppress(Exception):  # no bus, a dead one, one that does not answer: no place for an icon
            return asyncio.run(asyncio.wait_for(_has_watcher(), _ASK_SECONDS))
    return False


if sys.platform == "linux":

    async def _has_watcher() -> bool:
        bus = await MessageBus().connect()
        try:
            return bool(await _ask_bus(bus, "NameHasOwner", WATCHER))
        finally:
            bus.disconnect()

    async def _registered(pid: int) -> bool:
        bus = await MessageBus().connect()
        try:
            properties = "org.freedesktop.DBus.Properties"
            registered = (WATCHER, "RegisteredStatusNotifierItems")
            answer = await _call(bus, WATCHER, "/StatusNotifierWatcher", properties, "Get", *registered)
            if answer is None:
                raise LookupError("no panel takes icons")
            names = [str(item).split("/")[0].split("@")[0] for item in answer.value]
            return pid in [await _ask_bus(bus, "GetConnectionUnixProcessID", name) for name in names]
        finally:
            bus.disconnect()

    async def _ask_bus(bus: Any, member: str, name: str) -> Any:
        """Return the answer of the bus itself to a question about *name*."""
        return await _call(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", member, name)

    async def _call(bus: Any, name: str, path: str, interface: str, member: str, *body: str) -> Any:
        """Return the first value that the call answers with, None if it failed."""
        signature = "s" * len(body)
        message = Message(
            destination=name, path=path, interface=interface, member=member, signature=signature, body=list(body)
        )
        reply = await bus.call(message)
        return reply.body[0] if reply.message_type is MessageType.METHOD_RETURN and reply.body else None
