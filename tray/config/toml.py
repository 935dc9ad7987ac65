"""Reading the configuration file: whatever stands there becomes data or a clear error."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tray.core.errors import ConfigError
from tray.core.files import content

_MOST_BYTES = 1 << 20


def text(file: Path) -> str | None:
    """Return the text of the file, None if it is missing.

    Raises:
        ConfigError: It cannot be read, is no regular file, is too large, or is no UTF-8.
    """
    try:
        return content(file, _MOST_BYTES).decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(file, "The file is not UTF-8 text.", line=line) from error
    except OSError as error:
        raise ConfigError(
            file,
            f"It cannot be read: {error.strerror}.",
            next=f"Look at it with `ls -l {file}`; `backup-tray doctor` says more.",
        ) from error


def parse(file: Path, text: str) -> dict[str, Any]:
    """Return the tables of *text*.

    Raises:
        ConfigError: It is no TOML, is nested too deeply, or holds what no name or command can.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise ConfigError(file, f"It is not valid TOML: {error}.", line=line) from error
    except RecursionError as error:
        raise ConfigError(file, "Its tables or lists are nested too deeply.") from error
    except ValueError as error:  # such as a number of thousands of digits
        raise ConfigError(file, f"A value makes no sense: {error}.") from error
    if (key := _with_nul(data)) is not None:
        where = next((at for at, words in enumerate(text.split("\n"), 1) if re.search(r"\\u0000|\\U0{8}", words)), None)
        raise ConfigError(
            file, f"The value of `{key}` holds a NUL character, which no name or command can.", line=where
        )
    return data


def _with_nul(data: Mapping[str, Any]) -> str | None:
    """Return the first key whose value, or a part of it, or which itself holds a NUL character; None without one."""
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
