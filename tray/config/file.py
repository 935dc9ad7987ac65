"""Read the configuration file, and find the line of a key in it."""

import os
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tray.config.toml_text import KeyPath, Place, places, toml_name
from tray.core.errors import ConfigError
from tray.core.files import content

_MOST_BYTES = 1 << 20
_Settings = TypeVar("_Settings")

Fault = Callable[[str, str], ConfigError]
"""Makes the error of a table's key ("" for the whole table) and a reason; it knows the file and finds the line."""


def read_text(file: Path) -> str | None:
    """Return the text of the file, None if it is missing.

    Raises:
        ConfigError: It cannot be read, is no regular file, is too large, or is not UTF-8.
    """
    try:
        return content(file, _MOST_BYTES).decode("utf-8-sig")  # some editors begin a file with U+FEFF
    except FileNotFoundError as error:
        if file.is_symlink():
            why = f"It is a symbolic link to {os.readlink(file)}, which is not there."
            step = f"Bring that file back (is its disk connected?), or remove the link: `rm {shlex.quote(str(file))}`."
            raise ConfigError(file, why, next=step) from error
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
        return ConfigError(
            self.file, f"In [{toml_name(path)}]: {why}{'' if why.endswith('?') else '.'}", line=line, column=column
        )

    def place(self, *path: str) -> Place:
        """Return line and column of the header or key at *path*, else of the nearest one above it; None twice if unknown."""
        if self._places is None:
            self._places = places(self._text)
        above = (self._places.get(path[:length]) for length in range(len(path), 0, -1))
        return next((place for place in above if place is not None), (None, None))


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
