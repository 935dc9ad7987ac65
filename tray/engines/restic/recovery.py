"""Restore a repository of restic on another machine."""

from collections.abc import Sequence
from shlex import quote

from tray.engines.recovery import TARGET, Step, install


def steps(repository: str, sources: Sequence[str], version: str) -> list[Step]:
    """Return the commands; restic asks for the password. `--path` tells this job's snapshots from others in the repository."""
    program = f"restic -r {quote(repository)}"
    paths = "".join(f" --path {quote(source)}" for source in sources)
    return [
        install("restic", "restic", version),
        ("List the snapshots; restic asks for the password.", f"{program} snapshots{paths}"),
        ("Restore the newest snapshot into a new folder.", f"{program} restore latest{paths} --target {TARGET}"),
        (
            f"The files lie below {TARGET}, each with its whole path. To look for a single file, list them all:",
            f"{program} ls latest{paths}",
        ),
    ]
