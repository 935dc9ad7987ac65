"""The icon's interface on the session bus, tested without a bus."""

from typing import Any
from xml.etree import ElementTree

import pytest
from dbus_fast import Message, MessageType, Variant

from tray.icon import dbusmenu
from tray.icon.dbus_objects import PROPERTIES, Interface, Method, Objects, introspection, split
from tray.icon.dbusmenu import Menu, MenuItem


def ask(
    objects: Objects, interface: str, member: str, signature: str = "", *body: Any, path: str = "/Thing"
) -> Message | bool:
    """Make a call as a panel does."""
    call = Message("x.y", path, interface, member, signature=signature, body=list(body), serial=7)
    call.sender = ":1.5"
    return objects.answer(call)


@pytest.fixture
def failures() -> list[str]:
    """Return the list that collects reported failures."""
    return []


@pytest.fixture
def objects(failures: list[str]) -> Objects:
    """An object with one property and a method that may fail."""

    def half(number: int) -> list[Any]:
        return [12 // number]

    thing = Interface(
        "x.Thing", lambda: {"Name": Variant("s", "a")}, {"Half": Method("i", "i", half)}, {"Changed": "sa{sv}"}
    )
    return Objects({"/Thing": thing}, failures.append)


def test_calls_and_properties_are_answered(objects: Objects) -> None:
    """Methods, Get and GetAll do what panels expect."""
    assert ask(objects, "x.Thing", "Half", "i", 4).body == [3]
    assert ask(objects, PROPERTIES, "Get", "ss", "x.Thing", "Name").body == [Variant("s", "a")]
    assert ask(objects, PROPERTIES, "GetAll", "s", "x.Thing").body == [{"Name": Variant("s", "a")}]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ((PROPERTIES, "Get", "ss", "x.Thing", "Nope"), "UnknownProperty"),
        ((PROPERTIES, "Get", "ss", "x.Other", "Name"), "UnknownInterface"),
        ((PROPERTIES, "Set", "ssv", "x.Thing", "Name", Variant("s", "b")), "PropertyReadOnly"),
        ((PROPERTIES, "Get", "s", "x.Thing"), "InvalidArgs"),
        (("x.Thing", "Half", "s", "four"), "InvalidArgs"),
        (("x.Thing", "Half", "i", 0), "Failed"),
    ],
)
def test_a_wrong_call_gets_an_error_by_name(objects: Objects, call: tuple[Any, ...], name: str) -> None:
    """No program on the bus can end the tray or see its insides by a bad call."""
    reply = ask(objects, *call)
    assert isinstance(reply, Message)
    assert reply.message_type is MessageType.ERROR
    assert reply.error_name == f"org.freedesktop.DBus.Error.{name}"


def test_a_failing_method_is_reported_to_us_and_not_to_the_caller(objects: Objects, failures: list[str]) -> None:
    """The reason goes to our diagnostics."""
    reply = ask(objects, "x.Thing", "Half", "i", 0)
    assert isinstance(reply, Message)
    assert reply.body == ["Half failed"]
    assert failures == ["Half: ZeroDivisionError: integer division or modulo by zero"]


def test_what_is_not_ours_is_left_to_the_library(objects: Objects) -> None:
    """Other paths, unknown methods and signals are not answered here."""
    assert ask(objects, "x.Thing", "Half", "i", 1, path="/Other") is False
    assert ask(objects, "x.Thing", "Nope") is False
    assert objects.answer(Message.new_signal("/Thing", "x.Thing", "Changed")) is False


def test_introspection_names_everything(objects: Objects) -> None:
    """Tools that look at the object see properties, methods and signals with their types."""
    node = ElementTree.fromstring(ask(objects, "org.freedesktop.DBus.Introspectable", "Introspect").body[0])
    assert [arg.get("type") for arg in node.iter("arg")] == ["i", "i", "s", "a{sv}"]
    assert node.find("interface/property").get("type") == "s"
    assert introspection(dbusmenu.BusMenu(lambda *_: None, lambda _: None).interface())


