"""kopia, by its documented output: it was not run here.

From kopia's reference (kopia.io, "Command-Line Interface") and its public issue threads: progress goes to stderr, several times a
second, each update after a carriage return; the words about the snapshot follow; errors end it with exit code 1.

Nothing is added. `--json` would be understood better, but with it kopia ends with exit code 0 where it ends with 1 without it
(files that could not be read), and the caller must see what it would have seen.
"""

import signal
from collections.abc import Mapping, Sequence

from tray.engines.adapter import Adapter, planned, program_names, told
from tray.engines.base import STOP, Plan, Session, Stop
from tray.engines.kopia import options as kopia_options
from tray.engines.kopia.options import kind_of
from tray.engines.kopia.session import EVERYTHING, KopiaSession
from tray.engines.recognise import unwrap


class Kopia(Adapter):
    """The engine for kopia."""

    name = "kopia"
    counts_files = True
    harmless = kopia_options.HARMLESS
    programs = program_names("kopia")
    """`kopia`, `kopia-0.17`, `kopia.exe`; not `kopia-ui`."""
    stop: Stop = ((signal.SIGINT, 60.0), *STOP[1:])  # it saves what it has as an incomplete snapshot first

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the command stays as it is."""
        inner, at = unwrap(argv, environ), self.program_at(argv, at)
        options = kopia_options.read(argv, at)
        kind, rest = kind_of(options)
        config = options.last("config-file") or inner.environ.get("KOPIA_CONFIG_PATH")
        sources = list(EVERYTHING) if options.given("all") else rest
        return planned(
            argv,
            environ,
            kind,
            repository=f"connected in {config}" if config else None,
            sources=sources if kind == "backup" else (),
            spool_stdout=kind != "other" and inner.visible,
            returns=kind != "other",
            apart=lambda shown: told(kopia_options.read(shown, at), ("override-source", "tags", "stdin-file")),
        )

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run."""
        return KopiaSession(plan, unwrap(plan.argv, {}))


ENGINE = Kopia()
