"""Split a shell's text into simple commands and expand their words, without running anything.

`commands` knows quotes, substitutions, redirections, comments and here-documents. `Shell.expand` replaces variables by the values
that the text itself assigned, and the few substitutions whose result is known without running them (`hostname`, `date +%F`). Each
part whose value only the running shell knows becomes `UNKNOWN`, one character that no word contains otherwise.
"""

import re
import time
from collections.abc import Sequence

from tray.core import regex
from tray.core.dataclass import dataclass, field

UNKNOWN = "\ufffc"
"""Stands in an expanded word for a part that is not known."""
_NAME = regex.compile(r"[A-Za-z_]\w*")
_ASSIGNMENT = regex.compile(r"([A-Za-z_]\w*)\+?=")
_BRACED = regex.compile(r"\{([A-Za-z_]\w*|[0-9]+)(?::?-([^{}$`\"']*))?\}")
_HERE = regex.compile(r"<<(-?)\s*(['\"]?)([A-Za-z_]\w*)\2")
_OPERATORS = ("&&", "||", ";;", "|&", "&", "|", ";", "(", ")", "\n")
_MOST_WORDS = 20_000
_MOST_TEXT = 65_536
"""Greatest length of an expanded word: `a=$a$a` doubles at each line."""
_DEPTH = 20


class OddError(ValueError):
    """The text is no shell text that can be split: a quote or a bracket does not close, or it is too long."""


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command.

    Attributes:
        words: Its words as written, quotes included; redirections are left out.
        starts: Where each word begins in the text.
        operator: The operator behind it: `&&`, `|`, `;`, a line break or "" at the end.
    """

    words: tuple[str, ...]
    starts: tuple[int, ...]
    operator: str


def commands(text: str) -> list[Simple]:
    """Return the simple commands of *text* in their order.

    Raises:
        OddError: It cannot be split.
    """
    return _Splitter(text).split()


class _Splitter:
    """Splits one text; see `commands`."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.simple: list[Simple] = []
        self.words: list[str] = []
        self.starts: list[int] = []
        self.count = 0
        self.redirected = False
        self.heres: list[tuple[bool, str]] = []

    def split(self) -> list[Simple]:
        while self.at < len(self.text):
            self._step(self.text[self.at])
        self._end("")
        return self.simple

    def _step(self, char: str) -> None:
        text, at = self.text, self.at
        if char in " \t\r":
            self.at += 1
        elif text.startswith("\\\n", at):
            self.at += 2
        elif char == "#":
            self.at = _line_end(text, at)
        elif char in "<>" or text.startswith("&>", at):
            self._redirect()
        elif operator := next((sign for sign in _OPERATORS if text.startswith(sign, at)), ""):
            self.at += len(operator)
            self._end(operator)
            if operator == "\n":
                self._skip_here_documents()
        else:
            self._word()

    def _word(self) -> None:
        start = self.at
        self.at = _word_end(self.text, start)
        word = self.text[start : self.at]
        self.count += 1
        if self.count > _MOST_WORDS:
            raise OddError("it has too many words")
        if word.isdecimal() and self.text[self.at : self.at + 1] in ("<", ">"):
            return  # the descriptor of a redirection
        if self.redirected:
            self.redirected = False
            return
        self.words.append(word)
        self.starts.append(start)

    def _redirect(self) -> None:
        if here := _HERE.match(self.text, self.at):
            self.heres.append((bool(here[1]), here[3]))
            self.at = here.end()
            return
        while self.at < len(self.text) and self.text[self.at] in "<>&|":
            self.at += 1
        if self.text[self.at : self.at + 1] == "(":  # <( … ): its command is not known here
            self.at = _closing(self.text, self.at)
        else:
            self.redirected = True

    def _skip_here_documents(self) -> None:
        for strip, mark in self.heres:
            while self.at < len(self.text):
                end = _line_end(self.text, self.at)
                line = self.text[self.at : end]
                self.at = min(end + 1, len(self.text))
                if (line.lstrip("\t") if strip else line) == mark:
                    break
        self.heres = []

    def _end(self, operator: str) -> None:
        if self.words:
            self.simple.append(Simple(tuple(self.words), tuple(self.starts), operator))
        self.words, self.starts, self.redirected = [], [], False


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _word_end(text: str, at: int) -> int:
    """Return where the word ends that begins at *at*."""
    while at < len(text) and text[at] not in " \t\r\n;&|<>()":
        at = _past(text, at)
    return at


