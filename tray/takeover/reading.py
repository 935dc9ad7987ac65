"""Read other programs' files and ask other programs, within limits: strangers may have written those files.

A file is read only if it is a regular one of limited size; a pipe or a device is left alone. Each question to a program has a limit
in time and in length. Nothing that stands in a file is run.
"""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tray.core import files
from tray.takeover import yaml_text

MOST_SCRIPT = 128 * 1024
MOST_CONFIG = 512 * 1024
_MOST_NAMES = 500
_MOST_OUTPUT = 4 * 1024 * 1024
_MOST_COMPLAINT = 200
_SECONDS = 15.0


class RefusedError(Exception):
    """A program that only reads was there and failed; the text is the first line of its complaint."""


class UnreadableError(Exception):
    """A file cannot be used; the text says why, in words that follow its name."""


def text(path: str, most: int = MOST_CONFIG) -> str:
    """Return the text of the regular file *path*.

    Raises:
        UnreadableError: It cannot be read, is no regular file, is longer than *most* bytes, or is no text.
    """
    try:
        raw = files.content(path, most)
    except OSError as error:
        raise UnreadableError(f"{error.strerror or error}") from error
    except ValueError as error:
        raise UnreadableError("its name holds a NUL character") from error
    if b"\0" in raw:
        raise UnreadableError("it is no text")
    return raw.decode("utf-8-sig", "replace").replace("\r\n", "\n")


def script(path: str) -> str | None:
    """Return the text of a script, None if it cannot be read, is too long or is no text."""
    try:
        return text(path, MOST_SCRIPT)
    except UnreadableError:
        return None


def exists(path: str) -> bool:
    """Whether there is something at *path*, readable or not."""
    return os.path.lexists(path)


def names(folder: str) -> list[str]:
    """Return the sorted names in a folder, at most 500; none if it cannot be read."""
    try:
        with os.scandir(folder) as items:
            listed = [item.name for _, item in zip(range(_MOST_NAMES), items, strict=False)]
    except (OSError, ValueError):
        return []
    return sorted(listed)


def ask(argv: Sequence[str]) -> str | None:
    """Return the output of a command that only reads; None if it is missing, is too slow or says too much.

    Raises:
        RefusedError: It failed.
    """
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**_session(), **os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        raise RefusedError(done.stderr.decode("utf-8", "replace").strip().partition("\n")[0][:_MOST_COMPLAINT])
    if len(done.stdout) > _MOST_OUTPUT:
        return None
    return done.stdout.decode("utf-8", "replace")


def _session() -> dict[str, str]:
    """Return the place of the user's own systemd, which cron, ssh and `su` do not set."""
    folder = f"/run/user/{os.geteuid()}" if hasattr(os, "geteuid") else ""
    return {"XDG_RUNTIME_DIR": folder} if folder and os.path.isdir(folder) else {}


def settings(path: str) -> dict[str, Any]:
    """Return the content of a configuration file in TOML, JSON or YAML, by the end of its name.

    Raises:
        UnreadableError: It cannot be read or does not make sense.
    """
    content = text(path)
    kind = Path(path).suffix.lower()
    try:
        if kind in (".toml", ".conf"):
            return tomllib.loads(content)
        if kind == ".json":
            data = json.loads(content)
        else:
            data = yaml_text.load(content)
    except yaml_text.OddYamlError as error:
        raise UnreadableError(str(error)) from error
    except (ValueError, RecursionError) as error:  # the words may quote a password
        place = re.search(r"line \d{1,9}", str(error))
        name = "JSON" if kind == ".json" else "TOML"
        raise UnreadableError(f"it is no {name}" + (f" in {place[0]}" if place else "")) from error
    if not isinstance(data, dict):
        raise UnreadableError("it holds no settings")
    return data
