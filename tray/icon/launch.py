"""The start of the tray: one for each user, with everything that the icon's `App` needs."""

import logging

from tray.core import succession
from tray.core.errors import BackupTrayError
from tray.core.locks import FileLock
from tray.core.model import Control
from tray.core.paths import Places, private
from tray.icon.app import App, Source
from tray.icon.open_window import Windows

_log = logging.getLogger("tray.icon")


def main(places: Places) -> int:
    """Be the tray of this user, or have the window opened if there is one already; returns the exit code."""
    from tray.icon import diagnostics

    lock = _claim(places)
    if lock is None:
        if reason := Windows().open("dashboard"):
            raise BackupTrayError("The window did not open.", why=reason, next="Run `backup-tray window`.")
        return 0
    with lock:
        diagnostics.start(places)

        def source() -> Source:
            from tray.status import StatusSource

            return StatusSource(places, role="tray", start_tracker=True)

        def ask(control: Control, run: str) -> None:
            from tray.status import control as controls

            controls.ask(places, control, run, by="tray")

        def told(why: str | None) -> None:
            from tray.recording.outage import Unheard

            Unheard(places).note(why)

        return App(source, ask=ask, footer=lambda: _footer(places), told=told).run()


def _footer(places: Places) -> str:
    """Return what identifies the audit log as it is now; nothing where it cannot be read."""
    from tray.audit.store import AuditLog
    from tray.baselines import all_copies

    try:
        with AuditLog.read(places.audit_db) as log:
            return all_copies.footer(log.head()[2])
    except (BackupTrayError, ValueError):
        return ""


def _claim(places: Places) -> FileLock | None:
    """Return the lock of the one tray, None if another holds it. Without a place for a lock an icon is better than none.

    A tray whose program was replaced since it started makes way for this one.
    """
    try:
        lock = FileLock(private(places.runtime) / "tray.lock")
        if not lock.acquire() and not (succession.make_way(lock.path) and lock.acquire()):
            return None
        succession.sign(lock.path)
        return lock
    except (OSError, BackupTrayError) as error:
        _log.warning("cannot make sure that this is the only tray: %s", error)
        return FileLock(places.runtime / "tray.lock")
