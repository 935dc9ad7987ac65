"""duplicity, 0.7 to 3.0: nothing is added to its command line.

- `--progress` costs the backup: duplicity then goes through the source twice (a rehearsal to learn the total) and waits for its
  display to end. Measured with 0.8.22: an incremental backup of 8,000 small files takes 3.4 s instead of 0.4 s. Where the user asks
  for it, its own estimate of the time left is shown.
- `--log-fd` gives nothing that the text does not say, and a descriptor does not get through `sudo` or a container: the backup would
  fail for want of it.

So a run is recorded without progress, from what duplicity prints anyway. Its exit code alone proves nothing: it is 0 also when
files could not be read. The block of statistics, which it prints last, says how many.
"""

import re
from collections.abc import Mapping, Sequence

from tray.engines.arguments import Arguments, program_at
from tray.engines.base import API, STOP, Plan, Session
from tray.engines.duplicity.options import command, given, is_address
from tray.engines.duplicity.session import DuplicitySession
from tray.engines.recognise import unwrap
from tray.redact import Redactor

_NAME = re.compile(r"duplicity(?:[-_.]?v?\d[\w.+-]*)?(?:\.exe)?", re.IGNORECASE)
_KINDS = {"backup": "backup", "restore": "restore", "verify": "check"}
_REMOVES = ("cleanup", "remove-older-than", "remove-all-but-n-full", "remove-all-inc-of-but-n-full")


class Duplicity:
    """The engine for duplicity."""

    api = API
    name = "duplicity"
    stop = STOP

    def recognises(self, program: str) -> bool:
        """Take `duplicity`, `duplicity3`, `duplicity-0.8`; not `duplicity-backup.sh`, which is somebody's script."""
        return _NAME.fullmatch(program) is not None

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; the command stays as it is."""
        inner = unwrap(argv, environ)
        options = given(argv, program_at(argv, at, self.recognises))
        kind, sources, repository = _read(options)
        hide = Redactor(argv, environ).text
        return Plan(
            argv=tuple(argv),
            kind=kind,
            env={},
            repository=None if repository is None else hide(repository),
            sources=tuple(map(hide, sources)),
            spool_stdout=kind != "other" and not inner.opaque and not inner.hidden,
        )

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run."""
        inner = unwrap(plan.argv, {})
        return DuplicitySession(plan, given(plan.argv, program_at(plan.argv, inner.at, self.recognises)), inner)

    def unlock(self, plan: Plan) -> str | None:  # noqa: ARG002 - the lock goes with its process
        """Nothing needs to be removed: its lock is the kernel's and goes with the process (0.7 left a file, and names it)."""
        return None


def _read(options: Arguments) -> tuple[str, tuple[str, ...], str | None]:
    """Return kind, sources and repository."""
    verb, words = command(options)
    address = next((word for word in words if is_address(word)), None)
    if options.on("help", "h", "version", "V"):
        return "other", (), address
    if verb in _REMOVES:
        return "prune" if options.on("force") else "other", (), address  # else it only lists what it would remove
    kind = _KINDS.get(verb, "other")
    if kind == "backup":
        return "dry-run" if options.on("dry-run") else "backup", tuple(words[:1]), address or _second(words)
    return "other" if options.on("dry-run") else kind, (), address


def _second(words: Sequence[str]) -> str | None:
    return words[1] if len(words) > 1 else None


ENGINE = Duplicity()
