"""tar: GNU tar, and bsdtar as far as its exit code goes.

A backup with GNU tar gets a checkpoint every few megabytes, so that it is known how much it has written (never of how much: tar
does not know), and its totals at the end. Those lines the caller does not see. Nothing is added

- to a tar that may not be GNU's (`gnu.is_gnu`): every other one refuses such an option, and the backup with it,
- when the user has checkpoints or totals of his own, or something in TAR_OPTIONS,
- where tar asks questions (`-w`, `-M`): our lines would stand in the middle of them,
- when stderr does not come to us.

The archive itself often is tar's stdout (`tar c . | ssh …`), so that is read only where it certainly is text.
"""

import re
from collections.abc import Mapping, Sequence

from tray.engines.arguments import program_at
from tray.engines.base import API, STOP, Plan, Session
from tray.engines.recognise import program_name, unwrap
from tray.engines.tar.gnu import is_gnu
from tray.engines.tar.options import Call, call
from tray.engines.tar.session import MARK, TarSession
from tray.redact import Redactor

_NAME = re.compile(r"(?:g|gnu|bsd)?tar(?:[-_.]?v?\d[\w.+-]*)?(?:\.exe)?", re.IGNORECASE)
RECORDS = 500
"""Between two checkpoints; a record is 10 KiB unless the user says otherwise. Costs nothing measurable."""
ADDED = (f"--checkpoint={RECORDS}", f"--checkpoint-action=echo={MARK}%{{}}T", "--totals")


class Tar:
    """The engine for tar."""

    api = API
    name = "tar"
    stop = STOP

    def recognises(self, program: str) -> bool:
        """Take `tar`, `gtar`, `bsdtar`, `tar.exe`; not `tarsnap`, `star` or `tartool`."""
        return _NAME.fullmatch(program) is not None

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run; see the module for what is added and when."""
        inner = unwrap(argv, environ)
        asked = self._call(argv, at)
        visible = asked.kind != "other" and not inner.opaque and not inner.hidden
        ours = visible and asked.kind == "backup" and asked.takes_more and not environ.get("TAR_OPTIONS")
        ours = ours and is_gnu(argv[program_at(argv, at, self.recognises)], inner.environ)
        hide = Redactor(argv, environ).text
        place = asked.archive or (environ.get("TAPE") if asked.kind == "backup" else None)
        return Plan(
            argv=(*argv[: asked.place], *ADDED, *argv[asked.place :]) if ours else tuple(argv),
            kind=asked.kind,
            env={},
            repository=None if place in (None, "-") else hide(str(place)),
            sources=tuple(map(hide, asked.sources)) if asked.kind == "backup" else (),
            spool_stdout=visible and asked.speaks and not environ.get("TAR_OPTIONS"),
            ours=ours,
        )

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run."""
        inner = unwrap(plan.argv, {})
        return TarSession(plan, self._call(plan.argv, inner.at), inner)

    def unlock(self, plan: Plan) -> str | None:  # noqa: ARG002 - there are no locks
        """It locks nothing."""
        return None

    def _call(self, argv: Sequence[str], at: int) -> Call:
        place = program_at(argv, at, self.recognises)
        name = program_name(argv[place]) if argv else ""
        return call(argv, place, bsd=name.lower().startswith("bsd"))


ENGINE = Tar()
