"""Show one HTML file in a real web view, as a mail program does: `python -m tests.e2e.mail_page FILE WIDTH HEIGHT`.

Prints a line of JSON once the page is loaded: the size that it needs, and whether it is dark. Ends with its standard input.
"""

import sys
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import GLib, Gtk, WebKit2  # noqa: E402 # the versions come first

_MEASURE = """
JSON.stringify({
  width: document.documentElement.scrollWidth,
  height: document.body.getBoundingClientRect().height,
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  text: document.body.innerText,
})
"""


def main(file: str, width: str, height: str) -> None:
    """Show *file* in a window of that size."""
    window = Gtk.Window(type=Gtk.WindowType.POPUP)
    window.set_default_size(int(width), int(height))
    view = WebKit2.WebView.new_with_context(WebKit2.WebContext.new_ephemeral())
    window.add(view)

    def measured(_: Any, result: Any) -> None:
        print(view.evaluate_javascript_finish(result).to_string(), flush=True)

    def changed(_: Any, event: Any) -> None:
        if event == WebKit2.LoadEvent.FINISHED:
            view.evaluate_javascript(_MEASURE, -1, None, None, None, measured)

    view.connect("load-changed", changed)
    view.load_uri(Path(file).resolve().as_uri())
    window.show_all()
    window.move(0, 0)
    GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, Gtk.main_quit)
    Gtk.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
