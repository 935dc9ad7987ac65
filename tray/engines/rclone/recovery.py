"""Copy the files of rclone back, on another machine."""

from collections.abc import Sequence
from shlex import quote

from tray.engines.recovery import TARGET, Step, install


def steps(repository: str, sources: Sequence[str], version: str) -> list[Step]:  # noqa: ARG001 - the copy is copied whole
    """Return the commands; a remote is known only where rclone's configuration is."""
    place = quote(repository)
    return [
        install("rclone", "rclone", version),
        (
            "A remote of `rclone config` is known only with rclone's configuration file: keep a copy of it. Its path:",
            "rclone config file",
        ),
        ("List the files.", f"rclone ls -- {place}"),
        ("Copy them into a new folder.", f"rclone copy -- {place} {TARGET}"),
    ]
