"""Run the window's process from start to end."""

import logging
import os
import secrets
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from tray import __version__
from tray.core import clock, files
from tray.core.errors import NoWebViewError
from tray.core.paths import Places, assets, is_trial, private
from tray.status import StatusSource
from tray.window import bridge, calls, toolkit
from tray.window.bridge import literal
from tray.window.instance import Instance
from tray.window.status_feed import Feed, Source
from tray.wording import size

TITLE = "Backup Status"
FIRST_STATUS_SECONDS = 0.25
WIDTH, HEIGHT = 1080, 780
SMALLEST = (360, 320)


def open_window(places: Places, page: str, source: Source | None = None) -> None:
    """Show the window at *page* and return once it is closed; if one is open already, raise that one and return at once.

    Call from the main thread, and end the process with `leave` afterwards.

    Args:
        source: Source of the status, `tray.status.StatusSource` by default.

    Raises:
        NoWebViewError: No web view works here.
        WindowBusyError: The open window does not answer.
        WebViewUnsafeError: This pywebview cannot be guarded.
    """
    instance = Instance(places)
    if not instance.claim_or_ask(page):
        return
    try:
        source = source or StatusSource(places, role="window", start_tracker=True)
        Window(places, page, source).run(instance)
    finally:
        instance.close()


def leave(code: int) -> None:
    """End the process now. pywebview's threads are no daemons and may wait for ever for a page that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Window:
    """The one window: it pushes the status into the page, and does what the page may ask of it (see `calls.Desk`)."""

    def __init__(self, places: Places, page: str, source: Source) -> None:
        self._places, self._page = places, page
        self._feed = Feed(source)
        self._secret = secrets.token_urlsafe(24)
        self._webview: ModuleType | None = None
        self._window: Any = None
        self._toolkit = ""
        self._error: Exception | None = None
        self.started = clock.monotonic()

    def run(self, instance: Instance) -> None:
        """Show the window until it is closed."""
        self._toolkit = toolkit.choose()  # first: where no window can be, no tracker is started for it either
        self._feed.start()
        try:
            self._webview = toolkit.pywebview()
            self._window = self._create(self._webview)
            instance.listen(self.show)
            self._webview.start(gui=self._toolkit)
            if self._error is not None:
                raise self._error
        finally:
            self._feed.stop()

    def _create(self, webview: ModuleType) -> Any:
        status = self._feed.first(FIRST_STATUS_SECONDS)
        picture = None if status is None else self._feed.picture(status)
        trial = is_trial()
        boot = {"secret": self._secret, "page": self._page, "status": picture, "version": __version__, "trial": trial}
        window = webview.create_window(
            f"{TITLE} (trial)" if trial else TITLE,
            html=bridge.build(assets() / "web", boot),
            js_api=bridge.Sealed(),
            width=WIDTH,
            height=HEIGHT,
            min_size=SMALLEST,
            background_color=toolkit.background(self._toolkit),
            text_select=True,
            zoomable=True,
        )
        window.events.initialized += self._guard
        window.events.before_show += self._lock
        window.events.loaded += self._loaded
        return window

    def _guard(self, renderer: str) -> bool:
        """Refuse to go on with another renderer than ours, or without our gate at the door."""
        try:
            expected = toolkit.RENDERERS[self._toolkit]
            if renderer != expected:
                raise NoWebViewError(f"pywebview chose {renderer} where {expected} was asked for.")
            gate = bridge.Gate(calls.table(self._places, self._feed, self), self._secret, self._run_script)
            bridge.install(self._window.gui, gate)
        except Exception as error:
            self._error = error
            return False
        return True

    def _lock(self) -> None:
        """Lock the page before it is loaded; a page that cannot be locked is not shown. pywebview would swallow the error."""
        try:
            toolkit.lock_page(self._window, self._toolkit)
        except Exception as error:
            self._error = error
            self._window.gui.destroy_window(self._window.uid)

    def _loaded(self) -> None:
        self._feed.push_to(lambda picture: self._run_script(f"BT.receive({literal(picture)})"))

    def _run_script(self, script: str) -> object:
        return self._window.run_js(script)

    # -- questions of the page and of other windows

    def show(self, page: str) -> None:
        """Come to the front at *page*."""
        if self._window.events.loaded.wait(10):
            toolkit.present(self._window, self._toolkit)
            threading.Thread(target=self._run_script, args=(f"BT.navigate({literal(page)})",), daemon=True).start()

    def choose_folder(self) -> str | None:
        """Let the user choose a folder."""
        assert self._webview is not None
        chosen = self._window.create_file_dialog(self._webview.FileDialog.FOLDER)
        return str(chosen[0]) if chosen else None

    def choose_file(self, name: str, kind: str) -> str | None:
        """Let the user choose a file to write; *name* is proposed, *kind* names its format."""
        assert self._webview is not None
        return toolkit.save_file(self._webview, self._window, self._toolkit, name, kind)

    def shown(self) -> None:
        """Write how long the start took into the file that `BACKUP_TRAY_WINDOW_TIMES` names, if it is set."""
        if path := os.environ.get("BACKUP_TRAY_WINDOW_TIMES"):
            with open(path, "a", encoding="utf-8", newline="\n") as out:
                print(f"shown {clock.monotonic()}", file=out)

    def tell_verified(self, done: int, total: int) -> None:
        """Tell the page how far its verification is."""
        self._run_script(f"BT.verifying({literal(done)},{literal(total)})")

    def tell_measured(self, path: str, total: int, done: bool) -> None:
        """Tell the page how many bytes a folder takes, or at least so many while it is not *done*."""
        words = size(total) if done else f"more than {size(total)}"
        self._run_script(f"BT.measured({literal(path)},{literal(total)},{literal(words)})")

    def tell_ended(self, job: str, error: dict[str, str] | None) -> None:
        """Tell the page that the process of *job* ended."""
        self._run_script(f"BT.ended({literal(job)},{literal(error)})")


def note_failures(places: Places) -> None:
    """Write errors of ours into a file of the log folder instead of the terminal, which a user of the window does not see."""

    class File(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                file = private(places.log) / "window.log"
                _append(file, f"{clock.to_text(clock.now_ms())} {self.format(record)}\n")
            except Exception:  # noqa: S110 - there is no other place to say it
                pass

    logger = logging.getLogger("tray.window")
    logger.handlers[:] = [File()]
    logger.propagate = False

    def failed(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            logger.error("%s", "".join(traceback.format_exception(arguments.exc_value)))

    threading.excepthook = failed


def _append(file: Path, text: str) -> None:
    handle = files.descriptor(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with os.fdopen(handle, "a", encoding="utf-8", newline="\n") as out:
        out.write(text)
