"""What may be shown of a command line: only what is known to be harmless, or is an ordinary word; the rest is masked.

An engine's adapter says which of its options and words are harmless (`Harmless`). Of any other command the program, the names of
options, paths and ordinary words are shown. Text for a shell is split into its words, and each is judged in the same way. What is
masked for certain is a secret by its name or place; what is masked because its meaning is not known is a doubt.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tray.redact import forms, patterns, shell
from tray.redact.harmless import Harmless, Rules
from tray.redact.names import (
    LETTERS,
    LOGINS,
    STATES,
    WITH_ONE_DASH,
    WORDS,
    is_credential_file,
    is_secret_name,
    names_secret_file,
)
from tray.redact.patterns import HIDDEN
from tray.redact.plain import (
    LEAST_HIDDEN,
    ORDINARY,
    is_file_name,
    is_hidden_too,
    is_path_part,
    is_plain,
    is_worth_learning,
)
from tray.redact.printed import printed_file, printed_words

if TYPE_CHECKING:
    from tray.redact.harmless import Programs

_MOST_CHARS = 32_768
"""A longer word is masked as a whole; so is every word behind the first million characters."""
_MOST_IN_ALL = 1 << 20
_DEPTH = 5
_LONG = re.compile(r"--[^\W\d_][\w.-]{0,60}")
_NAME = re.compile(r"[^\W\d][\w.-]{0,60}")
_BUNDLE = re.compile(
    r"-(?:[a-z]{1,4}|[A-Z]{1,3}|[A-Z][a-z]|[a-zA-Z]?\d{1,5}[kKmMgG]?|\d[a-z]{1,3}|Xm[sx]\d{1,6}[kmgKMG]?|[a-z]{1,4}[A-Z]{1,2}[a-z]{0,3}|-)"
)
_VARIABLE = re.compile(r"\$(?:\w{1,60}|[@*#?$!-]|\{\w{1,60}\})")
_PROGRAM = re.compile(r"[a-zA-Z][a-z\d.+-]*|[a-zA-Z.+_-]+")
_LOGIN_MARK = re.compile(r"([:,%])")
_SLASH = re.compile(r"(/[A-Za-z]{1,20}:)(?!/)")
_ROOTED = re.compile(r"/|~|\.{1,2}/")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_PIECES = re.compile(r"[][:,;@|&=(){}<>\"']+")
_PIPED = frozenset(("echo", "printf"))


@dataclass(slots=True)
class Walk:
    """One walk along a command line.

    Attributes:
        secrets: What was masked for certain.
        doubts: What was masked because it may be a secret, in order.
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
        reader = _Words(self, argv, at, piped=piped)
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
        if shell.is_shell(word):
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
        held: list[shell.Piece] = []
        forced: set[int] = set()
        gaps: list[str] = [""]
        taken = False  # what is printed is taken in another place: `<(echo …)`, `$(echo …)`
        for piece in shell.pieces(text):
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
        self, held: Sequence[shell.Piece], gaps: Sequence[str], forced: frozenset[int], *, piped: bool
    ) -> list[str]:
        meant = [piece.word or "" for piece in held]
        shown = [gaps[0]]
        for piece, before, after, gap in zip(
            held, meant, self.command(meant, forced, piped=piped), gaps[1:], strict=True
        ):
            shown += [piece.raw if before == after else shell.quoted(after, piece.raw), gap]
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
        if found := _SLASH.match(word):  # as Windows' programs take options
            return found[1] + self.judged(word[found.end() :])
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


