"""borg's command line, read as borg itself reads it (argparse): subcommand, flags, repository, archive, paths.

Options may stand before and after the subcommand and among the paths, long ones may be shortened as long as they stay unambiguous,
and nothing after `--` is one. The names come from the manual of borg 1.2 and 1.4; `--repo` is borg 2's.
"""

from collections.abc import Mapping, Sequence

from tray.core.redact import Harmless
from tray.engines import arguments
from tray.engines.arguments import Arguments, Grammar
from tray.engines.text import words

_ALSO = {
    "h": "help",
    "V": "version",
    "v": "info",
    "verbose": "info",
    "p": "progress",
    "r": "repo",
    "n": "dry-run",
    "s": "stats",
    "e": "exclude",
    "x": "one-file-system",
    "c": "checkpoint-interval",
    "C": "compression",
    "P": "prefix",
    "a": "glob-archives",
    "H": "keep-hourly",
    "d": "keep-daily",
    "w": "keep-weekly",
    "m": "keep-monthly",
    "y": "keep-yearly",
}
_SWITCHES = words(
    """help version critical error warning info verbose debug progress iec log-json bypass-lock show-version show-rc
    consider-part-files dry-run stats quick-stats list json no-cache-sync no-cache-sync-forced content-from-command
    paths-from-stdin paths-from-command paths-from-shell-command exclude-caches keep-exclude-tags exclude-nodump
    exclude-dataless one-file-system numeric-owner numeric-ids noatime atime noctime nobirthtime nobsdflags noflags
    noacls noxattrs sparse read-special repair repository-only archives-only verify-data save-space force
    cleanup-commits stdout continue"""
)
_SHOWN = words(
    """debug-topic lock-wait umask remote-path remote-ratelimit upload-ratelimit remote-buffer upload-buffer
    debug-profile repo socket filter stdin-name stdin-user stdin-group stdin-mode paths-delimiter exclude
    exclude-from pattern patterns-from exclude-if-present files-cache files-changed timestamp
    checkpoint-interval chunker-params compression prefix glob-archives match-archives sort-by first last oldest newest
    older newer max-duration keep-within keep-last keep-minutely keep-secondly keep-hourly keep-daily keep-weekly
    keep-monthly keep-13weekly keep-3monthly keep-yearly threshold strip-components undelete-archives"""
)
"""Options whose values hold no secret."""
_VALUES = _SHOWN | words("rsh comment")
_GRAMMAR = Grammar(_VALUES, _SWITCHES, also=_ALSO, shortens=True, equals=True)
HARMLESS = Harmless(
    _GRAMMAR,
    _SHOWN,
    subcommands=words(
        """create extract check prune compact list info delete rename diff mount umount init break-lock upgrade recreate with-lock
        export-tar import-tar transfer rcreate rinfo rlist rdelete repo-create repo-info repo-list repo-delete repo-compress"""
    ),
    runners=frozenset(("with-lock",)),
)


def read(argv: Sequence[str], at: int) -> Arguments:
    """Read the command line whose program stands at index *at*; never raises."""
    return arguments.read(argv, at + 1, _GRAMMAR)


def place(options: Arguments, environ: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """Return the repository and the words behind repository and archive, which are the paths."""
    repository, _, paths = _places(options, environ)
    return repository, paths


def archive(options: Arguments, environ: Mapping[str, str]) -> str | None:
    """Return the name of the archive, None if it is not named."""
    return _places(options, environ)[1]


def _places(options: Arguments, environ: Mapping[str, str]) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Return repository, archive and paths.

    borg 1 names both in one word (`REPO::ARCHIVE`, `::ARCHIVE` with BORG_REPO); borg 2 has `--repo` and a word for the archive.
    """
    named = options.last("repo") or environ.get("BORG_REPO") or None
    if not options.rest:
        return named, None, ()
    first, paths = options.rest[0], options.rest[1:]
    before, colons, archive = first.rpartition("::")
    if colons and "/" not in archive:
        return before or named, archive, paths
    if options.given("repo") or (named and options.subcommand in ("create", "extract")):
        return named, first, paths  # a name of an archive
    return first or named, None, paths
