"""Ask how much room is free at an address: over sftp, or of a remote of rclone. Other protocols cannot tell."""

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence

Ask = Callable[[Sequence[str], Mapping[str, str], bytes], tuple[int | None, str, str]]
"""Runs a command with an environment and an input; returns exit code, standard output and standard error."""
_FIGURES = re.compile(r"^\s*\d+\s+\d+\s+(\d+)\s+\d+\s+\d+%\s*$", re.MULTILINE)
"""The line of figures that `df` of sftp prints, in KiB: size, used, free for this user, free for root, share."""


def free(repository: str, environ: Mapping[str, str], ask: Ask) -> int | None:
    """Return the bytes that are free at the address *repository*, None if that cannot be known."""
    protocol, _, rest = repository.partition(":")
    try:
        if protocol == "sftp":
            return _of_sftp(repository, environ, ask)
        return _of_remote(rest, environ, ask) if protocol + ":" == "rclone:" else None
    except (OSError, ValueError):
        return None  # the program is not installed, or says it in another way


def sftp_parts(repository: str) -> tuple[str, str, str]:
    """Return user and host, the port ("" for the usual one) and the path of restic's address `sftp:...`."""
    address = repository.removeprefix("sftp:")
    if address.startswith("//"):
        place, _, path = address[2:].partition("/")
        host, _, port = place.partition(":")
        return host, port, path
    host, _, path = address.partition(":")
    return host, "", path


def _of_sftp(repository: str, environ: Mapping[str, str], ask: Ask) -> int | None:
    """Ask the server about the nearest folder that exists; it may not support that."""
    host, port, path = sftp_parts(repository)
    lines = "".join(f"-df {_quoted(place)}\n" for place in _upwards(path))
    argv = ["sftp", "-q", "-b", "-", "-S", "ssh", *(["-P", port] if port else []), "--", host]
    _, out, _ = ask(argv, environ, lines.encode("utf-8", "surrogateescape"))
    match = _FIGURES.search(out)
    return None if match is None else int(match[1]) * 1024


def _of_remote(remote: str, environ: Mapping[str, str], ask: Ask) -> int | None:
    """Ask about the folder, and where it is not there yet about the whole remote."""
    name = re.match(r":?[^:]*:", remote)
    whole = name[0] if name is not None and not remote.startswith(":local:") else remote
    for place in dict.fromkeys((remote, posixpath.dirname(remote) or whole, whole)):
        code, out, _ = ask([*shlex.split("rclone about --json --"), place], environ, b"")
        if code == 0:
            amount = json.loads(out).get("free")
            return amount if isinstance(amount, int) else None
    return None


def _upwards(path: str) -> Iterator[str]:
    """Yield *path* and the folders above it."""
    while path not in ("", "/", "."):
        yield path
        path = posixpath.dirname(path.rstrip("/"))
    yield path or "."


def _quoted(path: str) -> str:
    """Return *path* as one word of an sftp batch, without patterns."""
    escaped = re.sub(r"([\\\"*?\[\]])", r"\\\1", path)
    return f'"{escaped}"'
