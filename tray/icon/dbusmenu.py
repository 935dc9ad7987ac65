"""The menu on the bus (com.canonical.dbusmenu): a pystray menu in the form that panels read.

An item keeps its id as long as the menu keeps its shape, so a panel may hold an open menu while texts change in it.
"""

from collections.abc import Callable
from typing import Any

from dbus_fast import Variant
from pystray._base import Menu, MenuItem

from tray.icon.dbus_objects import Interface, Method

PATH = "/MenuBar"
NAME = "com.canonical.dbusmenu"

Properties = dict[str, Variant]
Emit = Callable[[str, str, list[Any]], None]


class BusMenu:
    """The menu as panels see it.

    Args:
        emit: Sends a signal: name, signature, values.
        choose: Called with the item that was clicked.
    """

    def __init__(self, emit: Emit, choose: Callable[[MenuItem], None]) -> None:
        self._emit = emit
        self._choose = choose
        self._revision = 1
        self._items: dict[int, MenuItem] = {}
        self._children: dict[int, list[int]] = {0: []}
        self._properties: dict[int, Properties] = {0: {"children-display": Variant("s", "submenu")}}

    def show(self, menu: Menu | None) -> None:
        """Take *menu* as it is now, and tell panels of the changes, if there are any."""
        before, children = self._properties, self._children
        self._items, self._children = {}, {}
        self._properties = {0: before[0]}
        self._walk(0, menu)
        if self._children != children:
            self._revision += 1
            self._emit("LayoutUpdated", "ui", [self._revision, 0])
            return
        changed = [[item, now] for item, now in self._properties.items() if now != before[item]]
        if changed:
            self._emit("ItemsPropertiesUpdated", "a(ia{sv})a(ias)", [changed, []])

    def _walk(self, parent: int, menu: Menu | None) -> None:
        self._children[parent] = []
        for item in menu or ():
            number = len(self._items) + 1
            self._items[number] = item
            self._properties[number] = properties(item)
            self._children[parent].append(number)
            self._walk(number, item.submenu)

    def interface(self) -> Interface:
        """Return the interface at `PATH`."""
        return Interface(
            NAME,
            lambda: {
                "Version": Variant("u", 3),
                "Status": Variant("s", "normal"),
                "TextDirection": Variant("s", "ltr"),
                "IconThemePath": Variant("as", []),
            },
            {
                "GetLayout": Method("iias", "u(ia{sv}av)", self._layout),
                "GetGroupProperties": Method("aias", "a(ia{sv})", self._group),
                "GetProperty": Method("is", "v", lambda item, name: [self._properties[item][name]]),
                "Event": Method("isvu", "", self._event),
                "EventGroup": Method("a(isvu)", "ai", self._events),
                "AboutToShow": Method("i", "b", lambda _: [False]),
                "AboutToShowGroup": Method("ai", "aiai", lambda _: [[], []]),
            },
            {"LayoutUpdated": "ui", "ItemsPropertiesUpdated": "a(ia{sv})a(ias)"},
        )

    def _layout(self, parent: int, depth: int, _names: list[str]) -> list[Any]:
        return [self._revision, self._node(parent, depth)]

    def _node(self, item: int, depth: int) -> list[Any]:
        children = self._children[item] if depth else []
        return [
            item,
            self._properties[item],
            [Variant("(ia{sv}av)", self._node(child, depth - 1)) for child in children],
        ]

    def _group(self, items: list[int], _names: list[str]) -> list[Any]:
        return [[[item, self._properties[item]] for item in items or self._properties if item in self._properties]]

    def _event(self, item: int, kind: str, _data: Variant, _when: int) -> list[Any]:
        chosen = self._items.get(item)
        if kind == "clicked" and chosen is not None and chosen.enabled:
            self._choose(chosen)
        return []

    def _events(self, events: list[Any]) -> list[Any]:
        for event in events:
            self._event(*event)
        return [[event[0] for event in events if event[0] not in self._properties]]


def properties(item: MenuItem) -> Properties:
    """Return how panels shall show *item*. A "_" would mark a shortcut key, so it is doubled."""
    if item is Menu.SEPARATOR:
        return {"type": Variant("s", "separator")}
    shown = {"label": Variant("s", item.text.replace("_", "__")), "enabled": Variant("b", bool(item.enabled))}
    if item.submenu:
        shown["children-display"] = Variant("s", "submenu")
    return shown
