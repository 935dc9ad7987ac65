"""Prove that an archive of GNU tar can be restored: files extracted and compared with their sources.

An archive has no hashes of its own, so a file that has changed at the source since proves nothing. To list it, tar reads all of it,
which shows an archive that is cut off, or whose compression is damaged.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tray.core import regex
from tray.engines.program import unwrap
from tray.engines.proving import Item, Snapshot, Way, at_source, marked
from tray.engines.tar import is_gnu
from tray.engines.tar.options import call

_OTHERWISE = ("append", "update", "multi-volume", "transform", "xform", "files-from", "remove-files", "delete")
_FILE = regex.compile(rb"-\S{9,10} \d+/\d+ +(?P<size>\d+) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?P<path>.+)")
_UP = regex.compile(r"(?:/|(?:\.\./)+)")


class TarProver:
    """The commands of GNU tar."""

    hashes_by_restoring = False
    restores_here = False

    def way(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Way:
        """Take sources and archive of a `--create`."""
        asked, inner = call(argv, at), unwrap(argv, environ)
        options, archive = asked.options, asked.archive
        if asked.kind != "backup" or not options.given("create") or options.given(*_OTHERWISE):
            raise ValueError("only an archive that tar makes anew, of files that it is told by name, can be compared")
        if archive is None or archive == "-" or ":" in archive.partition("/")[0]:
            raise ValueError("its archive is not a file on this machine")
        if not is_gnu(argv[at], inner.environ):
            raise ValueError("only archives of GNU tar can be compared")
        kept = [f"--use-compress-program={value}" for value in options.every("use-compress-program")]
        pairs = zip(options.words, asked.sources, strict=True)
        sources = tuple(marked(os.path.abspath(source), _member(word)) for word, source in pairs)
        return Way(argv[at], tuple(kept), {}, sources, os.path.abspath(archive))

    def check(self, way: Way, read_data: str | None) -> None:  # noqa: ARG002 - the contract
        """Name no command: the list reads the whole archive."""
        if read_data is not None:
            raise ValueError("tar reads its whole archive at each check")

    def locks(self, way: Way) -> None:
        """Name no command."""

    def snapshots(self, way: Way) -> None:
        """Name no command: the archive is all there is."""

    def read_snapshots(self, answer: Any) -> list[Snapshot]:  # noqa: ARG002 - the contract
        """Return none."""
        return []

    def files(self, way: Way, snapshot: str) -> list[str]:  # noqa: ARG002 - the contract
        """Return `tar --list`, which prints a file a line."""
        shape = ("--verbose", "--full-time", "--numeric-owner", "--quoting-style=escape")
        return [way.program, "--list", *shape, *way.options, f"--file={way.address}"]

    def read_file(self, line: bytes) -> Item | None:
        """Read one line; a name with signs that tar escapes is not exact."""
        match = _FILE.fullmatch(line.rstrip(b"\r\n"))
        if match is None or b"\\" in match["path"]:
            return None
        try:
            path = match["path"].decode()
        except UnicodeDecodeError:
            return None
        return Item(path, int(match["size"])) if path.isprintable() else None

    def restore(self, way: Way, snapshot: str, items: Sequence[Item], target: str) -> list[str]:  # noqa: ARG002 - the contract
        """Return `tar --extract` of the files alone."""
        into = (f"--file={way.address}", f"--directory={target}", "--no-same-owner", "--")
        return [way.program, "--extract", *way.options, *into, *(item.path for item in items)]

    def verified(self, line: bytes) -> None:
        """Read nothing."""

    def hashes(self, way: Way, snapshot: str, items: Sequence[Item]) -> None:
        """Name no command: an archive has no hashes."""

    def read_hash(self, line: bytes) -> None:
        """Read nothing."""

    def source(self, way: Way, item: Item) -> str | None:
        """Return the file at its source."""
        return at_source(way.sources, _member(item.path))


def _member(path: str) -> str:
    """Return *path* as the archive names it, without the parts that tar leaves out at its beginning; "" for the folder itself."""
    name = os.path.normpath(path)
    begin = _UP.match(name)
    name = name if begin is None else name[begin.end() :]
    return "" if name in (".", "..") else name


PROVER = TarProver()
