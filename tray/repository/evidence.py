"""When snapshots were completed: what a local repository's own files tell, without a password.

Only a file that the engine writes last of all counts: restic's file in `snapshots/`, duplicity's manifest, rdiff-backup's figures
of a session. borg commits in the middle of a run too (checkpoints), so its files prove nothing.

These files do not tell whose snapshot it is. Who concludes from one must know that no other run wrote to the repository at that
time.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

PLACES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "restic": ("snapshots", r"(?P<id>[0-9a-f]{64})"),
        "duplicity": (".", r"duplicity-(?:full|inc)\.(?P<id>[0-9TZto.]+)\.manifest(?:\.gpg|\.gz)?"),
        "rdiff-backup": ("rdiff-backup-data", r"session_statistics\.(?P<id>.+)\.data(?:\.gz)?"),
    }
)
"""In which folder of a repository those files are, and how they are called, by what the engine says of it (`Traits.repository`)."""


def completed(kind: str, folder: Path) -> list[tuple[int, str]]:
    """Return when (ms) and under which id each snapshot in the repository *folder* was completed; none if it cannot be read.

    Asks one folder for its names and times.

    Args:
        kind: What the engine says of its repository (`Traits.repository`).
        folder: Where it is.
    """
    if kind not in PLACES:
        return []
    inside, pattern = PLACES[kind]
    try:
        with os.scandir(folder / inside) as names:
            return [
                (entry.stat(follow_symlinks=False).st_mtime_ns // 1_000_000, match["id"])
                for entry in names
                if (match := re.fullmatch(pattern, entry.name))
            ]
    except OSError:
        return []
