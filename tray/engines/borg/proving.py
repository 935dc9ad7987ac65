"""Prove that a borg repository (1.2, 1.4) can be restored: check, list, extract, and the SHA-256 of files in an archive.

`borg list` tells the hashes by reading the archive; the restored files are compared with them. Times are printed without an offset,
so the commands run in UTC. borg names files without the leading slash.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from tray.engines import proving
from tray.engines.arguments import read
from tray.engines.borg import GRAMMAR, places_of
from tray.engines.program import unwrap
from tray.engines.proving import Item, Snapshot, Way
from tray.engines.text import count, decode

_KEPT = ("rsh", "remote-path", "umask")
_NEWEST = "50"
"""So many archives are looked at: the command line of each is read from the repository."""
_LISTED = ("paths-from-stdin", "paths-from-command", "paths-from-shell-command", "patterns-from", "pattern")


class BorgProver:
    """The commands of borg."""

    restores_here = True
    hashes_by_restoring = False

    def way(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Way:
        """Take the repository from a `create`."""
        options, inner = read(argv, at + 1, GRAMMAR), unwrap(argv, environ)
        set_here = {name: value for name, value in inner.environ.items() if environ.get(name) != value}
        address, _, paths = places_of(options, inner.environ)
        if address is not None and ":" not in address.partition("/")[0]:
            address = os.path.abspath(address)  # it extracts into another working folder
        named = {} if address is None else {"BORG_REPO": address}
        kept = tuple(f"--{name}={value}" for name in _KEPT for value in options.every(name))
        return Way(argv[at], kept, {**set_here, **named}, () if options.given(*_LISTED) else paths, address)

    def check(self, way: Way, read_data: str | None) -> list[str]:
        """Return `borg check`, which reads every segment; `all` also decrypts and verifies the data."""
        if read_data not in (None, proving.ALL):
            raise ValueError('borg verifies "all" data, or reads the segments only; it knows no parts')
        return _command(way, "check", "-v", *(["--verify-data"] if read_data else []))

    def locks(self, way: Way) -> list[str] | None:  # noqa: ARG002 - the contract
        """Name no command: borg has none."""
        return None

    def snapshots(self, way: Way) -> list[str]:
        """Return `borg list`."""
        return _command(way, "list", "--json", "--format={command_line}", f"--last={_NEWEST}")

    def read_snapshots(self, answer: Any) -> list[Snapshot]:
        """Read the list of archives."""
        archives = []
        for data in answer["archives"]:
            time = proving.microseconds(data["start"])
            if time is None:
                raise ValueError(f"no time: {data['start']!r}")
            archives.append(Snapshot(str(data["name"]), time // 1000, _sources(data.get("command_line"))))
        return archives

    def files(self, way: Way, snapshot: str) -> list[str]:
        """Return `borg list` of an archive."""
        return _command(way, "list", "--json-lines", "--format={size}{ctime}", f"::{snapshot}")

    def read_file(self, line: bytes) -> Item | None:
        """Read one line; a name that is no UTF-8 cannot be given back exactly."""
        data = decode(line)
        if data is None or data.get("type") != "-" or not isinstance(path := data.get("path"), str):
            return None
        if not path.isprintable():
            return None
        changed = data.get("ctime")
        return Item(path, count(data, "size"), proving.microseconds(changed) if isinstance(changed, str) else None)

    def restore(self, way: Way, snapshot: str, items: Sequence[Item], target: str) -> list[str]:  # noqa: ARG002 - borg extracts into its working folder
        """Return `borg extract`."""
        return _command(way, "extract", f"::{snapshot}", *_exactly(items))

    def verified(self, line: bytes) -> int | None:  # noqa: ARG002 - the contract
        """Read nothing: `hashes` tells them."""
        return None

    def hashes(self, way: Way, snapshot: str, items: Sequence[Item]) -> list[str] | None:
        """Return `borg list` of the files with their SHA-256."""
        return _command(way, "list", "--json-lines", "--format={sha256}", f"::{snapshot}", *_exactly(items))

    def read_hash(self, line: bytes) -> tuple[str, str] | None:
        """Read path and hash."""
        data = decode(line) or {}
        path, digest = data.get("path"), data.get("sha256")
        return (path, digest) if isinstance(path, str) and isinstance(digest, str) else None

    def source(self, way: Way, item: Item) -> str | None:  # noqa: ARG002 - the contract
        """Return the path from the root; one that was backed up relative to a folder is not there."""
        return f"/{item.path}"


def _command(way: Way, subcommand: str, *words: str) -> list[str]:
    return [way.program, subcommand, "--bypass-lock", *way.options, *words]


def _exactly(items: Sequence[Item]) -> list[str]:
    """Return the patterns that match the full paths of *items* alone."""
    return [f"pp:{item.path}" for item in items]


def _sources(command_line: object) -> tuple[str, ...] | None:
    """Return the sources of the `create` that made an archive, None if they are not known; borg 1.4 gives one text, 1.2 words."""
    try:
        argv = shlex.split(command_line) if isinstance(command_line, str) else list(map(str, command_line or ()))  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return None
    options = read(argv, 1, GRAMMAR)
    if options.subcommand != "create" or options.given(*_LISTED):
        return None
    return places_of(options, {"BORG_REPO": "-"} if "::" not in " ".join(argv) else {})[2] or None


PROVER = BorgProver()