class _Words:
    """Reads the words of one command in order."""

    def __init__(self, walk: Walk, argv: Sequence[str], at: int, *, piped: bool) -> None:
        self._walk, self._argv, self._at = walk, argv, at
        self._program = _last(argv[at]) if argv else ""
        self._table = walk.programs.harmless(self._program) if argv else None
        self._letters = {letter for word in argv for letter in LETTERS.get(_last(word), ())}
        self._piped = piped and self._program in _PIPED and len(argv) - at == 2
        self._expect: list[str] = []
        self._begun = False
        self._shows = self._table is not None and "" in self._table.subcommands
        self._ended = False
        self._runs_another = self._table is None
        self._before = -1
        self._inner: tuple[int, _Words] | None = None

    def next(self, place: int) -> str:
        """Return the next word as it may be shown."""
        if self._inner is not None:
            return self._inner[1].next(place - self._inner[0])
        word, walk = self._argv[place], self._walk
        expect = self._expect.pop(0) if self._expect else ""
        option = word.startswith("-") and len(word) > 1 and not self._ended
        if place < self._at:
            return self._expected(expect, word) if expect else self._option(word) if option else walk.judged(word)
        if place == self._at and not option:
            self._expect = []
            return self._first(word)
        if expect:
            return self._expected(expect, word)
        if word == "--":
            self._end(place + 1)
            return word
        if self._piped and not option and word.lower() not in ORDINARY:
            return walk.certain(word)
        if option:
            return self._option(word) if self._table is None else self._known_option(word, self._table)
        if (self._table is None or not self._shows) and (
            word.lower() in WORDS or ("_" in word and is_secret_name(word))
        ):
            self._expect = ["secret if none"]
        if self._table is None:
            return walk.judged(word)
        if self._before == 0 and self._begun:  # `borg with-lock REPO COMMAND`
            self._runs_another = True
            self._end(place)
            return self.next(place)
        return self._word(word, self._table)

    def _end(self, place: int) -> None:
        """Take what stands behind `--` for words; of a program that runs another one for that command."""
        self._ended = True
        rest = self._argv[place:]
        if self._runs_another and rest:
            self._inner = place, _Words(self._walk, rest, self._walk.programs.begins(rest), piped=False)

    def _first(self, word: str) -> str:
        """Return the program, or an assignment that stands in its place."""
        if "=" in word or shell.is_shell(word):
            return self._walk.judged(word)
        return self._walk.program(self._walk.known(word))

    def _word(self, word: str, table: Harmless) -> str:
        """Return a word of an engine's: its subcommand, or a path."""
        if not self._begun and "" not in table.subcommands:
            self._begun = True
            self._shows = word in table.subcommands and not self._runs_another
            self._before = 1 if word in table.runners else -1
            return self._walk.judged(word)
        self._before -= 1
        self._begun = True
        telling = " -" in word or ("=" in word and not word.startswith("/"))
        return self._walk.known(word) if self._shows and not telling else self._walk.judged(word)

    def _expected(self, expect: str, word: str) -> str:
        walk = self._walk
        if expect.startswith("secret"):
            if expect == "secret if none" and word.startswith("-"):
                return self._option(word)
            if word.startswith("--") and _LONG.fullmatch(word) and word.islower() and is_plain(word):
                return self._option(word)  # the secret is asked for elsewhere; this is the next option
            return walk.certain(word)
        if expect == "login":
            user, mark, secret = _LOGIN_MARK.split(word, maxsplit=1) if _LOGIN_MARK.search(word) else (word, "", "")
            return walk.known(user) + mark + (walk.certain(secret) if secret else "")
        if expect == "file":
            walk.files.append(word)
        return walk.known(word) if expect in ("shown", "file") else walk.judged(word)

    def _option(self, word: str) -> str:
        """Return an option of a program that is not known; what it takes is judged when it comes."""
        walk = self._walk
        name, equals, value = word.partition("=")
        if word in walk.rules.show:
            self._expect = ["shown"]
        if word in self._letters:
            self._expect = ["login" if word in LOGINS else "secret"]
            return word
        if name.startswith("--"):
            if word == "--":
                return word
            if not _LONG.fullmatch(name) or not is_plain(name):
                return walk.doubted(word)
            return self._long(name, equals, value)
        glued = next((one[:-1] for one in self._letters if one.endswith("*") and word.startswith(one[:-1])), "")
        if glued:
            return glued + self._expected("login" if glued in LOGINS else "secret", word[len(glued) :])
        if word in walk.rules.show or _BUNDLE.fullmatch(word) or name[1:] in WITH_ONE_DASH:
            return word
        if equals and (len(name) == 2 or is_plain(name) or is_secret_name(name)):  # also `-oPassword=…`
            return f"{name}={walk.known(value) if name in walk.rules.show else walk.named(name, value)}"
        if word[:2] in walk.rules.show:
            return word[:2] + walk.known(word[2:])
        if word[2:3] in "/~" or word[2:4] == "./" or word[2:].isdigit():
            return word[:2] + walk.judged(word[2:])
        if found := self._bundled(word):
            return found
        walk.secrets.update(forms.parts(word))
        return word[:2] + walk.doubted(word[2:])

    def _bundled(self, word: str) -> str:
        """Return several letters in one with a password behind the last of them (`zip -rPsecret`); "" if there is none."""
        letters = {one[1]: one[:-1] for one in self._letters if len(one) == 3 and one.endswith("*")}
        place = next((place for place, letter in enumerate(word[:6]) if letter in letters), 0)
        if not place or not word[1:place].isalpha():
            return ""
        how = "login" if letters[word[place]] in LOGINS else "secret"
        return word[: place + 1] + self._expected(how, word[place + 1 :])

    def _long(self, name: str, equals: str, value: str) -> str:
        """Return a long option with its value, or expect the value."""
        walk = self._walk
        if equals:
            return f"{name}={walk.known(value) if name in walk.rules.show else walk.named(name, value)}"
        if name in walk.rules.show:
            self._expect = ["shown"]
        elif names_secret_file(name):
            self._expect = ["file"]
        elif is_secret_name(name):
            self._expect = ["secret"]
        return name

    def _known_option(self, word: str, table: Harmless) -> str:
        """Return an option of an engine."""
        grammar = table.grammar
        if word.startswith("--"):
            given, equals, value = word[2:].partition("=")
            name = grammar.name(given)
            if name.endswith(("-from-command", "-from-shell-command")):
                self._runs_another, self._shows = True, False
            if name in table.values:
                if names_secret_file(name):
                    self._walk.files += [value] if equals else []
                self._expect = [] if equals else ["file" if names_secret_file(name) else "shown"]
                return f"--{given}={self._walk.known(value)}" if equals else word
            if name in grammar.switches and not equals:
                return word
            shown = self._option(word)
            if not equals and not self._expect:
                self._expect = ["judged"]
            return shown
        return self._known_letters(word, table)

    def _known_letters(self, word: str, table: Harmless) -> str:
        grammar = table.grammar
        for place, letter in enumerate(word[1:], 1):
            name, rest = grammar.also.get(letter, letter), word[place + 1 :]
            if name in grammar.values:
                if names_secret_file(name):
                    self._walk.files += [rest] if rest else []
                if not rest:
                    self._expect = [
                        "file" if names_secret_file(name) else "shown" if name in table.values else "judged"
                    ]
                    if is_secret_name(name) and name not in table.values:
                        self._expect = ["secret"]
                    return word
                if name in table.values:
                    return word[: place + 1] + self._walk.known(rest)
                return word[: place + 1] + self._walk.named(name, rest)
            if name not in grammar.switches and letter not in table.letters:
                shown = self._option(word)
                self._expect = self._expect or ["judged"]
                return shown
        return word


def _is_path(word: str) -> bool:
    """Whether *word* begins in a folder of an ordinary name, so that it is a path, whatever the folders below are called.

    Disks and temporary folders have names drawn by chance; two of them that were masked alike would be taken for one place.
    """
    first = next((part for part in re.split(r"[/\\]", word) if part not in ("", "~", ".", "..")), "")
    return is_plain(first)


def _last(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
