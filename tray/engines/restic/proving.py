"""Prove that a restic repository can be restored: check, list, and restore with `--verify`.

`restore --verify` reads each restored file again and compares it with the hashes in the snapshot (restic 0.14 and later).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tray.core import clock, regex
from tray.engines import proving
from tray.engines.arguments import read
from tray.engines.program import unwrap
from tray.engines.proving import Item, Snapshot, Way
from tray.engines.restic import GRAMMAR, repository_of
from tray.engines.text import count, decode, text_of

_KEPT = ("option", "cacert", "tls-client-cert", "cache-dir", "key-hint", "limit-download", "limit-upload")
_SWITCHES = ("no-cache", "insecure-tls", "insecure-no-password")
_VARIABLES = {
    "repository-file": "RESTIC_REPOSITORY_FILE",
    "password-file": "RESTIC_PASSWORD_FILE",
    "password-command": "RESTIC_PASSWORD_COMMAND",
}
_VERIFIED = regex.compile(rb"finished verifying (\d{1,9}) files in ")
_SUBSET = regex.compile(r"\d+(?:\.\d+)?%|\d+/\d+|\d+[KMGT]")
_LISTED = ("files-from", "files-from-verbatim", "files-from-raw", "stdin", "stdin-from-command")
_SPECIAL = regex.compile(r"([\\*?\[])")


class ResticProver:
    """The commands of restic."""

    restores_here = False
    hashes_by_restoring = True

    def way(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Way:
        """Take repository and password from the options of a backup command."""
        options, inner = read(argv, at + 1, GRAMMAR), unwrap(argv, environ)
        set_here = {name: value for name, value in inner.environ.items() if environ.get(name) != value}
        named = {variable: value for name, variable in _VARIABLES.items() if (value := options.last(name))}
        if address := options.last("repo"):
            named["RESTIC_REPOSITORY"] = address
        kept = [f"--{name}={value}" for name in _KEPT for value in options.every(name)]
        kept += [f"--{name}" for name in _SWITCHES if options.on(name)]
        sources = () if options.given(*_LISTED) else options.rest
        return Way(argv[at], tuple(kept), {**set_here, **named}, sources, repository_of(options, inner.environ))

    def check(self, way: Way, read_data: str | None) -> list[str]:
        """Return `restic check`."""
        if read_data is None:
            return _command(way, "check")
        if read_data == proving.ALL:
            return _command(way, "check", "--read-data")
        if not _SUBSET.fullmatch(read_data):
            raise ValueError('restic reads "all", a part such as "5%" or "1/10", or an amount such as "500M"')
        return _command(way, "check", f"--read-data-subset={read_data}")

    def locks(self, way: Way) -> list[str]:
        """Return `restic list locks`."""
        return _command(way, "list", "locks")

    def snapshots(self, way: Way) -> list[str]:
        """Return `restic snapshots`."""
        return _command(way, "snapshots", "--json")

    def read_snapshots(self, answer: Any) -> list[Snapshot]:
        """Read a list of objects, null if there are none."""
        return [
            Snapshot(str(data["id"]), clock.from_text(data["time"]), tuple(map(str, data.get("paths") or ())))
            for data in answer or ()
        ]

    def files(self, way: Way, snapshot: str) -> list[str]:
        """Return `restic ls`."""
        return _command(way, "ls", "--json", snapshot)

    def read_file(self, line: bytes) -> Item | None:
        """Read one node; Go writes U+FFFD in the place of bytes that are no UTF-8, so such a name is not exact."""
        if b'"file"' not in line or (node := decode(line)) is None or node.get("type") != "file":
            return None
        path = text_of(node.get("path"))
        if not path.startswith("/") or "\ufffd" in path or "\n" in path:
            return None
        return Item(path, count(node, "size"), proving.microseconds(text_of(node.get("ctime"))))

    def restore(self, way: Way, snapshot: str, items: Sequence[Item], target: str) -> list[str]:
        """Return `restic restore --verify`."""
        wanted = [f"--include={_SPECIAL.sub(_escaped, item.path)}" for item in items]
        return _command(way, "restore", snapshot, f"--target={target}", "--verify", *wanted)

    def verified(self, line: bytes) -> int | None:
        """Read "finished verifying 3 files in /tmp/x"."""
        match = _VERIFIED.match(line.strip())
        return None if match is None else int(match[1])

    def hashes(self, way: Way, snapshot: str, items: Sequence[Item]) -> list[str] | None:  # noqa: ARG002 - the contract
        """Name no command: the restore compares the hashes."""
        return None

    def read_hash(self, line: bytes) -> tuple[str, str] | None:  # noqa: ARG002 - the contract
        """Read nothing."""
        return None

    def source(self, way: Way, item: Item) -> str | None:  # noqa: ARG002 - the contract
        """Return the path in the snapshot, which is the one on the disk."""
        return item.path


def _command(way: Way, *words: str) -> list[str]:
    return [way.program, "--no-lock", *way.options, *words]


def _escaped(match: "re.Match[str]") -> str:
    return f"\\{match[1]}"


PROVER = ResticProver()
