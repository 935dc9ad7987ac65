"""Define the contract of an engine adapter (`api = 1`): bytes and exit codes in, events out, no I/O.

An `Engine` looks at a command line and answers with a `Plan`: the command to really start. For each run it then makes one
`Session`, which takes the output line by line and in the end concludes the result. It skips unknown messages, takes an unknown exit
code for a failure, and an exit code alone never for a success.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol

from tray.core.dataclass import dataclass
from tray.core.model import Outcome, Phase

API = 1
MAX_PROBLEMS = 100
"""So many problems of a run are kept with their words; all others are only counted."""


class Stream(IntEnum):
    """The output of the command from which a line came."""

    OUT = 1
    ERR = 2


Stop = tuple[tuple[int, float], ...]
"""How an engine is stopped: signals in order, each with the seconds to wait for the end before the next one."""

STOP: Stop = ((signal.SIGINT, 20.0), (signal.SIGTERM, 10.0), (getattr(signal, "SIGKILL", signal.SIGTERM), 0.0))
"""The default: an interrupt as from the keyboard, so that the engine can clean up, then insist."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run. None: the engine did not say. Totals may grow while `phase` is scanning."""

    phase: Phase
    files_done: int | None = None
    files_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    eta_seconds: int | None = None
    current: str | None = None
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that went wrong: one item that is not in the backup, or a message about the whole run (`item` None)."""

    message: str
    item: str | None = None
    fatal: bool = False


Event = Progress | Problem


@dataclass(frozen=True, slots=True)
class Fed:
    """The meaning of one line of output.

    Attributes:
        events: Events in their order; empty if the line says nothing known.
        relay: The bytes that the caller sees, with their line end: the line itself, a plain text in place of JSON that we asked
            for, or b"" for nothing.
    """

    events: tuple[Event, ...] = ()
    relay: bytes = b""


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a command.

    Attributes:
        code: Exit code 0 to 255; None if a signal killed it or its end was not seen.
        signal: Number of the signal that killed it, else None.
        asked: An interrupt or termination came through us (our terminal, our process, or `cancel`) before it ended.
    """

    code: int | None
    signal: int | None = None
    asked: bool = False

    @property
    def seen(self) -> bool:
        """Whether its end was seen."""
        return self.code is not None or self.signal is not None


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run.

    Attributes:
        reason: One sentence for a person.
        problems: The first ones of `errors` in all.
        advice: The next step, with a command that works, where the output shows it ("Remove the stale lock: `…`").
        locked: Another run locked the repository, so this one could not begin.
        uncompressed: `bytes_added` counts what was new before it was compressed; the engine does not say how much was stored.
        empty: Not one file is in the backup.
        otherwise: The result but for that.
        empty_sources: Sources that hold no files, as the wrapper saw.
        emptied_sources: Those of them that held some in a run before.
        proof: The comparison of restored files: files, bytes, snapshot, how.
    """

    outcome: Outcome
    reason: str
    files: int | None = None
    bytes_processed: int | None = None
    bytes_added: int | None = None
    errors: int = 0
    problems: tuple[Problem, ...] = ()
    snapshot: str | None = None
    advice: str | None = None
    locked: bool = False
    uncompressed: bool = False
    empty: bool = False
    otherwise: "Result | None" = None
    empty_sources: tuple[str, ...] = ()
    emptied_sources: tuple[str, ...] = ()
    proof: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A recognised command, and how to start it.

    Attributes:
        argv: The whole command to start, our flags included.
        env: Variables to add to its environment.
        kind: backup, dry-run, restore, check, prune, compact, or other.
        repository: Destination, without secrets; None if not named.
        sources: Paths that are backed up, as given.
        spool_stdout: Its stdout is text that the engine understands, so it goes through a spool file; else it is the caller's.
        ours: We added the flag that turns the output into JSON, or into progress that the caller did not ask for, so the caller
            must get the plain text instead.
        asks: It may ask for a password on its standard input, and may want a terminal as its standard error for that.
        returns: Its updates end with a carriage return, so lines end there too, and an unfinished one is no prompt.
        writes: It says nothing while it works; the bytes that its process has written are its progress.
        places: Places of the sources on this machine, in their order; None: the sources themselves; empty: gone afterwards.
        apart: Whatever else makes it another backup than one of the same sources to the same place, as `name=value` and without
            secrets: `host=web1`, the name of an archive, a pattern that alone is included, the port of the destination.
    """

    argv: tuple[str, ...]
    kind: str
    env: Mapping[str, str]
    repository: str | None = None
    sources: tuple[str, ...] = ()
    spool_stdout: bool = False
    ours: bool = False
    asks: bool = False
    returns: bool = False
    writes: bool = False
    places: tuple[str, ...] | None = None
    apart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """A backup that a job describes, for which the engine builds the command line.

    Attributes:
        sources: Absolute paths.
        repository: The destination.
        hidden: The address of the repository holds a secret, so it must not stand on a command line.
        excludes: Patterns of files to leave out, as the engine writes them.
        options: Further options of the engine's backup command.
        password_file: The file with the repository's password, None if there is none.
        password_command: The command line that prints it, empty if there is none.
    """

    sources: tuple[str, ...]
    repository: str
    hidden: bool = False
    excludes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    password_file: str | None = None
    password_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """A command line that an engine built. No secret stands on it.

    Attributes:
        env: Variables to add to its environment.
        clears: Variables of the environment that would contradict it.
        password_variable: The variable that gets the job's password itself, for an engine that reads it from no file or command.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    clears: tuple[str, ...] = ()
    password_variable: str = ""


class Session(Protocol):
    """The reader of one run's output."""

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line with its end, at most 1 MiB; an unfinished last line comes at the end.

        A line ends at a newline, with `Plan.returns` also at a carriage return.
        """
        ...

    def conclude(self, exit: Exit) -> Result:
        """Return the result of the run; called once, after the last line."""
        ...


class Holding(Session, Protocol):
    """A session that takes something out of the output; one without `patience` or `held` replaces only whole lines of JSON."""

    def patience(self, part: bytes, stream: Stream) -> float:
        """Return how many seconds *part*, a line without its end so far, may wait for the rest before the caller sees it.

        0: it may be a prompt. `math.inf`: it begins a line that we asked for or replace, so the caller never sees it as it is.
        """
        ...

    def held(self, stream: Stream) -> bytes:
        """Return the bytes of *stream* that the session kept back and that are the caller's after all; called at its end."""
        ...


