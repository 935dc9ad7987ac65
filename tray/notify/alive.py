"""Tell tools that watch the watcher that it is at work: about once an hour, once the audit log was verified.

A tool that hears nothing for longer knows that no tracker, no timer and no run of ours is alive any more. If the log was tampered
with, the breach is told instead (`notify.news`); if it cannot be verified, nothing is: the silence says so.
"""

from contextlib import suppress

from tray import config as configuration
from tray.baselines import recorded_check
from tray.config.channels import RUNS, Notify
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError
from tray.core.model import Status
from tray.core.model.events import Event, EventKind
from tray.core.paths import Places
from tray.notify.queue import Queue

MARK = "alive"
EVERY_MS = 55 * 60_000
"""Housekeeping starts the sender once an hour, at moments that may be a little closer together."""


def is_due(queue: Queue, known: Notify, now_ms: int) -> bool:
    """Whether a channel wants to hear of it, and last did so long enough ago; a moment ahead of the clock counts for nothing."""
    wanted = any(
        channel.takes == RUNS and channel.enabled and channel.options.get("alive")
        for channel in known.channels.values()
    )
    if not wanted:
        return False
    last_ms = queue.mark(MARK)
    return last_ms is None or not 0 <= now_ms - last_ms < EVERY_MS


def verify(places: Places) -> None:
    """Verify the entries that were appended since the last verification; the result is in the next status."""
    with suppress(BackupTrayError, OSError):
        recorded_check.check(places, configuration.load(places), incremental=True, scheduled=True)


def event(base: Event, status: Status, since_ms: int) -> Event | None:
    """Return the event, None unless *status* tells of a verification after *since_ms* that found the log intact."""
    audit = status.audit
    if status.error is not None or audit is None or audit.breach or audit.result != "intact":
        return None
    return replace(base, id=clock.new_id(), kind=EventKind.ALIVE) if audit.checked_ms >= since_ms else None
