"""A look into a run's sources after its end: does one of them hold no files, since its disk is not mounted?

Only folders on disks that answer at once are looked into, and only until the first file is found, so the caller does not wait.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from tray import clock, status
from tray.engines.base import Plan, Result
from tray.engines.emptied import Before, doubted
from tray.model import Outcome

_SECONDS = 0.2
_FOLDERS = 5000


def looked(result: Result, plan: Plan, before: Before | None) -> Result:
    """Return *result* with what its sources show now.

    Args:
        plan: What was run.
        before: What the last good run of the job held, None if there was none.
    """
    places = plan.sources if plan.places is None else plan.places
    counted = len(plan.sources) == 1 and (result.files or 0) > 1  # then the engine has found some
    good = result.outcome in (Outcome.SUCCEEDED, Outcome.WARNING)
    if not good or plan.kind != status.BACKUP or counted or len(places) != len(plan.sources):
        return result
    until = clock.monotonic() + _SECONDS
    empty = [name for name, place in zip(plan.sources, places, strict=True) if _is_empty(place, until)]
    return doubted(result, plan.sources, empty, before)


def before(files: int | None, body: "dict[str, object]") -> Before:
    """Return what the entry of an earlier run tells.

    Args:
        files: How many files it had.
        body: The entry's body.
    """
    empty = body.get("empty_sources")
    return Before(files, None if empty is None else _names(empty), _names(body.get("emptied_sources")))


def _names(value: object) -> tuple[str, ...]:
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, Sequence) else ()


def _is_empty(place: str, until: float) -> bool:
    """Whether *place* is a folder without a single file; False where that cannot be known."""
    from tray.repository import local

    path = Path(os.path.abspath(place))
    if "***" in place or "\0" in place or not os.path.isdir(path) or (path.is_symlink() and not place.endswith("/")):
        return False
    if not local.on_a_disk(path):
        return False
    waiting = [str(path)]
    for _ in range(_FOLDERS):
        if not waiting:
            return True
        if clock.monotonic() > until or _holds_a_file(waiting.pop(), waiting):
            return False
    return False


def _holds_a_file(folder: str, folders: list[str]) -> bool:
    """Whether a folder holds anything but folders, or cannot be read; adds the folders in it to *folders*."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    return True
                folders.append(entry.path)
    except OSError:
        return True
    return False
