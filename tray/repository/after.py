"""Look at a repository from the wrapper at the end of its run: instantaneously, or not at all.

The user's script may unmount the disk as soon as the wrapper ends, so no process of ours may be left at work on it, and the script
may not have to wait. So the wrapper itself looks, only at a folder on a local disk, and only lists names. It asks no engine.
This look right after the run is also the one sure second opinion: the snapshot that the engine named is there or it is not.
"""

import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError
from tray.core.model import Outcome, RepositoryState, Step
from tray.core.paths import Places
from tray.engines.base import Result
from tray.repository import cache, files, local, states
from tray.repository.cache import Entry, Expected, Room
from tray.repository.files import Found
from tray.runs import RunInfo

_SNAPSHOT = r"[0-9a-f]{8,64}"
MAX_STEPS = 5
"""Most repositories of one script that are looked at."""
_MADE_ONE = (Outcome.SUCCEEDED, Outcome.WARNING)


def look(places: Places, info: RunInfo, result: Result, where: str | None, steps: Sequence[Step] = ()) -> None:
    """Write the state of the run's repository to the cache. Never raises, and does nothing where that could take time.

    *where* is the run's working folder. *steps* are the engines that a script called: their repositories are looked at too.
    """
    if info.kind in ("other", "dry-run"):
        return
    folder = _local(info.engine, info.repository, where)
    with suppress(BackupTrayError, OSError, ValueError):  # the record of the run stands without a second opinion
        if folder is not None:
            _note(places, info, result, folder)
    for engine, repository in list(dict.fromkeys((step.engine, step.repository) for step in steps))[:MAX_STEPS]:
        folder = _local(engine, repository, None)
        with suppress(BackupTrayError, OSError, ValueError):
            if folder is not None:
                _note_step(places, info.job, engine, repository, folder)


def _local(engine: str, repository: str | None, where: str | None) -> Path | None:
    """Return the folder of a repository that may be looked at here and now."""
    folder = local.folder(engine, repository, where)
    return folder if folder is not None and files.can_read(engine) and local.on_a_disk(folder) else None


def _note(places: Places, info: RunInfo, result: Result, folder: Path) -> None:
    before = cache.known(places, cache.name_of(info.engine, str(folder)))
    try:
        contents = files.look(info.engine, folder, newest=_id(result.snapshot))
    except BackupTrayError as error:
        if before is None:  # perhaps no repository that this process could ever see
            return
        now = clock.now_ms()
        after = replace(before, state=replace(before.state, error=error.facts()), used_ms=now, looked_ms=now)
    else:
        after = _seen(before, info.engine, info.repository, folder, contents)
        after = replace(after, state=_newest(after.state, info, result, contents))
        if info.kind == "backup":
            after = after.expecting(info.job, _expected(info, result, contents))
    with cache.alone(places):
        cache.write(places, after.of_job(info.job))


def _note_step(places: Places, job: str, engine: str, repository: str | None, folder: Path) -> None:
    """Renew the entry of a repository that a script has used, unless the script has unmounted it already."""
    contents = files.look(engine, folder)
    before = cache.known(places, cache.name_of(engine, str(folder)))
    after = _seen(before, engine, repository, folder, contents)
    with cache.alone(places):
        cache.write(places, replace(after, expected=states.judged(after.expected, contents)).of_job(job))


def _seen(before: Entry | None, engine: str, repository: str | None, folder: Path, contents: Found) -> Entry:
    """Return the entry with the state of now."""
    now = clock.now_ms()
    shown = repository if repository and Path(repository).is_absolute() else str(folder)
    old = before or Entry(RepositoryState(shown, engine, now), folder=str(folder))
    state = states.seen(old.state, contents, now, changed=contents.mark != old.mark)
    seen = replace(old, state=state, used_ms=now, looked_ms=now, mark=contents.mark)
    return seen.with_room(room(folder, now))


def room(folder: Path, now_ms: int) -> Room | None:
    """Return the room on the disk of *folder*, which must be `local.on_a_disk`; None where that is not known."""
    if sys.platform == "win32":
        return None
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return Room(now_ms, disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize) if disk.f_blocks else None


def _newest(state: RepositoryState, info: RunInfo, result: Result, contents: Found) -> RepositoryState:
    """Return *state* with the archive that borg has just made: its files show the commit (`changed_ms`), but no names."""
    made = info.kind == "backup" and result.outcome in _MADE_ONE
    if not made or contents.changed_ms is None or contents.changed_ms < info.started_ms:
        return state
    return replace(state, last_snapshot=result.snapshot, last_snapshot_ms=contents.changed_ms)


def _expected(info: RunInfo, result: Result, contents: Found) -> Expected | None:
    """Return the snapshot that the backup has left; None if that is not known."""
    snapshot = _id(result.snapshot)
    if snapshot is None or result.outcome not in _MADE_ONE:
        return None
    if contents.has(snapshot):
        return Expected(info.job, info.run, snapshot, info.started_ms)
    return Expected(info.job, info.run, snapshot, info.started_ms, "absent") if _was_here(info, contents) else None


def _was_here(info: RunInfo, contents: Found) -> bool:
    """Return whether the run surely worked in this folder, and no other run does now.

    The same name may mean another folder inside a container or on another machine. restic leaves its trace by taking and giving
    back a lock.
    """
    used_since = contents.used_ms is not None and contents.used_ms >= info.started_ms
    return contents.ids is not None and not contents.locks and used_since


def _id(snapshot: str | None) -> str | None:
    return snapshot if snapshot is not None and re.fullmatch(_SNAPSHOT, snapshot) else None