def _past(text: str, at: int, depth: int = 0) -> int:
    """Return the index behind the character, quoted part or substitution that begins at *at*."""
    char = text[at]
    if char == "\\":
        return min(at + 2, len(text))
    if char == "'":
        end = text.find("'", at + 1)
        if end < 0:
            raise OddError("a quote does not close")
        return end + 1
    if char == '"':
        return _past_quoted(text, at + 1, depth)
    if char == "`":
        end = text.find("`", at + 1)
        if end < 0:
            raise OddError("a substitution does not close")
        return end + 1
    if char == "$" and text[at + 1 : at + 2] in ("(", "{"):
        return _closing(text, at + 1, depth)
    return at + 1


def _past_quoted(text: str, at: int, depth: int) -> int:
    while at < len(text) and text[at] != '"':
        at = _past(text, at, depth) if text[at] in "\\`$" else at + 1
    if at >= len(text):
        raise OddError("a quote does not close")
    return at + 1


def _closing(text: str, at: int, depth: int = 0) -> int:
    """Return the index behind the bracket that closes the one at *at*."""
    if depth > _DEPTH:
        raise OddError("its brackets are nested too deeply")
    opens, closes, level = text[at], {"(": ")", "{": "}"}[text[at]], 0
    while at < len(text):
        char = text[at]
        level += (char == opens) - (char == closes)
        if not level:
            return at + 1
        at = _past(text, at, depth + 1) if char in "\\'\"`$" else at + 1
    raise OddError("a bracket does not close")


