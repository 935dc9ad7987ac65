"""rdiff-backup, 1.2 to 2.2, with the old command line (`rdiff-backup SOURCE TARGET`) and the new one (`rdiff-backup backup …`).

It has no progress. A backup gets `--print-statistics`, so that its end is known from its own figures: its exit code is 0 also when
files could not be read. That block, which it prints last, the caller does not see. Nothing is added when the user chose himself
whether he wants it, when the output does not come to us, or for anything but a backup.
"""

import shlex
from collections.abc import Mapping, Sequence

from tray.engines.adapter import Adapter, apart_by, planned, program_names
from tray.engines.base import Plan, Session
from tray.engines.program import unwrap
from tray.engines.rdiff_backup.options import CHOOSE, HARMLESS, Call, arguments_of, call
from tray.engines.rdiff_backup.session import RdiffBackupSession

STATISTICS = "--print-statistics"


class RdiffBackup(Adapter):
    """The engine for rdiff-backup."""

    name = "rdiff-backup"
    repository = "rdiff-backup"
    harmless = HARMLESS
    programs = program_names("rdiff-backup")
    """`rdiff-backup`, `rdiff-backup-2.2`, `rdiff-backup.exe`; not `rdiff-backup-statistics`."""

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; see the module for what is added and when."""
        at = self.program_at(argv, at)
        inner, asked = unwrap(argv, environ), call(argv, at)
        visible = asked.kind != "other" and inner.visible
        ours = visible and asked.kind == "backup" and not asked.chose_statistics
        return planned(
            argv,
            environ,
            asked.kind,
            repository=asked.repository,
            sources=asked.sources,
            added=(STATISTICS,) if ours else (),
            place=asked.at + 1,
            spool_stdout=visible,
            apart=lambda shown: apart_by(arguments_of(shown, at), CHOOSE),
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
        return call(plan.argv, self.program_at(plan.argv, unwrap(plan.argv, {}).at))


ENGINE = RdiffBackup()
