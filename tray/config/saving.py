"""Save a job in the configuration file; apart from reading, since only this needs tomlkit."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.items import InlineTable, Table

from tray import config
from tray.config import file
from tray.config.jobs import Job
from tray.core.dataclass import asdict
from tray.core.paths import Places, private, sync_folder

if sys.platform != "win32":
    import fcntl

_COMMAND_KEYS = (
    *("engine", "sources", "repository", "password_file", "options", "command"),
    *("excludes", "password_command", "environment_file"),
)
_OTHER_KEYS = ("on", "zone", "conditions", "before", "after", "watched", "matches")
HEADER = "# Backup Tray. Comments, and keys that this version does not know, stay when the program saves this file.\n"


def save_job(places: Places, job: Job) -> None:
    """Add *job* to the file, or replace the job of that name; keys of the job's table that only users write stay.

    Raises:
        ConfigError: The present file does not make sense; it is left alone.
        OSError: The folder or the file cannot be written.
    """
    fields = asdict(job)
    values = {key: fields[key] or None for key in _COMMAND_KEYS}
    values |= {key: fields[key] for key in _OTHER_KEYS if fields[key]}
    values |= {key: config.length_text(fields[f"{key}_ms"]) for key in ("every", "max_age") if fields[f"{key}_ms"]}
    with changing(places) as document:
        set_keys(document, job.name, values)


@contextmanager
def changing(places: Places) -> Iterator[TOMLDocument]:
    """Give the parsed file to be changed, and write it back; its comments and unknown keys stay as they are.

    The new text goes to a file beside it, is synced, and takes its place in one step, so readers never see half of it. A symbolic
    link is followed. Two writers at once wait for each other. Nothing is written if the block raises, or if the new text would
    not be a configuration that makes sense.

    Raises:
        ConfigError: The present file or the new text does not make sense; the file is left alone.
        OSError: The folder or the file cannot be written.
    """
    with _locked(private(places.config)):
        config.load(places)
        before = file.read_text(places.config_file)
        document = tomlkit.parse(before or f"{HEADER}version = {config.VERSION}\n")
        yield document
        text = tomlkit.dumps(document)
        if text != before:
            config.settings(file.Document(places.config_file, text))
            _replace(places.config_file.resolve(), text)


def set_keys(document: TOMLDocument, name: str, values: Mapping[str, Any]) -> None:
    """Set the keys of [jobs.*name*], which is made if it is missing; None removes a key."""
    jobs = document.setdefault("jobs", tomlkit.table(is_super_table=True))
    table = jobs.get(name)
    if not isinstance(table, Table | InlineTable):
        table = jobs[name] = tomlkit.table()
    for key, value in values.items():
        if value is not None:
            table[key] = list(value) if isinstance(value, tuple) else value
        elif key in table:
            del table[key]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two writers do not lose each other's job."""
    if sys.platform == "win32":
        yield
    else:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _replace(file: Path, text: str) -> None:
    """Put *text* in the place of *file*, mode 0600, whole or not at all, and durable."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode("utf-8"))
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
    sync_folder(file.parent)
