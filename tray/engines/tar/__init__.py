"""tar: GNU tar, and bsdtar as far as its exit code goes.

How much it has written is what the system counts of its process (`Plan.writes`; never of how much: tar does not know). Its own
checkpoints would tell it too, but tar writes them letter by letter between the words of compressors. A backup with GNU tar gets its
totals at the end: one line, which the caller does not see. Nothing is added

- to a tar that may not be GNU's (`gnu.is_gnu`): every other one refuses such an option, and the backup with it,
- when the user has checkpoints or totals of his own, or something in TAR_OPTIONS,
- where tar asks questions (`-w`, `-M`): our lines would stand in the middle of them,
- when stderr does not come to us.

The archive itself often is tar's stdout (`tar c . | ssh …`), so that is read only where it certainly is text.
"""

from collections.abc import Mapping, Sequence

from tray.engines.adapter import Adapter, planned, program_names
from tray.engines.base import Plan, Session
from tray.engines.program import unwrap
from tray.engines.tar.gnu import is_gnu
from tray.engines.tar.options import HARMLESS, Call, call
from tray.engines.tar.session import TarSession
from tray.engines.text import program_name

ADDED = ("--totals",)


class Tar(Adapter):
    """The engine for tar."""

    name = "tar"
    repository = "file"
    sized = True
    common = True
    harmless = HARMLESS
    programs = program_names("(?:g|gnu|bsd)?tar")
    """`tar`, `gtar`, `bsdtar`, `tar.exe`; not `tarsnap`, `star` or `tartool`."""

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; see the module for what is added and when."""
        inner = unwrap(argv, environ)
        asked = self._call(argv, at)
        visible = asked.kind != "other" and inner.visible
        ours = visible and asked.kind == "backup" and asked.takes_more and not environ.get("TAR_OPTIONS")
        ours = ours and is_gnu(argv[self.program_at(argv, at)], inner.environ)
        archive = asked.archive or (environ.get("TAPE") if asked.kind == "backup" else None)
        return planned(
            argv,
            environ,
            asked.kind,
            repository=None if archive == "-" else archive,
            sources=asked.sources if asked.kind in ("backup", "dry-run") else (),
            added=ADDED if ours else (),
            place=asked.place,
            spool_stdout=visible and asked.speaks and not environ.get("TAR_OPTIONS"),
            writes=asked.kind == "backup" and inner.visible,
            places=asked.places,
            apart=lambda _: (),
        )

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run."""
        inner = unwrap(plan.argv, {})
        return TarSession(plan, self._call(plan.argv, inner.at), inner)

    def _call(self, argv: Sequence[str], at: int) -> Call:
        place = self.program_at(argv, at)
        name = program_name(argv[place]) if argv else ""
        return call(argv, place, bsd=name.lower().startswith("bsd"))


ENGINE = Tar()
