"""kopia, by its documented output: it was not run here.

From kopia's reference (kopia.io, "Command-Line Interface") and its public issue threads: progress goes to stderr, several times a
second, each update after a carriage return; the words about the snapshot follow; errors end it with exit code 1.

Nothing is added. `--json` would be understood better, but with it kopia ends with exit code 0 where it ends with 1 without it
(files that could not be read), and the caller must see what it would have seen.
"""

import re
import signal
from collections.abc import Mapping, Sequence

from tray.engines.arguments import Arguments, Grammar, program_at, read
from tray.engines.base import API, STOP, Plan, Session, Stop
from tray.engines.kopia.session import KopiaSession
from tray.engines.recognise import unwrap, words
from tray.redact import Redactor

_NAME = re.compile(r"kopia(?:[-_.]?v?\d[\w.+-]*)?(?:\.exe)?", re.IGNORECASE)
_VALUES = words(
    """--config-file --log-file --log-dir --log-level --file-log-level --content-log-file --log-dir-max-files --log-dir-max-age
    --password --persist-credentials --timezone --progress-update-interval --progress-estimation-type --upload-limit-mb
    --checkpoint-interval --description --force-hash --parallel --start-time --end-time --stdin-file --tags --pin
    --log-dir-detail --log-entry-detail --override-source --verify-files-percent --file-parallelism --file-queue-length
    --max-errors --sources --directory-id --file-id --mode --skip-times --snapshot-time --safety --metrics-listen-addr
    --max-download-speed-mb-per-second --max-upload-speed-mb-per-second"""
)
_GRAMMAR = Grammar(values=frozenset(name[2:] for name in _VALUES), letters="p")
_KINDS = {
    ("snapshot", "create"): "backup",
    ("snapshot", "restore"): "restore",
    ("snapshot", "verify"): "check",
    ("maintenance", "run"): "prune",
    ("restore", ""): "restore",
}
_SAME = {"snap": "snapshot"}


class Kopia:
    """The engine for kopia."""

    api = API
    name = "kopia"
    stop: Stop = ((signal.SIGINT, 60.0), *STOP[1:])  # it saves what it has as an incomplete snapshot first

    def recognises(self, program: str) -> bool:
        """Take `kopia`, `kopia-0.17`, `kopia.exe`; not `kopia-ui`."""
        return _NAME.fullmatch(program) is not None

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the command stays as it is."""
        inner = unwrap(argv, environ)
        options = read(argv, program_at(argv, at, self.recognises) + 1, _GRAMMAR)
        kind, rest = _kind(options)
        hide = Redactor(argv, environ).text
        config = options.last("config-file") or inner.environ.get("KOPIA_CONFIG_PATH")
        sources = ("everything backed up before",) if options.on("all") else tuple(map(hide, rest))
        return Plan(
            argv=tuple(argv),
            kind=kind,
            env={},
            repository=hide(f"connected in {config}") if config else None,
            sources=sources if kind == "backup" else (),
            spool_stdout=kind != "other" and not inner.opaque and not inner.hidden,
            returns=kind != "other",
        )

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run."""
        return KopiaSession(plan, unwrap(plan.argv, {}))

    def unlock(self, plan: Plan) -> str | None:  # noqa: ARG002 - there are no locks
        """Its repositories need no locks."""
        return None


def _kind(options: Arguments) -> tuple[str, list[str]]:
    """Return the kind, and the words behind the command."""
    given = [word for _, word in options.words]
    given[:1] = [_SAME.get(word, word) for word in given[:1]]
    if options.on("help", "help-long", "help-man", "version"):
        return "other", []
    for (group, verb), kind in _KINDS.items():
        if given[:1] == [group] and (not verb or given[1:2] == [verb]):
            return kind, given[2 if verb else 1 :]
    return "other", []


ENGINE = Kopia()
