"""duplicity's command line: one table of the options that take a value, for all versions.

Before 3.0 a backup needs no command (`duplicity SOURCE URL`), and the order of folder and address tells a backup from a restore.
Commands and options may be shortened. From duplicity's manual page (0.8.22, 3.0).
"""

import re
from collections.abc import Sequence

from tray.core.redact import Harmless
from tray.engines import arguments
from tray.engines.arguments import Arguments, Grammar
from tray.engines.text import words

_SHOWN = words(
    """archive-dir azure-blob-tier azure-max-block-size azure-max-connections azure-max-single-put-size
    backend-retry-delay cf-backend config-dir current-time encrypt-key encrypt-secret-keyring encrypt-sign-key
    exclude exclude-filelist exclude-globbing-filelist exclude-if-present exclude-older-than exclude-regexp
    fail-on-volume file-changed file-prefix file-prefix-archive file-prefix-manifest file-prefix-signature
    file-to-restore files-from full-if-older-than gpg-binary hidden-encrypt-key idr-fakeroot
    imap-mailbox include include-filelist include-globbing-filelist include-regexp log-fd log-file
    max-blocksize metadata-sync-mode mp-segment-size name num-retries par2-redundancy par2-volumes
    path-to-restore progress-rate restore-time s3-endpoint-url s3-kms-grant s3-kms-key-id
    s3-multipart-chunk-size s3-multipart-max-procs s3-multipart-max-timeout s3-region-name
    show-changes-in-set sign-key skip-volume ssl-cacert-file ssl-cacert-path swift-storage-policy
    tempdir time time-separator timeout concurrency verbosity volsize"""
)
"""Options whose values hold no secret."""
_VALUES = _SHOWN | words("gpg-options par2-options rsync-options scp-command sftp-command ssh-options webdav-headers")
_SWITCHES = words(
    """allow-source-mismatch asynchronous-upload compare-data copy-links do-not-restore-ownership dry-run
    exclude-device-files exclude-filelist-stdin exclude-other-filesystems force ftp-passive ftp-regular gio
    help ignore-errors imap-full-address include-filelist-stdin log-timestamp mf-purge no-check-remote
    no-compression no-encryption no-files-changed no-print-statistics no-restore-ownership null-separator
    numeric-owner old-filenames progress s3-european-buckets s3-unencrypted-connection s3-use-new-style
    s3-use-rrs short-filenames ssh-askpass ssl-no-check-certificate use-agent use-scp version"""
)
_GRAMMAR = Grammar(
    values=_VALUES,
    switches=_SWITCHES,
    also={"h": "help", "V": "version", "r": "file-to-restore", "t": "restore-time", "v": "verbosity"},
    pairs=frozenset(("rename",)),
    shortens=True,
)
HARMLESS = Harmless(_GRAMMAR, _SHOWN, subcommands=frozenset(("",)))
_COMMANDS = {  # what is given: what it is
    "backup": "backup",
    "full": "backup",
    "incremental": "backup",
    "restore": "restore",
    "verify": "verify",
    "cleanup": "cleanup",
    "collection-status": "other",
    "list-current-files": "other",
    "remove-older-than": "remove-older-than",
    "remove-all-but-n-full": "remove-all-but-n-full",
    "remove-all-inc-of-but-n-full": "remove-all-inc-of-but-n-full",
    "replicate": "other",
}
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_QUIET = {"error": 0, "e": 0, "warning": 2, "w": 2}


def read(argv: Sequence[str], at: int) -> Arguments:
    """Read the command line whose program stands at index *at*."""
    return arguments.read(argv, at + 1, _GRAMMAR)


def is_address(word: str) -> bool:
    """Whether *word* is the address of a repository, and no local path."""
    return _ADDRESS.match(word) is not None


def command(options: Arguments) -> tuple[str, list[str]]:
    """Return what is to be done, and the words behind the command."""
    rest = list(options.words)
    if not rest:
        return "other", []
    meant = [name for name in _COMMANDS if name.startswith(rest[0])] if rest[0] else []
    if rest[0] in _COMMANDS or len(meant) == 1:
        return _COMMANDS[rest[0] if rest[0] in _COMMANDS else meant[0]], rest[1:]
    if meant or len(rest) != 2:
        return "other", rest
    return "restore" if is_address(rest[0]) else "backup", rest


def shows_warnings(options: Arguments) -> bool:
    """Whether it prints warnings: at its level 2 and above (3 if none is chosen)."""
    level = options.last("verbosity")
    if level is None:
        return True
    number = _QUIET.get(level.lower(), 3) if not level.isdecimal() else int(level[:3])
    return number >= 2
