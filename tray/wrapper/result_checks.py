"""Correct a result by the facts after the end: sources that hold no files, a backup that shrank, locks that were left behind.

Only folders on disks that answer at once are looked into, and only until the first file is found, so the caller does not wait.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tray import engines, runs
from tray.core import clock, regex
from tray.core.dataclass import replace
from tray.core.locks import host
from tray.core.model import BACKUP, Outcome
from tray.core.paths import Places
from tray.engines.base import Engine, Exit, Plan, Result
from tray.engines.findings import LastGood, with_empty_sources, without_sources
from tray.repository import local
from tray.runs import RunFolder, RunInfo

if TYPE_CHECKING:
    from tray.observe.examine import Found
    from tray.wrapper.estimate import Past

_SECONDS = 0.2
_FOLDERS = 5000
_COLLAPSE = 4
"""A run with less than one of so many bytes or files of the usual number has collapsed."""
_FEW = 3
"""Fewer earlier runs tell nothing about what is usual."""


def looked(result: Result, plan: Plan, engine: str, past: "Sequence[Past]") -> Result:
    """Return *result*, corrected where its sources hold no files now.

    Args:
        plan: Plan of the run.
        engine: The engine's name.
        past: The last good runs of the job, the newest first.
    """
    places = plan.sources if plan.places is None else plan.places
    counted = len(plan.sources) == 1 and (result.files or 0) > 1  # then the engine has found some
    good = result.outcome in (Outcome.SUCCEEDED, Outcome.WARNING)
    if not good or plan.kind != BACKUP or counted or len(places) != len(plan.sources):
        return result
    until = clock.monotonic() + _SECONDS
    empty = [name for name, place in zip(plan.sources, places, strict=True) if _lacks_files(place, until)]
    links_only = result.empty and not empty and all(_lacks_files(place, until, regular=True) for place in places)
    if links_only and result.otherwise is not None:
        return result.otherwise  # restic and borg do not count links
    if engines.named(engine).passes_over_missing:
        result = without_sources(result, _missing(plan, places))
    return with_empty_sources(result, plan.sources, empty, _before(engine, past))


def _missing(plan: Plan, places: Sequence[str]) -> list[str]:
    """Return the sources that are not there; a relative one only where the engine certainly worked in this folder."""
    here = engines.unwrap(plan.argv, {}).at == 0
    return [
        name
        for name, place in zip(plan.sources, places, strict=True)
        if (os.path.isabs(place) or (here and not place.startswith("listed in "))) and _is_gone(place)
    ]


def _is_gone(place: str) -> bool:
    """Whether *place* certainly is not there; one that this user cannot look at may be."""
    if "***" in place or "\0" in place:
        return False
    try:
        os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def of_step(result: Result, process: "Found", code: int | None) -> Result:
    """Return *result* of an engine that a script called, corrected where its sources hold no files now; its counts were not seen.

    Args:
        process: The engine's process.
        code: Its exit code.
    """
    good = result
    if result.outcome is Outcome.UNKNOWN and code == 0:
        good = replace(result, outcome=Outcome.SUCCEEDED, reason=f"{process.engine} ended with exit code 0.")
    command = list(process.command)
    plan = engines.named(process.engine).plan(command, engines.unwrap(command, {}).at, {})
    places = process.sources
    if plan.places is not None:
        places = tuple(os.path.join(process.folder or "", place) for place in plan.places)
    if not process.here or not all(map(os.path.isabs, places)):
        return result
    seen = looked(good, replace(plan, kind=process.kind, sources=process.sources, places=places), process.engine, ())
    changed = seen.empty or seen.errors > result.errors  # a source that is not there is an error more
    return seen if changed else replace(result, empty_sources=seen.empty_sources)


def of_script(result: Result, empty: Sequence[str], past: "Sequence[Past]") -> Result:
    """Return *result* of a script with the sources of its steps that hold no files now, by what the last good run saw of them.

    Args:
        empty: These sources.
        past: The last good runs of the job, the newest first.
    """
    return with_empty_sources(result, (*empty, ""), empty, _before(engines.COMMAND.name, past))  # others may hold files


def collapsed(result: Result, info: RunInfo, past: "Sequence[Past]") -> Result:
    """Return *result*, but a warning if the backup holds less than a quarter of the last runs' bytes or files.

    The wrapper records that at the end of the run, so that every report tells it; it has read the earlier runs already at the
    beginning. Only figures of engines that count all files of the sources are compared, and only with runs of the same sources.

    Args:
        info: The run.
        past: The last good runs of the job, the newest first.
    """
    good = result.outcome in (Outcome.SUCCEEDED, Outcome.WARNING) and not result.empty
    if not good or info.kind != BACKUP or not engines.named(info.engine).counts_files:
        return result
    alike = [run for run in past if run.sources == tuple(info.sources)]
    size = _shrunk(result.bytes_processed, [run.size for run in alike])
    files = _shrunk(result.files, [run.files for run in alike])
    if size is None and files is None:
        return result
    from tray import wording  # a script starts before this loads

    much = f"{wording.size(size[0])} in place of {wording.size(size[1])}" if size else ""
    many = f"{files[0]:,} in place of {wording.plural(files[1], 'file')}" if files else ""
    words = f"much smaller than usual: {much or many}; was a folder emptied or moved?"
    join = ", but it is" if result.outcome is Outcome.SUCCEEDED else "; it is also"
    return replace(result, outcome=Outcome.WARNING, reason=f"{result.reason.rstrip('.')}{join} {words}")


def _shrunk(now: int | None, before: Sequence[int | None]) -> tuple[int, int] | None:
    """Return *now* and the median of *before* if it is below a quarter of that; None also where too few are known."""
    known = sorted(number for number in before if number is not None)
    if now is None or len(known) < _FEW:
        return None
    usual = known[len(known) // 2]
    return (now, usual) if now * _COLLAPSE < usual else None


def _before(engine: str, past: "Sequence[Past]") -> LastGood | None:
    if not past:
        return None
    return LastGood(past[0].files if engines.named(engine).counts_files else None, past[0].empty, past[0].emptied)


def _lacks_files(place: str, until: float, *, regular: bool = False) -> bool:
    """Whether *place* is a folder without a single file; False where that cannot be known.

    Args:
        regular: Links, sockets and the like are no files.
    """
    path = Path(os.path.abspath(place))
    if "***" in place or "\0" in place or not os.path.isdir(path) or (not place.endswith("/") and path.is_symlink()):
        return False
    if not local.on_a_disk(path):
        return False
    waiting = [str(path)]
    for _ in range(_FOLDERS):
        if not waiting:
            return True
        if clock.monotonic() > until or _holds_a_file(waiting.pop(), waiting, regular=regular):
            return False
    return False


def _holds_a_file(folder: str, folders: list[str], *, regular: bool) -> bool:
    """Whether a folder holds anything but folders, or cannot be read; adds the folders in it to *folders*."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif not regular or entry.is_file(follow_symlinks=False):
                    return True
    except OSError:
        return True
    return False


