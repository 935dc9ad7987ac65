"""Know the tools that call an engine by a configuration of their own, and read that configuration.

A tool answers two questions: which backups does this command line of it make (`called`), and which backups do the configuration
files describe that exist here (`configured`)? It foretells the engine's command lines; `tray.takeover.names` makes job names of
those. `tray.takeover.toolbox` lists all tools.
"""

from collections.abc import Callable, Mapping, Sequence

from tray.core.dataclass import dataclass, field, replace
from tray.takeover.found import Machine
from tray.takeover.schedule import Schedule

Forms = tuple[tuple[str, ...], ...]
"""One call of an engine, as each of the tool's versions writes it."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that a tool's configuration describes.

    Attributes:
        label: The tool's name for it; "" if it has only one.
        file: The configuration file.
        engine: The engine that it calls.
        calls: The engine's calls, as far as they can be foretold; each in the forms that different versions of the tool give it.
        environ: Variables that the tool sets for them.
        folder: The folder in which it calls them.
        schedule: The schedule that the configuration states, None without one.
        runs_itself: The tool keeps that schedule itself, while it runs; no cron or timer starts it.
        why: The reason why the configuration is not understood; "" if it is.
        notes: One sentence for each thing that is not understood of it.
    """

    label: str
    file: str
    engine: str
    calls: tuple[Forms, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
    schedule: Schedule | None = None
    runs_itself: bool = False
    why: str = ""
    notes: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The configuration file and the label: no other backup has both."""
        return f"{self.file} {self.label}"

    def without_schedule(self) -> "Backup":
        """Return it without its own schedule: its starter's counts."""
        return replace(self, schedule=None, runs_itself=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """A command line of a tool, with the facts about its start.

    Attributes:
        words: The words behind the program.
        environ: Its variables.
        folder: Its working folder, None if that is not known.
        home: The home folder of its user, None if that is not known.
        machine: The machine.
    """

    words: Sequence[str]
    environ: Mapping[str, str]
    folder: str | None
    home: str | None
    machine: Machine

    def path(self, text: str) -> str:
        """Return a path of the command line as it is on this machine."""
        if text.startswith("~/") and self.home:
            text = f"{self.home}{text[1:]}"
        if not text.startswith("/") and self.folder is not None:
            text = f"{self.folder.rstrip('/')}/{text.removeprefix('./')}"
        return located(self.machine, text)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that calls engines.

    Attributes:
        name: Its name.
        programs: The names of its program.
        called: Returns the backups that a command line of it makes; none for a command line that makes no backup.
        configured: Returns the backups that the configuration files describe which exist here.
    """

    name: str
    programs: tuple[str, ...]
    called: Callable[[Asked], list[Backup]]
    configured: Callable[[Machine], list[Backup]]


def located(machine: Machine, path: str) -> str:
    """Return the place of *path* on this machine: below `machine.root`, unless it is in the user's home folder."""
    inside = path == machine.home or path.startswith((machine.home + "/", machine.root + "/"))
    return path if not machine.root or inside else machine.root + path


def option(words: Sequence[str], *names: str) -> list[str]:
    """Return the values of an option, given as `--name value`, `--name=value`, or by its letter."""
    values: list[str] = []
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if word in names:
            values += words[at + 1 : at + 2]
        elif equals and name in names and name.startswith("--"):
            values.append(value)
    return values


def texts(value: object) -> list[str]:
    """Return a setting that is a text or a list of texts as a list; anything else in it is left out."""
    items = value if isinstance(value, list) else [value]
    return [str(item) for item in items if isinstance(item, str | int | float) and not isinstance(item, bool)]


def table(value: object) -> Mapping[str, object]:
    """Return a setting that is a table; an empty one for anything else."""
    return {str(key): inner for key, inner in value.items()} if isinstance(value, dict) else {}
