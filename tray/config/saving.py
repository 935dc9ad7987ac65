"""Save a job in the configuration file; apart from reading, since only this needs tomlkit."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tomlkit
from tomlkit.items import Table

from tray import config
from tray.config import Job, file
from tray.core.dataclass import asdict
from tray.core.paths import Places, private, sync_folder

if sys.platform != "win32":
    import fcntl

HEADER = "# Backup Tray. Comments, and keys that this version does not know, stay when the program saves this file.\n"


def save_job(places: Places, job: Job) -> None:
    """Add *job* to the file, or replace the job of that name; everything else in the file stays as it is.

    The new text goes to a file beside it, is synced, and takes its place in one step, so readers never see half of it. A symbolic
    link is followed. Two writers at once wait for each other.

    Raises:
        ConfigError: The present file does not make sense; it is left alone.
        OSError: The folder or the file cannot be written.
    """
    with _locked(private(places.config)):
        config.load(places)
        document = tomlkit.parse(file.read_text(places.config_file) or f"{HEADER}version = {config.VERSION}\n")
        jobs = document.setdefault("jobs", tomlkit.table(is_super_table=True))
        table = jobs.get(job.name)
        if not isinstance(table, Table):
            table = jobs[job.name] = tomlkit.table()
        values = asdict(job)
        del values["name"]
        for key, value in values.items():
            if value:
                table[key] = list(value) if isinstance(value, tuple) else value
            elif key in table:
                del table[key]
        _replace(places.config_file.resolve(), tomlkit.dumps(document))


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
