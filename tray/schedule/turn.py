"""Decide whether a backup or check of a job starts now: one at a time, and a scheduled one only if its conditions hold."""

import sys
import time
import zlib
from importlib import import_module
from typing import Any

from tray import last_resort
from tray.config.jobs import Job
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.errors import AlreadyRunningError, UnsafeFolderError
from tray.core.locks import FileLock
from tray.core.model import BACKUP, shown_name
from tray.core.paths import Places, private
from tray.jobs import running

PATIENCE_SECONDS = 120.0
"""How long a scheduled start waits for its conditions: after sleep the network and a drive need a moment."""
_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Unmet:
    """A condition that does not hold.

    Attributes:
        reason: One of `recording.skips.REASONS`.
        why: The reason as a sentence.
    """

    reason: str
    why: str


_RUNNING = Unmet("already running", "The run before it still goes on.")
_DISABLED = Unmet("disabled", "The job is disabled in config.toml.")


@dataclass(slots=True)
class Turn:
    """The right to run a job; the kernel takes it back when this process ends.

    Attributes:
        lock: None where no lock can be had: the backup starts all the same.
    """

    lock: FileLock | None = None


def take(
    places: Places, job: Job, *, scheduled: bool, patience: float = PATIENCE_SECONDS, kind: str = BACKUP
) -> Turn | None:
    """Return the right to run *job* now; None if it is skipped, which is then on record and said on stderr.

    Args:
        scheduled: A scheduler starts it: its conditions must hold, and a skip is no error.
        patience: Seconds to wait for the conditions.
        kind: The kind of the run: a backup or a check, which may go on beside each other.

    Raises:
        AlreadyRunningError: A run of the job goes on, and no scheduler asked.
    """
    turn = Turn()
    try:
        reason = _unmet(places, job, patience, kind) if scheduled else _running(places, job, kind)
        if reason is None:
            turn, reason = _locked(places, shown_name(job.name, kind))
    except Exception as error:  # a mistake of ours keeps no backup from running
        last_resort.say(f"it is not known whether {job.name} runs already ({last_resort.words(error)}), so it starts.")
        return turn
    if reason is None:
        return turn
    name = shown_name(job.name, kind)
    _seldom("tray.recording.skips").record(places, name, reason.reason, reason.why, engine=job.engine, kind=kind)
    if not scheduled:
        raise AlreadyRunningError(name)
    print(f"backup-tray: {name} was skipped: {reason.why}", file=sys.stderr)
    return None


def _unmet(places: Places, job: Job, patience: float, kind: str) -> Unmet | None:
    """Return why a scheduled start is skipped, None if it is not."""
    if job.is_off(clock.now_ms()):
        end = job.off_until_ms if job.enabled else None
        return _DISABLED if end is None else Unmet("disabled", f"The job is off until {clock.local(end):%Y-%m-%d}.")
    deadline = clock.monotonic() + patience
    while True:
        reason = _running(places, job, kind)
        if reason is not None:
            return reason
        reason = _seldom("tray.schedule.conditions").unmet(job) if job.conditions else None
        if reason is None or clock.monotonic() >= deadline:
            return reason
        time.sleep(min(_PAUSE_SECONDS, max(deadline - clock.monotonic(), 0)))


def _running(places: Places, job: Job, kind: str) -> Unmet | None:
    """Return that a run of this *kind* goes on; None if none does."""
    return _RUNNING if running.goes_on(places, job, kind) else None


def _locked(places: Places, name: str) -> tuple[Turn, Unmet | None]:
    """Take the lock of the runs called *name*, so that of two starts at the same moment one goes on."""
    try:
        folder = private(private(places.state) / "turns")
        raw = name.encode("utf-8", "surrogatepass")
        lock = FileLock(folder / f"{zlib.crc32(raw):08x}-{raw.hex()[:200]}")
        if not lock.acquire():
            return Turn(), _RUNNING
    except (OSError, UnsafeFolderError):  # no lock can be had there: a backup does not wait for that
        return Turn(), None
    return Turn(lock), None


def _seldom(module: str) -> Any:
    """Return a module for which most backups do not wait: they start without conditions, and are not skipped."""
    return import_module(module)
