"""Find the commands that a schedule's shell text starts, in the scripts that it calls too; nothing is run.

`Reader.calls` follows the text from its beginning: assignments, `cd`, sourced files, `sh -c TEXT`, scripts in sh. It reads both
sides of an `if` and the body of each loop and function, since any of them may run.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import dropwhile

from tray.core import regex
from tray.core.dataclass import dataclass, field
from tray.engines.detached import SHELLS, TEXT, shell_text
from tray.engines.program import unwrap
from tray.engines.text import program_name, words
from tray.takeover.shell import UNKNOWN, OddError, Shell, Simple, commands

Read = Callable[[str], str | None]
"""Returns the text of a file, None if it cannot be read, is too long or is no text."""

_LEADS = words("if then else elif do while until ! { time exec command builtin eval")
_SETS = words("export declare typeset readonly local")
_ENDS = words(
    "fi done esac } : true false [ [[ test exit return break continue set shift trap echo printf logger sleep wait"
)
_SHEBANG = regex.compile(r"#!\s*(\S+)(?:\s+(.*))?")
_DEPTH = 4
_MOST = 400
_MOST_TEXT = 1 << 20
"""So many commands, and so many letters of text, are looked at for one schedule."""


@dataclass(frozen=True, slots=True)
class Call:
    """A command that a schedule starts.

    Attributes:
        argv: Its words as the program gets them, as far as they are known (`shell.UNKNOWN`).
        environ: Variables that the text sets for it.
        folder: Its working folder, None if that is not known.
        script: The script that it stands in; None for the schedule's own text.
        at: Where it begins in the schedule's own text; None inside a script.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    folder: str | None
    script: str | None = None
    at: int | None = None


@dataclass(slots=True)
class Budget:
    """The commands, and the letters of text, that a whole search may still look at."""

    left: int = 10_000
    letters: int = 4 << 20


