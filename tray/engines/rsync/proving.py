"""Prove that a copy that rsync made can be restored: files copied back and compared with their sources.

A copy is no repository: it has no check, no snapshots and no hashes of its own. So a file that has changed at the source since
proves nothing, and only copies of folders on this machine can be compared, whose times rsync has kept.

rsync itself marks with `/./` which part of a source's path the copy has; `Way.sources` are written in this form.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tray.core import regex
from tray.core.redact import Redactor
from tray.engines.program import unwrap
from tray.engines.proving import Item, Snapshot, Way, at_source, marked
from tray.engines.rsync import options as rsync_options
from tray.engines.rsync.options import Options, is_remote

_KEPT = (
    *("rsh", "rsync-path", "remote-option", "password-file", "port", "address", "timeout", "contimeout", "bwlimit"),
    *("iconv", "protocol", "sockopts"),
)
_VARIABLES = ("RSYNC_RSH", "RSYNC_PASSWORD", "RSYNC_PROXY", "RSYNC_PARTIAL_DIR")
_NO_COPY = ("read-batch", "only-write-batch", "list-only", "dry-run", "server", "daemon", "remove-source-files")
_FILE = regex.compile(rb"-[rwxsStT.+@-]{9,11} +(?P<size>[\d,.']+) \d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?P<path>.+)")
_NO_DIGITS = regex.compile(rb"\D")


class RsyncProver:
    """The commands of rsync."""

    hashes_by_restoring = False
    restores_here = False

    def way(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Way:
        """Take sources and destination of a copy; options that lead to the other side are kept."""
        options, inner = rsync_options.read(argv, at), unwrap(argv, environ)
        if len(options.words) < 2 or options.given(*_NO_COPY):
            raise ValueError("only a copy that leaves its sources in place can be compared with them")
        *sources, address = options.words
        if any(map(is_remote, sources)):
            raise ValueError(
                "its source is on another machine, so there is nothing here to compare a restored file with"
            )
        if not options.given("archive", "times") or options.given("no-times", "no-t"):
            raise ValueError("its copies do not keep the times of files (`--archive`), which tell what changed since")
        if Redactor((), {}).text(address) != address:
            raise ValueError("its destination holds a password: name a `password_file`")
        place = address if is_remote(address) else os.path.abspath(address)
        kept = tuple(f"--{name}={value}" for name in _KEPT for value in options.every(name))
        set_here = {name: inner.environ[name] for name in _VARIABLES if name in inner.environ}
        return Way(argv[at], kept, set_here, tuple(_marked(options, source) for source in sources), place)

    def check(self, way: Way, read_data: str | None) -> None:  # noqa: ARG002 - the contract
        """Name no command."""
        if read_data is not None:
            raise ValueError("a copy that rsync made has no check that could read its data")

    def locks(self, way: Way) -> None:
        """Name no command."""

    def snapshots(self, way: Way) -> None:
        """Name no command: the copy is all there is."""

    def read_snapshots(self, answer: Any) -> list[Snapshot]:  # noqa: ARG002 - the contract
        """Return none."""
        return []

    def files(self, way: Way, snapshot: str) -> list[str]:  # noqa: ARG002 - the contract
        """Return `rsync --list-only`, which prints a file a line."""
        return [way.program, *way.options, "--recursive", "--list-only", "--no-h", "--", f"{_place(way)}/"]

    def read_file(self, line: bytes) -> Item | None:
        r"""Read one line; rsync writes bytes of a name that it cannot show as `\#ooo`, and such a name is not exact."""
        match = _FILE.fullmatch(line.rstrip(b"\r\n"))
        if match is None or b"\\#" in match["path"]:
            return None
        try:
            path = match["path"].decode()
        except UnicodeDecodeError:
            return None
        return Item(path, int(_NO_DIGITS.sub(b"", match["size"]))) if path.isprintable() else None

    def restore(self, way: Way, snapshot: str, items: Sequence[Item], target: str) -> list[str]:  # noqa: ARG002 - the contract
        """Return `rsync --archive --relative` of the files alone; the other side's shell reads no name of them."""
        names = [f"{_place(way)}/./{item.path}" for item in items]
        guarded = ("-s",) if is_remote(_place(way)) else ()
        words = ("--archive", "--relative", "--no-implied-dirs", "--no-owner", "--no-group", *guarded, "--")
        return [way.program, *way.options, *words, *names, f"{target}/"]

    def verified(self, line: bytes) -> None:
        """Read nothing."""

    def hashes(self, way: Way, snapshot: str, items: Sequence[Item]) -> None:
        """Name no command: hashes of a copy prove nothing about its source."""

    def read_hash(self, line: bytes) -> None:
        """Read nothing."""

    def source(self, way: Way, item: Item) -> str | None:
        """Return the file at its source."""
        return at_source(way.sources, item.path)


def _marked(options: Options, source: str) -> str:
    """Return *source* with `/./` before the part of its path that its copy has."""
    whole = os.path.abspath(source)
    if options.given("files-from"):
        return marked(whole, "")
    if options.given("relative") and not options.given("no-relative"):
        folder, mark, part = source.partition("/./")
        if not mark:
            folder, part = ("/", whole.strip("/")) if os.path.isabs(source) else (".", source)
        part = "" if os.path.normpath(part) == "." else os.path.normpath(part)
        return marked(os.path.join(os.path.abspath(folder or "/"), part), part)
    if source.endswith(("/", "/.", "/..")) or source in (".", ".."):
        return marked(whole, "")
    return marked(whole, os.path.basename(whole))


def _place(way: Way) -> str:
    """Return the destination without a slash at its end; `host:` is the login's folder there."""
    place = (way.address or "").rstrip("/")
    return f"{place}." if place.endswith(":") and "::" not in place else place


PROVER = RsyncProver()
