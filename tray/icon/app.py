"""The tray process: one icon for each user, drawn from the one status, at 1 Hz and only when something changed.

The main thread belongs to the icon's event loop. One other thread fetches the status once a second, so a log that is locked or a
tracker that hangs never makes the menu wait. Windows are processes of their own.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from tray import wording
from tray.core import clock
from tray.core.errors import BackupTrayError, NoTrayError, StatusFetchError, UnexpectedError
from tray.core.model import Control, JobStatus, State, Status
from tray.core.model.judge import unavailable
from tray.icon import alarm, backends, xembed
from tray.icon.controls import Controls
from tray.icon.open_window import Windows
from tray.icon.render import Look, draw

if TYPE_CHECKING:
    from pystray import Menu, MenuItem

NAME = "backup-tray"
LABEL = "Backup Status"
POLL_SECONDS = 1.0
MOST_ALARMS = 3
"""Jobs that are not fine and get an entry of their own in the menu; the Dashboard has all."""
PATIENCE_SECONDS = 5.0
"""At login the tray may be quicker than the panel: wait so long before saying that there is none."""

_log = logging.getLogger("tray.icon")


class Source(Protocol):
    """What the tray needs of `status.StatusSource`."""

    def poll(self) -> Status:
        """Return the status now; never raises."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


_NOTHING_KNOWN = "Backup status unavailable"
"""The tooltip where not even the words for the failure can be had."""


