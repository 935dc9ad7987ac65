"""Give a check a private folder for the files that it restores, one check of a job at a time, and remove it whatever comes."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from tray.core.errors import AlreadyRunningError
from tray.core.locks import FileLock
from tray.core.paths import Places, private

FOLDER = "restored"


@contextmanager
def workspace(here: Places, job: str) -> Iterator[Path]:
    """Give a private, empty folder for restored files, and remove it afterwards; also one that a killed check has left.

    Raises:
        AlreadyRunningError: Another check of the job uses it.
        UnsafeFolderError, OSError: It cannot be made.
    """
    name = sha256(job.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    parent = private(private(here.state) / FOLDER)
    with FileLock(parent / f"{name}.lock") as lock:
        if not lock.acquire():
            raise AlreadyRunningError(f"The check of {job}")
        folder = parent / name
        try:
            _remove(folder)
            folder.mkdir(mode=0o700)
            yield folder
        finally:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove *folder*; restored folders may be read-only."""

    def unlock(act: Callable[[str], object], path: str, _: object) -> None:
        with suppress(OSError):
            os.chmod(os.path.dirname(path), stat.S_IRWXU)
            os.chmod(path, stat.S_IRWXU)
            act(path)

    shutil.rmtree(folder, onerror=unlock)
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
