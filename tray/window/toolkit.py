"""Choose the web view of this system, find out whether it can work at all, and do the few things that pywebview does not do.

pywebview falls back from one toolkit to another without a word. We name the one we want, find out first whether it can work, and
refuse any other. GTK with WebKit is the one on Linux; Qt is taken where only that is installed.
"""

import importlib
import importlib.util
import logging
import os
import sys
from queue import Queue
from types import ModuleType
from typing import Any

from tray.core.errors import NoWebViewError

RENDERERS = {"gtk": "gtkwebkit2", "qt": "qtwebengine", "edgechromium": "edgechromium", "cocoa": "cocoa"}
"""The name of each toolkit's renderer in pywebview (`webview.renderer`)."""

_NO_SCREEN = "Run this in a desktop session, or look at `backup-tray status` in the terminal."
LIGHT, DARK = "#f4f6f8", "#15181c"
_LEAN = {"WEBKIT_DISABLE_COMPOSITING_MODE": "1", "WEBKIT_DISABLE_DMABUF_RENDERER": "1"}
"""Have WebKit paint this plain page without the graphics card. Where there is none, each repaint otherwise goes through a software
3D driver: measured at four repaints a second 12 to 15 % of a core instead of 4.5, and 290 MiB instead of 200. It also keeps clear
of drivers that show a blank window."""


def choose() -> str:
    """Return the toolkit to ask pywebview for.

    Raises:
        NoWebViewError: None can work here; names the missing part and how to get it.
    """
    if sys.platform == "darwin":
        return "cocoa"
    if sys.platform == "win32":
        return "edgechromium"
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise NoWebViewError("There is no screen: neither DISPLAY nor WAYLAND_DISPLAY is set.", next=_NO_SCREEN)
    try:
        _check_gtk()
        for name, value in _LEAN.items():
            os.environ.setdefault(name, value)
        return "gtk"
    except (ImportError, ValueError, AttributeError) as error:
        if importlib.util.find_spec("qtpy") and importlib.util.find_spec("PyQt6"):
            return "qt"
        raise NoWebViewError(f"GTK with WebKit is not installed or not found by this Python ({error}).") from error


def _check_gtk() -> None:
    gi: Any = importlib.import_module("gi")
    gi.require_version("Gtk", "3.0")
    try:
        gi.require_version("WebKit2", "4.1")
    except ValueError:
        gi.require_version("WebKit2", "4.0")
    gtk = importlib.import_module("gi.repository.Gtk")
    ready = gtk.init_check()
    if not (ready[0] if isinstance(ready, tuple) else ready):
        raise NoWebViewError(f"The screen {os.environ.get('DISPLAY', '')} cannot be opened.", next=_NO_SCREEN)


def pywebview() -> ModuleType:
    """Import pywebview, quietly: its log would put tracebacks on the terminal.

    Raises:
        NoWebViewError: It is not installed.
    """
    try:
        webview = importlib.import_module("webview")
    except ImportError as error:
        raise NoWebViewError(
            f"pywebview is not installed ({error}).", next="Install it: `pip install pywebview`."
        ) from error
    logger = logging.getLogger("pywebview")
    logger.handlers[:] = [logging.NullHandler()]
    logger.propagate = False
    return webview


def background(toolkit: str) -> str:
    """Return the colour to show until the page is there, so that a dark desktop sees no white flash."""
    if toolkit != "gtk":
        return LIGHT
    gtk: Any = importlib.import_module("gi.repository.Gtk")
    settings = gtk.Settings.get_default()
    if settings is None:
        return LIGHT
    theme = os.environ.get("GTK_THEME") or settings.props.gtk_theme_name or ""
    dark = settings.props.gtk_application_prefer_dark_theme or theme.lower().endswith(("-dark", ":dark"))
    return DARK if dark else LIGHT


def lock_page(window: Any, toolkit: str) -> None:
    """Keep the web view on our document: no link, drop or script leads it anywhere else. Call once the window exists."""
    if toolkit != "gtk":
        return  # elsewhere the policy, and the secret that a call needs, stand alone
    webkit: Any = importlib.import_module("gi.repository.WebKit2")

    def decide(_view: object, decision: Any, kind: Any) -> bool:
        if kind == webkit.PolicyDecisionType.RESPONSE:
            return False
        if decision.get_navigation_action().get_request().get_uri() == "about:blank":
            return False
        decision.ignore()
        return True

    view = window.gui.BrowserView.instances[window.uid].webview
    view.connect("decide-policy", decide)
    view.get_settings().props.enable_developer_extras = False


def save_file(webview: ModuleType, window: Any, toolkit: str, name: str, kind: str) -> str | None:
    """Let the user choose a file to write in the desktop's own dialog, which asks before it replaces another file.

    Call from a thread that is not the user interface's.

    Args:
        name: Name that the dialog proposes.
        kind: Name of the format, "PDF".
    """
    if toolkit != "gtk":
        types = (f"{kind} (*{os.path.splitext(name)[1]})",)
        chosen = window.create_file_dialog(webview.FileDialog.SAVE, save_filename=name, file_types=types)
        return str(chosen if isinstance(chosen, str) else chosen[0]) if chosen else None
    glib: Any = importlib.import_module("gi.repository.GLib")
    answer: Queue[str | None] = Queue()

    def ask() -> bool:
        try:
            answer.put(_gtk_save(window.native, name, kind))
        except Exception:
            answer.put(None)
            raise
        return False

    glib.idle_add(ask)
    return answer.get()


def _gtk_save(parent: Any, name: str, kind: str) -> str | None:
    """GTK's dialog, which pywebview shows without the question whether a file shall be replaced."""
    gtk: Any = importlib.import_module("gi.repository.Gtk")
    dialog = gtk.FileChooserNative.new(f"Save as {kind}", parent, gtk.FileChooserAction.SAVE, "_Save", "_Cancel")
    dialog.set_do_overwrite_confirmation(True)
    dialog.set_current_name(name)
    try:
        chosen = dialog.run() == gtk.ResponseType.ACCEPT
        return str(dialog.get_filename()) if chosen and dialog.get_filename() else None
    finally:
        dialog.destroy()


def present(window: Any, toolkit: str) -> None:
    """Bring *window* to the front, from any thread."""
    if toolkit != "gtk":
        window.restore()
        window.show()
        return
    glib: Any = importlib.import_module("gi.repository.GLib")

    def raise_it() -> bool:
        window.native.deiconify()
        window.native.present()
        return False

    glib.idle_add(raise_it)