class Traits(Protocol):
    """The facts about an engine besides its output. Each default is the safe answer: an engine says only what it is sure of.

    Attributes:
        copied_only: Its progress counts only the bytes that it copies, so the figures of an earlier run foretell nothing.
        counts_files: Its number of files is that of all files in the sources, without the folders.
        proves: Its exit code 0 and a new snapshot, together with all sources still in place, are a success.
        spares_locks: Its command that removes a lock (`Engine.unlock`) leaves one that is in use.
        stale_ms: By its own rule a lock that was not renewed for so long counts no more; 0: it has no such rule.
        repository: How the files of its repository are read, by a word of `tray.repository.files.READERS`; "": they are not read.
        sized: Its repository holds nothing but the backup, so that the size means something.
        passes_over_missing: It says nothing of a source that is not there, and ends well.
        spares_strangers: It passes over files in its repository whose names it does not know.
        common: It is installed on most machines, also where no backup is made.
        asks: The command that prints all snapshots of a repository as JSON, changes nothing and waits for no lock.
        asks_lock: The same for one lock, whose name is added.
        address_begins: How an address begins that is surely one of its own and no folder.
        address_variables: Variables of which the first names its repository; the others would contradict it.
        address_option: The option that names it; "": it is the last word.
        password_variables: Variables each of which alone lets it into its repository.
        file_option: The option that names a file with the password.
        entry_example: Example of setting one of these variables.
        may_be_open: Some of its repositories have no password.
        version_word: The word `version` makes it say its version, not the option `--version`.
    """

    copied_only: bool = False
    counts_files: bool = False
    proves: bool = False
    spares_locks: bool = False
    stale_ms: int = 0
    repository: str = ""
    sized: bool = False
    passes_over_missing: bool = False
    spares_strangers: bool = False
    common: bool = False
    asks: tuple[str, ...] = ()
    asks_lock: tuple[str, ...] = ()
    address_begins: tuple[str, ...] = ()
    address_variables: tuple[str, ...] = ()
    address_option: str = ""
    password_variables: tuple[str, ...] = ()
    file_option: str = ""
    entry_example: str = ""
    may_be_open: bool = False
    version_word: bool = False

    def backup_command(self, wish: Wish) -> Built | None:  # noqa: ARG002 - part of the contract
        """Return the command line of the backup *wish*; None: the engine builds none, so a job of it needs a `command`.

        Raises:
            ValueError: The engine cannot do this; the text is the second half of a sentence.
        """
        return None

    def listed(self, plan: Plan, read: Callable[[str], str | None]) -> Plan:  # noqa: ARG002 - part of the contract
        """Return *plan* with the sources of a list that was written for this run alone; as it is if that cannot be read.

        A tool such as borgmatic hands its sources over in such a list, so that the command lines of two backups are alike.

        Args:
            plan: The plan of the command line.
            read: Returns the text of a file as the running process sees it, None if it cannot be read.
        """
        return plan


class Engine(Traits, Protocol):
    """An engine adapter. One module or package with an instance named `ENGINE`, one line in `engines.ENGINES`."""

    api: int
    name: str
    stop: Stop

    def recognises(self, program: str) -> bool:
        """Whether *program*, the last part of a path, is this engine, also under a name like `restic019`."""
        ...

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the command *argv*, whose engine stands at index *at* behind wrappers such as `env` or `sudo`."""
        ...

    def session(self, plan: Plan) -> Session:
        """Begin to understand one run of *plan*."""
        ...

    def unlock(self, plan: Plan) -> str | None:
        """Return the engine's own command that removes a lock which a killed run left in the repository; None without locks."""
        ...
