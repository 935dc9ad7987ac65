"""Foretell the automatic job names that the runs of a command will get, so that they can be counted to a job.

A run gets its name in one of two ways: the wrapper names the command that it starts (`backup-tray run -- COMMAND`), the tracker
each engine that it sees in the process list (`observe.examine`). Both ask `engines.job_name`; the tracker sees only some variables.
"""

from collections.abc import Callable, Mapping, Sequence

from tray import engines
from tray.core.dataclass import dataclass
from tray.core.redact import Redactor
from tray.engines.base import Plan
from tray.engines.job_name import is_shared
from tray.observe.examine import NOT_ALONE, VARIABLES, absolute
from tray.takeover.shell import UNKNOWN

Read = Callable[[str], str | None]
_SHOWN = "…"
_ELSEWHERE = ("user=", "root=", "host=")


@dataclass(frozen=True, slots=True)
class Part:
    """One call of an engine, or of any other command, with the facts that its runs will show.

    Attributes:
        engine: The engine's name; "command" for any other command.
        kind: The kind of run: backup, check, prune …
        repository: Destination, redacted; None if it is not known.
        sources: The paths that are backed up, redacted.
        names: The automatic names of its runs; empty where they cannot be foretold.
        seen: Whether the name is among them that a run without the wrapper gets.
        shown: The command as it may be shown.
    """

    engine: str
    kind: str
    repository: str | None
    sources: tuple[str, ...]
    names: tuple[str, ...]
    shown: str
    seen: bool = False


def part(argv: Sequence[str], environ: Mapping[str, str], folder: str | None, read: Read = lambda _: None) -> Part:
    """Return the facts about the call *argv*.

    Args:
        argv: Its words; an unknown piece is `UNKNOWN`.
        environ: Its environment, as far as it is known.
        folder: Its working folder, None if that is not known.
        read: Returns the text of a list that is written for this run alone; None where that is not known.
    """
    engine, at = engines.recognise(argv, environ)
    plan = engine.plan(argv, at, environ)
    observed, wrapped = _names(engine.name, plan, argv, environ, folder, read)
    redactor = Redactor(argv, environ)
    return Part(
        engine=engine.name,
        kind=plan.kind,
        repository=None if plan.repository is None else _visible(plan.repository),
        sources=tuple(map(_visible, plan.sources)),
        names=tuple(name for name in dict.fromkeys((*observed, *wrapped)) if UNKNOWN not in name),
        seen=any(UNKNOWN not in name for name in observed),
        shown=_visible(" ".join(redactor.argv(list(argv)))),
    )


def _names(
    engine: str, plan: Plan, argv: Sequence[str], environ: Mapping[str, str], folder: str | None, read: Read
) -> tuple[list[str], list[str]]:
    """Return the names that the tracker gives, and those that the wrapper gives."""
    if _needs_folder(plan) and folder is None:
        return [], []
    observed = [] if engine == engines.COMMAND.name else _observed(argv, environ, folder, read)
    plan = engines.named(engine).listed(plan, read)
    return observed, _wrapped(engine, plan, argv, environ, folder)


def _observed(argv: Sequence[str], environ: Mapping[str, str], folder: str | None, read: Read) -> list[str]:
    """Return the name that the tracker gives, which sees the engine's process alone, with few of its variables."""
    inner = engines.unwrap(argv, environ)
    if any(setting.startswith(_ELSEWHERE) for setting in inner.sets):
        return []  # as another user, whose runs are not ours, or in another root
    own = list(argv[inner.at :])
    seen = {name: value for name, value in {**environ, **inner.environ}.items() if name in VARIABLES}
    engine, at = engines.recognise(own, seen)
    if engine is engines.COMMAND or engine.name in NOT_ALONE:
        return []
    plan = engine.listed(engine.plan(own, at, seen), read)
    if is_shared(plan):
        return []  # its sources are known only while it runs
    hide = Redactor(own, seen)
    return [
        engines.job_name(
            engine.name,
            None if plan.repository is None else absolute(hide.text(plan.repository), folder),
            [absolute(hide.text(source), folder) for source in plan.sources],
            kind=plan.kind,
            folder=folder,
            apart=tuple(map(hide.text, plan.apart)),
        )
    ]


def _wrapped(engine: str, plan: Plan, argv: Sequence[str], environ: Mapping[str, str], folder: str | None) -> list[str]:
    """Return the name that the wrapper gives, which starts the command with all that stands before the engine."""
    hide = Redactor(argv, environ)
    if hide.doubts:
        return []  # a mark of this installation's own key follows such a name
    repository = None if plan.repository is None else hide.text(plan.repository)
    apart = tuple(map(hide.text, plan.apart))
    return [engines.job_name(engine, repository, plan.sources, kind=plan.kind, folder=folder, apart=apart)]


def _needs_folder(plan: Plan) -> bool:
    """Whether a relative path is part of the job's name."""
    ends = [*plan.sources, *([] if plan.repository is None else [plan.repository])]
    return any(end and not end.startswith(("/", "~")) and ":" not in end.partition("/")[0] for end in ends)


def _visible(text: str) -> str:
    return text.replace(UNKNOWN, _SHOWN)
