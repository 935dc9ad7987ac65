"""Copy the files of rsync back, on another machine."""

from collections.abc import Sequence
from shlex import quote

from tray.engines.recovery import TARGET, Step, install


def steps(repository: str, sources: Sequence[str], version: str) -> list[Step]:  # noqa: ARG001 - the copy is copied whole
    """Return the commands."""
    place = quote(f"{repository.rstrip('/')}/")
    return [
        install("rsync", "rsync", version),
        ("List the files.", f"rsync --recursive --list-only -- {place}"),
        ("Copy them into a new folder.", f"rsync --archive -- {place} {TARGET}/"),
    ]
