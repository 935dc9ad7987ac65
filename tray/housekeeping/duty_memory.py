"""What a duty remembers from one round to the next: a small JSON file of its own in `<state>/care`, replaced in one step."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tray.core import files
from tray.core.files import content
from tray.core.paths import Places, private

_MAX = 4 << 20


def folder(places: Places) -> Path:
    """Return where memories are kept, made if it is missing.

    Raises:
        UnsafeFolderError, OSError: There is no safe place for them.
    """
    private(places.state)
    return private(places.state / "care")


def load(places: Places, name: str) -> dict[str, Any]:
    """Return what *name* remembers; nothing if it never did, or if that cannot be read any more."""
    try:
        data = json.loads(content(places.state / "care" / f"{name}.json", _MAX))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def save(places: Places, name: str, data: Mapping[str, Any]) -> None:
    """Let *name* remember *data*; a file that says so already is not touched.

    Raises:
        UnsafeFolderError, OSError: It cannot be written.
    """
    if load(places, name) == data:
        return
    target = folder(places) / f"{name}.json"
    beside = target.with_name(f".{name}.{os.getpid()}.tmp")
    handle = files.descriptor(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            json.dump(data, out, ensure_ascii=True)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
