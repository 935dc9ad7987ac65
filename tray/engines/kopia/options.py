"""kopia's command line (kingpin): a group, a verb, and what it is done to. From its reference (kopia.io)."""

from collections.abc import Sequence

from tray.core.redact import Harmless
from tray.engines import arguments
from tray.engines.arguments import Arguments, Grammar
from tray.engines.recognise import words

_SHOWN = words(
    """config-file log-file log-dir log-level file-log-level content-log-file log-dir-max-files log-dir-max-age
    timezone progress-update-interval progress-estimation-type upload-limit-mb
    checkpoint-interval force-hash parallel start-time end-time stdin-file tags pin
    log-dir-detail log-entry-detail override-source verify-files-percent file-parallelism file-queue-length
    max-errors sources directory-id file-id mode skip-times snapshot-time safety metrics-listen-addr
    max-download-speed-mb-per-second max-upload-speed-mb-per-second"""
)
"""Options whose values hold no secret."""
_VALUES = _SHOWN | words("password persist-credentials description")
_GRAMMAR = Grammar(_VALUES, words("all help version json no-progress progress fail-fast"), also={"p": "password"})
HARMLESS = Harmless(_GRAMMAR, _SHOWN, subcommands=words("snapshot snap restore maintenance policy show ls list diff"))
_KINDS = {
    ("snapshot", "create"): "backup",
    ("snapshot", "restore"): "restore",
    ("snapshot", "verify"): "check",
    ("snapshot", "expire"): "prune",
    ("snapshot", "delete"): "prune",
    ("content", "verify"): "check",
    ("maintenance", "run"): "prune",
    ("restore", ""): "restore",
}
_SAME = {"snap": "snapshot"}


def read(argv: Sequence[str], at: int) -> Arguments:
    """Read the command line whose program stands at index *at*; never raises."""
    return arguments.read(argv, at + 1, _GRAMMAR)


def kind_of(options: Arguments) -> tuple[str, list[str]]:
    """Return the kind of run, and the words behind the command."""
    given = list(options.words)
    given[:1] = [_SAME.get(word, word) for word in given[:1]]
    if options.given("help", "help-long", "help-man", "version"):
        return "other", []
    if given[:1] == ["snapshot"] and given[1:2] in (["expire"], ["delete"]) and not options.on("delete"):
        return "other", []  # it only says what it would remove
    for (group, verb), kind in _KINDS.items():
        if given[:1] == [group] and (not verb or given[1:2] == [verb]):
            return kind, given[2 if verb else 1 :]
    return "other", []
