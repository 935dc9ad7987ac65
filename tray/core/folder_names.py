"""Names in a folder, read again only when the folder changed: for questions that are asked every second."""

import os
from pathlib import Path

from tray.core import clock

_SETTLED_MS = 2000
"""A change within the file system's own grain of time after a look may leave the folder's time as it was."""


class Listing:
    """The sorted names in one folder; none while it cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._seen = -1
        self._names: list[str] = []

    def names(self) -> list[str]:
        """Return the names now."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
            if changed != self._seen:
                self._names = sorted(os.listdir(self._folder))
                settled = clock.now_ms() - changed // 1_000_000 > _SETTLED_MS
                self._seen = changed if settled else -1
        except OSError:
            self._names, self._seen = [], -1
        return self._names
