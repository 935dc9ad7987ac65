"""The window under the control of WebKitWebDriver, which starts it in the place of a browser. For tests only.

The driver starts this with `--automation`. The web view must then be made with `is_controlled_by_automation` and handed to the
automation session, for which pywebview has no hook; so its module gets a stand-in for WebKit. Everything else is the program
itself. With a FIFO named by `WINDOW_TEST_STATUSES` the statuses come from the test instead of tracker and log.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tray.core.model import Status

STATUSES = "WINDOW_TEST_STATUSES"
PID_FILE = "WINDOW_TEST_PID"
NAME = "backup-tray-window"


def encode(status: Status) -> str:
    """Return *status* as one line."""
    return json.dumps(status.to_json()) + "\n"


class FifoSource:
    """Statuses from a FIFO, one a line; in the contract of `tray.status.StatusSource`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def follow(self, stop: threading.Event) -> Iterator[Status]:
        """Yield each status that the test writes."""
        with open(self._path, encoding="utf-8") as lines:
            for line in lines:
                if stop.is_set():
                    return
                yield Status.from_json(json.loads(line))

    def close(self) -> None:
        """Hold nothing that must be closed."""


def allow_automation() -> None:
    """Make pywebview's web view one that WebKitWebDriver may drive."""
    import gi

    gi.require_version("WebKit2", "4.1")
    import webview.platforms.gtk

    platform: Any = webview.platforms.gtk
    webkit = platform.webkit
    held: dict[str, Any] = {}

    def new_ephemeral() -> Any:
        context = webkit.WebContext.new_ephemeral()
        context.set_automation_allowed(True)
        context.connect("automation-started", started)
        return context

    def started(_context: Any, session: Any) -> None:
        info = webkit.ApplicationInfo.new()
        info.set_name(NAME)
        info.set_version(1, 0, 0)
        session.set_application_info(info)
        session.connect("create-web-view", lambda _session: held["view"])
        held["session"] = session

    def web_view(**properties: Any) -> Any:
        held["view"] = webkit.WebView(is_controlled_by_automation=True, **properties)
        return held["view"]

    class Stand(SimpleNamespace):
        def __getattr__(self, name: str) -> Any:
            return getattr(webkit, name)

    platform.webkit = Stand(WebContext=SimpleNamespace(new_ephemeral=new_ephemeral), WebView=web_view)


def main(page: str) -> None:
    """Show the window at *page*."""
    from tray.core import paths
    from tray.window import app

    Path(os.environ[PID_FILE]).write_text(str(os.getpid()))
    places = paths.places()
    app.note_failures(places)
    allow_automation()
    fifo = os.environ.get(STATUSES)
    app.open_window(places, page, FifoSource(fifo) if fifo else None)
    app.leave(0)


if __name__ == "__main__":
    main(next((word for word in sys.argv[1:] if not word.startswith("--")), "dashboard"))
