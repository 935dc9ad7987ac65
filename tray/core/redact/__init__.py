"""Hide passwords before anything leaves the process: the audit log, run logs, IPC, notifications and the screen.

Of a command line only what is known to be harmless is shown (`command`). A `Redactor` learns the secrets of one command: what was
masked in its command line, values of variables whose names say that they are secret or that look like one, and passwords in
addresses. It hides them wherever they occur, in the forms that programs print them (`forms`), and also what shows as a secret by
its place or form (`patterns`). Ordinary words are never hidden, also where one of them is a password (`plain`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, cast

from tray.core import regex
from tray.core.redact import forms, patterns
from tray.core.redact.command import Harmless, Rules, Walk
from tray.core.redact.forms import printed_file, printed_words
from tray.core.redact.names import STATES, is_credential_file, is_quiet_name, is_secret_name, names_secret_file
from tray.core.redact.patterns import HIDDEN
from tray.core.redact.plain import is_worth_learning

if TYPE_CHECKING:
    from tray.core.redact.command import Programs

__all__ = ["HIDDEN", "OVERLAP", "Harmless", "Lines", "Redactor", "Rules", "Wary", "is_secret_name"]

_LONGEST_VALUE = 131_072
_WORD = regex.compile(r"[^\s\"'<>()\[\]{},;:=]{8,}")
_HASH = regex.compile(r"[0-9a-f.]{8,128}")
_DEFAULT = Rules()
OVERLAP = 8192
"""Of an unfinished line so much is held back until its next piece comes: a secret may begin there."""
_LONG = 65_536
_MOST_LINES = 500
"""A private key has no more lines; who prints a beginning without an end does not blank the rest of the log."""
_BEGIN = regex.compile(rb"-----BEGIN [A-Z0-9 ]{0,60}PRIVATE KEY(?: BLOCK)?-----")
_END = regex.compile(rb"-----END [A-Z0-9 ]{0,60}PRIVATE KEY(?: BLOCK)?-----")


class Redactor:
    """Hides the secrets of one command. Cheap for lines that hold none, and hiding twice changes nothing more.

    Attributes:
        files: Files that hold a secret, by what command line and environment say; a caller that may read them calls `learn`.
        doubts: Words of the command that are masked although they may be no secrets.
    """

    __slots__ = ("_argv", "_forms", "_known", "_rules", "_secrets", "_shown", "doubts", "files")

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], rules: Rules = _DEFAULT) -> None:
        self._rules = rules
        self._argv, (walk, self._shown) = tuple(argv), _walked(argv, rules)
        secrets = walk.secrets
        _from_environ(environ, secrets, walk.files, self._shown)
        self.files, self.doubts = tuple(dict.fromkeys(walk.files)), tuple(walk.doubts)
        self._take(forms.learnt(secrets))

    def learn(self, secrets: Iterable[str]) -> None:
        """Hide *secrets* too from now on."""
        self._take(self._secrets | forms.learnt(secrets))

    def text(self, text: str) -> str:
        """Return *text* with every secret replaced by `***`."""
        if self._known is not None and any(form in text for form in self._forms):
            text = self._known.sub(HIDDEN, text)
        return patterns.hide(text)

    def bytes(self, raw: bytes) -> bytes:
        """Return *raw* with every secret replaced; bytes that are no UTF-8 stay as they are."""
        return self.text(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def argv(self, argv: Sequence[str]) -> list[str]:
        """Return the command as it may be shown."""
        if not argv:
            return []
        shown = self._shown if tuple(argv) == self._argv else _walked(argv, self._rules)[1]
        return [self.text(word) for word in shown]

    def _take(self, secrets: frozenset[str]) -> None:
        self._secrets = secrets
        self._forms, self._known = forms.pattern(secrets)


class Wary(Redactor):
    """A redactor for an output whose command is not known: it hides also words that only look like a secret."""

    __slots__ = ()

    def text(self, text: str) -> str:
        """Return *text* with every secret, and every word drawn by chance, replaced by `***`; hashes stay."""
        return _WORD.sub(_wary, super().text(text))


def _wary(word: "re.Match[str]") -> str:
    return HIDDEN if is_worth_learning(word[0]) and not _HASH.fullmatch(word[0]) else word[0]


def _walked(argv: Sequence[str], rules: Rules) -> tuple[Walk, list[str]]:
    """Walk along a command. A mistake of ours in it must neither stop a backup nor show a secret: then all words are masked."""
    if not argv:
        return Walk(cast("Programs", None), rules), []
    walk = Walk(_programs(), rules)
    try:
        return walk, walk.command(argv)
    except Exception:
        walk.secrets.update(word for word in argv if is_worth_learning(word))
        return walk, [HIDDEN for _ in argv]


def _programs() -> "Programs":
    """Return those who know the programs: the adapters. They stand above this module, which asks them only about commands."""
    return cast("Programs", import_module("tray.engines"))


def _from_environ(environ: Mapping[str, str], secrets: set[str], files: list[str], shown: Iterable[str]) -> None:
    """Learn from the environment. A value without a telling name that stands in the command as shown is no secret."""
    seen = ""
    for name, value in environ.items():
        if not value or len(value) > _LONGEST_VALUE:
            continue
        if names_secret_file(name):
            files.append(value)
        elif is_secret_name(name):
            if file := printed_file(value):
                files.append(file)
            elif value.lower() not in STATES and not is_credential_file(name, value):
                secrets.update((value, printed_words(value)))
                patterns.hide(value, secrets)
        elif "@" in value or "BEGIN" in value:
            patterns.hide(patterns.address(value, secrets), secrets)
        elif not is_quiet_name(name) and is_worth_learning(value):
            seen = seen or "\0".join(shown)
            if value not in seen:
                secrets.add(value)


class Lines:
    """The lines of one stream."""

    __slots__ = ("_held", "_inside", "_redactor")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor, self._held, self._inside = redactor, b"", 0

    def take(self, raw: bytes) -> bytes:
        """Return of the next line, or piece of one, what may be kept now."""
        whole = self._held + raw
        self._held = b""
        shown = self._hidden(whole)
        if len(raw) >= _LONG and not raw.endswith((b"\n", b"\r")):
            self._held = shown[-OVERLAP:]
            return shown[:-OVERLAP]
        return shown

    def rest(self) -> bytes:
        """Return what is held back."""
        held, self._held = self._held, b""
        return held

    def _hidden(self, raw: bytes) -> bytes:
        if self._inside:
            end = _END.search(raw)
            self._inside = 0 if end is not None else self._inside - 1
            raw = HIDDEN.encode() + (raw[len(raw.rstrip(b"\r\n")) :] if end is None else raw[end.start() :])
        if b"-----BEGIN " in raw and (begun := list(_BEGIN.finditer(raw))) and not _END.search(raw, begun[-1].end()):
            self._inside = _MOST_LINES
        return self._redactor.bytes(raw)
