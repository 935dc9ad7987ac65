"""Read the configuration file, and find the line of a key in it."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tray.core.dataclass import dataclass
from tray.core.errors import ConfigError
from tray.core.files import content

_MOST_BYTES = 1 << 20
_Settings = TypeVar("_Settings")

KeyPath = tuple[str, ...]
"""The keys that lead from the top of the file to a table or value, such as ("jobs", "home", "sources")."""

Place = tuple[int | None, int | None]
"""Line and column of a key, counted from 1."""

_BARE = r"[A-Za-z0-9_-]+"
_STRING = r""""(?:[^"\\\n]|\\.)*"|'[^'\n]*\'"""
_KEY = f"{_BARE}|{_STRING}"
_DOTTED = rf"(?:{_KEY})(?:[ \t]*\.[ \t]*(?:{_KEY}))*"
_STATEMENT = re.compile(rf"[ \t]*(?P<shown>\[\[?[ \t]*(?P<header>{_DOTTED})|(?P<key>{_DOTTED})[ \t]*=)")
_KEYS = re.compile(_KEY)
_TOKEN = re.compile(r'''"""(?:[^\\]|\\.)*?"{3,5}|\'{3}.*?\'{3,5}|#[^\n]*|[\[\]{}\n]|''' + _STRING, re.DOTALL)

Fault = Callable[[str, str], ConfigError]
"""Makes the error of a table's key ("" for the whole table) and a reason; it knows the file and finds the line."""


def read_text(file: Path) -> str | None:
    """Return the text of the file, None if it is missing.

    Raises:
        ConfigError: It cannot be read, is no regular file, is too large, or is not UTF-8.
    """
    try:
        return content(file, _MOST_BYTES).decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(file, "The file is not UTF-8 text.", line=line) from error
    except OSError as error:
        step = f"Look at it with `ls -l {file}`; `backup-tray doctor` says more."
        raise ConfigError(file, f"It cannot be read: {error.strerror}.", next=step) from error


class Document:
    """A parsed configuration file.

    Attributes:
        file: Path of the file.
        tables: Its content.
    """

    def __init__(self, file: Path, text: str) -> None:
        """Parse *text*.

        Raises:
            ConfigError: It is not TOML, is nested too deeply, or holds a NUL character.
        """
        self.file = file
        self._text = text
        self._places: dict[KeyPath, Place] | None = None
        try:
            self.tables: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"line (\d+), column (\d+)", str(error))
            line, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, None)
            raise ConfigError(file, f"It is not valid TOML: {error}.", line=line, column=column) from error
        except RecursionError as error:
            raise ConfigError(file, "Its tables or lists are nested too deeply.") from error
        except ValueError as error:  # such as a number of thousands of digits
            raise ConfigError(file, f"A value makes no sense: {error}.") from error
        escaped = re.search(r"\\u0000|\\U0{8}", text)
        if escaped is not None and (key := _with_nul(self.tables)) is not None:
            where = text.count("\n", 0, escaped.start()) + 1
            why = f"The value of `{key}` holds a NUL character, which no name or command can."
            raise ConfigError(file, why, line=where)

    def read(self, name: str, parse: Callable[[Mapping[str, Any], Fault], _Settings]) -> _Settings:
        """Return what *parse* makes of the table *name*; a missing table is an empty one.

        Raises:
            ConfigError: It is not a table, or *parse* finds a fault in it.
        """
        return self.checked((name,), self.tables.get(name, {}), parse)

    def checked(
        self, path: KeyPath, table: object, parse: Callable[[Mapping[str, Any], Fault], _Settings]
    ) -> _Settings:
        """Return the result of *parse* for *table*, which stands at *path*; see `read`."""
        fault = partial(self.fault, path)
        if not isinstance(table, dict):
            raise fault("", "it must be a table")
        return parse(table, fault)

    def fault(self, path: KeyPath, key: str, why: str) -> ConfigError:
        """Return the error of *key* ("" for the whole table) in the table at *path*, with its place where it is known."""
        line, column = self.place(*path, key) if key else self.place(*path)
        return ConfigError(self.file, f"In [{toml_name(path)}]: {why}.", line=line, column=column)

    def place(self, *path: str) -> Place:
        """Return line and column of the header or key at *path*, else of the nearest one above it; None twice if unknown."""
        if self._places is None:
            self._places = _places(self._text)
        above = (self._places.get(path[:length]) for length in range(len(path), 0, -1))
        return next((place for place in above if place is not None), (None, None))


def toml_name(path: KeyPath) -> str:
    """Return the keys of *path* as TOML writes them in a table's header."""
    return ".".join(key if re.fullmatch(_BARE, key) else json.dumps(key, ensure_ascii=False) for key in path)


