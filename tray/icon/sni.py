"""Show the icon by StatusNotifierItem, which today's Linux panels speak: icon, live tooltip, menu, left click.

This is a backend of pystray, whose own ones on Linux have no tooltip, or need a desktop's libraries. It needs only the session bus.
It registers as soon as a panel's watcher appears, again when the panel restarts, and sends every size that panels ask for.
Specification: freedesktop.org, StatusNotifierItem; the menu is in `dbusmenu`.
"""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from pystray import _base

from tray.core.paths import session_bus
from tray.icon import dbusmenu
from tray.icon.dbus_objects import PROPERTIES, Interface, Method, Objects
from tray.icon.render import Look, argb, pictures
from tray.wording import markup

assert sys.platform != "win32"  # tells type checkers which platform this is for

WATCHER = "org.kde.StatusNotifierWatcher"
WATCHER_PATH = "/StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
ITEM_PATH = "/StatusNotifierItem"
NOTIFICATIONS = "org.freedesktop.Notifications"
_DBUS = "org.freedesktop.DBus"


class NoBusError(Exception):
    """There is no session bus to speak on."""


class Icon(_base.Icon):  # type: ignore[misc]  # pystray has no types
    """The icon. Its picture is a `render.Look`, its title the tooltip.

    Args:
        name: Identifies the icon to the panel.
        label: The program's name, for notifications.
        menu: A pystray menu.
        patience: Seconds to wait for a panel before *homeless* is called.
        homeless: Called once, in the loop, if no panel took the icon by then; the icon still appears when one comes.
        failed: Gets each failure on the bus in words.
    """

    def __init__(
        self,
        name: str,
        label: str,
        menu: _base.Menu,
        *,
        patience: float,
        homeless: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        self.shown = False
        self._label = label
        self._patience, self._homeless, self._failed = patience, homeless, failed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: asyncio.Event | None = None
        self._bus: MessageBus | None = None
        self._pixmaps: list[Any] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._busmenu = dbusmenu.BusMenu(
            lambda *signal: self._emit(dbusmenu.PATH, dbusmenu.NAME, *signal), self._choose
        )
        super().__init__(name, menu=menu)

    # -- for pystray; called from any thread

    def _show(self) -> None:
        self._post(lambda: self._soon(self._register()))

    def _hide(self) -> None:
        self._post(lambda: self._signal("NewStatus", "s", ["Passive"]))

    def _update_icon(self) -> None:
        look: Look = self._icon
        pixmaps = [[size, size, argb(pixels)] for size, pixels in pictures(look).items()]
        self._icon_valid = True

        def swap() -> None:
            self._pixmaps = pixmaps
            self._signal("NewIcon")

        self._post(swap)

    def _update_title(self) -> None:
        for name in ("NewToolTip", "NewTitle"):
            self._post(partial(self._signal, name))

    def _update_menu(self) -> None:
        self._post(lambda: self._busmenu.show(self._menu))

    def _stop(self) -> None:
        self._post(self.leave)

    def _notify(self, message: str, title: str | None = None) -> None:
        self._post(lambda: self._soon(self._tell(message, title or self._label)))

    def _remove_notification(self) -> None:
        pass  # they end by themselves

    def run(self, setup: Callable[["Icon"], None] | None = None) -> None:
        """Show the icon until `stop`, a signal to end, or the end of the session; *setup* runs in a thread beside it.

        Raises:
            NoBusError: There is no session bus.
        """
        asyncio.run(self._main(setup))

    def leave(self) -> None:
        """End `run`, from within its loop."""
        if self._done is not None:
            self._done.set()

    # -- the loop

    async def _main(self, setup: Callable[["Icon"], None] | None) -> None:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                self._loop.add_signal_handler(number, self._done.set)
        self._bus = await connect()
        objects = {ITEM_PATH: self._interface(), dbusmenu.PATH: self._busmenu.interface()}
        self._bus.add_message_handler(Objects(objects, self._failed).answer)
        self._bus.add_message_handler(self._heard)
        for rule in (f"sender='{_DBUS}',member='NameOwnerChanged',arg0='{WATCHER}'", f"interface='{WATCHER}'"):
            await self._call(_DBUS, "/org/freedesktop/DBus", _DBUS, "AddMatch", "s", [f"type='signal',{rule}"])
        self._loop.call_later(self._patience, self._impatient)
        self._start_setup(setup)
        self._mark_ready()
        await self._until_done(self._bus)

    async def _until_done(self, bus: MessageBus) -> None:
        """Wait for `stop`, a signal, or the end of the session, which closes the bus."""
        assert self._done is not None
        closed: Coroutine[Any, Any, None] = bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast says no types here
        ends = {asyncio.ensure_future(self._done.wait()), asyncio.ensure_future(closed)}
        try:
            for end in (await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED))[0]:
                end.exception()
        finally:
            for task in (*ends, *self._tasks):
                task.cancel()
            if bus.connected:
                bus.disconnect()
            await asyncio.gather(*ends, *self._tasks, return_exceptions=True)

    def _post(self, act: Callable[[], object]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            with suppress(RuntimeError):  # closed meanwhile: the icon is gone, nothing is left to change
                self._loop.call_soon_threadsafe(act)

    def _soon(self, work: Coroutine[Any, Any, Any]) -> None:
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _heard(self, message: Message) -> bool:
        """Register when a watcher came (the panel started) or a host did; wait when both are gone."""
        if message.message_type is not MessageType.SIGNAL:
            return False
        if message.member == "NameOwnerChanged" and message.body[0] == WATCHER:
            self.shown = False
            if message.body[2]:
                self._soon(self._register())
        elif message.interface == WATCHER and message.member == "StatusNotifierHostRegistered":
            self._soon(self._register())
        return False

    async def _register(self) -> None:
        if self._icon is None or self._bus is None:
            return
        reply = await self._call(
            WATCHER, WATCHER_PATH, WATCHER, "RegisterStatusNotifierItem", "s", [self._bus.unique_name or ""]
        )
        if reply is None:
            return
        host = await self._call(
            WATCHER, WATCHER_PATH, PROPERTIES, "Get", "ss", [WATCHER, "IsStatusNotifierHostRegistered"]
        )
        self.shown = host is None or bool(host[0].value)

    def _impatient(self) -> None:
        if not self.shown:
            self._homeless()

    async def _tell(self, message: str, title: str) -> None:
        body = [self._label, 0, "backup-tray", title, markup(message), [], {}, -1]
        path = "/" + NOTIFICATIONS.replace(".", "/")
        if await self._call(NOTIFICATIONS, path, NOTIFICATIONS, "Notify", "susssasa{sv}i", body) is None:
            self._failed(f"no notification could be shown: {title}")

    async def _call(
        self, to: str, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> list[Any] | None:
        """Call a method and return the values of its reply, None if it failed or the bus is gone."""
        assert self._bus is not None
        call = Message(destination=to, path=path, interface=interface, member=member, signature=signature, body=body)
        try:
            reply = await self._bus.call(call)
        except (OSError, EOFError):
            return None
        return list(reply.body) if reply is not None and reply.message_type is MessageType.METHOD_RETURN else None

    # -- on the bus

    def _signal(self, name: str, signature: str = "", body: list[Any] | None = None) -> None:
        self._emit(ITEM_PATH, ITEM, name, signature, body or [])

    def _emit(self, path: str, interface: str, name: str, signature: str, body: list[Any]) -> None:
        if self._bus is not None and self._bus.connected:
            self._bus.send(Message.new_signal(path, interface, name, signature, body))

    def _choose(self, item: _base.MenuItem) -> None:
        item(self)
        self.update_menu()

    def _activate(self, _x: int, _y: int) -> list[Any]:
        self()
        return []

    def _interface(self) -> Interface:
        nothing = Method("ii", "", lambda _x, _y: [])
        return Interface(
            ITEM,
            self._properties,
            {
                "Activate": Method("ii", "", self._activate),
                "SecondaryActivate": nothing,
                "ContextMenu": nothing,
                "Scroll": Method("is", "", lambda _delta, _orientation: []),
            },
            {"NewTitle": "", "NewIcon": "", "NewToolTip": "", "NewStatus": "s"},
        )

    def _properties(self) -> dict[str, Variant]:
        first, _, second = self.title.partition("\n")
        return {
            "Category": Variant("s", "ApplicationStatus"),
            "Id": Variant("s", self.name),
            "Title": Variant("s", first),
            "Status": Variant("s", "Active"),
            "WindowId": Variant("i", 0),
            "IconName": Variant("s", ""),
            "IconThemePath": Variant("s", ""),
            "IconPixmap": Variant("a(iiay)", self._pixmaps),
            "OverlayIconName": Variant("s", ""),
            "OverlayIconPixmap": Variant("a(iiay)", []),
            "AttentionIconName": Variant("s", ""),
            "AttentionIconPixmap": Variant("a(iiay)", []),
            "ToolTip": Variant("(sa(iiay)ss)", ["", [], first, markup(second)]),
            "ItemIsMenu": Variant("b", False),
            "Menu": Variant("o", dbusmenu.PATH),
        }


async def connect() -> MessageBus:
    """Connect to the session bus.

    Raises:
        NoBusError: There is none, or it does not let us in.
    """
    try:
        return await MessageBus(bus_address=session_bus(), auth_timeout=5).connect()
    except Exception as error:  # dbus-fast raises of many kinds, each means the same to us
        raise NoBusError(f"{type(error).__name__}: {error}") from error
