"""Restore a repository of borg 1 on another machine."""

from collections.abc import Sequence
from shlex import quote

from tray.engines.recovery import TARGET, Step, install


def steps(repository: str, sources: Sequence[str], version: str) -> list[Step]:  # noqa: ARG001 - an archive is restored whole
    """Return the commands of borg 1; borg asks for the password. borg 2 has other commands, so it has no steps here."""
    if version.startswith("2"):
        return []
    place = quote(repository)
    newest = f'{place}::"$(borg list --short --last 1 {place})"'
    return [
        install("borg 1", "borgbackup", version),
        ("List the archives; borg asks for the password.", f"borg list {place}"),
        (
            "Restore the newest archive into a new folder. For another one, write its name behind the `::`.",
            f"mkdir -p {TARGET} && cd {TARGET} && borg extract {newest}",
        ),
        (
            "With `keyfile` encryption the password alone opens nothing: keep the key as well. Print it now, on the old machine:",
            f"borg key export --paper {place}",
        ),
    ]
