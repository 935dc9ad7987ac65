"""What a local repository proves about a run whose output nobody saw.

Only restic's, and only as far as it goes: a snapshot that was completed between the start and the end of the process. The files do
not tell whose it is, so whoever concludes from one must know that no other run wrote there meanwhile. The other engines that exit 0
although something is missing (duplicity, rdiff-backup) skip files without a trace in the repository's names, and borg commits in
the middle of a run: nothing is concluded from those.
"""

import os
from collections.abc import Sequence

from tray import engines

_SLACK_MS = 2000  # some file systems keep times in steps of two seconds


def snapshots(engine: str, repository: str | None, since_ms: int, until_ms: int) -> list[tuple[int, str]]:
    """Return when and under which id snapshots were completed from *since_ms* to *until_ms*, oldest first.

    Empty where nobody can say: not a local disk, not readable, no engine that `proves` anything. Never waits for a server.
    """
    adapter = engines.named(engine)
    if not adapter.proves:
        return []
    from tray.repository import evidence, local

    folder = local.folder(engine, repository)
    if folder is None or not local.on_a_disk(folder):
        return []
    completed = evidence.completed(adapter.repository, folder)
    return sorted(found for found in completed if since_ms <= found[0] <= until_ms + _SLACK_MS)


def missing(sources: Sequence[str]) -> tuple[list[str], bool]:
    """Return which sources are not there, and whether that can be known of all.

    restic before 0.19 exits 0 when one of several sources is missing, and 1 when all are. So a single source needs no look, and one
    that stands in a list, or on a file system that may hang, leaves it unknown.
    """
    from pathlib import Path

    from tray.repository import local

    if len(sources) == 1 and not sources[0].startswith("listed in "):
        return [], True
    gone, sure = [], bool(sources)
    for source in sources:
        if not os.path.isabs(source) or "***" in source or not local.on_a_disk(Path(source)):
            sure = False
        elif not os.path.lexists(source):
            gone.append(source)
    return gone, sure
