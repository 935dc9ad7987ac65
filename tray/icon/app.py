"""Run the tray: one icon for each user, drawn from the one status, at 1 Hz and only when something changed.

The main thread belongs to the icon's event loop. One other thread fetches the status once a second, so a log that is locked or a
tracker that hangs never makes the menu wait. Windows are processes of their own.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol

import pystray

from tray import wording
from tray.core import clock
from tray.core.errors import BackupTrayError, NoTrayError, StatusFetchError, UnexpectedError
from tray.core.model import Control, State, Status
from tray.core.model.judge import unavailable
from tray.core.started import Started
from tray.icon import xembed
from tray.icon.menu import StatusMenu
from tray.icon.render import Look, pictures

NAME = "backup-tray"
LABEL = "Backup Status"
POLL_SECONDS = 1.0
PATIENCE_SECONDS = 5.0
"""At login the tray may be quicker than the panel: how long it waits before it says that there is none."""

_NOTHING_KNOWN = "Backup status unavailable"
"""The tooltip where not even the words for the failure can be had."""

_log = logging.getLogger("tray.icon")


class Source(Protocol):
    """The source of the status, such as `status.StatusSource`."""

    def poll(self) -> Status:
        """Return the status now, the very same object only while nothing of it changed; never raises."""
        ...

    def close(self) -> None:
        """Close its connections and files."""
        ...


def states(status: Status) -> dict[object, object]:
    """Return the state of each job by its name and the run that decides it, and whether an audit log shows a breach."""
    known: dict[object, object] = {
        (job.instance, job.job, None if job.about is None else job.about.run): job.state for job in status.jobs
    }
    return known | {"audit": status.audit is not None and status.audit.breach}


class App:
    """The icon with its tooltip and menu.

    Args:
        source: Makes the source of the status; called in the thread that polls it.
        ask: Has a control done with a run, and may wait for the answer; raises BackupTrayError if it is refused.
        check: Starts a check of a job and waits for its end; raises BackupTrayError if it ended badly.
        settled: Called once, after the first poll.
        changed: Called when a state has changed without a run, as that of a job that became overdue; also after the first poll.
        patience: Seconds to wait for a panel at the start.
    """

    def __init__(
        self,
        source: Callable[[], Source],
        *,
        ask: Callable[[Control, str], None] = lambda _control, _run: None,
        check: Callable[[str], None] = lambda _job: None,
        settled: Callable[[], None] = lambda: None,
        changed: Callable[[], None] = lambda: None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._make, self._ask, self._check = source, ask, check
        self._settled, self._changed, self._patience = settled, changed, patience
        self._states: dict[object, object] | None = None
        self._windows = Started()
        self._stop = threading.Event()
        self._source: Source | None = None
        self._icon: Any = None
        self._picture: Callable[[Look], object] = lambda look: look
        reading = StatusFetchError("it is being read").facts()
        self.menu = StatusMenu(unavailable(reading, clock.now_ms()), self)
        self._shown: tuple[object, ...] = ()
        self._fall_back = False

    def run(self) -> int:
        """Show the icon until the user or the session ends it; return the exit code.

        Raises:
            NoTrayError: There is no place for an icon, and none may come.
        """
        if sys.platform == "linux":
            self._run_linux()
        else:
            self._run_stock()
        return 0

    # -- the backend of pystray

    def _run_linux(self) -> None:
        sni: Any = import_module("tray.icon.sni")  # loads asyncio and D-Bus, which Windows has not
        icon = sni.Icon(
            NAME,
            LABEL,
            self.menu.menu(),
            patience=self._patience,
            homeless=self._homeless,
            failed=_log.warning,
        )
        try:
            self._session(icon)
        except sni.NoBusError as error:
            _log.warning("no session bus: %s", error)
            self._fall_back = xembed.usable()
            if not self._fall_back:
                if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
                    self._windows.start("window", "dashboard")
                raise NoTrayError("There is no session bus (D-Bus) and no notification area.") from error
        if self._fall_back:
            gtk: Any = import_module("tray.icon.gtk")  # loads GTK, which the usual panels do not need
            self._session(gtk.Icon(NAME, LABEL, self.menu.menu(), failed=_log.warning))

    def _run_stock(self) -> None:
        from PIL import Image  # the stock backends of Windows and macOS take pictures of Pillow

        size = 32 if sys.platform == "win32" else 48
        self._picture = lambda look: Image.frombytes("RGBA", (size, size), pictures(look)[size])
        self._session(pystray.Icon(NAME, title=LABEL, menu=self.menu.menu()))

    def _session(self, icon: Any) -> None:
        self._stop.clear()
        self._icon, self._shown = icon, ()
        try:
            icon.run(self._watch)
        finally:
            self._stop.set()
            icon.stop()

    def _homeless(self) -> None:
        """Take an older tray where no panel took the icon, else say so once and open the Dashboard. Runs in the icon's loop."""
        if xembed.usable():
            self._fall_back = True
            self._icon.leave()
            return
        _log.warning("no panel shows icons here; waiting for one")
        self._icon.notify(
            "This desktop has no place for the icon, so the Dashboard opens. `backup-tray doctor` names the missing program.",
            "Backup Status has no tray",
        )
        self.open("dashboard")

    # -- show

    def _watch(self, icon: Any) -> None:
        """Poll and show until the tray ends; pystray runs this in a thread of its own.

        After a failure the icon says that nothing is known, and the next poll tries again.
        """
        self._attempt(self._show)
        icon.visible = True
        try:
            self._attempt(self._turn)
            self._attempt(self._settled)
            while not self._stop.wait(POLL_SECONDS):
                self._attempt(self._turn)
        finally:
            if self._source is not None:
                self._source.close()
                self._source = None

    def _turn(self) -> None:
        """Poll once and act on the answer; show it last, so that it never covers a failure of the rest."""
        if self._source is None:
            self._source = self._make()
        before, self.menu.status = self.menu.status, self._source.poll()
        if self.menu.status is not before:
            self._note_states()
        for failure in self._windows.failures():
            self._window_failed(failure.reason)
        if self.menu.status is not before or not self._shown:
            self._show()

    def _note_states(self) -> None:
        """Have people told where a state has changed by itself; of the end of a run the tracker has them told."""
        before, self._states = self._states, states(self.menu.status)
        if before is None or any(before.get(about, state) != state for about, state in self._states.items()):
            self._changed()

    def _attempt(self, act: Callable[[], None]) -> None:
        """Call *act*; if it fails, show that nothing is known: by the usual way, else by one that needs no words of others."""
        try:
            act()
        except Exception as error:
            try:
                self.menu.status = self._broken(error)
                self._show()
            except Exception:
                self._show_nothing_known()

    def _show_nothing_known(self) -> None:
        """Show that nothing is known, each part by itself, so that nothing of before stays."""
        self._shown = ()
        self.menu.lines, self.menu.audit = (_NOTHING_KNOWN, "", ""), ""
        with suppress(Exception):
            self._icon.title = _NOTHING_KNOWN
        with suppress(Exception):
            self._icon.icon = self._picture(Look(State.UNAVAILABLE))
        with suppress(Exception):
            self._icon.update_menu()

    def _broken(self, error: Exception) -> Status:
        """Return the status after a failure of our own; it is logged once, not once a second."""
        unexpected = UnexpectedError(error)
        facts = StatusFetchError(f"{unexpected.what} {unexpected.why}", unexpected.next).facts()
        if self.menu.status.error is None or self.menu.status.error["why"] != facts["why"]:
            _log.error("the status could not be fetched", exc_info=error)
        return unavailable(facts, clock.now_ms())

    def _show(self) -> None:
        """Show the status where it differs from the one that is shown."""
        now, status = clock.now_ms(), self.menu.status
        look, text = Look.of(status), wording.tooltip(status, now)
        self.menu.lines = wording.menu_lines(status, now)
        self.menu.audit = wording.menu_audit_line(
            wording.audit_line_now(status.audit, now, readable=status.error is None)
        )
        shown = (look, text, *self.menu.shown())
        before, self._shown = self._shown, ()  # a picture that fails half-way is drawn whole the next time
        if before != shown:
            if not before or before[0] != look:
                self._icon.icon = self._picture(look)
            self._icon.title = text
            self._icon.update_menu()
        self._shown = shown

    # -- act for the menu

    def open(self, page: str) -> None:
        """Open the window at *page*; if that fails, a notification says why."""
        reason = self._windows.start("window", page)
        if reason is not None:
            self._window_failed(reason)

    def control(self, control: Control, run: str) -> None:
        """Have *control* done with *run*."""
        self._beside(control.value, lambda: self._ask(control, run))

    def check(self, job: str) -> None:
        """Start a check of *job*, and tell the user if it ends badly."""
        self._beside("check", lambda: self._check(job))

    def _beside(self, name: str, act: Callable[[], None]) -> None:
        """Call *act* in a thread of its own, since the menu must not wait; a notification says why it failed."""

        def attempt() -> None:
            try:
                act()
            except BackupTrayError as error:
                _log.warning("%s was refused: %s", name, error.what)
                self._icon.notify(f"{error.why} {error.next}".strip(), error.what)

        threading.Thread(target=attempt, daemon=True, name=name).start()

    def quit(self) -> None:
        """End the tray; backups, tracker and windows go on."""
        self._stop.set()
        self._icon.stop()

    def _window_failed(self, reason: str) -> None:
        _log.warning("the window did not open: %s", reason)
        self._icon.notify(reason, "The Backup Status window did not open")
