"""Run one round of housekeeping: every task once, each guarded."""

import os
import signal
import sys
from collections.abc import Mapping

from tray.core import clock
from tray.core.errors import BackupTrayError
from tray.core.locks import FileLock
from tray.core.paths import Places
from tray.housekeeping import task_memory
from tray.housekeeping.tasks import TASKS, Round, Task

LONGEST_SECONDS = 3600
"""Time after which the kernel ends a round that hangs, on a lost network disk for instance, so that the next can begin."""
_NOTES = "duties"
_NICE = 10


def run(places: Places, *, started: bool = False, tasks: Mapping[str, Task] = TASKS) -> dict[str, str]:
    """Run every task once, unless another process does so now or there is no log; return by task why it failed.

    Args:
        started: Whether the tracker has just started.
    """
    if not places.audit_db.exists():
        return {}
    with FileLock(task_memory.folder(places) / "lock") as lock:
        if not lock.acquire():
            return {}
        current = Round(places, started)
        failed = {name: why for name, task in tasks.items() if (why := _guarded(task, current)) is not None}
        _note(places, failed)
    return failed


def be_modest() -> None:
    """Lower our priority, and have the kernel end this process in place of hanging for ever."""
    if sys.platform != "win32":
        os.nice(_NICE)
        signal.alarm(LONGEST_SECONDS)


def failures(places: Places) -> dict[str, dict[str, str]]:
    """Return the tasks that failed in the last round: since when, and why."""
    return {name: note for name, note in task_memory.load(places, _NOTES).items() if isinstance(note, dict)}


def by_reason(failed: Mapping[str, str]) -> list[str]:
    """Return one sentence for each reason, with the tasks that failed for it."""
    tasks: dict[str, list[str]] = {}
    for task, why in failed.items():
        tasks.setdefault(why.rstrip("."), []).append(task)
    return [f"{', '.join(names)}: {why}." for why, names in tasks.items()]


def _guarded(task: Task, current: Round) -> str | None:
    """Run *task* and return why it failed, None if it did not."""
    try:
        task(current)
    except BackupTrayError as error:
        return f"{error.what} {error.why}".strip()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _note(places: Places, failed: Mapping[str, str]) -> None:
    before, now = failures(places), clock.to_text(clock.now_ms())
    notes = {name: {"since": before.get(name, {}).get("since", now), "why": why} for name, why in failed.items()}
    task_memory.save(places, _NOTES, notes)
