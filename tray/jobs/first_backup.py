"""Make the first backup: check the user's input, make a real restic repository, save the job and record the change.

This is the back end of "Create First Backup". The password is kept in a private file, never in a command line. The job then runs
like every other: `backup-tray backup NAME`.
"""

import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tray.audit.entry import Action, Draft
from tray.audit.spool import record
from tray.config import jobs
from tray.config.jobs import DEFAULT_ENGINE, Job
from tray.config.saving import locked, save_job
from tray.core import files
from tray.core.errors import ConfigError, JobSetupError, RepositoryInitError
from tray.core.paths import Places, expand, private, sync_folder
from tray.core.redact import Redactor
from tray.housekeeping import config_changes
from tray.jobs import choices, engine_install, targets
from tray.jobs.configured import CLASHING_VARIABLES

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without 0 o 1 l i, which people confuse on paper
_GROUPS, _GROUP = 7, 4  # 28 of 31 letters: 138 bits
_INIT_SECONDS = 300.0


def generate_password() -> str:
    """Return a new password of 138 random bits that can be read, written down and typed."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def create_first_backup(
    places: Places,
    *,
    name: str,
    sources: Sequence[str],
    repository: str,
    password: str,
    variables: Mapping[str, str] | None = None,
) -> Job:
    """Make a restic repository and a job that backs up *sources* into it; the job is not started.

    The login of an address that is known by variables, such as the keys of S3, is kept in a private file, since a schedule does
    not have the variables of a terminal. *variables* are such variables beside those of the environment. A job whose repository
    lies on an external drive gets the condition "target": a scheduled start while the drive is away is skipped, and on record.

    All input and the target are checked before anything is made. If making the repository fails, nothing is left behind. Once it
    is made its password is never removed again, whatever fails afterwards.

    Raises:
        JobSetupError: An input does not make sense, or the target cannot be used (`targets.check`); its `field` says which.
        EngineMissingError: restic is not installed.
        RepositoryInitError: restic could not make the repository.
        ConfigError: The present configuration file is broken.
        OSError: The configuration folder cannot be written.
    """
    _check_name(places, name)
    _check_password(password)
    paths = _checked_sources(sources)
    target = checked_repository(repository, paths)
    if missing := engine_install.missing(DEFAULT_ENGINE):
        raise missing
    login = checked_login(target, variables or {})
    environ = {**_environ(), **login}
    targets.check(target, paths, environ)
    secret = _write_secret(places, name, "password", f"{password}\n")
    lines = "".join(f"{key}={value}\n" for key, value in login.items())
    file = _write_secret(places, name, "environment", lines) if lines else None
    try:
        _init(target, secret, environ)
    except RepositoryInitError:
        if file is not None and not secret.exists():
            file.unlink()
        raise
    kept = None if file is None else str(file)
    job = Job(
        name=name,
        sources=tuple(paths),
        repository=target,
        password_file=str(secret),
        environment_file=kept,
        conditions=("target",) if choices.on_external_drive(target) else (),
    )
    with locked(places):
        save_job(places, job)
        _record(places, job)
        config_changes.accept(places, "jobs", job.name)  # it is on record, so it is no edit by hand
    return job


def reach(sources: Sequence[str], repository: str, variables: Mapping[str, str]) -> int | None:
    """Check the target alone, and return the bytes that are free there, None if that is not known; nothing is made.

    Raises:
        JobSetupError: It cannot be used.
        EngineMissingError: restic is not installed, so an address cannot be asked.
    """
    target = checked_repository(repository, [expand(source) for source in sources])
    if targets.kind(target) != "folder" and (missing := engine_install.missing(DEFAULT_ENGINE)):
        raise missing
    return targets.reach(target, {**_environ(), **checked_login(target, variables)})


def suggested(places: Places) -> tuple[str, str]:
    """Return a name for a first backup that is still free, and the folder that most people want to keep."""
    try:
        taken = _taken_names(places)
    except ConfigError:
        taken = set()  # creating the job names the fault
    names = ["home", *(f"home-{number}" for number in range(2, 100))]
    return next(name for name in names if name not in taken), expand("~")


def _taken_names(places: Places) -> set[str]:
    configured = jobs.load(places)
    return {*configured.jobs, *configured.broken}


def _check_name(places: Places, name: str) -> None:
    """Raise JobSetupError unless *name* can be a job's name and is free."""
    if not jobs.is_name(name):
        raise JobSetupError(
            "name",
            "The backup's name cannot be used.",
            why="A name has 1 to 80 letters, digits and signs, and begins neither with a dash nor with a space.",
            next="Choose a short name such as `home`.",
        )
    if name in _taken_names(places):
        raise JobSetupError(
            "name",
            f"There is already a backup named {name!r}.",
            why="Two backups of one name could not be told apart.",
            next=f"Choose another name, or run the present one: `backup-tray backup {shlex.quote(name)}`.",
        )


