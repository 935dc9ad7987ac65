"""Offer the adapters of the built-in engines the names of their programs and the making of a plan."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from tray.core import regex
from tray.core.redact import Harmless, Redactor
from tray.engines.arguments import Arguments
from tray.engines.base import API, STOP, Plan, Stop, Traits
from tray.engines.command_words import masked
from tray.engines.program import unwrap
from tray.engines.text import program_name

Apart = Callable[[Sequence[str]], Iterable[str]]


def program_names(name: str) -> "re.Pattern[str]":
    """Return the names of an engine's program: `restic`, `restic019`, `restic_0.18.0_linux_amd64`, `restic.exe`.

    `resticprofile` and `restic-browser` are other programs.

    Args:
        name: An expression for the name itself.
    """
    return regex.compile(rf"{name}(?:[-_.]?v?\d[\w.+-]*)?(?:\.exe)?", re.IGNORECASE)


class Adapter(Traits):
    """The part of an `Engine` that most adapters share; each names the traits that it has besides.

    Attributes:
        programs: The names of its program.
        harmless: The part of its command line that holds no secret; by default none.
    """

    api = API
    name: str
    programs: "re.Pattern[str]"
    stop: Stop = STOP
    harmless: Harmless | None = None

    def recognises(self, program: str) -> bool:
        """Take the engine's program, also under a name with its version."""
        return self.programs.fullmatch(program) is not None

    def program_at(self, argv: Sequence[str], at: int) -> int:
        """Return where the engine stands: at *at*, unless the user forced it and an unknown wrapper stands there.

        A last word like `/srv/restic` is no program, since nothing is asked of it.
        """
        if not argv or self.recognises(program_name(argv[at])):
            return at
        return next((i for i in range(at + 1, len(argv) - 1) if self.recognises(program_name(argv[i]))), at)

    def unlock(self, plan: Plan) -> str | None:  # noqa: ARG002 - part of the contract
        """Name no command: a killed run leaves no lock, or one that goes with its process."""
        return None


def planned(
    argv: Sequence[str],
    environ: Mapping[str, str],
    kind: str,
    *,
    repository: str | None,
    sources: Sequence[str] = (),
    added: Sequence[str] = (),
    place: int = 0,
    env: Mapping[str, str] | None = None,
    spool_stdout: bool = False,
    asks: bool = False,
    returns: bool = False,
    writes: bool = False,
    places: tuple[str, ...] | None = None,
    apart: "Apart | None" = None,
) -> Plan:
    """Return the plan of a command, with the added flags and without secrets.

    Args:
        argv: The command as given.
        environ: Its environment; only for its secrets.
        kind: See `Plan`, as for the other arguments.
        added: Flags of ours.
        place: Index at which they are put.
        apart: Names the facts that tell the job of a command, as it may be shown, from others.
    """
    redactor = Redactor(argv, environ)
    return Plan(
        argv=(*argv[:place], *added, *argv[place:]),
        kind=kind,
        env=env or {},
        repository=None if repository is None else redactor.text(repository),
        sources=tuple(map(redactor.text, sources)),
        spool_stdout=spool_stdout,
        ours=bool(added),
        asks=asks,
        returns=returns,
        writes=writes,
        places=places,
        apart=_apart(argv, redactor, apart) if apart is not None and kind in ("backup", "dry-run") else (),
    )


def _apart(argv: Sequence[str], redactor: Redactor, names: Apart) -> tuple[str, ...]:
    """Return the facts that tell the job apart: the engine's own options, and its wrappers' (`sudo -u bob`)."""
    shown = redactor.argv(argv)
    before = [setting for setting in unwrap(shown, {}).sets if not setting.startswith("$")]
    return (*map(redactor.text, names(shown)), *before)


def apart_by(options: Arguments, names: Iterable[str], environ: Mapping[str, str] | None = None) -> list[str]:
    """Return those of the options that are given, as `Plan.apart` has them.

    Args:
        names: The options that make it another backup.
        environ: Variables that stand for an option, by its name; their values are masked here.
    """
    given = [f"{name}={value}" if value else name for name in names for value in options.every(name)]
    more = {name: value for name, value in (environ or {}).items() if value and not options.given(name)}
    return given + [f"{name}={masked(value)}" for name, value in more.items()]
