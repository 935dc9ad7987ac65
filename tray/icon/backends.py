"""Loading pystray and the Linux backends so that they cost little and never fail by what they import.

`import pystray` picks a toolkit by itself and dies without a display; told to be the dummy, it only brings `Menu` and the base
class of icons. asyncio would load OpenSSL for TLS that the tray never speaks.
"""

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def menu() -> ModuleType:
    """Return pystray, for `Menu` and `MenuItem`."""
    if sys.platform == "linux":
        os.environ.setdefault("PYSTRAY_BACKEND", "dummy")
    return import_module("pystray")


def sni() -> ModuleType:
    """Return the StatusNotifierItem backend, loaded without OpenSSL (4 MiB, 4 ms)."""
    menu()
    blocked = "ssl" not in sys.modules
    if blocked:
        sys.modules["ssl"] = None  # type: ignore[assignment] # what Python documents for "this cannot be imported"
    try:
        return import_module("tray.icon.sni")
    finally:
        if blocked:
            del sys.modules["ssl"]


def gtk() -> ModuleType:
    """Return the XEmbed backend.

    Raises:
        ImportError: PyGObject or GTK is missing.
    """
    menu()
    return import_module("tray.icon.gtk")


def has_gtk() -> bool:
    """Return whether PyGObject is there, without loading it."""
    return find_spec("gi") is not None
