"""Mask a command line: only words that are known to be harmless, or ordinary, are shown.

An engine's adapter says which of its options and words are harmless (`Harmless`). Of any other command the program, the names of
options, paths and ordinary words are shown. Text for a shell is split into its words, and each is judged in the same way. A
word that is masked for certain is a secret by its name or place; a word whose meaning is not known is a doubt.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tray.core import regex
from tray.core.dataclass import dataclass, field
from tray.core.redact import forms, patterns
from tray.core.redact.forms import printed_file, printed_words
from tray.core.redact.names import STATES, is_credential_file, is_secret_name, names_secret_file
from tray.core.redact.patterns import HIDDEN
from tray.core.redact.plain import LEAST_HIDDEN, is_file_name, is_hidden_too, is_path_part, is_plain, is_worth_learning
from tray.core.redact.reader import Piece, Words, is_shell, pieces, quoted

if TYPE_CHECKING:  # making these classes would cost each start of a backup half a millisecond
    from typing import Protocol

    class Options(Protocol):
        """How a program's option words are read (`arguments.Grammar`)."""

        @property
        def values(self) -> frozenset[str]:
            """Options that take a value."""
            ...

        @property
        def switches(self) -> frozenset[str]:
            """Options without one."""
            ...

        @property
        def optional(self) -> frozenset[str]:
            """Options whose value, if any, is in the same word."""
            ...

        @property
        def also(self) -> Mapping[str, str]:
            """Letters, with the long name that they count as."""
            ...

        def name(self, given: str) -> str:
            """Return the name that a long option counts as."""
            ...

    class Programs(Protocol):
        """Knowledge of the programs."""

        def harmless(self, program: str) -> "Harmless | None":
            """Return what is harmless in the command line of the program of this name; None if it is not known."""
            ...

        def begins(self, argv: Sequence[str]) -> int:
            """Return the index of the program that stands behind `sudo`, `nice` and their like."""
            ...


_MOST_CHARS = 32_768
"""A longer word is masked as a whole; so is every word behind the first million characters."""
_MOST_IN_ALL = 1 << 20
_DEPTH = 5
_NAME = regex.compile(r"[^\W\d][\w.-]{0,60}")
_VARIABLE = regex.compile(r"\$(?:\w{1,60}|[@*#?$!-]|\{\w{1,60}\})")
_PROGRAM = regex.compile(r"[a-zA-Z][a-z\d.+-]*|[a-zA-Z.+_-]+")
_SLASH = regex.compile(r"(/[A-Za-z]{1,20}:)(?!/)")
_ROOTED = regex.compile(r"/|~|\.{1,2}/")
_WINDOWS = regex.compile(r"[A-Za-z]:[\\/]|\\\\")
_PIECES = regex.compile(r"[][:,;@|&=(){}<>\"']+")


@dataclass(frozen=True, slots=True)
class Harmless:
    """Parts of a program's command line that hold no secret, as its adapter knows. The default: none.

    Attributes:
        grammar: How its options are read.
        values: Options, by their long names, whose values may be shown.
        letters: Letters of switches that stand for themselves in the grammar.
        runners: Subcommands with one word, and behind that another command.
        subcommands: Those whose words (paths, names of snapshots) may be shown; "" for a program without subcommands.
    """

    grammar: "Options"
    values: frozenset[str] = frozenset()
    letters: str = ""
    subcommands: frozenset[str] = frozenset()
    runners: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """The user's rules for showing more (`[privacy]` in config.toml).

    Attributes:
        show: Options whose values are shown: `--customer`, `-x`.
        everything: Words of unknown meaning are shown too; secrets by name and place stay hidden.
    """

    show: frozenset[str] = frozenset()
    everything: bool = False