def test_signatures_are_split_into_complete_types() -> None:
    """Nested types stay together."""
    assert split("ia{sv}av(sa(iiay)ss)aai") == ["i", "a{sv}", "av", "(sa(iiay)ss)", "aai"]


class Bench:
    """A menu on a bus that only remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, list[Any]]] = []
        self.chosen: list[str] = []
        self.text = "42 %_"
        self.extra = False
        self.bus = dbusmenu.BusMenu(
            lambda *signal: self.sent.append(signal), lambda item: self.chosen.append(item.text)
        )
        self.menu = Menu(
            MenuItem(lambda _: self.text, None, enabled=False),
            Menu.SEPARATOR,
            MenuItem("Open", lambda: None, default=True),
            MenuItem("More", Menu(MenuItem("Inside", lambda: None)), visible=lambda _: self.extra),
        )
        self.objects = Objects({"/Thing": self.bus.interface()}, self.sent.append)
        self.bus.show(self.menu)

    def call(self, member: str, signature: str, *body: Any) -> list[Any]:
        """Call the menu."""
        reply = ask(self.objects, dbusmenu.NAME, member, signature, *body)
        assert isinstance(reply, Message)
        assert reply.message_type is MessageType.METHOD_RETURN
        return reply.body

    def layout(self) -> list[Any]:
        """Return rows of id and properties."""
        return [child.value[:2] for child in self.call("GetLayout", "iias", 0, -1, [])[1][2]]


@pytest.fixture
def bench() -> Bench:
    """A menu."""
    return Bench()


def test_the_layout_holds_texts_and_what_can_be_chosen(bench: Bench) -> None:
    """A "_" in a name is shown, not taken for a shortcut key."""
    rows = bench.layout()
    assert rows[0] == [1, {"label": Variant("s", "42 %__"), "enabled": Variant("b", False)}]
    assert rows[1] == [2, {"type": Variant("s", "separator")}]
    assert rows[2][1]["label"] == Variant("s", "Open")


def test_a_new_text_keeps_all_ids(bench: Bench) -> None:
    """A menu that is open while a backup runs stays open: only the item that changed is sent."""
    before = [row[0] for row in bench.layout()]
    bench.sent.clear()
    bench.text = "43 %"
    bench.bus.show(bench.menu)
    assert [row[0] for row in bench.layout()] == before
    assert [(name, [item for item, _ in body[0]]) for name, _, body in bench.sent] == [("ItemsPropertiesUpdated", [1])]


def test_nothing_is_sent_when_nothing_changed(bench: Bench) -> None:
    """An idle menu costs no panel any work."""
    bench.sent.clear()
    bench.bus.show(bench.menu)
    assert bench.sent == []


def test_a_new_shape_is_announced(bench: Bench) -> None:
    """Items that come or go make the panel read the menu again."""
    bench.sent.clear()
    bench.extra = True
    bench.bus.show(bench.menu)
    assert [signal[0] for signal in bench.sent] == ["LayoutUpdated"]
    submenu = bench.call("GetLayout", "iias", 4, -1, [])[1]
    assert submenu[2][0].value[1]["label"] == Variant("s", "Inside")


def test_only_a_click_on_an_item_that_can_be_chosen_does_something(bench: Bench) -> None:
    """Hovering, unknown ids and the status line do nothing."""
    for item, kind in ((3, "hovered"), (1, "clicked"), (99, "clicked"), (3, "clicked")):
        bench.call("Event", "isvu", item, kind, Variant("i", 0), 0)
    assert bench.chosen == ["Open"]
    assert bench.call(
        "EventGroup", "a(isvu)", [[3, "clicked", Variant("i", 0), 0], [99, "clicked", Variant("i", 0), 0]]
    ) == [[99]]
    assert bench.chosen == ["Open", "Open"]


def test_panels_may_ask_for_single_properties(bench: Bench) -> None:
    """The other ways to read the menu give the same."""
    assert bench.call("GetProperty", "is", 3, "label") == [Variant("s", "Open")]
    assert [row[0] for row in bench.call("GetGroupProperties", "aias", [3, 99], [])[0]] == [3]
    assert bench.call("AboutToShow", "i", 0) == [False]
