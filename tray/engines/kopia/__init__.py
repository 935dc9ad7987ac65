"""kopia, by its documented output: it was not run here.

From kopia's reference (kopia.io, "Command-Line Interface") and its public issue threads: progress goes to stderr, several times a
second, each update after a carriage return; the words about the snapshot follow; errors end it with exit code 1.

Nothing is added. `--json` would be understood better, but with it kopia ends with exit code 0 where it ends with 1 without it
(files that could not be read), and the caller must see what it would have seen.
"""

import signal
from collections.abc import Mapping, Sequence

from tray.engines.adapter import Adapter, planned, program_names
from tray.engines.arguments import Arguments, Grammar, read
from tray.engines.base import STOP, Plan, Session, Stop
from tray.engines.kopia.session import KopiaSession
from tray.engines.recognise import unwrap, words

_VALUES = words(
    """config-file log-file log-dir log-level file-log-level content-log-file log-dir-max-files log-dir-max-age
    password persist-credentials timezone progress-update-interval progress-estimation-type upload-limit-mb
    checkpoint-interval description force-hash parallel start-time end-time stdin-file tags pin
    log-dir-detail log-entry-detail override-source verify-files-percent file-parallelism file-queue-length
    max-errors sources directory-id file-id mode skip-times snapshot-time safety metrics-listen-addr
    max-download-speed-mb-per-second max-upload-speed-mb-per-second"""
)
_GRAMMAR = Grammar(_VALUES, also={"p": "password"})
_KINDS = {
    ("snapshot", "create"): "backup",
    ("snapshot", "restore"): "restore",
    ("snapshot", "verify"): "check",
    ("maintenance", "run"): "prune",
    ("restore", ""): "restore",
}
_SAME = {"snap": "snapshot"}


class Kopia(Adapter):
    """The engine for kopia."""

    name = "kopia"
    programs = program_names("kopia")
    """`kopia`, `kopia-0.17`, `kopia.exe`; not `kopia-ui`."""
    stop: Stop = ((signal.SIGINT, 60.0), *STOP[1:])  # it saves what it has as an incomplete snapshot first

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the command stays as it is."""
        inner = unwrap(argv, environ)
        options = read(argv, self.program_at(argv, at) + 1, _GRAMMAR)
        kind, rest = _kind(options)
        config = options.last("config-file") or inner.environ.get("KOPIA_CONFIG_PATH")
        sources = ["everything backed up before"] if options.given("all") else rest
        return planned(
            argv,
            environ,
            kind,
            repository=f"connected in {config}" if config else None,
            sources=sources if kind == "backup" else (),
            spool_stdout=kind != "other" and inner.visible,
            returns=kind != "other",
        )

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run."""
        return KopiaSession(plan, unwrap(plan.argv, {}))


def _kind(options: Arguments) -> tuple[str, list[str]]:
    """Return the kind, and the words behind the command."""
    given = list(options.words)
    given[:1] = [_SAME.get(word, word) for word in given[:1]]
    if options.given("help", "help-long", "help-man", "version"):
        return "other", []
    for (group, verb), kind in _KINDS.items():
        if given[:1] == [group] and (not verb or given[1:2] == [verb]):
            return kind, given[2 if verb else 1 :]
    return "other", []


ENGINE = Kopia()
