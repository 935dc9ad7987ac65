"""Remember the faults that the last check of a job found, so that the next one looks at them again.

A check restores a few files by chance: the next one would mostly choose others, and call a damaged backup proven. So would a check
that reads no data after one that read it and found damage.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tray.audit.keys import write_new
from tray.core.files import content

MOST = 50
DATA = ""
"""In the place of a path: the engine's own check failed while it read data, so the next one reads all of it."""


class Suspects:
    """The files of one job.

    Args:
        file: Where they are kept, in a private folder.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> frozenset[str]:
        """Return their paths in the backup, `DATA` among them; none where nothing can be read."""
        try:
            paths = json.loads(content(self._file))
        except (OSError, ValueError, RecursionError):
            return frozenset()
        return (
            frozenset(path for path in paths[:MOST] if isinstance(path, str))
            if isinstance(paths, list)
            else frozenset()
        )

    def keep(self, paths: Iterable[str]) -> None:
        """Keep *paths*, `MOST` at most, in the place of those before. Never raises: the check has a result all the same."""
        kept = sorted(set(paths))[:MOST]
        with suppress(OSError, ValueError):
            if kept:
                write_new(self._file, json.dumps(kept).encode())
            else:
                self._file.unlink(missing_ok=True)
