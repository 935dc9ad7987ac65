"""rdiff-backup, 1.2 to 2.2, with the old command line (`rdiff-backup SOURCE TARGET`) and the new one (`rdiff-backup backup …`).

It has no progress. A backup gets `--print-statistics`, so that its end is known from its own figures: its exit code is 0 also when
files could not be read. That block, which it prints last, the caller does not see. Nothing is added when the user chose himself
whether he wants it, when the output does not come to us, or for anything but a backup.
"""

import re
import shlex
from collections.abc import Mapping, Sequence

from tray.engines.arguments import program_at
from tray.engines.base import API, STOP, Plan, Session
from tray.engines.rdiff_backup.options import Call, call
from tray.engines.rdiff_backup.session import RdiffBackupSession
from tray.engines.recognise import unwrap
from tray.redact import Redactor

_NAME = re.compile(r"rdiff-backup(?:[-_.]?v?\d[\w.+-]*)?(?:\.exe)?", re.IGNORECASE)
STATISTICS = "--print-statistics"


class RdiffBackup:
    """The engine for rdiff-backup."""

    api = API
    name = "rdiff-backup"
    stop = STOP

    def recognises(self, program: str) -> bool:
        """Take `rdiff-backup`, `rdiff-backup-2.2`, `rdiff-backup.exe`; not `rdiff-backup-statistics`."""
        return _NAME.fullmatch(program) is not None

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; see the module for what is added and when."""
        inner, asked = unwrap(argv, environ), call(argv, program_at(argv, at, self.recognises))
        visible = asked.kind != "other" and not inner.opaque and not inner.hidden
        ours = visible and asked.kind == "backup" and not asked.chose_statistics
        hide = Redactor(argv, environ).text
        place = asked.at + 1
        return Plan(
            argv=(*argv[:place], STATISTICS, *argv[place:]) if ours else tuple(argv),
            kind=asked.kind,
            env={},
            repository=None if asked.repository is None else hide(asked.repository),
            sources=tuple(map(hide, asked.sources)),
            spool_stdout=visible,
            ours=ours,
        )

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run."""
        return RdiffBackupSession(plan, self._call(plan), unwrap(plan.argv, {}))

    def unlock(self, plan: Plan) -> str | None:
        """Return the command that undoes what a killed run left half done; the next backup would do so by itself."""
        asked = self._call(plan)
        place = shlex.quote(plan.repository or "REPOSITORY")
        return f"rdiff-backup regress {place}" if asked.new else f"rdiff-backup --check-destination-dir {place}"

    def _call(self, plan: Plan) -> Call:
        return call(plan.argv, program_at(plan.argv, unwrap(plan.argv, {}).at, self.recognises))


ENGINE = RdiffBackup()
