"""What the adapters of the built-in engines share: how their programs are called, and how a plan is put together."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from tray.core.redact import Harmless, Redactor
from tray.engines.arguments import Arguments, program_at
from tray.engines.base import API, STOP, Plan, Stop, Traits
from tray.engines.command_words import masked
from tray.engines.program import unwrap

Apart = Callable[[Sequence[str]], Iterable[str]]


def program_names(name: str) -> "re.Pattern[str]":
    """Return what an engine's program may be called: `restic`, `restic019`, `restic_0.18.0_linux_amd64`, `restic.exe`.

    Not `resticprofile` or `restic-browser`, which are others' programs.

    Args:
        name: An expression for the name itself.
    """
    return re.compile(rf"{name}(?:[-_.]?v?\d[\w.+-]*)?(?:\.exe)?", re.IGNORECASE)


class Adapter(Traits):
    """The part of an `Engine` that is the same for most; an adapter names the traits that it has besides.

    Attributes:
        programs: What its program may be called.
        harmless: What of its command line holds no secret; unless the adapter says so nothing is known to be harmless.
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
        """Return where the program stands, also behind a wrapper that we do not know where the engine was forced."""
        return program_at(argv, at, self.recognises)

    def unlock(self, plan: Plan) -> str | None:  # noqa: ARG002 - part of the contract
        """Leave nothing to remove: a killed run leaves no lock, or one that goes with its process."""
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
    """Return the plan of a command: with what is added to it, and without its secrets.

    Args:
        argv: The command as it was given.
        environ: The environment that it was given; only for its secrets.
        kind: See `Plan`, as for the rest.
        added: Flags of ours.
        place: Index at which they are put.
        apart: Says of the command, as it may be shown, what else tells its job from others.
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


def _apart(argv: Sequence[str], redactor: Redactor, tells: Apart) -> tuple[str, ...]:
    """Return what tells the job apart: by the engine's own options, and by what stands before it (`sudo -u bob`)."""
    shown = redactor.argv(argv)
    before = [one for one in unwrap(shown, {}).sets if not one.startswith("$")]
    return (*map(redactor.text, tells(shown)), *before)


def apart_by(options: Arguments, names: Iterable[str], environ: Mapping[str, str] | None = None) -> list[str]:
    """Return those of the options that are given, as `Plan.apart` has them.

    Args:
        names: The options that make it another backup.
        environ: Variables that stand for an option, by its name: what they hold is masked here.
    """
    found = [f"{name}={value}" if value else name for name in names for value in options.every(name)]
    more = {name: value for name, value in (environ or {}).items() if value and not options.given(name)}
    return found + [f"{name}={masked(value)}" for name, value in more.items()]