@dataclass(slots=True)
class Reader:
    """Reads the texts of one schedule.

    Attributes:
        read: Reads a script.
        stops: Tells whether a command is understood by others, so that it is not looked into if it is a script.
        notes: One sentence for each thing that could not be read.
        scripts: The scripts that were read.
        budget: The commands that may still be looked at, for all schedules together.
        left: The same for this one.
        letters: The text that may still be looked at for it; a script that reads itself again has no end.
    """

    read: Read
    stops: Callable[[Sequence[str]], bool]
    notes: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    budget: Budget = field(default_factory=Budget)
    left: int = _MOST
    letters: int = _MOST_TEXT

    def calls(self, text: str, shell: Shell, script: str | None = None, depth: int = 0) -> Iterator[Call]:
        """Yield the commands of *text*; *shell* is its state at the beginning and changes."""
        self.letters -= len(text)
        self.budget.letters -= len(text)
        if self.letters < 0 or self.budget.letters < 0:
            self._note("it has too much text to look at all of it")
            return
        try:
            simple = commands(text)
        except OddError as error:
            where = script or "its command"
            self._note(f"{where} could not be read: {error}")
            return
        for command in simple:
            yield from self._command(command, shell, script, depth)

    def _command(self, command: Simple, shell: Shell, script: str | None, depth: int) -> Iterator[Call]:
        first = 0
        while first < len(command.words) and command.words[first] in _LEADS:
            first += 1
        own = Shell(dict(shell.variables), shell.folder, shell.host, shell.user, shell.now, shell.arguments)
        begin = first
        while first < len(command.words) and own.assign(command.words[first]):
            first += 1
        if first == len(command.words):
            shell.variables = own.variables
            return
        argv = shell.expand(command.words[first:])
        if not argv or self._own(argv, command.words[first:], shell):
            return
        self.left -= 1
        self.budget.left -= 1
        if self.left < 0 or self.budget.left < 0:
            self._note("it has too many commands to look at them all")
            return
        if argv[0] in (".", "source") and len(argv) > 1:
            yield from self._sourced(argv, shell, depth)
            return
        at = command.starts[begin] if script is None and depth == 0 else None
        yield from self.call(Call(tuple(argv), own.variables, own.folder, script, at), own, depth)

    def _own(self, argv: list[str], raw: Sequence[str], shell: Shell) -> bool:
        """Take a command of the shell's own; return False for any other."""
        name = argv[0]
        if name == "cd":
            there = argv[-1] if len(argv) > 1 else shell.variables.get("HOME", UNKNOWN)
            shell.folder = joined(shell.folder, there)
        elif name in _SETS:
            for word in raw[1:]:
                shell.assign(word)
        elif name == "unset":
            for word in argv[1:]:
                shell.variables.pop(word, None)
        elif name == "for" and len(argv) > 1:
            shell.variables[argv[1]] = UNKNOWN
        elif name == "read":
            shell.variables |= {word: UNKNOWN for word in argv[1:] if not word.startswith("-")}
        elif name not in _ENDS and not name.endswith(UNKNOWN):
            return False
        return True

    def _sourced(self, argv: Sequence[str], shell: Shell, depth: int) -> Iterator[Call]:
        path = joined(shell.folder, argv[1])
        text = None if path is None or depth > _DEPTH else self.read(path)
        if text is None:
            self._note(f"{argv[1].replace(UNKNOWN, '…')}, which it reads its settings from, could not be read")
        else:
            yield from self.calls(text, shell, path, depth + 1)

    def call(self, call: Call, shell: Shell, depth: int = 0) -> Iterator[Call]:
        """Yield *call*, or the commands of the script or text that it runs."""
        if self.stops(call.argv) or depth > _DEPTH:
            yield call
            return
        inner = unwrap(call.argv, call.environ)
        behind = call.argv[inner.at :]
        name = program_name(behind[0])
        shell.variables = {**shell.variables, **inner.environ}
        text = shell_text(behind[1:]) if name in SHELLS else None
        if name in TEXT:
            text = next((behind[at + 1] for at, word in enumerate(behind[:-1]) if word in ("-c", "--command")), None)
        if text is not None:
            inside = Shell(dict(shell.variables), shell.folder, shell.host, shell.user, shell.now, (name,))
            user = _other_user(name, behind)
            for part in self.calls(text, inside, call.script, depth + 1):
                yield Call((*user, *part.argv), part.environ, part.folder, part.script, call.at)
            return
        if name in SHELLS:
            behind = tuple(dropwhile(lambda word: word.startswith(("-", "+")), behind[1:])) or behind
        handed = behind[behind.index("--") + 1 :] if "--" in behind else ()
        if self.stops(handed):  # `runitor -uuid ID -- restic backup /x`
            yield Call(tuple(handed), call.environ, call.folder, call.script, call.at)
            return
        yield from self._script(call, behind, shell, depth, asked=name in SHELLS)

    def _script(self, call: Call, behind: Sequence[str], shell: Shell, depth: int, *, asked: bool) -> Iterator[Call]:
        """Yield the commands of the script that *behind* starts, or *call* itself if that is none."""
        path = behind[0] if "/" in behind[0] or asked else self._in_path(behind[0], call.environ)
        path = None if path is None else joined(call.folder, path)
        text = None if path is None or UNKNOWN in path else self.read(path)
        if path is None or text is None or path in self.scripts:
            yield call
            return
        if not asked and not is_shell(text):
            yield call
            return
        self.scripts.append(path)
        inside = Shell(dict(shell.variables), shell.folder, shell.host, shell.user, shell.now, (path, *behind[1:]))
        parts = list(self.calls(text, inside, path, depth + 1))
        yield from (Call(part.argv, part.environ, part.folder, part.script or path, call.at) for part in parts)

    def _in_path(self, name: str, environ: Mapping[str, str]) -> str | None:
        """Return the file that a name without a slash means, if that is a script."""
        folders = environ.get("PATH", "/usr/bin:/bin").split(":")
        for folder in folders[:20]:
            if folder.startswith("/") and (text := self.read(f"{folder}/{name}")) is not None:
                return f"{folder}/{name}" if is_shell(text) else None
        return None

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _other_user(name: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return words of the same meaning that go before a command which `su` runs as another user; none for any other program."""
    if name not in ("su", "runuser"):
        return ()
    text = next((at + 1 for at, word in enumerate(words) if word in ("-c", "--command")), 0)
    users = [word for at, word in enumerate(words[1:], 1) if at != text and not word.startswith("-")]
    return ("sudo", "-u", users[0] if users else "root")


def is_shell(text: str) -> bool:
    """Whether the text of a file is a script for a shell."""
    match = _SHEBANG.match(text)
    if match is None:
        return False
    program = program_name(match[1])
    if program == "env":
        program = program_name((match[2] or "").split(" ")[-1])
    return program in SHELLS


def joined(folder: str | None, path: str) -> str | None:
    """Return *path* as seen from *folder*; None if that is not known."""
    if path.startswith("/"):
        return re.sub(r"/+", "/", path)
    if folder is None or UNKNOWN in path:
        return None
    return f"{folder.rstrip('/')}/{path.removeprefix('./')}"
