"""Whether a file changed since it was read."""

import os
from pathlib import Path


def mark(file: Path) -> tuple[int, int, int] | None:
    """Return what differs once *file* has changed; None if there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
