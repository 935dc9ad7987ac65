"""Loading pystray and the Linux backends only when they are wanted: each brings libraries that the others do not need."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def menu() -> ModuleType:
    """Return pystray, for `Menu` and `MenuItem`."""
    return import_module("pystray")


def sni() -> ModuleType:
    """Return the StatusNotifierItem backend."""
    return import_module("tray.icon.sni")


def gtk() -> ModuleType:
    """Return the XEmbed backend.

    Raises:
        ImportError: PyGObject or GTK is missing.
    """
    return import_module("tray.icon.gtk")


def has_gtk() -> bool:
    """Return whether PyGObject is there, without loading it."""
    return find_spec("gi") is not None