@dataclass(slots=True)
class Shell:
    """The state of a shell as far as its text tells.

    Attributes:
        variables: Variables that have a known value, or `UNKNOWN` in it.
        folder: Its working folder; None if that is not known.
        host: The machine's name.
        user: The user's name.
        now: The moment that `date` prints, in seconds since 1970.
        arguments: `$0`, `$1` and so on.
    """

    variables: dict[str, str] = field(default_factory=dict)
    folder: str | None = None
    host: str = ""
    user: str = ""
    now: float = 0.0
    arguments: tuple[str, ...] = ()

    def expand(self, words: Sequence[str]) -> list[str]:
        """Return the words as a program gets them; one word may become none or several."""
        return [text for word in words for text in self._word(word)]

    def assign(self, word: str) -> bool:
        """Take the assignment *word* (`NAME=value`); return False if it is none."""
        match = _ASSIGNMENT.match(word)
        if match is None:
            return False
        value = self.value(word[match.end() :])
        before = self.variables.get(match[1], "") if match[0].endswith("+=") else ""
        self.variables[match[1]] = (before + value)[:_MOST_TEXT]
        return True

    def value(self, word: str) -> str:
        """Return *word* expanded and not split, as in an assignment."""
        return "".join(text for text, _ in self._parts(word))

    def _word(self, word: str) -> list[str]:
        if word in ('"$@"', "$@", "$*"):
            return list(self.arguments[1:]) if self.arguments else [UNKNOWN]
        grown, split = [""], False
        for text, splits in self._parts(word):
            if not splits:
                grown[-1] += text
                continue
            split = True
            pieces = re.split(r"[ \t\n]+", text)
            grown[-1] += pieces[0]
            grown += pieces[1:]
        return [text for text in grown if text] if split else grown

    def _parts(self, word: str) -> list[tuple[str, bool]]:
        """Return the parts of *word*, each with whether blanks in it split the word."""
        parts: list[tuple[str, bool]] = []
        at, length = 0, 0
        if word == "~" or word.startswith("~/"):
            parts, at = [(self.variables.get("HOME", UNKNOWN), False)], 1
        while at < len(word) and length < _MOST_TEXT:
            end = _past(word, at)
            part = self._part(word[at:end], word, at)
            if part is None:
                end, part = self._variable(word, at, quoted=False)
            parts.append(part)
            length += len(part[0])
            at = end
        return parts

    def _part(self, raw: str, word: str, at: int) -> tuple[str, bool] | None:
        """Return one part; None for a variable without braces, whose end is not that of *raw*."""
        if raw[0] == "'":
            return raw[1:-1], False
        if raw[0] == '"':
            return self._quoted(raw[1:-1]), False
        if raw[0] == "\\":
            return raw[1:], False
        if raw[0] == "`":
            return self.substituted(raw[1:-1]), True
        if raw[0] == "$":
            return None
        if raw in "*?" or (raw == "{" and re.match(r"\{[^\s{}]*(?:,|\.\.)[^\s{}]*\}", word[at:])):
            return UNKNOWN, False  # only the shell knows which files there are
        return raw, False

    def _quoted(self, raw: str) -> str:
        grown, at = "", 0
        while at < len(raw) and len(grown) < _MOST_TEXT:
            if raw[at] == "\\":
                kept = raw[at + 1 : at + 2] in tuple('$`"\\\n')
                grown += raw[at + 1 : at + 2] if kept else raw[at : at + 2]
                at += 2
            elif raw[at] == "`":
                end = _past(raw, at)
                grown += self.substituted(raw[at + 1 : end - 1])
                at = end
            elif raw[at] == "$":
                at, (text, _) = self._variable(raw, at, quoted=True)
                grown += text
            else:
                grown, at = grown + raw[at], at + 1
        return grown

    def _variable(self, word: str, at: int, *, quoted: bool) -> tuple[int, tuple[str, bool]]:
        """Return the end and the value of the variable or substitution at *at*."""
        rest = word[at + 1 :]
        if rest.startswith("("):
            end = _closing(word, at + 1)
            inner = word[at + 2 : end - 1]
            return end, (UNKNOWN if inner.startswith("(") else self.substituted(inner), not quoted)
        if rest.startswith("{"):
            end = _closing(word, at + 1)
            braced = _BRACED.fullmatch(word[at + 1 : end])
            return end, (UNKNOWN if braced is None else self._named(braced[1], braced[2]), not quoted)
        if name := _NAME.match(rest):
            return at + 1 + name.end(), (self._named(name[0], None), not quoted)
        if rest[:1].isdecimal():
            return at + 2, (self._named(rest[0], None), not quoted)
        if rest[:1] in tuple("?#$!@*-"):
            return at + 2, (UNKNOWN, not quoted)
        return at + 1, ("$", False)

    def _named(self, name: str, default: str | None) -> str:
        if name.isdecimal():
            number = int(name[:4])
            value = self.arguments[number] if number < len(self.arguments) else None
        else:
            value = self.variables.get(name)
        if value:
            return value
        return UNKNOWN if default is None and value is None else default or ""

    def substituted(self, text: str) -> str:
        """Return the output of the command *text* where that is known without running it, else `UNKNOWN`."""
        try:
            simple = commands(text)
        except OddError:
            return UNKNOWN
        if len(simple) != 1 or len(simple[0].words) > 4:
            return UNKNOWN
        words = self.expand(simple[0].words)
        match words:
            case ["hostname"] | ["uname", "-n"] | ["hostnamectl", "hostname"]:
                return self.host or UNKNOWN
            case ["hostname", "-s" | "--short"]:
                return self.host.partition(".")[0] or UNKNOWN
            case ["whoami"] | ["id", "-un"] | ["logname"]:
                return self.user or UNKNOWN
            case ["pwd"]:
                return self.folder or UNKNOWN
            case ["dirname", path] if UNKNOWN not in path:
                return path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")
            case ["basename", path] if UNKNOWN not in path:
                return path.rstrip("/").rpartition("/")[2]
            case ["date", *options]:
                return self._date(options)
        return UNKNOWN

    def _date(self, options: Sequence[str]) -> str:
        """Return the output of `date` for the plain cases: a format, UTC, `-I`."""
        moment = time.gmtime(self.now) if {"-u", "--utc"} & set(options) else time.localtime(self.now)
        rest = [option for option in options if option not in ("-u", "--utc")]
        if rest in (["-I"], ["--iso-8601"]):
            return time.strftime("%Y-%m-%d", moment)
        if len(rest) == 1 and rest[0].startswith("+") and re.fullmatch(r"[\w%:./ -]{1,60}", rest[0][1:]):
            return time.strftime(rest[0][1:].replace("%s", str(int(self.now))), moment)
        return UNKNOWN
