"""Show the icon where only an older kind of tray (XEmbed) stands: pystray's GTK backend, with the tooltip that it lacks.

Pictures go to the tray from memory, at the size that it asks for, scaled down from the next larger one where that was not drawn; no
temporary file is left behind, however the process ends. Only this module imports gi.
"""

import signal
import sys
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import GdkPixbuf, Gio, GLib, Gtk
from pystray import _base, _gtk
from pystray._util.gtk import mainloop

from tray.icon.render import SIZES, Look, pictures

assert sys.platform != "win32"  # tells type checkers which platform this is for

_LABEL_SIZE = 24


class Icon(_gtk.Icon):  # type: ignore[misc]  # pystray has no types
    """The icon; its picture is a `render.Look`, its title the tooltip.

    Args:
        name: Identifies the icon to the tray.
        label: The program's name, for notifications.
        menu: A pystray menu.
        failed: Gets each notification that could not be shown, in words.
    """

    def __init__(self, name: str, label: str, menu: _base.Menu, *, failed: Callable[[str], None]) -> None:
        self._label, self._failed = label, failed
        self._texts: list[Gtk.MenuItem] = []
        super().__init__(name, menu=menu)
        self._status_icon.set_visible(False)
        self._status_icon.connect("size-changed", self._resized)

    @property
    def shown(self) -> bool:
        """Whether a tray has taken the icon."""
        return bool(self._status_icon.is_embedded())

    def _resized(self, _icon: Gtk.StatusIcon, size: int) -> bool:
        self._draw(size)
        return True

    def _draw(self, size: int) -> None:
        look: Look | None = self._icon
        if look is not None:
            size = min(max(size, 16), 128)
            kept = next((kept for kept in SIZES if kept >= size), SIZES[-1])
            pixels = GLib.Bytes.new(pictures(look)[kept])
            picture = GdkPixbuf.Pixbuf.new_from_bytes(pixels, GdkPixbuf.Colorspace.RGB, True, 8, kept, kept, kept * 4)
            if kept != size:
                picture = picture.scale_simple(size, size, GdkPixbuf.InterpType.BILINEAR)
            self._status_icon.set_from_pixbuf(picture)

    def _update_icon(self) -> None:
        self._icon_valid = True
        self._in_loop(lambda: self._draw(self._status_icon.get_size() or _LABEL_SIZE))

    def _show(self) -> None:
        self._in_loop(lambda: self._status_icon.set_visible(True))
        self._update_title()

    def _update_title(self) -> None:
        self._in_loop(self._set_tooltip)

    def _set_tooltip(self) -> None:
        self._status_icon.set_title(self.title.partition("\n")[0])
        self._status_icon.set_tooltip_text(self.title)

    def _update_menu(self) -> None:
        self._in_loop(self._refresh_menu)

    def _refresh_menu(self) -> None:
        """Change texts in place, so that a menu that is open stays open; the shape of our menu never changes."""
        items = list(self.menu)
        if self._menu_handle is None:
            self._menu_handle = self._create_menu(items)
            self._texts = self._menu_handle.get_children()
        for item, widget in zip(items, self._texts, strict=True):
            if item is not _base.Menu.SEPARATOR:
                label = widget.get_child()
                if label.get_text() != item.text:
                    label.set_text(item.text)
                widget.set_sensitive(bool(item.enabled))

    _menu_handle: Any = None

    def _in_loop(self, act: Callable[[], object]) -> None:
        mainloop(act)()

    def _initialize(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, self._ended)
        self._mark_ready()

    def _ended(self) -> bool:
        self._loop.quit()
        return False

    def _finalize(self) -> None:
        self._status_icon.set_visible(False)

    def _notify(self, message: str, title: str | None = None) -> None:
        self._in_loop(lambda: self._tell(message, title or self._label))

    def _tell(self, message: str, title: str) -> None:
        name, text = "org.freedesktop.Notifications", GLib.markup_escape_text(message)
        values = GLib.Variant("(susssasa{sv}i)", (self._label, 0, "backup-tray", title, text, [], {}, -1))
        try:
            bus = Gio.bus_get_sync(Gio.BusType.SESSION, None)
            path = "/" + name.replace(".", "/")
            bus.call_sync(name, path, name, "Notify", values, None, Gio.DBusCallFlags.NONE, 2000, None)
        except GLib.Error as error:
            self._failed(f"no notification could be shown: {title}: {error.message}")

    def _remove_notification(self) -> None:
        pass  # they end by themselves
