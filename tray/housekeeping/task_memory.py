"""Keep what a task remembers from one round to the next: a small JSON file in `<state>/care`, replaced in one step."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tray.audit.keys import write_new
from tray.core import files
from tray.core.paths import Places, private

_MAX = 4 << 20


def folder(places: Places) -> Path:
    """Return the folder of the memories; make it if it is missing.

    Raises:
        UnsafeFolderError, OSError: There is no safe place for them.
    """
    private(places.state)
    return private(places.state / "care")


def load(places: Places, name: str) -> dict[str, Any]:
    """Return what *name* remembers; an empty dict without a memory or if its file is damaged."""
    try:
        data = json.loads(files.content(places.state / "care" / f"{name}.json", _MAX))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def save(places: Places, name: str, data: Mapping[str, Any]) -> None:
    """Keep *data* as the memory of *name*; an unchanged file is not written again.

    Raises:
        UnsafeFolderError, OSError: It cannot be written.
    """
    if load(places, name) == data:
        return
    write_new(folder(places) / f"{name}.json", json.dumps(data).encode())
