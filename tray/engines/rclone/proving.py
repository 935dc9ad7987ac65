"""Prove that a copy that rclone made can be restored: files copied back and compared with their sources.

A copy is no repository: it has no check, no snapshots and no hashes of its own. So a file that has changed at the source since
proves nothing, and only copies of a local folder can be compared. An encrypted remote is read as a restore would read it.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tray.core import regex
from tray.engines.program import unwrap
from tray.engines.proving import Item, Snapshot, Way
from tray.engines.rclone import WHERE
from tray.engines.rclone import options as rclone_options
from tray.engines.text import count, decode

_KEPT = ("config", "password-command")
_ACCESS = ("-pass", "-key", "-token", "-password", "-key-id", "-key-pem", "-key-file", "-client-id", "-client-secret")
_SPECIAL = regex.compile(r"([\\*?\[\]{}])")


class RcloneProver:
    """The commands of rclone."""

    hashes_by_restoring = False
    restores_here = False

    def way(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Way:
        """Take both ends of a `copy` or `sync`; options that lead to the remote become variables."""
        inner = unwrap(argv, environ)
        options = rclone_options.read(argv, at, inner.environ)
        if options.subcommand not in ("copy", "sync") or len(options.rest) != 2:
            raise ValueError("only the copies of `rclone copy` and `rclone sync` can be compared with their source")
        source, address = options.rest
        if ":" in source.partition("/")[0]:
            raise ValueError(
                "its source is on another machine, so there is nothing here to compare a restored file with"
            )
        if rclone_options.without_secrets(address) != address:
            raise ValueError("its destination holds a password: keep that in a remote of `rclone config`")
        leads = [name for name in options.options if name in _KEPT or name.endswith((*WHERE, *_ACCESS))]
        named = {f"RCLONE_{name.upper().replace('-', '_')}": options.options[name][-1] for name in leads}
        set_here = {name: value for name, value in inner.environ.items() if environ.get(name) != value}
        return Way(argv[at], (), {**set_here, **named}, (source,), address)

    def check(self, way: Way, read_data: str | None) -> None:  # noqa: ARG002 - the contract
        """Name no command."""
        if read_data is not None:
            raise ValueError("a copy that rclone made has no check that could read its data")

    def locks(self, way: Way) -> None:
        """Name no command."""

    def snapshots(self, way: Way) -> None:
        """Name no command: the copy is all there is."""

    def read_snapshots(self, answer: Any) -> list[Snapshot]:  # noqa: ARG002 - the contract
        """Return none."""
        return []

    def files(self, way: Way, snapshot: str) -> list[str]:  # noqa: ARG002 - the contract
        """Return `rclone lsjson`, which prints an object a line."""
        return _command(way, "lsjson", "-R", "--files-only", "--no-mimetype", _place(way))

    def read_file(self, line: bytes) -> Item | None:
        """Read one object of the list."""
        data = decode(line.strip().rstrip(b","))
        path = None if data is None else data.get("Path")
        if data is None or not isinstance(path, str) or not path.isprintable() or "\ufffd" in path:
            return None
        return Item(path, count(data, "Size"))

    def restore(self, way: Way, snapshot: str, items: Sequence[Item], target: str) -> list[str]:  # noqa: ARG002 - the contract
        """Return `rclone copy` of the files alone."""
        wanted = [f"--include=/{_SPECIAL.sub(lambda match: f'{chr(92)}{match[1]}', item.path)}" for item in items]
        return _command(way, "copy", *wanted, _place(way), target)

    def verified(self, line: bytes) -> None:
        """Read nothing."""

    def hashes(self, way: Way, snapshot: str, items: Sequence[Item]) -> None:
        """Name no command: not every remote has hashes, and those of a copy prove nothing about its source."""

    def read_hash(self, line: bytes) -> None:
        """Read nothing."""

    def source(self, way: Way, item: Item) -> str | None:
        """Return the file in the source folder."""
        return os.path.join(os.path.abspath(way.sources[0]), item.path)


def _command(way: Way, *words: str) -> list[str]:
    return [way.program, "--ask-password=false", *words]


def _place(way: Way) -> str:
    return way.address or ""


PROVER = RcloneProver()
