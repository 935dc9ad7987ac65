"""Hold the results of a search for existing backups: the `Machine`, each `Start` of a command, and each `Finding`."""

from collections.abc import Callable, Mapping

from tray.core.dataclass import dataclass, field
from tray.takeover.names import Part
from tray.takeover.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and the user for whom existing backups are searched.

    Attributes:
        root: Folder in which the system's files are looked for; "" is the real one, tests have their own.
        home: The user's home folder.
        user: The user's name.
        uid: The user's number.
        host: The machine's name.
        now_ms: The moment.
        environ: The environment, for `XDG_CONFIG_HOME`, `PATH` and the like.
        ask: Runs a command that only reads (`crontab -l`); see `Ask`.
    """

    root: str
    home: str
    user: str
    uid: int
    host: str
    now_ms: int
    environ: Mapping[str, str]
    ask: "Ask"

    @property
    def config(self) -> str:
        """The folder of the user's configuration files."""
        return self.environ.get("XDG_CONFIG_HOME") or f"{self.home}/.config"


Ask = Callable[[list[str]], str | None]
"""Runs a command line that only reads; returns its output, None where there is no such program; raises `reading.RefusedError`
where it fails."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One backup that exists on this machine.

    Attributes:
        source: Who starts it: "crontab of ann", "the timer backup.timer", "Vorta".
        file: The file that says so; None for a crontab that only `crontab -l` shows.
        line: Line in that file.
        command: The command as it may be shown.
        schedule: When it starts; None if no schedule was found.
        tool: The program that calls the engine: "borgmatic", "script"; "" if the engine is called directly.
        part: The call of an engine that makes it; None if that is not known.
        several: Its command makes so many backups; each is a finding of its own.
        name: The proposed name of the job.
        matches: The automatic names of its runs.
        wrapped: The line with `{prefix}` where our command goes before the backup's; "" where there is none.
        how: The use of that line: "in `crontab -e`, replace the line by".
        why: Why it cannot be taken over; "" if it can.
        notes: One sentence for each thing that was not understood.
        next_ms: The scheduler's own statement of the next start.
        configs: The tool's configuration file and profile that it uses.
        state: "new"; "idle" (nothing starts it, as far as can be seen); "taken over" (a job watches it); "wrapped" (it runs under
            Backup Tray); "off" (its owner switched it off); "prefix" (its runs can be told only under our prefix); "foreign"
            (another user runs it); "not understood".
    """

    source: str
    file: str | None
    line: int | None
    command: str
    schedule: Schedule | None = None
    tool: str = ""
    part: Part | None = None
    several: int = 1
    name: str = ""
    matches: tuple[str, ...] = ()
    wrapped: str = ""
    how: str = ""
    why: str = ""
    notes: tuple[str, ...] = ()
    next_ms: int | None = None
    configs: tuple[str, ...] = ()
    state: str = "new"

    @property
    def engine(self) -> str | None:
        """The engine that makes the backup; None where that is not known."""
        return None if self.part is None else self.part.engine


@dataclass(frozen=True, slots=True)
class Start:
    """A command that a scheduler starts, before it is understood.

    Attributes:
        source: See `Finding`, as for file, line, next_ms and notes.
        text: The text that a shell runs; None if `argvs` says the commands.
        argvs: The words of each command, where no shell runs them.
        schedule: When.
        user: The user that runs it.
        home: That user's home folder, None if it is not known.
        folder: The working folder.
        variables: Variables that the scheduler sets.
        before: The line that its owner wrote, up to the command.
        exec_start: The value of a unit's only ExecStart, as written; "" for any other start.
        stdin: The text behind a crontab's `%`; None without one.
        percent: The line escapes each `%`, as a crontab does.
        how: See `Finding`.
        off: The reason why it is switched off; "" if it is not.
        why: The reason why the line cannot be read.
        label: The scheduler's own name for it, for the job's name.
        idle: Nothing starts it, as far as can be seen.
    """

    source: str
    file: str | None
    line: int | None
    schedule: Schedule
    user: str
    home: str | None
    text: str | None = None
    argvs: tuple[tuple[str, ...], ...] = ()
    folder: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    exec_start: str = ""
    stdin: str | None = None
    percent: bool = False
    how: str = ""
    off: str = ""
    why: str = ""
    label: str = ""
    idle: bool = False
    next_ms: int | None = None
    notes: tuple[str, ...] = ()
