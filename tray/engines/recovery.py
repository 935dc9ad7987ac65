"""List the commands that restore a backup on another machine, without Backup Tray: for the recovery sheet. No I/O.

An engine has a module `recovery` with a function `steps`, and stands in `ENGINES`.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import cast

Step = tuple[str, str]
"""A sentence and the exact command for a POSIX shell; "" where there is none."""
ENGINES = ("restic", "borg", "rclone", "rsync", "tar")
"""Engines whose commands are known."""
TARGET = "~/restored"
"""The folder into which the commands restore."""


def steps(engine: str, repository: str, sources: Sequence[str], version: str) -> list[Step]:
    """Return the steps, in their order; none where the engine's commands are not known.

    Args:
        engine: The engine's name.
        repository: The address as the engine takes it.
        sources: Absolute paths that the backup holds; empty if they are not known.
        version: The engine's version such as "0.14.0", "" if it is not known.
    """
    if engine not in ENGINES:
        return []
    return cast(list[Step], import_module(f"tray.engines.{engine}.recovery").steps(repository, sources, version))


def install(engine: str, package: str, version: str) -> Step:
    """Return the step that installs an engine."""
    least = f", version {version} or newer" if version else ""
    return f"Install {engine}{least}. On Debian and Ubuntu:", f"sudo apt install {package}"
