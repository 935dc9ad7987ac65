"""restic's command line, read as restic itself reads it (cobra and pflag): subcommand, flags, sources.

The subcommand is the first word that is neither a flag nor a flag's value; flags may stand anywhere, and nothing after `--` is one.
"""

from collections.abc import Sequence

from tray.core.redact import Harmless
from tray.engines import arguments
from tray.engines.arguments import Arguments, Grammar
from tray.engines.text import words

_SHORT = {
    "r": "repo",
    "p": "password-file",
    "q": "quiet",
    "v": "verbose",
    "o": "option",
    "h": "help",
    "f": "force",
    "x": "one-file-system",
    "n": "dry-run",
    "e": "exclude",
    "H": "host",
    "g": "group-by",
}
_SWITCHES = words(
    """json quiet verbose help version no-cache cleanup-cache no-lock insecure-no-password insecure-tls no-extra-verify
    force one-file-system exclude-caches exclude-cloud-files stdin stdin-from-command with-atime ignore-inode
    ignore-ctime use-fs-snapshot dry-run skip-if-unchanged no-scan prune"""
)
_SHOWN = words(
    """repo repository-file password-file key-hint retry-lock cache-dir cacert tls-client-cert
    limit-upload limit-download compression pack-size stuck-request-timeout parent group-by
    exclude iexclude exclude-file iexclude-file exclude-if-present exclude-larger-than stdin-filename tag host
    files-from files-from-verbatim files-from-raw time read-concurrency
    keep-last keep-hourly keep-daily keep-weekly keep-monthly keep-yearly keep-within keep-within-hourly keep-within-daily
    keep-within-weekly keep-within-monthly keep-within-yearly keep-tag read-data-subset target include iinclude
    include-file iinclude-file path max-unused max-repack-size snapshot-template time-template owner-root"""
)
"""Options whose values hold no secret."""
_VALUES = _SHOWN | words("password-command option http-user-agent")
_GRAMMAR = Grammar(_VALUES, _SWITCHES, also=_SHORT, equals=True, unknown="value before the subcommand")
HARMLESS = Harmless(
    _GRAMMAR,
    _SHOWN,
    subcommands=words(
        """backup restore check forget prune snapshots ls find diff stats unlock cat copy dump init list mount migrate rebuild-index
        repair tag rewrite recover version self-update cache"""
    ),
)


def read(argv: Sequence[str], at: int) -> Arguments:
    """Read the command line whose program stands at index *at*; never raises."""
    return arguments.read(argv, at + 1, _GRAMMAR)
