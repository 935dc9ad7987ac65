"""Whether folders, configuration and password files are as they must be."""

import os
import shlex
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from tray import config, wording
from tray.core.errors import UnsafeFolderError
from tray.core.paths import Places, check_private
from tray.doctor.check import Check, Level


def folders(places: Places) -> Iterable[Check]:
    """Look whether our folders are there, private and writable."""
    if places.makeshift:
        what = f"All is kept in {places.state.parent}, since {places.makeshift}."
        yield Check("folders", Level.WARN, what, "Set HOME to a folder of this user, or BACKUP_TRAY_HOME to any.")
    for name, folder in (("configuration", places.config), ("state", places.state), ("runtime", places.runtime)):
        yield _folder(f"{name} folder", folder)


def _folder(name: str, folder: Path) -> Check:
    """Look whether *folder* is ours, private and writable, or can be made so."""
    try:
        check_private(folder, folder.lstat())
    except FileNotFoundError:
        return _missing_folder(name, folder)
    except UnsafeFolderError as error:
        return Check(name, Level.BAD, f"{error.what} {error.why}", error.next)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(name, Level.BAD, f"{folder} cannot be written{_read_only(folder)}.", _writable_again(folder))
    return Check(name, Level.OK, f"{folder} is private and can be written.")


def _missing_folder(name: str, folder: Path) -> Check:
    parent = next(above for above in folder.parents if above.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        return Check(name, Level.OK, f"{folder} is made when it is needed.")
    return Check(
        name,
        Level.BAD,
        f"{folder} cannot be made: {parent} cannot be written{_read_only(parent)}.",
        _writable_again(parent),
    )


def _read_only(folder: Path) -> str:
    if sys.platform != "win32" and os.statvfs(folder).f_flag & os.ST_RDONLY:
        return ", its file system is read-only"
    return ""


def _writable_again(folder: Path) -> str:
    place = shlex.quote(str(folder))
    return (
        f"sudo mount -o remount,rw {shlex.quote(str(_mount_point(folder)))}"
        if _read_only(folder)
        else f"ls -ld {place}  (records wait in a spool meanwhile)"
    )


def _mount_point(folder: Path) -> Path:
    """The place where the file system that holds *folder* is mounted; only that can be remounted."""
    real = folder.resolve()
    return next((above for above in (real, *real.parents) if os.path.ismount(above)), folder)


def configuration(places: Places) -> Iterable[Check]:
    """Name the configured jobs, and what is wrong with their password files."""
    found = config.load(places).jobs
    names = ", ".join(sorted(found))
    yield Check(
        "configuration",
        Level.OK,
        f"{wording.plural(len(found), 'job')}: {names}." if found else "No jobs configured; none are needed.",
    )
    for job in found.values():
        if job.password_file is not None:
            yield from _password_file(job.name, Path(job.password_file).expanduser())


def _password_file(name: str, file: Path) -> Iterable[Check]:
    place = shlex.quote(str(file))
    try:
        mode = file.stat().st_mode
    except OSError as error:
        what = f"The password file of job {name}, {file}, cannot be read: {error.strerror}."
        yield Check(
            "configuration", Level.BAD, what, "Put the password back there; without it the backups cannot be restored."
        )
        return
    if sys.platform != "win32" and stat.S_IMODE(mode) & 0o077:
        yield Check(
            "configuration", Level.WARN, f"Others can read {file}, the password of job {name}.", f"chmod 600 {place}"
        )
