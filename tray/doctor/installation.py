"""Check the installation: Python, folders, configuration, the backup engines, our own command."""

import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tray import config, wording
from tray.config import jobs
from tray.config.jobs import Job
from tray.core.errors import ConfigError, UnsafeFolderError
from tray.core.paths import Places, check_private, expand
from tray.doctor import Check, Level
from tray.engines import ENGINES, Engine, added, problems, recovery
from tray.jobs import configured


def python(_: Places) -> list[Check]:
    """Name the Python and the system that this program runs on."""
    what = f"Python {platform.python_version()} ({sys.executable}) on {platform.system()} {platform.release()}."
    return [Check("Python", Level.OK, what)]


def folders(places: Places) -> Iterable[Check]:
    """Check that our folders are there, private and writable."""
    if places.makeshift:
        what = f"All is kept in {places.state.parent}, since {places.makeshift}."
        yield Check("folders", Level.WARN, what, "Set HOME to a folder of this user, or BACKUP_TRAY_HOME to any.")
    for name, folder in (("configuration", places.config), ("state", places.state), ("runtime", places.runtime)):
        yield _folder(f"{name} folder", folder)


def _folder(name: str, folder: Path) -> Check:
    """Check that *folder* is ours, private and writable, or can be made so."""
    try:
        check_private(folder, folder.lstat())
    except FileNotFoundError:
        parent = next(above for above in folder.parents if above.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return Check(name, Level.OK, f"{folder} is made when it is needed.")
        what = f"{folder} cannot be made: {parent} cannot be written{_read_only(parent)}."
        return Check(name, Level.BAD, what, _writable_again(parent))
    except UnsafeFolderError as error:
        return Check(name, Level.BAD, f"{error.what} {error.why}", error.next)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(name, Level.BAD, f"{folder} cannot be written{_read_only(folder)}.", _writable_again(folder))
    return Check(name, Level.OK, f"{folder} is private and can be written.")


def _read_only(folder: Path) -> str:
    if sys.platform != "win32" and os.statvfs(folder).f_flag & os.ST_RDONLY:
        return ", its file system is read-only"
    return ""


def _writable_again(folder: Path) -> str:
    if not _read_only(folder):
        return f"ls -ld {shlex.quote(str(folder))}  (records wait in another folder, the spool, meanwhile)"
    real = folder.resolve()  # only the place where its file system is mounted can be remounted
    mounted = next((above for above in (real, *real.parents) if os.path.ismount(above)), folder)
    return f"sudo mount -o remount,rw {shlex.quote(str(mounted))}"


def configuration(places: Places) -> Iterable[Check]:
    """Name the configured jobs, their faults, the keys without effect, and the faults of the files with their secrets."""
    name = "configuration"
    config.load(places)
    configured_jobs = jobs.load(places)
    names = sorted({*configured_jobs.jobs, *configured_jobs.broken})
    listed = f"{wording.plural(len(names), 'job')}: {', '.join(names)}."
    yield Check(name, Level.OK, listed if names else "No jobs configured; none are needed.")
    for broken, error in configured_jobs.broken.items():
        level = Level.WARN if broken in configured_jobs.jobs else Level.BAD
        yield Check(name, level, f"{error.what} {error.why}", error.next)
    for note in configured_jobs.notes:
        yield Check(name, Level.WARN, f"{note}.", f"nano {shlex.quote(str(places.config_file))}")
    for job in configured_jobs.jobs.values():
        if not job.enabled:  # it does not run, so nothing of it can fail
            continue
        if job.runnable:
            yield from _command(name, job)
        for kind, path in (("password", job.password_file), ("environment", job.environment_file)):
            if path is not None:
                yield from _secret_file(name, kind, job, Path(expand(path)))
        if job.password_command and shutil.which(expand(job.password_command[0])) is None:
            what = f"The program of the password command of job {job.name}, {job.password_command[0]}, is not there."
            step = (
                f"Install it, or name another: backup-tray jobs edit {shlex.quote(job.name)} --password-command COMMAND"
            )
            yield Check(name, Level.BAD, what, step)


def _command(name: str, job: Job) -> Iterable[Check]:
    """Check that the command line of *job* can be built, and that its program is there."""
    try:
        program = configured.command(job)[0]
    except ConfigError as error:
        yield Check(name, Level.BAD, error.why, error.next)
        return
    if shutil.which(program) is None:
        step = (
            f"Install it, or correct the job's command: backup-tray jobs edit {shlex.quote(job.name)} --command COMMAND"
        )
        remedy = f"sudo apt install {shlex.quote(_package(program))}" if program == job.engine else step
        yield Check(name, Level.BAD, f"The program of job {job.name}, {program}, is not there.", remedy)


def _package(program: str) -> str:
    """Return Debian's package of an engine, as the recovery sheet names it."""
    steps = recovery.steps(program, "/", (), "")
    return next(
        (command.rpartition(" ")[2] for _, command in steps if command.startswith("sudo apt install ")), program
    )


def _secret_file(name: str, kind: str, job: Job, file: Path) -> Iterable[Check]:
    """Check that *file* is there, is not empty, and that only this user can read it.

    The group bits of the mode hold the mask of an access control list, so `chmod 600` takes the right from its users too.
    """
    about = f"{kind} file of job {job.name}"
    again = f"backup-tray jobs edit {shlex.quote(job.name)} --{kind}-file FILE"
    try:
        status = file.stat()
    except OSError as error:
        remedy = f"Put it back, since without it the backups cannot be restored; or name the right one: {again}"
        yield Check(name, Level.BAD, f"The {about}, {file}, cannot be read: {error.strerror}.", remedy)
        return
    if not os.access(file, os.R_OK):
        yield Check(
            name, Level.BAD, f"The {about}, {file}, cannot be read by this user.", f"ls -l {shlex.quote(str(file))}"
        )
    if stat.S_ISREG(status.st_mode) and not status.st_size and kind == "password":
        what = f"The {about}, {file}, is empty, so the backup has no password."
        yield Check(name, Level.BAD, what, f"Write the password into it, or name the right one: {again}")
    if sys.platform == "win32":
        return
    if stat.S_IMODE(status.st_mode) & 0o077:
        yield Check(name, Level.WARN, f"Others can read {file}, the {about}.", f"chmod 600 {shlex.quote(str(file))}")
    if status.st_uid not in (0, os.geteuid()):
        what = f"{file}, the {about}, belongs to another user, who can read and change it."
        yield Check(name, Level.WARN, what, f"sudo chown {os.geteuid()} {shlex.quote(str(file))}")


def engines(_: Places) -> Iterable[Check]:
    """Name the engines that are installed, and those that the user has added; not all of them are needed."""
    name = "backup engines"
    installed = [(known.load(), path) for known in ENGINES if (path := shutil.which(known.name)) is not None]
    with ThreadPoolExecutor(max_workers=max(len(installed), 1)) as threads:
        versions = list(threads.map(lambda pair: _version(*pair), installed))
    for (_engine, path), version in zip(installed, versions, strict=True):
        yield Check(name, Level.OK, f"{path}: {version}.")
    if all(engine.common for engine, _ in installed):
        what = "No program made for backups is installed (such as restic or borg)."
        yield Check(name, Level.WARN, what, "sudo apt install restic")
    plugins = added()
    for name in () if plugins is None else plugins.names():
        yield Check("added engines", Level.OK, f"{name}.")
    for problem in problems():
        yield Check("added engines", Level.WARN, problem, "Update or remove the package that brings it.")


def _version(engine: Engine, path: str) -> str:
    ask = "version" if engine.version_word else "--version"
    try:
        done = subprocess.run([path, ask], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not answer ({error})"
    lines = done.stdout.decode("utf-8", "backslashreplace").strip().split("\n")
    return " ".join(lines[0][:80].split()) or "it does not say its version"


def command(_: Places) -> list[Check]:
    """Check that `backup-tray` is installed, and that the shell finds it."""
    installed = next((path for path in configured.launcher_places() if os.access(path, os.X_OK)), None)
    if installed is None:
        what = "backup-tray is not installed for good."
        return [Check("command", Level.WARN, what, "installers/linux/install.sh in the checkout")]
    in_path = shutil.which("backup-tray")
    if in_path is None:
        what = f"{installed} is there, but {installed.parent} is not in PATH."
        step = f"Log in anew; if that is not enough: echo 'PATH=\"{installed.parent}:$PATH\"' >>~/.profile"
        return [Check("command", Level.WARN, what, step)]
    if not os.path.samefile(in_path, installed):
        what = f"The command line finds {in_path}, but {installed} is installed."
        step = f"Call it in full, or remove the other: ls -l {shlex.quote(in_path)}"
        return [Check("command", Level.WARN, what, step)]
    return [Check("command", Level.OK, f"{installed} is installed and in PATH.")]
