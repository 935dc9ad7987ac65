"""A look into a run's sources after its end: does one of them hold no files, since its disk is not mounted?

Only folders on disks that answer at once are looked into, and only until the first file is found, so the caller does not wait.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tray import engines
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import BACKUP, Outcome
from tray.engines.base import Plan, Result
from tray.engines.findings import LastGood, with_empty_sources

if TYPE_CHECKING:
    from tray.observe.examine import Found
    from tray.wrapper.estimate import Past

_SECONDS = 0.2
_FOLDERS = 5000


def looked(result: Result, plan: Plan, engine: str, past: "Sequence[Past]") -> Result:
    """Return *result* with what its sources show now.

    Args:
        plan: What was run.
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
    return with_empty_sources(result, plan.sources, empty, _before(engine, past))


def of_step(result: Result, found: "Found", code: int | None) -> Result:
    """Return *result* of an engine that a script called, with what its sources show now; what it counted was not seen.

    Args:
        found: The engine's process.
        code: Its exit code.
    """
    good = result
    if result.outcome is Outcome.UNKNOWN and code == 0:
        good = replace(result, outcome=Outcome.SUCCEEDED, reason=f"{found.engine} ended with exit code 0.")
    command = list(found.command)
    plan = engines.named(found.engine).plan(command, engines.unwrap(command, {}).at, {})
    places = found.sources
    if plan.places is not None:
        places = tuple(os.path.join(found.folder or "", place) for place in plan.places)
    if not found.here or not all(map(os.path.isabs, places)):
        return result
    seen = looked(good, replace(plan, kind=found.kind, sources=found.sources, places=places), found.engine, ())
    return seen if seen.empty else replace(result, empty_sources=seen.empty_sources)


def of_script(result: Result, empty: Sequence[str], past: "Sequence[Past]") -> Result:
    """Return *result* of a script with the sources of its steps that hold no files now, by what the last good run saw of them.

    Args:
        empty: These sources.
        past: The last good runs of the job, the newest first.
    """
    return with_empty_sources(result, (*empty, ""), empty, _before(engines.COMMAND.name, past))  # others may hold files


def _before(engine: str, past: "Sequence[Past]") -> LastGood | None:
    if not past:
        return None
    return LastGood(past[0].files if engines.named(engine).counts_files else None, past[0].empty, past[0].emptied)


def _lacks_files(place: str, until: float, *, regular: bool = False) -> bool:
    """Whether *place* is a folder without a single file; False where that cannot be known.

    Args:
        regular: Links, sockets and the like are no files.
    """
    from tray.repository import local

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
