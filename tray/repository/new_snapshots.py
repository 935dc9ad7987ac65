"""Read which snapshots a local repository got while a run went on: the proof for a run whose output was not seen.

Only a file that the engine writes last of all counts: restic's file in `snapshots/`, duplicity's manifest, rdiff-backup's figures
of a session. borg commits in the middle of a run too (checkpoints), so its files prove nothing.

These files do not tell whose snapshot it is, so the caller must know that no other run wrote there meanwhile. Only restic's prove
that a run was complete (`Traits.proves`): duplicity and rdiff-backup also exit 0 although something is missing, and skip files
without a trace in the repository's names.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tray import engines
from tray.repository import local

_SLACK_MS = 2000  # some file systems keep times in steps of two seconds

PLACES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "restic": ("snapshots", r"(?P<id>[0-9a-f]{64})"),
        "duplicity": (".", r"duplicity-(?:full|inc)\.(?P<id>[0-9TZto.]+)\.manifest(?:\.gpg|\.gz)?"),
        "rdiff-backup": ("rdiff-backup-data", r"session_statistics\.(?P<id>.+)\.data(?:\.gz)?"),
    }
)
"""The folder in a repository that holds those files, and the form of their names, by kind of repository (`Traits.repository`)."""


def completed(kind: str, folder: Path) -> list[tuple[int, str]]:
    """Return time (ms) and id of each completed snapshot in the repository *folder*, by one listing; none if it cannot be read."""
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


def snapshots(engine: str, repository: str | None, since_ms: int, until_ms: int) -> list[tuple[int, str]]:
    """Return time and id of the snapshots that were completed from *since_ms* to *until_ms*, oldest first.

    Empty where that cannot be known: not a local disk, not readable, an engine that proves nothing. Never waits for a server.
    """
    adapter = engines.named(engine)
    folder = local.folder(engine, repository) if adapter.proves else None
    if folder is None or not local.on_a_disk(folder):
        return []
    return sorted(
        (at, name) for at, name in completed(adapter.repository, folder) if since_ms <= at <= until_ms + _SLACK_MS
    )


def missing(sources: Sequence[str]) -> tuple[list[str], bool]:
    """Return the sources that are not there, and whether that can be known of all.

    restic before 0.19 exits 0 when one of several sources is missing, and 1 when all are. So a single source needs no look. It is
    not known of a source that stands in a list, or on a file system that may hang.
    """
    if len(sources) == 1 and not sources[0].startswith("listed in "):
        return [], True
    gone, sure = [], bool(sources)
    for source in sources:
        if not os.path.isabs(source) or "***" in source or not local.on_a_disk(Path(source)):
            sure = False
        elif not os.path.lexists(source):
            gone.append(source)
    return gone, sure
