"""Find and change keys in the text of a TOML file, so that every other sign stays where it is. Pure; the text is valid TOML."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from tray.core.dataclass import dataclass

KeyPath = tuple[str, ...]
"""The keys that lead from the top of the file to a table or value, such as ("jobs", "home", "sources")."""

Place = tuple[int | None, int | None]
"""Line and column of a key, counted from 1."""

_BARE = r"[A-Za-z0-9_-]+"
_STRING = r""""(?:[^"\\\n]|\\.)*"|'[^'\n]*\'"""
_KEY = f"{_BARE}|{_STRING}"
_DOTTED = rf"(?:{_KEY})(?:[ \t]*\.[ \t]*(?:{_KEY}))*"
_STATEMENT = re.compile(rf"[ \t]*(?P<shown>\[\[?[ \t]*(?P<header>{_DOTTED})|(?P<key>{_DOTTED})[ \t]*=[ \t]*)")
_KEYS = re.compile(_KEY)
_TOKEN = re.compile(r'''"""(?:[^\\]|\\.)*?"{3,5}|\'{3}.*?\'{3,5}|#[^\n]*|[\[\]{}\n]|''' + _STRING, re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """A header, or a key with its value.

    Attributes:
        begin: Where it begins in the text.
        end: Where the next line after it begins.
        table: The keys of the table that a key belongs to; none for a header.
        keys: Its own keys.
        spans: Where each of these keys stands in the text.
        value: Where the value of a key stands; None for a header.
    """

    begin: int
    end: int
    table: KeyPath
    keys: KeyPath
    spans: tuple[tuple[int, int], ...]
    value: tuple[int, int] | None

    @property
    def path(self) -> KeyPath:
        """All keys from the top of the file."""
        return (*self.table, *self.keys)


def statements(text: str) -> Iterator[Statement]:
    """Yield each header and each key of *text*; keys of inline tables are part of a value."""
    table: KeyPath = ()
    at = 0
    while at < len(text):
        stop, end = _end(text, at)
        if match := _STATEMENT.match(text, at):
            name = "header" if match["header"] else "key"
            inner = list(_KEYS.finditer(text, match.start(name), match.end(name)))
            keys, spans = tuple(_unquoted(key[0]) for key in inner), tuple(key.span() for key in inner)
            table, above = (keys, ()) if match["header"] else (table, table)
            value = None if match["header"] else (match.end(), match.end() + len(text[match.end() : stop].rstrip()))
            yield Statement(match.start("shown"), end, above, keys, spans, value)
        at = end


def places(text: str) -> dict[KeyPath, Place]:
    """Return line and column of each header and key that begins a statement of *text*."""
    found_places: dict[KeyPath, Place] = {}
    line, at = 1, 0
    for statement in statements(text):
        line, at = line + text.count("\n", at, statement.begin), statement.begin
        place = line, statement.begin - (text.rfind("\n", 0, statement.begin) + 1) + 1
        for length in range(len(statement.table) + 1, len(statement.path) + 1):
            found_places.setdefault(statement.path[:length], place)
    return found_places


def toml_name(path: KeyPath) -> str:
    """Return the keys of *path* as TOML writes them in a table's header."""
    return ".".join(key if re.fullmatch(_BARE, key) else json.dumps(key, ensure_ascii=False) for key in path)


def toml_value(value: Any) -> str:
    """Return *value*, of texts, numbers, truth values, lists and tables of them, as TOML writes it on one line."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{toml_name((key,))} = {toml_value(inner)}" for key, inner in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, str):  # a basic string of TOML, but for DEL, is one of JSON
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else str(value)


def with_keys(text: str, path: KeyPath, values: Mapping[str, Any]) -> str:
    """Return *text* with these keys in the table at *path*, which is made if it is missing; None removes a key."""
    if (holder := _holder(text, path)) is not None:
        return _with_inline(text, holder, path, values)
    for key, value in values.items():
        here = next((each for each in statements(text) if each.path == (*path, key)), None)
        if value is not None and here is not None and here.value is not None:
            text = _put(text, here.value, toml_value(value))
        else:
            text = without(text, (*path, key))
            text = text if value is None else _with_new(text, path, key, value)
    there = any(each.path[: len(path)] == path for each in statements(text))
    return text if there else _with_table(text, path, "")


def without(text: str, path: KeyPath) -> str:
    """Return *text* without the value at *path*; comments behind its last key stay."""
    if (holder := _holder(text, path[:-1])) is not None:
        return _with_inline(text, holder, path[:-1], {path[-1]: None})
    spans: list[list[int]] = []
    goes_on = False
    for statement in statements(text):
        below = statement.path[: len(path)] == path
        if below and goes_on:
            spans[-1][1] = statement.end
        elif below:
            spans.append([text.rfind("\n", 0, statement.begin) + 1, statement.end])
        goes_on = below
    for begin, end in reversed(spans):
        text = text[:begin] + text[end:]
    return text


def renamed(text: str, path: KeyPath, name: str) -> str:
    """Return *text* with *name* as the last key of *path*, in every header, dotted key and inline table; the rest stays."""
    if (holder := _holder(text, path[:-1])) is not None and holder.value is not None:
        table = _value_at(text, path[:-1])
        moved = {name if key == path[-1] else key: value for key, value in table.items()}
        return _with_inline(text, holder, path[:-1], moved, anew=True)
    place = len(path) - 1
    for statement in reversed(list(statements(text))):
        if statement.path[: len(path)] == path and len(statement.table) <= place:
            text = _put(text, statement.spans[place - len(statement.table)], toml_name((name,)))
    return text


def _holder(text: str, path: KeyPath) -> Statement | None:
    """Return the key whose value is an inline table in which the table at *path* stands, or would; None if there is none."""
    keys = (each for each in statements(text) if each.value is not None)
    return next((each for each in keys if each.path and each.path == path[: len(each.path)]), None)


def _value_at(text: str, path: KeyPath) -> dict[str, Any]:
    content: Any = tomllib.loads(text)
    for key in path:
        content = content.get(key, {})
    return dict(content)


def _with_inline(text: str, holder: Statement, path: KeyPath, values: Mapping[str, Any], *, anew: bool = False) -> str:
    """Return *text* with these keys in the table at *path*, which stands in the value of *holder*; *anew* without its others."""
    whole = _value_at(text, holder.path)
    table = whole
    for key in path[len(holder.path) :]:
        table[key] = table = dict(table.get(key, {}))
    if anew:
        table.clear()
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    assert holder.value is not None
    return _put(text, holder.value, toml_value(whole))


def _with_new(text: str, path: KeyPath, key: str, value: Any) -> str:
    """Return *text* with one more key of the table at *path*: behind its last one, else in a new table."""
    all_of_it = list(statements(text))
    headers = [number for number, each in enumerate(all_of_it) if each.value is None and each.path == path]
    if headers:
        own = takewhile(lambda each: each.table == path, all_of_it[headers[0] + 1 :])
        last = [all_of_it[headers[0]], *own][-1]
        return _inserted(text, last.end, f"{toml_name((key,))} = {toml_value(value)}\n")
    dotted = [each for each in all_of_it if each.value is not None and each.path[: len(path)] == path]
    if dotted and len(dotted[-1].table) < len(path):
        name = toml_name((*path, key)[len(dotted[-1].table) :])
        return _inserted(text, dotted[-1].end, f"{name} = {toml_value(value)}\n")
    return _with_table(text, path, f"{toml_name((key,))} = {toml_value(value)}\n")


def _with_table(text: str, path: KeyPath, line: str) -> str:
    """Return *text* with a new table of *line* behind its neighbours, else at the end."""
    beside = [each.end for each in statements(text) if each.path[: len(path) - 1] == path[:-1]]
    at = beside[-1] if beside else len(text)
    behind = "\n" if text[at:].lstrip(" \t")[:1] not in ("", "\n", "\r") else ""
    before = "\n" if text[:at].strip() else ""
    return _inserted(text, at, f"{before}[{toml_name(path)}]\n{line}{behind}")


def _put(text: str, span: tuple[int, int], words: str) -> str:
    return text[: span[0]] + words + text[span[1] :]


def _inserted(text: str, at: int, more: str) -> str:
    more = ("\n" if text[:at] and text[at - 1] != "\n" else "") + more
    if text[: text.find("\n")].endswith("\r"):  # as the file ends its lines
        more = more.replace("\n", "\r\n")
    return text[:at] + more + text[at:]


def _end(text: str, at: int) -> tuple[int, int]:
    """Return where the statement that begins at *at* ends, without a comment, and where the next line begins.

    A line break in a string, list or inline table does not end it.
    """
    depth, stop = 0, None
    for token in _TOKEN.finditer(text, at):
        if depth <= 0 and token[0][0] in "#\n":
            stop = token.start() if stop is None else stop
            if token[0] == "\n":
                return stop, token.end()
        depth += (token[0] in ("[", "{")) - (token[0] in ("]", "}"))
    return len(text) if stop is None else stop, len(text)


def _unquoted(key: str) -> str:
    return next(iter(tomllib.loads(f"{key}=0"))) if key[0] in "\"'" else key