def _check_password(password: str) -> None:
    """Raise JobSetupError unless restic reads *password* back from a file as it is."""
    if not password:
        why = "It is empty. Without a password anybody who gets the repository could read your files."
    elif password != password.strip() or not password.isprintable():
        why = "It begins or ends with a space, or holds a line break; restic would not read it back the same."
    else:
        return
    raise JobSetupError("password", "The password cannot be used.", why=why, next="Type another one, or have one made.")


def _checked_sources(sources: Sequence[str]) -> list[str]:
    """Return the sources as absolute paths."""
    if not sources:
        raise JobSetupError(
            "sources",
            "There is nothing to back up.",
            why="No folder was chosen.",
            next="Choose one, such as your home folder.",
        )
    paths = [_absolute("sources", source) for source in sources]
    for path in paths:
        if not os.path.lexists(path):
            raise JobSetupError(
                "sources",
                f"{path} cannot be backed up.",
                why="There is no such file or folder.",
                next="Look for a typing error; if it is on another disk, connect that first.",
            )
    return paths


def checked_repository(repository: str, sources: Sequence[str]) -> str:
    """Return the repository: an address of restic's as it is, or the absolute path of a folder that is empty or not there."""
    if re.match(r"[a-z0-9]+:", repository) and not repository.startswith("local:"):
        if Redactor((), {}).text(repository) != repository:
            raise JobSetupError(
                "repository",
                "The repository's address holds a password.",
                why="It would be seen by everybody who lists the processes of this machine.",
                next="Set that repository up with restic itself, and put `backup-tray run --` before its command.",
            )
        return repository
    path = Path(_absolute("repository", repository.removeprefix("local:")))
    real = path.resolve()
    for source in sources:
        if real.is_relative_to(Path(source).resolve()):
            raise JobSetupError(
                "repository",
                f"The repository {path} would lie inside {source}, which is to be backed up.",
                why="Each backup would then hold all the earlier ones again.",
                next="Choose a folder outside of it, best on another disk.",
            )
    _check_target(path)
    return str(path)


def _check_target(path: Path) -> None:
    """Make sure that restic can make *path*."""
    mounted = next((root for root in choices.MOUNT_ROOTS if path.is_relative_to(root)), None)
    if mounted and not path.parent.is_dir():
        raise JobSetupError(
            "repository",
            f"The folder {path.parent} is not there.",
            why=f"Below {mounted} that mostly means that the disk is not connected; the backup would fill this disk instead.",
            next=f"Connect the disk, or make the folder with `mkdir -p {shlex.quote(str(path.parent))}`.",
        )
    if _is_repository(path):
        raise JobSetupError(
            "repository",
            f"{path} is a restic repository already.",
            why="Its password is the one that it was made with, so it cannot be made anew.",
            next="Choose another folder; or keep your own restic command, with `backup-tray run --` before it.",
        )
    if why := _taken(path):
        raise JobSetupError(
            "repository",
            f"{path} cannot become a repository.",
            why=why,
            next=f"Choose another folder, such as {path.parent / 'backup-repository'}.",
        )