def _places(text: str) -> dict[KeyPath, Place]:
    """Return line and column, counted from 1, of each header and key that begins a statement of *text*, which is valid TOML."""
    places: dict[KeyPath, Place] = {}
    line, at = 1, 0
    for statement in statements(text):
        line, at = line + text.count("\n", at, statement.begin), statement.begin
        place = line, statement.begin - (text.rfind("\n", 0, statement.begin) + 1) + 1
        for length in range(len(statement.table) + 1, len(statement.table) + len(statement.keys) + 1):
            places.setdefault((*statement.table, *statement.keys)[:length], place)
    return places


@dataclass(frozen=True, slots=True)
class Statement:
    """A header, or a key with its value.

    Attributes:
        begin: Where it begins in the text.
        end: Where the next line after it begins.
        table: The keys of the table that a key belongs to; none for a header.
        keys: Its own keys.
        spans: Where each of these keys stands in the text.
        is_header: Whether it begins a table.
    """

    begin: int
    end: int
    table: KeyPath
    keys: KeyPath
    spans: tuple[tuple[int, int], ...]
    is_header: bool


def statements(text: str) -> Iterator[Statement]:
    """Yield each header and each key of *text*, which is valid TOML; keys of inline tables are part of a value."""
    table: KeyPath = ()
    at = 0
    while at < len(text):
        if match := _STATEMENT.match(text, at):
            name = "header" if match["header"] else "key"
            inner = list(_KEYS.finditer(text, match.start(name), match.end(name)))
            keys = tuple(_unquoted(key[0]) for key in inner)
            table, above = (keys, ()) if match["header"] else (table, table)
            spans = tuple(key.span() for key in inner)
            yield Statement(match.start("shown"), _end(text, at), above, keys, spans, match["header"] is not None)
        at = _end(text, at)


def renamed(text: str, path: KeyPath, name: str) -> str:
    """Return *text* with *name* as the last key of *path*, in every header and dotted key; the rest stays as it is."""
    place = len(path) - 1
    for statement in reversed(list(statements(text))):
        if (*statement.table, *statement.keys)[: len(path)] == path and len(statement.table) <= place:
            begin, end = statement.spans[place - len(statement.table)]
            text = text[:begin] + toml_name((name,)) + text[end:]
    return text


def has_header(text: str, path: KeyPath) -> bool:
    """Whether a header begins the table at *path*."""
    return any(statement.is_header and statement.keys == path for statement in statements(text))


def with_lines(text: str, path: KeyPath, lines: Sequence[str]) -> str:
    """Return *text* with *lines*, each a key and its value, at the end of the table that a header at *path* begins."""
    at = None
    for statement in statements(text):
        if (statement.is_header and statement.keys == path) or (at is not None and statement.table == path):
            at = statement.end
        elif at is not None:
            break
    return text if at is None or not lines else _inserted(text, at, "".join(lines))


def with_table(text: str, path: KeyPath, lines: Sequence[str]) -> str:
    """Return *text* with a new table of *lines*, behind the last table beside it, else at the end."""
    beside = [each.end for each in statements(text) if (*each.table, *each.keys)[: len(path) - 1] == path[:-1]]
    at = beside[-1] if beside else len(text)
    behind = "\n" if text[at:].lstrip(" \t")[:1] not in ("", "\n", "\r") else ""
    before = "\n" if text[:at].strip() else ""
    return _inserted(text, at, f"{before}[{toml_name(path)}]\n{''.join(lines)}{behind}")


def _inserted(text: str, at: int, more: str) -> str:
    return text[:at] + ("\n" if text[:at] and text[at - 1] != "\n" else "") + more + text[at:]


def without(text: str, path: KeyPath) -> str:
    """Return *text* without the value at *path*; comments behind its last key stay."""
    spans: list[list[int]] = []
    goes_on = False
    for statement in statements(text):
        below = (*statement.table, *statement.keys)[: len(path)] == path
        if below and goes_on:
            spans[-1][1] = statement.end
        elif below:
            spans.append([text.rfind("\n", 0, statement.begin) + 1, statement.end])
        goes_on = below
    for begin, end in reversed(spans):
        text = text[:begin] + text[end:]
    return text


def _end(text: str, at: int) -> int:
    """Return where the statement that begins at *at* ends: behind a line break that is in no string, list or inline table."""
    depth = 0
    for token in _TOKEN.finditer(text, at):
        if token[0] == "\n" and depth <= 0:
            return token.end()
        depth += (token[0] in ("[", "{")) - (token[0] in ("]", "}"))
    return len(text)


def _unquoted(key: str) -> str:
    return next(iter(tomllib.loads(f"{key}=0"))) if key[0] in "\"'" else key


def _with_nul(data: Mapping[str, Any]) -> str | None:
    """Return the first key that holds a NUL character in itself or in a part of its value; None without one."""
    waiting: list[tuple[str, object]] = list(data.items())
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{key}.{name}", inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(key, inner) for inner in value]
        if "\0" in key or (isinstance(value, str) and "\0" in value):
            return key.replace("\0", "\\u0000")
    return None
