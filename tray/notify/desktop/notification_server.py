"""Speak with the program that shows notifications on this user's desktop, over the session bus (org.freedesktop.Notifications)."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dbus_fast import Message as Call
from dbus_fast import MessageType, unpack_variants
from dbus_fast.aio import MessageBus

from tray.core.paths import session_bus
from tray.notify.channels import NotSentError
from tray.notify.desktop import clicks
from tray.notify.desktop.notices import Abilities

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
_DBUS, _DBUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_SYSTEMD, _SYSTEMD_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
_CALL_SECONDS, _LEAVE_SECONDS = 10.0, 1.0
_MATCHES = (
    f"type='signal',sender='{NAME}',interface='{NAME}'",
    f"type='signal',sender='{_DBUS}',member='NameOwnerChanged',arg0='{NAME}'",
)
_MISSING = (f"{_DBUS}.Error.ServiceUnknown", f"{_DBUS}.Error.NameHasNoOwner")


class NotificationServer:
    """The program that shows notifications; a calm face on one connection to the bus.

    Args:
        heard: Gets name and values of each signal that this program sends.
        changed: Called when another program takes its place, or none does.

    Attributes:
        owner: Its name on the bus, "" if none shows notifications.
        place: The bus and that name: together they mean one program, for ever.
    """

    def __init__(self, heard: Callable[[str, list[Any]], None], changed: Callable[[], None]) -> None:
        self._heard, self._changed = heard, changed
        self._bus: MessageBus | None = None
        self._guid = ""
        self.owner = ""

    @property
    def connected(self) -> bool:
        """Whether this process is on the session bus."""
        return self._bus is not None and self._bus.connected

    @property
    def place(self) -> str:
        """The bus and the program's name there."""
        return f"{self._guid} {self.owner}"

    async def connect(self) -> None:
        """Be on the session bus.

        Raises:
            NotSentError: There is none, or it does not let us in.
        """
        if not self.connected:
            try:
                self._bus = await MessageBus(bus_address=session_bus(), auth_timeout=5).connect()
            except Exception as error:  # dbus-fast raises of many kinds, each means the same to us
                raise NotSentError("There is no desktop session of this user: no session bus answers.") from error
            self._bus.add_message_handler(self._take)
            for rule in _MATCHES:
                await self._call(_DBUS, _DBUS_PATH, _DBUS, "AddMatch", "s", rule)
            bus = await self._call(_DBUS, _DBUS_PATH, _DBUS, "GetId")
            self._guid = str(bus.body[0]) if bus.body else ""
        await self.find_owner()

    async def leave(self) -> None:
        """Leave the bus."""
        bus, self._bus, self.owner = self._bus, None, ""
        if bus is not None and bus.connected:
            bus.disconnect()
            with suppress(OSError, EOFError, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast says no types here

    async def ask(self, member: str, signature: str = "", *values: object) -> list[Any]:
        """Call a method and return the values of its reply; the bus may have to start the program first.

        Raises:
            NotSentError: No program shows notifications, or it refuses.
        """
        reply = await self._call(NAME, PATH, NAME, member, signature, *values)
        if reply.message_type is MessageType.METHOD_RETURN:
            return list(reply.body)
        if reply.error_name in _MISSING:
            raise NotSentError("No program shows notifications on this desktop.")
        name = (reply.error_name or "").rpartition(".")[2][:80]
        raise NotSentError(f"The desktop did not take the notification: {member} failed with {name}.")

    async def abilities(self) -> Abilities:
        """Return the abilities of the program. KDE's also tells whether the user does not want to be disturbed.

        Raises:
            NotSentError: No program shows notifications.
        """
        match await self.ask("GetCapabilities"):
            case [list(names)]:
                capabilities = tuple(str(name) for name in names)
            case _:
                capabilities = ()
        about = await self._call(NAME, PATH, NAME, "GetServerInformation")
        program = str(about.body[0]) if about.message_type is MessageType.METHOD_RETURN and about.body else ""
        reply = await self._call(NAME, PATH, _PROPERTIES, "Get", "ss", NAME, "Inhibited")
        quiet = reply.message_type is MessageType.METHOD_RETURN and unpack_variants(reply.body)[:1] == [True]
        return Abilities(capabilities, program, quiet)

    async def desktop_variables(self) -> dict[str, str]:
        """Return the variables that a program needs to open a window on this desktop; none where this process has them."""
        if any(os.environ.get(name) for name in clicks.SCREENS):
            return {}
        reply = await self._call(
            _SYSTEMD, _SYSTEMD_PATH, _PROPERTIES, "Get", "ss", f"{_SYSTEMD}.Manager", "Environment"
        )
        if reply.message_type is MessageType.METHOD_RETURN:
            session = clicks.variables(unpack_variants(reply.body)[0])
            if any(name in session for name in clicks.SCREENS):
                return session
        reply = await self._call(_DBUS, _DBUS_PATH, _DBUS, "GetConnectionUnixProcessID", "s", NAME)
        return clicks.of_process(reply.body[0]) if reply.message_type is MessageType.METHOD_RETURN else {}

    async def find_owner(self) -> None:
        """Note which program shows notifications now."""
        owner = await self._call(_DBUS, _DBUS_PATH, _DBUS, "GetNameOwner", "s", NAME)
        self.owner = str(owner.body[0]) if owner.message_type is MessageType.METHOD_RETURN else ""

    async def _call(
        self, to: str, path: str, interface: str, member: str, signature: str = "", *values: object
    ) -> Call:
        if self._bus is None:
            raise EOFError
        call = Call(to, path, interface, member, signature=signature, body=list(values))
        async with asyncio.timeout(_CALL_SECONDS):
            reply = await self._bus.call(call)
        if reply is None:
            raise EOFError
        return reply

    def _take(self, call: Call) -> bool:
        """Pass on a signal of the program that shows notifications; any program on the bus can send such signals."""
        if call.message_type is MessageType.SIGNAL:
            if call.sender == _DBUS and call.member == "NameOwnerChanged" and call.body[:1] == [NAME]:
                self.owner = str(call.body[2])
                self._changed()
            elif call.sender == self.owner and call.interface == NAME:
                self._heard(call.member or "", list(call.body))
        return False
