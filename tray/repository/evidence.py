"""Whether a snapshot was made after a moment: what a local repository's own files prove, without a password.

Only a file that the engine writes last of all counts: restic's file in `snapshots/`, duplicity's manifest, rdiff-backup's mark of
the one current mirror (two of them mean that a session was interrupted). borg commits in the middle of a run too (checkpoints), so
its files prove nothing.

These files do not tell whose snapshot it is. Who concludes from one must know that no other run wrote to the repository at that
time.
"""

import os
import re
from pathlib import Path

from tray import engines
from tray.repository import local

_RESTIC = r"(?P<id>[0-9a-f]{64})"
_DUPLICITY = r"duplicity-(?:full|inc)\.(?P<id>[0-9TZto.]+)\.manifest(?:\.gpg|\.gz)?"
_RDIFF = r"current_mirror\.(?P<id>.+)\.data(?:\.gz)?"
_SESSION = r"session_statistics\.(?P<id>.+)\.data(?:\.gz)?"
_PLACES = {
    "restic": ("snapshots", _RESTIC),
    "duplicity": (".", _DUPLICITY),
    "rdiff-backup": ("rdiff-backup-data", _RDIFF),
}


def new_snapshot(engine: str, repository: str | None, since_ms: int, where: str | None = None) -> str | None:
    """Return the id of the newest snapshot that was completed at or after *since_ms*; None if there is none or nobody can say.

    Asks one folder for its names and times, and only on a local disk; never raises.

    Args:
        engine: The engine's name.
        repository: Its address.
        since_ms: When the run began.
        where: The folder that a relative address starts from.
    """
    folder = local.folder(engine, repository, where)
    kind = engines.named(engine).repository
    if folder is None or kind not in _PLACES or not local.on_a_disk(folder):
        return None
    found = completed(kind, folder)
    if kind == "rdiff-backup" and len(found) != 1:
        return None
    made, name = max(found, default=(-1, ""))
    return name if made >= since_ms else None


def completed(kind: str, folder: Path) -> list[tuple[int, str]]:
    """Return when (ms) and under which id each snapshot in the repository *folder* was completed; none if it cannot be read.

    Args:
        kind: What the engine says of its repository (`Traits.repository`).
        folder: Where it is.
    """
    if kind not in _PLACES:
        return []
    inside, pattern = _PLACES[kind]
    return _written(folder / inside, pattern)


def sessions(folder: Path) -> list[tuple[int, str]]:
    """Return when (ms) and under which time each session of the rdiff-backup repository *folder* ended.

    A session that was interrupted has written no statistics.
    """
    return _written(folder / "rdiff-backup-data", _SESSION)


def _written(folder: Path, pattern: str) -> list[tuple[int, str]]:
    try:
        with os.scandir(folder) as names:
            return [
                (entry.stat(follow_symlinks=False).st_mtime_ns // 1_000_000, match["id"])
                for entry in names
                if (match := re.fullmatch(pattern, entry.name))
            ]
    except OSError:
        return []
