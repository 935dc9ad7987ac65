"""Save jobs in the configuration file."""

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tray import config
from tray.config import file, toml_text
from tray.config.jobs import Job
from tray.core.dataclass import asdict
from tray.core.errors import ConfigWriteError
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
        ConfigWriteError: The file cannot be written.
    """
    fields = asdict(job)
    values = {key: fields[key] or None for key in _COMMAND_KEYS}
    values |= {key: fields[key] for key in _OTHER_KEYS if fields[key]}
    values |= {
        key: config.length_text(fields[f"{key}_ms"]) for key in ("every", "max_age", "delay") if fields[f"{key}_ms"]
    }
    change(places, lambda text: with_keys(text, job.name, values))


def change(places: Places, edit: Callable[[str], str]) -> tuple[str, str]:
    """Replace the text of the file by *edit* of it, and return both. A missing file is begun.

    The new text goes to a file beside it, is synced, and takes its place in one step, so readers never see half of it. A symbolic
    link is followed. Two writers at once wait for each other. Nothing is written if *edit* raises, or if the general settings of
    the new text make no sense.

    Raises:
        ConfigError: The present file or the new text does not make sense; the file is left alone.
        ConfigWriteError: The file cannot be written; it is as before.
    """
    with locked(places):
        config.load(places)
        present = file.read_text(places.config_file)
        before = present if present is not None else f"{HEADER}version = {config.VERSION}\n"
        after = edit(before)
        if after != present:
            config.settings(file.Document(places.config_file, after))
            try:
                _replace(places.config_file.resolve(), after)
            except OSError as error:
                raise ConfigWriteError(places.config_file, error) from error
        return before, after


def with_keys(text: str, name: str, values: Mapping[str, Any], *below: str) -> str:
    """Return *text* with these keys in [jobs.*name*], or in its table *below*; it is made if it is missing. None removes a key."""
    return toml_text.with_keys(text, ("jobs", name, *below), values)


def renamed(text: str, old: str, new: str) -> str:
    """Return *text* in which the job *old* is called *new*; its place and its comments stay."""
    return toml_text.renamed(text, ("jobs", old), new)


def without(text: str, name: str) -> str:
    """Return *text* without the job *name*; comments that stand behind its last key stay."""
    return toml_text.without(text, ("jobs", name))


class _Held(threading.local):
    """Whether the present thread holds the lock."""

    now = False


_held = _Held()


@contextmanager
def locked(places: Places) -> Iterator[None]:
    """Hold the configuration's lock, so that two writers lose neither each other's job nor the record of it.

    A thread may take it again while it holds it.

    Raises:
        UnsafeFolderError: The folder is not private.
        ConfigWriteError: The folder cannot be made.
    """
    try:
        folder = private(places.config)
    except OSError as error:
        raise ConfigWriteError(places.config_file, error) from error
    with _held_by_us(folder, wait=True):
        yield


@contextmanager
def at_rest(places: Places) -> Iterator[bool]:
    """Keep writers away from the configuration; the value is False, at once, while another process changes it."""
    with ExitStack() as stack:
        try:
            free = stack.enter_context(_held_by_us(places.config, wait=False))
        except OSError:  # without the folder there is no writer
            free = True
        yield free


@contextmanager
def _held_by_us(folder: Path, *, wait: bool) -> Iterator[bool]:
    if sys.platform == "win32" or _held.now:
        yield True
    else:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                _held.now = True
            yield _held.now
        finally:
            _held.now = False
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
