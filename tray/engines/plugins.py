"""Engines that users teach us: packages with an entry point in the group `backup_tray.engines`.

    [project.entry-points."backup_tray.engines"]
    pg_dump = "my_package:ENGINE"

The entry point's name is what the names of its programs begin with, and its value an engine (see `base`). They are looked for only
where no built-in engine matches, once in a process, and by reading what the packages' metadata say without importing anything (the
import of `importlib.metadata` alone costs more than the search). A package is imported when a program's name begins as it says.

A plugin is somebody else's code beside a backup, so nothing it does may reach the backup: whatever it raises or returns wrongly is
kept for the log and the doctor (`problems`), and the command runs as any other command.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from tray.core.model import Outcome
from tray.core.redact import Harmless
from tray.engines import COMMAND
from tray.engines.base import API, STOP, Exit, Fed, Plan, Result, Session, Stop, Stream, Traits

GROUP = "backup_tray.engines"
_MAX_BYTES = 100_000
_METADATA = (".dist-info", ".egg-info")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry point.

    Attributes:
        name: How the names of its programs begin.
        target: Module and object, as "package.module:OBJECT".
    """

    name: str
    target: str


_entries: tuple[Entry, ...] | None = None
_loaded: dict[Entry, "Guarded | None"] = {}
_problems: dict[str, None] = {}


def for_program(program: str) -> "Guarded | None":
    """Return the user's engine for *program* (the last part of its path), None if there is none."""
    known = program.lower()
    for entry in entries():
        if known.startswith(entry.name.lower()) and (engine := _load(entry)) and engine.recognises(program):
            return engine
    return None


def named(name: str) -> "Guarded | None":
    """Return the user's engine of this name, None if there is none."""
    engines = (_load(entry) for entry in sorted(entries(), key=lambda entry: entry.name != name))
    return next((engine for engine in engines if engine is not None and engine.name == name), None)


def entries() -> tuple[Entry, ...]:
    """Return what the installed packages announce; looked for once in a process."""
    global _entries
    if _entries is None:
        _entries = tuple(dict.fromkeys(entry for folder in sys.path if folder for entry in _in(folder)))
    return _entries


def names() -> tuple[str, ...]:
    """Return the names of the user's engines that work."""
    return tuple(engine.name for entry in entries() if (engine := _load(entry)) is not None)


def problems() -> tuple[str, ...]:
    """Return one sentence for each thing that went wrong with the user's engines in this process."""
    return tuple(_problems)


def forget() -> None:
    """Look for them anew next time."""
    global _entries
    _entries = None
    _loaded.clear()
    _problems.clear()


def _in(folder: str) -> list[Entry]:
    """Return the entry points of the packages in one folder of the search path."""
    try:
        with os.scandir(folder) as items:
            found = sorted(item.path for item in items if item.name.endswith(_METADATA))
    except OSError:
        return []
    return [entry for path in found for entry in _read(os.path.join(path, "entry_points.txt"))]


def _read(path: str) -> list[Entry]:
    try:
        with open(path, "rb") as file:
            raw = file.read(_MAX_BYTES)
    except OSError:
        return []
    if GROUP.encode() not in raw:
        return []
    found, inside = [], False
    for line in raw.decode("utf-8", "replace").splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            found.append(Entry(name.strip(), target.partition("[")[0].strip()))
    return [entry for entry in found if entry.name and entry.target]


def _load(entry: Entry) -> "Guarded | None":
    if entry not in _loaded:
        _loaded[entry] = None  # also while it is imported, should it come back here
        try:
            module, _, path = entry.target.partition(":")
            engine: Any = import_module(module)
            for part in path.split(".") if path else ["ENGINE"]:
                engine = getattr(engine, part)
            _loaded[entry] = _checked(entry, engine)
        except (Exception, SystemExit) as error:
            _complain(entry.name, "could not be loaded", error)
    return _loaded[entry]


