"""Read the words of one command in order: decide by its place how each may be shown.

Text for a shell is split into words and the blanks and operators between them, and keeps every character. Nothing is evaluated: the
text in `$(…)` and in backquotes is split as commands too.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tray.core import regex
from tray.core.dataclass import dataclass
from tray.core.redact import forms
from tray.core.redact.names import LETTERS, LOGINS, WITH_ONE_DASH, WORDS, is_secret_name, names_secret_file
from tray.core.redact.plain import ORDINARY, is_plain

if TYPE_CHECKING:
    from tray.core.redact.command import Harmless, Walk

_LONG = regex.compile(r"--[^\W\d_][\w.-]{0,60}")
_BUNDLE = regex.compile(
    r"-(?:[a-z]{1,4}|[A-Z]{1,3}|[A-Z][a-z]|[a-zA-Z]?\d{1,5}[kKmMgG]?|\d[a-z]{1,3}|Xm[sx]\d{1,6}[kmgKMG]?|[a-z]{1,4}[A-Z]{1,2}[a-z]{0,3}|-)"
)
_LOGIN_MARK = regex.compile(r"([:,%])")
_SSHPASS = "sshpass"
_SSH = ("ssh", "scp", "sftp")
_PIPED = frozenset(("echo", "printf"))

_BETWEEN = regex.compile(r"(?:[\s;|&<>()`]++|\$\()+")
_PART = regex.compile(
    r"\\.|'[^']*+'|\"[^\"\\]*+(?:\\.[^\"\\]*+)*\"|\$\{[^{}]*+\}|[^\s;|&<>()`'\"\\$]++|\$(?!\()|['\"\\]", re.DOTALL
)
_COMMAND = regex.compile(r"[;|&()`\n]|\$\(")
_ESCAPED = regex.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = regex.compile(r'\\([$`"\\])')


class Words:
    """Reads the words of one command in order."""

    def __init__(self, walk: "Walk", argv: Sequence[str], at: int, *, piped: bool) -> None:
        self._walk, self._argv, self._at = walk, argv, at
        self._program = _last(argv[at]) if argv else ""
        self._table = walk.programs.harmless(self._program) if argv else None
        self._letters = {letter for word in argv for letter in LETTERS.get(_last(word), ())}
        self._behind_ssh = {
            letter for word in argv if _last(word) != _SSHPASS for letter in LETTERS.get(_last(word), ())
        }
        self._piped = piped and self._program in _PIPED and len(argv) - at == 2
        self._expect: list[str] = []
        self._begun = False
        self._shows = self._table is not None and "" in self._table.subcommands
        self._ended = False
        self._runs_another = self._table is None
        self._before = -1
        self._inner: tuple[int, Words] | None = None

    def next(self, place: int) -> str:
        """Return the next word as it may be shown."""
        if self._inner is not None:
            return self._inner[1].next(place - self._inner[0])
        word, walk = self._argv[place], self._walk
        expect = self._expect.pop(0) if self._expect else ""
        if not expect and _last(word) in _SSH and _SSHPASS not in map(_last, self._argv[place:]):
            self._letters = self._behind_ssh  # `sshpass -p PASSWORD ssh -p 2222`: a port
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
            self._inner = place, Words(self._walk, rest, self._walk.programs.begins(rest), piped=False)

    def _first(self, word: str) -> str:
        """Return the program, or an assignment that stands in its place."""
        if "=" in word or is_shell(word):
            return self._walk.judged(word)
        return self._walk.program(self._walk.known(word))

    def _word(self, word: str, table: "Harmless") -> str:
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
        glued = next(
            (letter[:-1] for letter in self._letters if letter.endswith("*") and word.startswith(letter[:-1])), ""
        )
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
        if shown := self._bundled(word):
            return shown
        walk.secrets.update(forms.parts(word))
        return word[:2] + walk.doubted(word[2:])

    def _bundled(self, word: str) -> str:
        """Return several letters in one with a password behind the last of them (`zip -rPsecret`); "" if there is none."""
        letters = {letter[1]: letter[:-1] for letter in self._letters if len(letter) == 3 and letter.endswith("*")}
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

    def _known_option(self, word: str, table: "Harmless") -> str:
        """Return an option of an engine."""
        grammar = table.grammar
        if word.startswith("--"):
            given, equals, value = word[2:].partition("=")
            name = grammar.name(given)
            if name in grammar.optional and not equals:
                return word
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

    def _known_letters(self, word: str, table: "Harmless") -> str:
        grammar = table.grammar
        for place, letter in enumerate(word[1:], 1):
            name, rest = grammar.also.get(letter, letter), word[place + 1 :]
            if name in grammar.optional:
                return word[: place + 1] + self._walk.known(rest)
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


def _last(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Piece:
    """One word, or the text between two words.

    Attributes:
        raw: As it stands in the text.
        word: The word as the shell reads it; None between words.
        ends: Between words: a new command begins behind it.
    """

    raw: str
    word: str | None = None
    ends: bool = False

    @property
    def piped(self) -> bool:
        """Whether the output of the command before goes to another program."""
        return self.ends and self.raw.strip().startswith("|") and "||" not in self.raw


def is_shell(text: str) -> bool:
    """Whether *text* may be more than one word to a shell."""
    return any(char in text for char in " \t\n;|&<>()`'\"")


def pieces(text: str) -> Iterator[Piece]:
    """Yield the pieces of *text*; their `raw` together is the text."""
    at = 0
    while at < len(text):
        between = _BETWEEN.match(text, at)
        if between is not None and between[0]:
            yield Piece(between[0], ends=_COMMAND.search(between[0]) is not None)
            at = between.end()
            continue
        begin, word = at, []
        while at < len(text) and (part := _PART.match(text, at)) is not None:
            word.append(_meant(part[0]))
            at = part.end()
        if at == begin:  # cannot be: every character is in one of the two
            at += 1
        yield Piece(text[begin:at], "".join(word))


def quoted(word: str, like: str) -> str:
    """Return *word* in quotes where *like*, as it stood in the text, had quotes around it."""
    mark = like[:1]
    return f"{mark}{word}{mark}" if mark and mark in "'\"" and like.endswith(mark) else word


def _meant(part: str) -> str:
    if part[0] == "'" and len(part) > 1:
        return part[1:-1]
    if part[0] == '"' and len(part) > 1:
        return _ESCAPED_IN_QUOTES.sub(r"\1", part[1:-1])
    return _ESCAPED.sub(r"\1", part) if part[0] == "\\" and len(part) > 1 else part
