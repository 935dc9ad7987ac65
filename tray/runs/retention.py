"""Remove old folders of ended runs with their logs; the entries of the audit log stay.

The tracker's housekeeping looks after that. On a machine without a tracker a wrapper does so once a day, after its run.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tray import runs
from tray.core import clock
from tray.core.paths import Places

if TYPE_CHECKING:
    from tray.config import RunsConfig

_MARK = ".trimmed"


def is_due(places: Places) -> bool:
    """Whether `trim` was not done today, and there are old folders; the newest is kept in any case."""
    mark = places.runs / _MARK
    with suppress(OSError):
        if abs(clock.now_ms() - mark.stat().st_mtime_ns // 1_000_000) < clock.DAY_MS:
            return False
    return len(list(islice(_folders(places), 2))) == 2


def usage(places: Places) -> tuple[int, int]:
    """Return how many folders of ended runs there are, and how many bytes of disk they take."""
    sizes = [_size(folder) for folder in _folders(places)]
    return len(sizes), sum(sizes)


def trim(places: Places, kept: "RunsConfig") -> None:
    """Remove what is too old, and then the oldest until the rest is small enough. The newest run is always kept.

    Jobs may have an age of their own (`RunsConfig.keep_of`).
    """
    folders = sorted(_folders(places), key=lambda folder: folder.name)[:-1]
    sizes = {folder: _size(folder) for folder in folders}
    total = sum(sizes.values())
    now = clock.now_ms()
    for folder in folders:
        keep = kept.keep_of(_job(folder)) if kept.keep_ms_of else kept.keep_ms
        is_old = keep is not None and _began_ms(folder.name) < now - keep
        if keep == 0 or (not is_old and (kept.most is None or total <= kept.most)):
            if kept.keep_ms_of:
                continue
            break
        with suppress(OSError):
            runs.forget(places, folder.name)
            total -= sizes[folder]
    with suppress(OSError):
        (places.runs / _MARK).touch(mode=0o600)


def _folders(places: Places) -> Iterator[Path]:
    """Yield the folders of ended runs; the id that each is named by begins with the time (UUIDv7)."""
    for root in places.run_roots:
        with suppress(OSError), os.scandir(root / "done") as items:
            yield from (Path(item.path) for item in items if item.is_dir(follow_symlinks=False))


def _job(folder: Path) -> str:
    """Return the job of the run in *folder*, "" if its description cannot be read."""
    try:
        return runs.RunFolder(folder).info().job
    except (OSError, ValueError):
        return ""


def _size(folder: Path) -> int:
    """Return the bytes of disk under *folder*: a long log has holes."""
    with suppress(OSError), os.scandir(folder) as items:
        return sum(_disk(item.stat(follow_symlinks=False)) for item in items)
    return 0


def _disk(status: os.stat_result) -> int:
    return int(getattr(status, "st_blocks", -(-status.st_size // 512))) * 512


def _began_ms(run: str) -> int:
    """Return when *run* began; a name that is no id counts as new."""
    try:
        return int(run.replace("-", "")[:12], 16)
    except ValueError:
        return clock.now_ms()
