"""Read the configuration file, and find the line of a key in it."""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

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
        self._lines = text.split("\n")
        try:
            self.tables: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"line (\d+)", str(error))
            line = int(place[1]) if place else len(self._lines)
            raise ConfigError(file, f"It is not valid TOML: {error}.", line=line) from error
        except RecursionError as error:
            raise ConfigError(file, "Its tables or lists are nested too deeply.") from error
        except ValueError as error:  # such as a number of thousands of digits
            raise ConfigError(file, f"A value makes no sense: {error}.") from error
        if (key := _with_nul(self.tables)) is not None:
            numbered = enumerate(self._lines, 1)
            where = next((number for number, line in numbered if re.search(r"\\u0000|\\U0{8}", line)), None)
            why = f"The value of `{key}` holds a NUL character, which no name or command can."
            raise ConfigError(file, why, line=where)

    def read(self, name: str, parse: Callable[[Mapping[str, Any], Fault], _Settings]) -> _Settings:
        """Return what *parse* makes of the table *name*; a missing table is an empty one.

        Raises:
            ConfigError: It is not a table, or *parse* finds a fault in it.
        """
        return self.checked(name, self.tables.get(name, {}), parse)

    def checked(self, name: str, table: object, parse: Callable[[Mapping[str, Any], Fault], _Settings]) -> _Settings:
        """Return what *parse* makes of *table*, whose faults are those of [*name*]; see `read`."""
        if not isinstance(table, dict):
            raise self.fault(name, "", "it must be a table")
        return parse(table, partial(self.fault, name))

    def fault(self, table: str, key: str, why: str) -> ConfigError:
        """Return the error of *key* ("" for the whole table), with its line where it is known."""
        line = self.line(table, key) or self.line("", table.partition(".")[0])
        return ConfigError(self.file, f"In [{table}]: {why}.", line=line)

    def line(self, table: str, key: str) -> int | None:
        """Return the line of *key* in [*table*], "" being the top; of the table's header if *key* is empty."""
        inside = not table
        for number, line in enumerate(self._lines, 1):
            if header := re.match(r"\s*\[+\s*(.*?)\s*\]", line):
                inside = re.sub("[\"']", "", header[1]) == table
                if inside and not key:
                    return number
            elif inside and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return number
        return None


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
