"""Load the engines that packages add by an entry point in the group `backup_tray.engines`.

    [project.entry-points."backup_tray.engines"]
    pg_dump = "my_package:ENGINE"

The entry point's name is how the names of its programs begin, and its value an engine (see `base`). A package is imported when a
program's name begins as it says.

A plug-in is foreign code beside a backup, so nothing it does may reach the backup: each mistake is kept for the log and the doctor
(`Plugins.problems`), and the command runs as any other command.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, distributions
from typing import Any, TypeVar, cast

from tray.core.model import Outcome
from tray.core.redact import Harmless
from tray.engines import COMMAND
from tray.engines.base import API, STOP, Exit, Fed, Plan, Result, Session, Stop, Stream, Traits

T = TypeVar("T")
Complain = Callable[..., None]
"""`Plugins.complain`."""


class Plugins:
    """The engines that packages add.

    Args:
        group: The group of their entry points.
        folders: The folders where Python looks for packages.

    Attributes:
        problems: One sentence for each thing that went wrong; a set in the order in which they did.
    """

    def __init__(self, group: str, folders: Sequence[str]) -> None:
        self.problems: dict[str, None] = {}
        self._engines: dict[EntryPoint, Guarded | None] = {}
        entries: dict[EntryPoint, None] = {}
        for package in distributions(path=[*folders]):
            try:
                entries |= dict.fromkeys(package.entry_points.select(group=group))
            except Exception as error:
                self.complain(
                    cast("Any", package.metadata).get("Name") or str(package.locate_file("")),
                    "has entry points that cannot be read",
                    error,
                )
        self._entries = [entry for entry in entries if entry.name and entry.value]

    def for_program(self, program: str) -> "Guarded | None":
        """Return the engine for *program* (the last part of its path), None if there is none."""
        lower = program.lower()
        for entry in self._entries:
            if lower.startswith(entry.name.lower()) and (engine := self._load(entry)) and engine.recognises(program):
                return engine
        return None

    def named(self, name: str) -> "Guarded | None":
        """Return the engine of this name, None if there is none."""
        engines = map(self._load, sorted(self._entries, key=lambda entry: entry.name != name))
        return next((engine for engine in engines if engine is not None and engine.name == name), None)

    def names(self) -> tuple[str, ...]:
        """Return the names of the engines that work."""
        return tuple(engine.name for entry in self._entries if (engine := self._load(entry)) is not None)

    def _load(self, entry: EntryPoint) -> "Guarded | None":
        if entry not in self._engines:
            self._engines[entry] = None  # also while it is imported, should it come back here
            try:
                self._engines[entry] = self._checked(entry.name, entry.load())
            except (Exception, SystemExit) as error:
                self.complain(entry.name, "could not be loaded", error)
        return self._engines[entry]

    def _checked(self, name: str, engine: Any) -> "Guarded | None":
        if engine.api != API:
            version = f"version {engine.api!r} of the engine contract; this program has version {API}"
            self.complain(name, f"was made for {version}")
            return None
        missing = [
            part for part in ("recognises", "plan", "session", "unlock") if not callable(getattr(engine, part, None))
        ]
        if missing or not isinstance(engine.name, str) or not engine.name:
            self.complain(name, f"is no engine: it lacks {', '.join(missing) or 'a name'}")
            return None
        return Guarded(engine, self.complain)

    def complain(self, name: str, mistake: str, error: BaseException | None = None) -> None:
        """Keep a mistake of the engine *name* for the log and the doctor."""
        why = "" if error is None else f" ({type(error).__name__}: {error})"
        self.problems[f"The engine {name!r} that was added {mistake}{why}."[:500]] = None


class Guarded(Traits):
    """A user's engine behind a guard: a mistake of it leaves the command to the engine for any other command."""

    api = API

    def __init__(self, engine: Any, complain: Complain) -> None:
        self._engine, self._complain = engine, complain
        self.name: str = engine.name
        self.stop: Stop = _stop(engine)
        harmless = getattr(engine, "harmless", None)
        self.harmless = harmless if isinstance(harmless, Harmless) else None
        for trait in Traits.__annotations__:
            self._take(trait, getattr(engine, trait, None))

    def _take(self, trait: str, value: object) -> None:
        """Take the engine's word about a trait; one that it does not name, or names wrongly, keeps the safe answer."""
        default = getattr(Traits, trait)
        if type(value) is type(default) and (not isinstance(value, tuple) or all(isinstance(v, str) for v in value)):
            setattr(self, trait, value)
        elif value is not None:
            self._complain(self.name, f"says a {type(value).__name__} for {trait}, which must be like {default!r}")

    def recognises(self, program: str) -> bool:
        """Whether it takes *program*; a mistake is a no."""
        return self._try("failed to look at a program", self._engine.recognises, program) is True

    def plans(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> bool:
        """Whether it can plan the command *argv*; otherwise it does not get it."""
        return self._planned(argv, at, environ) is not None

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Return its plan, or that for any other command."""
        return self._planned(argv, at, environ) or COMMAND.plan(argv, at, environ)

    def _planned(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan | None:
        def plan() -> Plan:
            plan = self._engine.plan(argv, at, environ)
            if not _valid(plan):
                raise TypeError("it returned no plan")
            return cast(Plan, plan)

        return self._try("could not plan the command", plan)

    def session(self, plan: Plan) -> Session:
        """Return its session, or that for any other command."""
        session = self._try("could not begin", lambda: (self._engine.session(plan),))
        return COMMAND.session(plan) if session is None else _Session(self.name, session[0], plan, self._complain)

    def unlock(self, plan: Plan) -> str | None:
        """Return its command that removes a lock."""
        command = self._try("failed to name its unlock command", self._engine.unlock, plan)
        return command if isinstance(command, str) else None

    def _try(self, mistake: str, call: Callable[..., T], *values: object) -> T | None:
        """Return the value of *call*; if it raises, keep the *mistake* and return None."""
        try:
            return call(*values)
        except Exception as error:
            self._complain(self.name, mistake, error)
            return None


class _Session:
    """A user's session: its answers must be of the right kind, and it never makes a bad end a good one."""

    def __init__(self, name: str, session: Session, plan: Plan, complain: Complain) -> None:
        self._name, self._session, self._plan, self._complain = name, session, plan, complain

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; after a mistake the line is relayed as it is."""
        try:
            fed = self._session.feed(line, stream)
            if not isinstance(fed, Fed):
                raise TypeError("it returned no Fed")
        except Exception as error:
            self._complain(self._name, "did not understand a line", error)
            return Fed(relay=line)
        return fed

    def conclude(self, exit: Exit) -> Result:
        """Conclude; an end that was not good by its exit is never a success."""
        try:
            result = self._session.conclude(exit)
            if not (isinstance(result, Result) and isinstance(result.outcome, Outcome)):
                raise TypeError("it returned no Result")
        except Exception as error:
            self._complain(self._name, "could not judge the end", error)
            good = exit.code == 0
            why = f"The engine {self._name!r} could not judge the end ({type(error).__name__}: {error})."
            return Result(Outcome.UNKNOWN, why) if good else COMMAND.session(self._plan).conclude(exit)
        if result.outcome is Outcome.SUCCEEDED and (exit.signal is not None or exit.code not in (0, None)):
            return COMMAND.session(self._plan).conclude(exit)
        return result


def _valid(plan: object) -> bool:
    return (
        isinstance(plan, Plan)
        and isinstance(plan.argv, tuple)
        and bool(plan.argv)
        and all(isinstance(word, str) for word in (*plan.argv, plan.kind, *plan.sources, *plan.apart))
        and all(isinstance(word, str) for pair in plan.env.items() for word in pair)
        and isinstance(plan.repository, str | None)
    )


def _stop(engine: Any) -> Stop:
    """Return how it wants to be stopped, the common way if it does not say so properly."""
    try:
        steps = tuple((int(number), float(seconds)) for number, seconds in engine.stop)
    except (AttributeError, TypeError, ValueError):
        return STOP
    return steps or STOP
