"""D-Bus objects as plain tables: an interface is its properties, methods and signals, and one function answers every call.

dbus-fast brings a service layer of its own, built from annotations that no type checker reads; this one is small, typed, starts
faster, and answers a wrong call with an error by name and never with a traceback.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dbus_fast import Message, MessageType, Variant

from tray.core.dataclass import dataclass, field

PROPERTIES = "org.freedesktop.DBus.Properties"
_INTROSPECT = "org.freedesktop.DBus.Introspectable"
_ERROR = "org.freedesktop.DBus.Error."


@dataclass(frozen=True, slots=True)
class Method:
    """A method: the signatures of arguments and reply, and the function, which returns the values of the reply as a list."""

    arguments: str
    reply: str
    call: Callable[..., list[Any]]


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of an object.

    Attributes:
        name: Its D-Bus name.
        properties: Gives the current values, all readable, none writable.
        methods: By name.
        signals: Signature by name, for introspection.
    """

    name: str
    properties: Callable[[], Mapping[str, Variant]]
    methods: Mapping[str, Method] = field(default_factory=dict)
    signals: Mapping[str, str] = field(default_factory=dict)


class Objects:
    """All that this process offers on the bus; `answer` is a message handler of dbus-fast.

    Args:
        objects: The interface that stands at each path.
        failed: Told of an exception in a method, which must not end the process.
    """

    def __init__(self, objects: Mapping[str, Interface], failed: Callable[[str], None]) -> None:
        self._objects = objects
        self._failed = failed

    def answer(self, message: Message) -> Message | bool:
        """Return the reply to a call to one of our objects, or False for everything else."""
        interface = self._objects.get(message.path or "")
        if interface is None or message.message_type is not MessageType.METHOD_CALL:
            return False
        if message.interface == PROPERTIES:
            return _property(interface, message)
        if message.interface == _INTROSPECT and message.member == "Introspect":
            return Message.new_method_return(message, "s", [introspection(interface)])
        method = interface.methods.get(message.member or "")
        if method is None or message.interface not in (interface.name, None):
            return False  # dbus-fast answers Peer, and says UnknownMethod to the rest
        if message.signature != method.arguments:
            return _refuse(message, "InvalidArgs", f"{message.member} takes ({method.arguments})")
        try:
            return Message.new_method_return(message, method.reply, method.call(*message.body))
        except Exception as error:  # one bad call must not take the icon away
            self._failed(f"{message.member}: {type(error).__name__}: {error}")
            return _refuse(message, "Failed", f"{message.member} failed")


def _property(interface: Interface, message: Message) -> Message:
    if not message.body or message.body[0] not in (interface.name, ""):
        return _refuse(message, "UnknownInterface", f"only {interface.name} is here")
    match message.member, message.body[1:]:
        case "GetAll", []:
            return Message.new_method_return(message, "a{sv}", [dict(interface.properties())])
        case "Get", [str(name)] if name in (values := interface.properties()):
            return Message.new_method_return(message, "v", [values[name]])
        case "Get", [str(name)]:
            return _refuse(message, "UnknownProperty", f"{interface.name} has no property {name}")
        case "Set", _:
            return _refuse(message, "PropertyReadOnly", "nothing can be set here")
        case _:
            return _refuse(message, "InvalidArgs", f"{message.member} was called with wrong arguments")


def _refuse(message: Message, name: str, text: str) -> Message:
    return Message.new_error(message, _ERROR + name, text)


def introspection(interface: Interface) -> str:
    """Return the interface as introspection XML (D-Bus specification, "Introspection Data Format")."""
    lines = [f'<node><interface name="{interface.name}">']
    for name, value in interface.properties().items():
        lines.append(f'<property name="{name}" type="{value.signature}" access="read"/>')
    for name, method in interface.methods.items():
        arguments = "".join(f'<arg type="{kind}" direction="in"/>' for kind in split(method.arguments))
        replies = "".join(f'<arg type="{kind}" direction="out"/>' for kind in split(method.reply))
        lines.append(f'<method name="{name}">{arguments}{replies}</method>')
    for name, signature in interface.signals.items():
        arguments = "".join(f'<arg type="{kind}"/>' for kind in split(signature))
        lines.append(f'<signal name="{name}">{arguments}</signal>')
    return "".join(lines) + "</interface></node>"


def split(signature: str) -> list[str]:
    """Return the complete types of a signature: "ia{sv}av" is "i", "a{sv}", "av"."""
    parts, start, depth = [], 0, 0
    for index, char in enumerate(signature):
        depth += (char in "({") - (char in ")}")
        if depth == 0 and char != "a":
            parts.append(signature[start : index + 1])
            start = index + 1
    return parts
