"""Find out whether an older kind of tray (XEmbed) stands on the X display.

The owner of the selection `_NET_SYSTEM_TRAY_Sn` is the tray (freedesktop.org, System Tray Protocol). Xlib is asked by ctypes: a
toolkit just for this question would cost more memory than the whole tray.
"""

import os
import re
from collections.abc import Mapping
from importlib.util import find_spec


def selection(display: str) -> str:
    """Return the name of the selection that the tray of *display* owns: the screen is the number after the last dot."""
    screen = re.search(r":\d+\.(\d+)$", display)
    return f"_NET_SYSTEM_TRAY_S{screen[1] if screen else 0}"


def usable() -> bool:
    """Return whether an XEmbed tray is there, and PyGObject, with which `icon.gtk` draws into it."""
    return has_tray() and find_spec("gi") is not None


def has_tray(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether an XEmbed tray is there; False where there is no X display or no Xlib."""
    display = environ.get("DISPLAY", "")
    if not display:
        return False
    import ctypes  # half a MiB that the usual panels do not cost

    try:
        xlib = ctypes.CDLL("libX11.so.6")
    except OSError:
        return False
    xlib.XOpenDisplay.restype = ctypes.c_void_p
    xlib.XInternAtom.restype = xlib.XGetSelectionOwner.restype = ctypes.c_ulong
    opened = xlib.XOpenDisplay(display.encode())
    if not opened:
        return False
    connection = ctypes.c_void_p(opened)
    try:
        atom = xlib.XInternAtom(connection, selection(display).encode(), 0)
        return bool(xlib.XGetSelectionOwner(connection, ctypes.c_ulong(atom)))
    finally:
        xlib.XCloseDisplay(connection)