class App:
    """The icon with its tooltip and menu.

    Args:
        source: Makes the source of the status; called in the thread that polls it.
        ask: Has something done with a run, and may wait for the answer; raises BackupTrayError if it is refused.
        footer: Returns what identifies the audit log, for the end of a notification about it; may be "".
        told: Called after each notification, by a thread of its own: why it could not be shown, None if it was.
        patience: Seconds to wait for a panel at the start.
    """

    def __init__(
        self,
        source: Callable[[], Source],
        *,
        ask: Callable[[Control, str], None] = lambda _control, _run: None,
        footer: Callable[[], str] = lambda: "",
        told: Callable[[str | None], None] = lambda _why: None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._make = source
        self._ask = ask
        self._footer, self._told = footer, told
        self._alarm = alarm.Alarm()
        self._controls = Controls(lambda: self._status, self._control, self.open)
        self._patience = patience
        self._windows = Windows()
        self._stop = threading.Event()
        self._source: Source | None = None
        self._icon: Any = None
        self._picture: Callable[[Look], object] = lambda look: look
        self._status = unavailable(StatusFetchError("it is being read").facts(), clock.now_ms())
        self._shown: tuple[object, ...] = ()
        self._lines = ("", "", "")
        self._audit_text = ""
        self._fall_back = False

    def run(self) -> int:
        """Show the icon until somebody ends it, or the session ends; returns the exit code.

        Raises:
            NoTrayError: There is no place for an icon, and none may come.
        """
        if sys.platform == "linux":
            self._run_linux()
        else:
            self._run_stock()
        return 0

    # Which backend.

    def _run_linux(self) -> None:
        sni = backends.sni()
        icon = sni.Icon(
            NAME,
            LABEL,
            self._menu(),
            patience=self._patience,
            homeless=self._homeless,
            failed=_log.warning,
            told=self._tell,
        )
        try:
            self._session(icon)
        except sni.NoBusError as error:
            _log.warning("no session bus: %s", error)
            self._fall_back = xembed.has_tray() and backends.has_gtk()
            if not self._fall_back:
                if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
                    self._windows.open("dashboard")
                raise NoTrayError("There is no session bus (D-Bus) and no notification area.") from error
        if self._fall_back:
            gtk = backends.gtk()
            self._session(gtk.Icon(NAME, LABEL, self._menu(), told=self._tell))

    def _run_stock(self) -> None:
        import pystray

        self._picture = lambda look: draw(look, 32 if sys.platform == "win32" else 48)
        self._session(pystray.Icon(NAME, title=LABEL, menu=self._menu()))

    def _session(self, icon: Any) -> None:
        self._stop.clear()
        self._icon, self._shown = icon, ()
        try:
            icon.run(self._watch)
        finally:
            self._stop.set()
            icon.stop()

    def _homeless(self) -> None:
        """No panel took the icon: an older tray will do, else say so once and open the Dashboard. Runs in the icon's loop."""
        if xembed.has_tray() and backends.has_gtk():
            self._fall_back = True
            self._icon.leave()
            return
        _log.warning("no panel shows icons here; waiting for one")
        self._icon.notify(
            "This desktop has no place for the icon, so the Dashboard opens instead. `backup-tray doctor` names what to install.",
            "Backup Status has no tray",
        )
        self.open("dashboard")

    # What is shown.

    def _watch(self, icon: Any) -> None:
        """Poll and show until told to stop; pystray runs this in a thread of its own.

        It ends only when it is told to: whatever fails, the icon says that nothing is known, and the next poll tries again.
        """
        self._attempt(self._show)
        icon.visible = True
        try:
            while True:
                self._attempt(self._turn)
                if self._stop.wait(POLL_SECONDS):
                    return
        finally:
            if self._source is not None:
                self._source.close()
                self._source = None

    def _turn(self) -> None:
        """Poll once and act on the answer; it is shown last, so that it never covers a failure of the rest."""
        if self._source is None:
            self._source = self._make()
        self._status = self._source.poll()
        self._sound_alarm()
        for reason in self._windows.failures():
            self._window_failed(reason)
        self._show()

    def _attempt(self, act: Callable[[], None]) -> None:
        """Call *act*; if it fails, show that nothing is known: by the usual way, else by one that needs no words of others."""
        try:
            act()
        except Exception as error:
            try:
                self._status = self._broken(error)
                self._show()
            except Exception:
                self._show_nothing_known()

    def _show_nothing_known(self) -> None:
        """Turn the icon away from whatever it said before, each part by itself."""
        self._shown, self._audit_text = (), ""
        self._lines = (_NOTHING_KNOWN, "", "")
        with suppress(Exception):
            self._icon.title = _NOTHING_KNOWN
        with suppress(Exception):
            self._icon.icon = self._picture(Look(State.UNAVAILABLE))
        with suppress(Exception):
            self._icon.update_menu()

    def _audit_line(self, now: int) -> str:
        """Return the menu's line about the audit log, which claims nothing while the status cannot be read."""
        return wording.menu_audit_line(
            wording.audit_line_now(self._status.audit, now, readable=self._status.error is None)
        )

    def _sound_alarm(self) -> None:
        """Tell people of a breach that nobody has acknowledged, if that is due."""
        standing = self._status.audit
        if standing is not None and self._alarm.due(standing, clock.monotonic()):
            title, text = alarm.words(standing, clock.now_ms(), self._footer())
            self._icon.notify(text, title)

    def _tell(self, why: str | None) -> None:
        """Pass on how a notification went, without making the icon's loop wait."""
        if why is not None:
            _log.warning("no notification could be shown: %s", why)
            self._alarm.missed(clock.monotonic())
        threading.Thread(target=self._told, args=(why,), daemon=True, name="told").start()

    def _broken(self, error: Exception) -> Status:
        """Return the status after a failure of our own; it is logged once, not once a second."""
        unexpected = UnexpectedError(error)
        told = StatusFetchError(f"{unexpected.what} {unexpected.why}", unexpected.next).facts()
        if self._status.error is None or self._status.error["why"] != told["why"]:
            _log.error("the status could not be fetched", exc_info=error)
        return unavailable(told, clock.now_ms())

    def _show(self) -> None:
        """Show the status where it differs from what is shown."""
        now = clock.now_ms()
        look, text = Look.of(self._status), wording.tooltip(self._status, now)
        audit = self._audit_line(now)
        lines = wording.menu_lines(self._status, now)
        alarms = tuple((job.job, job.state, page) for job, page in self._alarms())
        shown = (
            look,
            text,
            lines,
            audit,
            alarms,
            self._run_for_log(),
            self._status.last is None,
            self._controls.shown(),
        )
        before, self._shown = self._shown, ()  # what fails half-way is drawn whole the next time
        if before == shown:
            self._shown = shown
            return
        self._lines, self._audit_text = lines, audit
        if not before or before[0] != look:
            self._icon.icon = self._picture(look)
        self._icon.title = text
        self._icon.update_menu()
        self._shown = shown

    def _menu(self) -> "Menu":
        menu = backends.menu()
        item, line = menu.MenuItem, menu.Menu.SEPARATOR
        return menu.Menu(
            *self._answer(),
            line,
            item("Open Dashboard", lambda *_: self.open("dashboard"), default=True),
            *(self._alarm_item(place) for place in range(MOST_ALARMS)),
            item(
                "View last-run report",
                lambda *_: self._open_last("report"),
                enabled=lambda _: self._status.last is not None,
                visible=lambda _: not self._alarms(),
            ),
            item("Details (full log)", lambda *_: self._open_log(), enabled=lambda _: bool(self._run_for_log())),
            *self._controls.items(),
            item(lambda _: self._audit_text, lambda *_: self.open("audit")),
            item("Verify audit log", lambda *_: self.open("verify")),
            line,
            item("Quit", lambda *_: self.quit()),
        )

    def _answer(self) -> "list[MenuItem]":
        """The first lines of the menu: the answer, which opens the Dashboard."""
        item = backends.menu().MenuItem

        def line(place: int) -> "MenuItem":
            return item(
                lambda _: self._lines[place],
                lambda *_: self.open("dashboard"),
                visible=lambda _: bool(self._lines[place]),
            )

        return [line(place) for place in range(len(self._lines))]

    def _alarm_item(self, place: int) -> "MenuItem":
        """One click from an alarm to the run that it is about."""

        def page(of: int) -> str:
            alarms = self._alarms()
            return alarms[of][1] if of < len(alarms) else "dashboard"

        def text(_: object) -> str:
            alarms = self._alarms()
            return _alarm_text(*alarms[place]) if place < len(alarms) else ""

        return backends.menu().MenuItem(
            text, lambda *_: self.open(page(place)), visible=lambda _: place < len(self._alarms())
        )

    def _alarms(self) -> list[tuple[JobStatus, str]]:
        """Return the worst jobs that are not fine, and the page about the run that each alarm is about."""
        if self._status.error is not None:
            return []
        found = []
        for job in wording.bad(self._status)[:MOST_ALARMS]:
            live = next((run.run for run in self._status.runs if job.is_of(run)), None)
            if job.state is State.STALLED and live is not None:
                found.append((job, f"log/{live}"))
            elif job.about is not None:
                found.append((job, f"report/{job.about.run}"))
        return found

    # What one can do.

    def open(self, page: str) -> None:
        """Open the window at *page*; if that fails, a notification says why."""
        reason = self._windows.open(page)
        if reason is not None:
            self._window_failed(reason)

    def _control(self, control: Control, run: str) -> None:
        """Have it done by a thread of its own: the menu must not wait for the tracker."""

        def ask() -> None:
            try:
                self._ask(control, run)
            except BackupTrayError as error:
                _log.warning("%s was refused: %s", control, error.what)
                self._icon.notify(f"{error.why} {error.next}".strip(), error.what)

        threading.Thread(target=ask, daemon=True, name="control").start()

    def quit(self) -> None:
        """End the tray; backups, tracker and windows go on."""
        self._stop.set()
        self._icon.stop()

    def _open_last(self, page: str) -> None:
        if self._status.last is not None:
            self.open(f"{page}/{self._status.last.run}")

    def _open_log(self) -> None:
        if run := self._run_for_log():
            self.open(f"log/{run}")

    def _run_for_log(self) -> str | None:
        """The run that goes on, else the one that the worst alarm is about, else the last one."""
        if self._status.own_runs:
            return self._status.own_runs[0].run
        if alarms := self._alarms():
            return alarms[0][1].partition("/")[2]
        return None if self._status.last is None else self._status.last.run

    def _window_failed(self, reason: str) -> None:
        _log.warning("the window did not open: %s", reason)
        self._icon.notify(reason, "The Backup Status window did not open")


def _alarm_text(job: JobStatus, page: str) -> str:
    """Return "Report of home (failed)", cut so that the way in which it is not fine stays."""
    head, word = ("Log" if page.startswith("log/") else "Report"), f" ({wording.job_word(job).lower()})"
    room = wording.MENU_UNITS - len(f"{head} of {word}")
    return f"{head} of {wording.fit(wording.escape(job.job), room)}{word}"