_HOLDER = regex.compile(r"locked(?: exclusively)? by PID (\d{1,9}) on (\S+)")


def earlier(places: Places, mine: RunInfo) -> str | None:
    """Return the newest run of the same job that began before *mine* and still goes on, None if there is none.

    A paused run whose wrapper has died since is let go on.
    """
    newest = None
    for folder, info in _others(places, mine):
        if info.paused and not folder.wrapped:
            from tray.runs.left_paused import release  # seldom: a wrapper that died during a pause

            release(folder, info)
        if info.job == mine.job and info.run < mine.run and folder.running(info):
            newest = max(newest or info.run, info.run)
    return newest


def advised(result: Result, exit: Exit, engine: Engine, plan: Plan, mine: RunInfo, places: Places) -> Result:
    """Return *result*, with what to do about a lock that the stopped run has really left in its repository.

    Where the repository can be looked into, that takes the place of an engine's advice for the case that there is one. Nothing is
    said of a lock that may belong to another process that works in that repository.
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
    from tray.repository import locks  # only where a lock is in the way

    if holder := _HOLDER.search(result.reason):  # restic tells it, also of a repository elsewhere
        held = [locks.with_holder(locks.Lock("", 0), holder[2], int(holder[1]))]
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
    here = host().partition(".")[0]
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
    from tray.repository import locks  # only where a lock is in the way

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