def _is_repository(path: Path) -> bool:
    return all(os.path.lexists(path / name) for name in ("config", "keys", "snapshots"))


def _taken(path: Path) -> str:
    """Return why nothing new can be made at *path*, or ""."""
    try:
        if os.listdir(path):
            return "It exists and is not empty; a new repository needs a folder of its own."
    except FileNotFoundError:
        return "It is a link that leads nowhere." if path.is_symlink() else ""
    except NotADirectoryError:
        return "It, or a part of its path, is a file and no folder."
    except OSError as error:
        return f"It cannot be read: {error.strerror}."
    return ""


def _absolute(field: str, text: str) -> str:
    """Return *text* as an absolute path, `~` meaning the home folder."""
    path = expand(text)
    if not text or "\0" in text or not os.path.isabs(path):
        raise JobSetupError(
            field,
            f"{text!r} is not a full path.",
            why="A backup may run from anywhere, so its folders must be named in full.",
            next="Write it from the root on, such as /home/ann/Documents, or with ~/ for your home folder.",
        )
    return os.path.normpath(path)


def checked_login(target: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which restic logs in at *target*: of the environment, or of *variables*.

    Raises:
        JobSetupError: One cannot be kept in a file.
    """
    login = targets.login(target, {**os.environ, **variables})
    for name, value in login.items():
        if not value.isprintable() or value != value.strip() or value[0] in "\"'":
            raise JobSetupError(
                "login",
                "The login of the storage cannot be used.",
                why=f"{name} holds a space at its end, a quotation mark at its beginning, or a line break.",
                next="Copy it again, without the signs around it.",
            )
    return login


def _write_secret(places: Places, name: str, ending: str, text: str) -> Path:
    """Keep *text* in a new private file of the configuration folder, durably."""
    folder = private(places.config)
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "job"
    for number in range(1, 1000):
        file = folder / f"{slug}{'' if number == 1 else f'-{number}'}.{ending}"
        try:
            handle = files.descriptor(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            continue  # never over another repository's password
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        sync_folder(folder)
        return file
    raise FileExistsError(17, "too many files of this name", str(folder))


def _environ() -> dict[str, str]:
    """Return restic's environment, without the variables that contradict its command line."""
    return {key: value for key, value in os.environ.items() if key not in CLASHING_VARIABLES}


def _init(repository: str, secret: Path, environ: Mapping[str, str]) -> None:
    """Make the repository with restic; remove *secret* if restic reports a failure."""
    argv = ["restic", "init", "--repo", repository, "--password-file", str(secret)]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, env=environ, timeout=_INIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        why = f"restic did not answer within {_INIT_SECONDS:.0f} s; the password stays in {secret}, in case it was made after all."
        raise RepositoryInitError(repository, why) from error
    if done.returncode:
        secret.unlink()
        lines = [line.strip() for line in done.stderr.decode("utf-8", "backslashreplace").split("\n") if line.strip()]
        raise RepositoryInitError(repository, lines[0] if lines else f"restic ended with exit code {done.returncode}.")


def _record(places: Places, job: Job) -> None:
    """Record the new repository, the new job, and the change of the configuration (FR-AUD-001)."""
    made = {"repository": job.repository}
    job_made = {**made, "sources": list(job.sources)}
    added = {"change": "job added", **job_made}
    drafts = [
        Draft(action=Action.REPOSITORY_CREATED, job=job.name, engine=job.engine, body=made),
        Draft(action=Action.JOB_CREATED, job=job.name, engine=job.engine, body=job_made),
        Draft(action=Action.CONFIG_CHANGED, job=job.name, engine=job.engine, body=added),
    ]
    record(places, drafts, timeout=5.0)
