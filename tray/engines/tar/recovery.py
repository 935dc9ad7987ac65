"""Extract an archive of tar on another machine."""

from collections.abc import Sequence
from shlex import quote

from tray.engines.recovery import TARGET, Step, install


def steps(repository: str, sources: Sequence[str], version: str) -> list[Step]:  # noqa: ARG001 - the archive is extracted whole
    """Return the commands; tar finds out by itself how the archive is compressed."""
    archive = quote(repository)
    return [
        install("tar", "tar", version),
        ("List the files.", f"tar --list --file={archive}"),
        ("Make a new folder.", f"mkdir -p {TARGET}"),
        ("Extract them there, each with its whole path.", f"tar --extract --file={archive} --directory {TARGET}"),
        (
            "If this archive is damaged or incomplete, extract the one of the run before.",
            f"tar --extract --file={quote(f'{repository}~')} --directory {TARGET}",
        ),
    ]
