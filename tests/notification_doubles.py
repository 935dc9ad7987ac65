"""Strict doubles of programs that show notifications, on a bus of their own: they behave as GNOME's and KDE's do, by the protocol.

A call with a wrong signature or a hint of a wrong type is an error, as there.
"""

import asyncio
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import ErrorType, Message, MessageType, Variant, unpack_variants
from dbus_fast.aio import MessageBus

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
_DBUS, _DBUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
_HINTS = {
    "urgency": "y",
    "category": "s",
    "desktop-entry": "s",
    "transient": "b",
    "suppress-sound": "b",
    "image-path": "s",
}
GONE = 1
"""Reason of `NotificationClosed`: expired. 2 means dismissed by the user, 3 closed by a call."""


@dataclass(frozen=True)
class Kind:
    """How a desktop behaves.

    Attributes:
        name: Its name.
        capabilities: Its answer to `GetCapabilities`.
        private: Signals go only to the process that showed the notice, which loses its notices when it leaves the bus (GNOME).
        inhibited: Its property `Inhibited`; None: it has none (only KDE has).
        token: It sends `ActivationToken` before a click (GNOME, KDE).
    """

    name: str
    capabilities: tuple[str, ...]
    private: bool = False
    inhibited: bool | None = None
    token: bool = False


GNOME = Kind(
    "gnome-shell", ("actions", "body", "body-markup", "icon-static", "persistence", "sound"), private=True, token=True
)
KDE = Kind(
    "Plasma",
    (
        *("body", "body-hyperlinks", "body-markup", "body-images", "icon-static", "actions", "persistence"),
        *("inline-reply", "x-kde-urls", "x-kde-origin-name", "x-kde-display-appname", "inhibitions"),
    ),
    inhibited=False,
    token=True,
)
MAKO = Kind("mako", ("body", "body-markup", "actions", "icon-static", "x-canonical-private-synchronous"))
BARE = Kind("bare", ("body",))
"""One without buttons and markup."""


@dataclass
class Notice:
    """A notice that is shown."""

    id: int
    sender: str
    app: str
    icon: str
    title: str
    body: str
    actions: dict[str, str]
    hints: dict[str, Any]
    expire: int


