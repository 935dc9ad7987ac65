"""What is left over: an earlier run of the same job that still goes on, and a lock that a stopped run leaves in its repository."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress

from tray import runs
from tray.core.dataclass import replace
from tray.core.model import Outcome
from tray.core.paths import Places
from tray.engines.base import Engine, Exit, Plan, Result
from tray.runs import RunFolder, RunInfo

_HOLDER = re.compile(r"locked(?: exclusively)? by PID (\d{1,9}) on (\S+)")


def earlier(places: Places, mine: RunInfo) -> str | None:
    """Return the newest run of the same job that began before *mine* and still goes on, None if there is none.

    A run that somebody has paused and whose wrapper has died since is let go on.
    """
    found = None
    for folder, info in _others(places, mine):
        if info.paused and not folder.wrapped:
            from tray.tracker.control import release

            release(folder, info)
        if info.job == mine.job and info.run < mine.run and folder.running(info):
            found = max(found or info.run, info.run)
    return found


def advised(result: Result, exit: Exit, engine: Engine, plan: Plan, mine: RunInfo, places: Places) -> Result:
    """Return *result*, with what to do about a lock that the stopped run has really left in its repository.

    Where the repository can be looked into, that takes the place of an engine's advice for the case that there is one. Nothing is
    said of a lock that may be somebody else's, who works in that repository.
    """
    command = engine.unlock(plan)
    if command is not None and result.locked:
        with suppress(Exception):  # the end is put on record, whatever we got wrong about a lock
            return _of_others(result, engine, plan.repository, command)
    stopped = result.outcome is Outcome.CANCELLED or exit.signal is not None
    if command is None or not stopped or (result.advice is not None and command not in result.advice):
        return result
    try:
        left = _lock_left(engine.name, plan.repository, mine)
        if left is None:
            return result
        if not left or any(_at_work(folder, info, mine) for folder, info in _others(places, mine)):
            return replace(result, advice=None)
    except Exception:  # the end is put on record, whatever we got wrong about a lock
        return result
    return replace(result, advice=f"{left} Remove the lock with `{command}`.")


def _of_others(result: Result, engine: Engine, repository: str | None, command: str) -> Result:
    """Return *result* of a run that a lock kept out, with what is known of the lock's holder.

    The command that removes the lock is named only where the holder surely runs no more.
    """
    from tray.repository import local, locks

    if found := _HOLDER.search(result.reason):  # restic tells it, also of a repository elsewhere
        held = [locks.with_holder(locks.Lock("", 0), found[2], int(found[1]))]
    else:
        folder = local.folder(engine.name, repository, os.getcwd())
        held = locks.held(engine.name, folder) if folder is not None and local.on_a_disk(folder) else []
    known = [lock for lock in held if lock.holder is not None]
    if known and all(lock.gone for lock in known):
        advice = f"The lock is stale: {known[0].holder} runs no more. Remove it with `{command}`."
        return replace(result, advice=advice)
    waiting = next((lock for lock in known if not lock.gone), None)
    if waiting is None:
        return result
    here = socket.gethostname().partition(".")[0]
    if (waiting.holder or "").endswith(f" on {here}"):
        return replace(result, advice=f"Wait until {waiting.holder} ends: it holds the lock.")
    if engine.spares_locks:
        return result
    advice = (
        f"Wait until {waiting.holder} ends: it holds the lock. That lock may be removed only if it surely runs no more."
    )
    return replace(result, advice=advice)


def _lock_left(engine: str, repository: str | None, mine: RunInfo) -> str | None:
    """Return one sentence about a lock that was made since the run began, "" if there is none, None if that cannot be seen."""
    from tray.repository import local, locks

    where = os.getcwd()
    folder = local.folder(engine, repository, where)
    if folder is None or not local.on_a_disk(folder):
        return None
    return locks.left_behind(engine, repository, mine.started_ms, where) or ""


def _at_work(folder: RunFolder, info: RunInfo, mine: RunInfo) -> bool:
    return info.repository == mine.repository and folder.running(info)


def _others(places: Places, mine: RunInfo) -> Iterator[tuple[RunFolder, RunInfo]]:
    for folder in runs.live(places):
        if folder.run != mine.run:
            with suppress(OSError, ValueError):
                yield folder, folder.info()
