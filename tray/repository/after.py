"""The wrapper's own look at a repository, at the end of its run: instantaneous, or none at all.

Whoever started the run may unmount the disk as soon as we end, so nothing of ours may be left at work on it, and nobody may wait
for us. So only a folder on a local disk is looked at, only by listing names, within the wrapper itself. No engine is asked here.
What it sees right after the run is also the one sure second opinion: the snapshot that the engine named is there or it is not.
"""

import re
from dataclasses import replace
from pathlib import Path

from tray import clock
from tray.engines.base import Result
from tray.errors import BackupTrayError
from tray.model import Outcome, RepositoryState
from tray.paths import Places
from tray.repository import cache, files, local, states
from tray.repository.cache import Entry, Expected
from tray.repository.files import Found
from tray.runs import RunInfo

_SNAPSHOT = r"[0-9a-f]{8,64}"
_MADE_ONE = (Outcome.SUCCEEDED, Outcome.WARNING)


def look(places: Places, info: RunInfo, result: Result, where: str | None) -> None:
    """Note what the files of the run's repository say now. Never raises, and does nothing where that could take time.

    Args:
        info: The run that has ended.
        result: What it came to.
        where: The folder that it ran in.
    """
    folder = local.folder(info.engine, info.repository, where)
    if folder is None or info.engine not in files.READERS or info.kind in ("other", "dry-run"):
        return
    if not local.on_a_disk(folder):
        return
    try:
        _note(places, info, result, folder)
    except (BackupTrayError, OSError, ValueError):
        return  # a second opinion that cannot be had or kept; the record of the run stands without it


def _note(places: Places, info: RunInfo, result: Result, folder: Path) -> None:
    now = clock.now_ms()
    before = cache.known(places, cache.name_of(info.engine, str(folder)))
    try:
        found = files.look(info.engine, folder, newest=_id(result.snapshot))
    except BackupTrayError as error:
        if before is None:  # perhaps no repository that this process could ever see
            return
        after = replace(before, state=replace(before.state, error=error.facts()), used_ms=now, looked_ms=now)
    else:
        shown = info.repository if info.repository and Path(info.repository).is_absolute() else str(folder)
        old = before or Entry(RepositoryState(shown, info.engine, now), folder=str(folder))
        state = _newest(states.seen(old.state, found, now, changed=found.mark != old.mark), info, result, found)
        after = replace(old, state=state, used_ms=now, looked_ms=now, mark=found.mark)
        after = replace(after, expected=_expected(after, info, result, found))
    with cache.alone(places):
        cache.write(places, after.of_job(info.job))


def _newest(state: RepositoryState, info: RunInfo, result: Result, found: Found) -> RepositoryState:
    """Return *state* with the archive that borg has just made: its files tell that it committed, but no names."""
    made = info.engine == "borg" and info.kind == "backup" and result.outcome in _MADE_ONE
    if not made or found.changed_ms is None or found.changed_ms < info.started_ms:
        return state
    return replace(state, last_snapshot=result.snapshot, last_snapshot_ms=found.changed_ms)


def _expected(entry: Entry, info: RunInfo, result: Result, found: Found) -> dict[str, Expected]:
    """Return what each job's last run left, with that of the run that has just ended."""
    snapshot = _id(result.snapshot)
    if info.kind != "backup":
        return dict(entry.expected)
    others = {job: one for job, one in entry.expected.items() if job != info.job}
    if info.engine != "restic" or snapshot is None or result.outcome not in _MADE_ONE:
        return others
    if found.has(snapshot):
        return {**others, info.job: Expected(info.run, snapshot, info.started_ms)}
    if _was_here(info, found):
        return {**others, info.job: Expected(info.run, snapshot, info.started_ms, "absent")}
    return others


def _was_here(info: RunInfo, found: Found) -> bool:
    """Whether the run surely worked in this folder, and nobody else does now.

    The same name may mean another folder inside a container or on another machine. restic leaves its trace by taking and giving
    back a lock.
    """
    return found.ids is not None and not found.locks and found.used_ms is not None and found.used_ms >= info.started_ms


def _id(snapshot: str | None) -> str | None:
    return snapshot if snapshot is not None and re.fullmatch(_SNAPSHOT, snapshot) else None