@dataclass(slots=True)
class Walk:
    """One walk along a command line.

    Attributes:
        secrets: Words that are secrets for certain.
        doubts: Words that may be secrets, in order.
        files: Files that hold a secret, by what the command line says.
    """

    programs: "Programs"
    rules: Rules
    secrets: set[str] = field(default_factory=set)
    doubts: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    _depth: int = 0
    _left: int = _MOST_IN_ALL

    def command(self, argv: Sequence[str], forced: frozenset[int] = frozenset(), *, piped: bool = False) -> list[str]:
        """Return the words of a command as they may be shown, one for each.

        Args:
            argv: The command.
            forced: Indexes of words that are masked whatever they are.
            piped: Its output goes to another program: what it prints may be a password.
        """
        at = self.programs.begins(argv) if argv else 0
        reader = Words(self, argv, at, piped=piped)
        return [self.certain(word) if place in forced else reader.next(place) for place, word in enumerate(argv)]

    def judged(self, word: str) -> str:
        """Return a word, or a value, of which nothing is known as it may be shown."""
        if self.rules.everything or not word.strip("*"):
            return self.known(word)
        self._left -= len(word)
        if len(word) > _MOST_CHARS or self._left < 0:
            return self.doubted(word)
        word = patterns.address(word, self.secrets)
        name, equals, value = word.partition("=")
        if (
            equals and "." in name and _NAME.fullmatch(name) and is_path_part(name)
        ):  # `sftp.command=sshpass -p …`, no variable
            return f"{name}={self.named(name, value)}"
        if is_shell(word):
            return self._script(word)
        word = self.known(word)
        name, equals, value = word.partition("=")
        if equals and _NAME.fullmatch(name) and is_path_part(name):
            return f"{name}={self.named(name, value)}"
        return self.plain(word)

    def known(self, word: str) -> str:
        """Return what is known to be harmless; a password in an address or behind a telling name is hidden also there."""
        return patterns.hide(patterns.address(word, self.secrets), self.secrets)

    def named(self, name: str, value: str) -> str:
        """Return the value of an option, variable or key of this name as it may be shown."""
        if names_secret_file(name):
            self.files.append(value)
            return self.known(value)
        if is_secret_name(name) and not is_credential_file(name, value):
            return self.certain(value)
        return self.judged(value)

    def certain(self, value: str) -> str:
        """Return a secret as it may be shown."""
        core = value.strip("\"'")
        if not core.strip("*") or core.lower() in STATES or _VARIABLE.fullmatch(core):
            return value
        if file := printed_file(core):
            self.files.append(file)
            return self.known(value)
        self.secrets.update((core, core.removeprefix("pass:"), core.removesuffix("\\n")))
        self.secrets.update((printed_words(core), printed_words(value)))
        user, _, password = core.partition(":")
        if len(password) >= LEAST_HIDDEN and is_plain(user):
            self.secrets.add(password)
        patterns.hide(value, self.secrets)
        return HIDDEN

    def doubted(self, word: str) -> str:
        """Return in what way a word is shown that may be a secret."""
        if not word.strip("*"):
            return word
        self.doubts.append(word)
        if len(word) <= _MOST_CHARS:
            self.secrets.update(piece for piece in (word, *_PIECES.split(word)) if is_hidden_too(piece))
            self.secrets.update(forms.parts(word))
        return HIDDEN

    def _script(self, text: str) -> str:
        """Return text for a shell, or a sentence, word by word."""
        if self._depth >= _DEPTH:
            return self.doubted(text)
        self._depth += 1
        text = self.known(text)
        shown: list[str] = []
        held: list[Piece] = []
        forced: set[int] = set()
        gaps: list[str] = [""]
        taken = False  # what is printed is taken in another place: `<(echo …)`, `$(echo …)`
        for piece in pieces(text):
            if piece.word is not None:
                held.append(piece)
                gaps.append("")
                continue
            if piece.ends:
                shown += self._command_of(held, gaps, frozenset(forced), piped=piece.piped or taken)
                shown.append(piece.raw)
                taken = piece.raw.rstrip().endswith(("<(", "$("))
                held, gaps, forced = [], [""], set()
                continue
            gaps[-1] += piece.raw
            if "<<<" in piece.raw:
                forced.add(len(held))
        shown += self._command_of(held, gaps, frozenset(forced), piped=taken)
        self._depth -= 1
        return "".join(shown)

    def _command_of(
        self, held: Sequence[Piece], gaps: Sequence[str], forced: frozenset[int], *, piped: bool
    ) -> list[str]:
        meant = [piece.word or "" for piece in held]
        shown = [gaps[0]]
        for piece, before, after, gap in zip(
            held, meant, self.command(meant, forced, piped=piped), gaps[1:], strict=True
        ):
            shown += [piece.raw if before == after else quoted(after, piece.raw), gap]
        return shown

    def program(self, word: str) -> str:
        """Return the name or path of a program: `s3cmd`, `BackupPC_dump`."""
        short = len(word) < (8 if self._depth else 32)  # within text for a shell the first word may be anything
        return word if short and _PROGRAM.fullmatch(word) and is_path_part(word) else self.plain(word)

    def plain(self, word: str) -> str:
        """Return one word without blanks: a path or address part by part, anything else as a whole or not at all."""
        bare = _VARIABLE.sub("", word)
        if is_plain(bare) or is_file_name(bare):
            return word
        if "://" in word:
            scheme, mark, rest = word.partition("://")
            place, slash, path = rest.partition("/")
            return scheme + mark + place + slash + self._parts(path, strict=True)
        if option := _SLASH.match(word):  # as Windows' programs take options
            return option[1] + self.judged(word[option.end() :])
        if _ROOTED.match(word) or _WINDOWS.match(word):
            return word if _is_path(word) else self._parts(word, strict=False)
        host, colon, path = word.partition(":/")
        if colon and is_plain(host):
            return host + ":" + ("/" + path if _is_path("/" + path) else self._parts("/" + path, strict=False))
        return self._parts(word, strict=True) if "/" in word and not is_worth_learning(word) else self.doubted(word)

    def _parts(self, path: str, *, strict: bool) -> str:
        shown = []
        for part in re.split(r"([/\\?&#;,])", path):
            name, equals, value = part.partition("=")
            bare = _VARIABLE.sub("", part)
            fine = is_plain(bare) or is_file_name(bare) or (not strict and is_path_part(bare))
            if fine or len(part) <= 1:
                shown.append(part)
            elif equals and is_plain(name):
                shown.append(f"{name}={value if is_plain(value) else self.doubted(value)}")
            else:
                shown.append(self.doubted(part))
        return "".join(shown)


def _is_path(word: str) -> bool:
    """Whether *word* begins in a folder of an ordinary name, so that it is a path, whatever the folders below are called.

    Disks and temporary folders have names drawn by chance; two of them that were masked alike would be taken for one place.
    """
    first = next((part for part in re.split(r"[/\\]", word) if part not in ("", "~", ".", "..")), "")
    return is_plain(first)