def _checked(entry: Entry, engine: Any) -> "Guarded | None":
    if engine.api != API:
        _complain(
            entry.name, f"was made for version {engine.api!r} of the engine contract; this program has version {API}"
        )
        return None
    missing = [
        part for part in ("recognises", "plan", "session", "unlock") if not callable(getattr(engine, part, None))
    ]
    if missing or not isinstance(engine.name, str) or not engine.name:
        _complain(entry.name, f"is no engine: it lacks {', '.join(missing) or 'a name'}")
        return None
    return Guarded(engine)


def _complain(name: str, what: str, error: BaseException | None = None) -> None:
    why = "" if error is None else f" ({type(error).__name__}: {error})"
    _problems[f"The engine {name!r} that was added {what}{why}."[:500]] = None


class Guarded(Traits):
    """A user's engine behind a guard: what it raises or returns wrongly leaves the command to the engine for any other command."""

    api = API

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.name: str = engine.name
        self.stop: Stop = _stop(engine)
        harmless = getattr(engine, "harmless", None)
        self.harmless = harmless if isinstance(harmless, Harmless) else None
        for trait in Traits.__annotations__:
            self._take(trait, getattr(engine, trait, None))

    def _take(self, trait: str, said: object) -> None:
        """Take what the engine says of a trait; one that it does not name, or names wrongly, keeps the safe answer."""
        default = getattr(Traits, trait)
        if type(said) is type(default) and (not isinstance(said, tuple) or all(isinstance(one, str) for one in said)):
            setattr(self, trait, said)
        elif said is not None:
            _complain(self.name, f"says a {type(said).__name__} for {trait}, which must be like {default!r}")

    def recognises(self, program: str) -> bool:
        """Whether it takes *program*; a mistake is a no."""
        try:
            return self._engine.recognises(program) is True
        except Exception as error:
            _complain(self.name, "failed to look at a program", error)
            return False

    def plans(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> bool:
        """Whether it can plan the command *argv*; who cannot does not get it."""
        return self._planned(argv, at, environ) is not None

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Return its plan, or that for any other command."""
        return self._planned(argv, at, environ) or COMMAND.plan(argv, at, environ)

    def _planned(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan | None:
        try:
            plan = self._engine.plan(argv, at, environ)
            if not _valid(plan):
                raise TypeError("it returned no plan")
        except Exception as error:
            _complain(self.name, "could not plan the command", error)
            return None
        return cast(Plan, plan)

    def session(self, plan: Plan) -> Session:
        """Return its session, or that for any other command."""
        try:
            return _Session(self.name, self._engine.session(plan), plan)
        except Exception as error:
            _complain(self.name, "could not begin", error)
            return COMMAND.session(plan)

    def unlock(self, plan: Plan) -> str | None:
        """Return its command that removes a lock."""
        try:
            found = self._engine.unlock(plan)
        except Exception as error:
            _complain(self.name, "failed to name its unlock command", error)
            return None
        return found if isinstance(found, str) else None


class _Session:
    """A user's session: what it says must be of the right kind, and it never makes a bad end a good one."""

    def __init__(self, name: str, session: Session, plan: Plan) -> None:
        self._name, self._session, self._plan = name, session, plan

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line; what went wrong is said once, and the line is relayed as it is."""
        try:
            fed = self._session.feed(line, stream)
            if not isinstance(fed, Fed):
                raise TypeError("it returned no Fed")
        except Exception as error:
            _complain(self._name, "did not understand a line", error)
            return Fed(relay=line)
        return fed

    def conclude(self, exit: Exit) -> Result:
        """Conclude; an end that was not good by its exit is never a success."""
        try:
            found = self._session.conclude(exit)
            if not (isinstance(found, Result) and isinstance(found.outcome, Outcome)):
                raise TypeError("it returned no Result")
        except Exception as error:
            _complain(self._name, "could not judge the end", error)
            good = exit.code == 0
            why = f"The engine {self._name!r} could not judge the end ({type(error).__name__}: {error})."
            return Result(Outcome.UNKNOWN, why) if good else COMMAND.session(self._plan).conclude(exit)
        if found.outcome is Outcome.SUCCEEDED and (exit.signal is not None or exit.code not in (0, None)):
            return COMMAND.session(self._plan).conclude(exit)
        return found


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