@dataclass
class Server:
    """A program that shows notifications, on a thread of its own.

    Attributes:
        shown: The open notices by number.
        calls: Every call of `Notify`, in order, as the notice that it made.
        replaced: The numbers that `Notify` was told to replace; 0 for a new notice.
    """

    address: str
    kind: Kind
    shown: dict[int, Notice] = field(default_factory=dict)
    calls: list[Notice] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    next_id: int = 1

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._main(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    def click(self, number: int, key: str) -> None:
        """Press a button."""
        self._in_loop(lambda: self._click(number, key))

    def dismiss(self, number: int, reason: int = 2) -> None:
        """Close a notice as the user does, or as time does."""
        self._in_loop(lambda: self._closed(number, reason))

    def forge(self, member: str, signature: str, *values: Any) -> None:
        """Send a signal from a connection that is not the owner of the name."""

        async def send() -> None:
            bus = await MessageBus(bus_address=self.address).connect()
            await bus.send(Message.new_signal(PATH, NAME, member, signature, list(values)))
            bus.disconnect()
            await bus.wait_for_disconnect()

        asyncio.run(send())

    def release(self) -> None:
        """Give the name up, as at its end."""
        asyncio.run_coroutine_threadsafe(self._bus.release_name(NAME), self._loop).result(30)

    def stop(self) -> None:
        """Leave the bus as if it had crashed."""
        self._loop.call_soon_threadsafe(self._bus.disconnect)
        self._thread.join(30)
        self._loop.close()

    def _in_loop(self, act: Any) -> None:
        done = threading.Event()

        def call() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(call)
        assert done.wait(30)

    async def _main(self) -> None:
        self._bus = await MessageBus(bus_address=self.address).connect()
        self._bus.add_message_handler(self._answer)
        rule = f"type='signal',sender='{_DBUS}',member='NameOwnerChanged'"
        await self._bus.call(Message(_DBUS, _DBUS_PATH, _DBUS, "AddMatch", signature="s", body=[rule]))
        await self._bus.request_name(NAME)
        self._ready.set()
        try:
            await self._bus.wait_for_disconnect()
        except (OSError, EOFError):
            pass

    def _answer(self, call: Message) -> Message | bool:
        if call.message_type is MessageType.SIGNAL and call.member == "NameOwnerChanged" and self.kind.private:
            name, _, new = call.body
            for number in [number for number, notice in self.shown.items() if notice.sender == name and not new]:
                del self.shown[number]
        if call.message_type is not MessageType.METHOD_CALL or call.path != PATH:
            return False
        match call.interface, call.member, call.signature:
            case "org.freedesktop.DBus.Properties", "Get", "ss":
                if call.body == [NAME, "Inhibited"] and self.kind.inhibited is not None:
                    return Message.new_method_return(call, "v", [Variant("b", self.kind.inhibited)])
                return Message.new_error(call, "org.freedesktop.DBus.Error.InvalidArgs", "No such property")
            case str(interface), "GetCapabilities", "" if interface == NAME:
                return Message.new_method_return(call, "as", [list(self.kind.capabilities)])
            case str(interface), "GetServerInformation", "" if interface == NAME:
                return Message.new_method_return(call, "ssss", [self.kind.name, "vendor", "1", "1.2"])
            case str(interface), "CloseNotification", "u" if interface == NAME:
                return self._close(call)
            case str(interface), "Notify", "susssasa{sv}i" if interface == NAME:
                return Message.new_method_return(call, "u", [self._notify(call)])
        return Message.new_error(call, ErrorType.UNKNOWN_METHOD, f"{call.member}({call.signature})")

    def _close(self, call: Message) -> Message:
        (number,) = call.body
        if number not in self.shown:
            return Message.new_error(
                call, "org.freedesktop.Notifications.Error.ExcessNotificationGeneration", "Invalid"
            )
        self._closed(number, 3)
        return Message.new_method_return(call, "", [])

    def _notify(self, call: Message) -> int:
        app, replaces, icon, title, body, actions, hints, expire = call.body
        assert len(actions) % 2 == 0, "actions come in pairs"
        for name, value in hints.items():
            assert value.signature == _HINTS[name], f"{name} has the type {value.signature}"
        if replaces in self.shown:
            number = replaces
        else:
            number, self.next_id = self.next_id, self.next_id + 1
        notice = Notice(
            number,
            call.sender or "",
            app,
            icon,
            title,
            body,
            dict(zip(actions[::2], actions[1::2], strict=True)),
            unpack_variants(hints),
            expire,
        )
        self.shown[number] = notice
        self.calls.append(notice)
        self.replaced.append(replaces)
        return number

    def _click(self, number: int, key: str) -> None:
        assert key in self.shown[number].actions, f"no button {key}"
        if self.kind.token:
            self._signal(number, "ActivationToken", "us", "token-1")
        self._signal(number, "ActionInvoked", "us", key)
        self._closed(number, 2)

    def _closed(self, number: int, reason: int) -> None:
        self._signal(number, "NotificationClosed", "uu", reason)
        del self.shown[number]

    def _signal(self, number: int, member: str, signature: str, value: Any) -> None:
        signal = Message.new_signal(PATH, NAME, member, signature, [number, value])
        if self.kind.private:
            signal.destination = self.shown[number].sender
        self._bus.send(signal)


@contextmanager
def private_bus() -> Iterator[str]:
    """Run a session bus on which no program is, and which starts none; gives its address."""
    config = (
        f"<busconfig><type>session</type><listen>unix:tmpdir={tempfile.gettempdir()}</listen><policy context='default'>"
        "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/></policy></busconfig>"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(config)
        file.flush()
        process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={file.name}", "--nofork", "--nopidfile", "--print-address"],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()
