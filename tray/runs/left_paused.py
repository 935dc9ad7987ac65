"""Resume runs that were paused and whose wrapper has died: no other process would, and a backup that stands still is none.

Loads psutil, so the tracker leaves it to a helper process.
"""

from contextlib import suppress

from tray import runs
from tray.core import locks, process_tree
from tray.core.paths import Places
from tray.runs import RunFolder, RunInfo


def release_all(places: Places) -> None:
    """Resume every such run."""
    for folder in runs.live(places):
        with suppress(OSError, ValueError):
            release(folder, folder.info())


def release(folder: RunFolder, info: RunInfo) -> bool:
    """Resume a run that was paused and whose wrapper has died since; return whether there was one."""
    if not info.paused or info.child is None or info.boot != locks.boot_id() or folder.wrapped:
        return False
    if info.child.alive():
        process_tree.resume(info.child.pid)
        return True
    # The command was killed too. Its children are still in its session, whose number is not given again before they are gone.
    return locks.process_start(info.child.pid) is None and process_tree.resume_session(info.child.pid) > 0
