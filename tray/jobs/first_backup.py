"""Configured jobs: make the first one, start one, and say how to begin with backups that exist already.

`create_first_backup` is the back end of "Create First Backup": it makes a real repository, keeps its password in a private file
(never in a command line), saves the job and records the change. The job then runs like every other: `backup-tray backup NAME`.
"""

import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tray import config
from tray.config import Job
from tray.core import files, ourselves
from tray.core.errors import ConfigError, EngineMissingError, JobNotFoundError, RepositoryInitError
from tray.core.paths import HOME_VARIABLE, Places, expand, private, sync_folder
from tray.core.redact import Redactor
from tray.jobs.input_checks import check_name, check_password, checked_repository, checked_sources

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without 0 o 1 l i, which people confuse on paper
_GROUPS, _GROUP = 7, 4  # 28 of 31 letters: 138 bits
_INIT_SECONDS = 300.0
CLASHING_VARIABLES = ("RESTIC_PASSWORD_COMMAND", "RESTIC_REPOSITORY_FILE")
"""Variables with which restic refuses to start when the command line names repository and password file."""


def generate_password() -> str:
    """Return a new password of 138 random bits that can be read, written down and typed."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def create_first_backup(places: Places, *, name: str, sources: Sequence[str], repository: str, password: str) -> Job:
    """Make a restic repository and a job that backs up *sources* into it; the job is not started.

    All input is checked before anything is made. If making the repository fails, nothing is left behind. Once it is made its
    password is never removed again, whatever fails afterwards.

    Raises:
        JobSetupError: An input does not make sense; its `field` says which.
        EngineMissingError: restic is not installed.
        RepositoryInitError: restic could not make the repository.
        ConfigError: The present configuration file is broken.
        OSError: The configuration folder cannot be written.
    """
    check_name(places, name)
    check_password(password)
    paths = checked_sources(sources)
    target = checked_repository(repository, paths)
    if shutil.which("restic") is None:
        raise EngineMissingError("restic")
    secret = _write_password(places, name, password)
    _init(target, secret)
    job = Job(name=name, sources=tuple(paths), repository=target, password_file=str(secret))
    config.save_job(places, job)
    _record(places, job)
    _accept(places, job)
    return job


def suggested(places: Places) -> tuple[str, str]:
    """Return a name for a first backup that is still free, and the folder that most people want to keep."""
    try:
        taken = set(config.load(places).jobs)
    except ConfigError:
        taken = set()  # creating the job says what is wrong
    names = ["home", *(f"home-{number}" for number in range(2, 100))]
    return next(name for name in names if name not in taken), expand("~")


def find(places: Places, name: str) -> Job:
    """Return the configured job *name*.

    Raises:
        JobNotFoundError: There is none.
        ConfigError: The configuration file is broken.
    """
    jobs = config.load(places).jobs
    if name not in jobs:
        raise JobNotFoundError(name, tuple(sorted(jobs)), configured=True)
    return jobs[name]


def start(places: Places, job: Job) -> "subprocess.Popen[bytes]":
    """Start *job* in a process of its own that outlives us, and return it (`poll` it, or it stays a zombie).

    It belongs to no terminal and says nothing; its record is in the audit log and its output in the run's log.

    Raises:
        JobNotFoundError: *job* is not in the configuration, so the new process would not find it either.
        ConfigError: The configuration file is broken.
    """
    find(places, job.name)
    return subprocess.Popen(
        ourselves.command("backup", job.name),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=ourselves.FOLDER,
        env=ourselves.environ(),
    )


def command(job: Job) -> list[str]:
    """Return the command line that *job* stands for; the password is named by its file only.

    Raises:
        ConfigError: The job names neither a command nor sources and a repository.
    """
    if job.command:
        return list(job.command)
    if job.repository is None or not job.sources:
        raise ConfigError(
            Path("config.toml"), f"The job {job.name!r} needs `sources` and `repository`, or a `command`."
        )
    argv = ["restic", "backup", *([] if environment(job) else ["--repo", expand(job.repository)])]
    if job.password_file is not None:
        argv += ["--password-file", expand(job.password_file)]
    return [*argv, *job.options, *(expand(source) for source in job.sources)]


def environment(job: Job) -> dict[str, str]:
    """Return the variables that belong to `command`: an address with a password in it is in no command line."""
    if job.command or job.repository is None or Redactor((), {}).text(job.repository) == job.repository:
        return {}
    return {"RESTIC_REPOSITORY": job.repository}


def cron_line(job: Job) -> str:
    """Return the line for `crontab -e` that runs *job* every night at a quarter past two."""
    home = os.environ.get(HOME_VARIABLE)
    place = f"{HOME_VARIABLE}={shlex.quote(str(Path(home).absolute()))} " if home else ""
    line = f"{place}{launcher()} backup {shlex.quote(job.name)}"
    return "15 2 * * * " + line.replace("%", r"\%")  # cron ends the line at a bare percent sign


def prefixes() -> list[tuple[str, str]]:
    """Return what to write where for people who have backups already: (where, the exact text)."""
    ours = launcher()
    restic = shutil.which("restic") or "/usr/bin/restic"
    return [
        ("crontab", f"15 2 * * * {ours} run -- restic backup /home"),
        ("systemd unit", f"ExecStart={ours} run -- {restic} backup /home\nKillMode=mixed"),
        ("borgmatic", f"{ours} run --job borgmatic -- borgmatic"),
        ("resticprofile", f"{ours} run --job home -- resticprofile --name home backup"),
    ]


def launcher() -> str:
    """Return the command that starts this program from anywhere, quoted for a shell: the installed one if there is one."""
    for path in launcher_places():
        if os.access(path, os.X_OK):
            return shlex.quote(str(path))
    found = shutil.which("backup-tray")
    return shlex.quote(os.path.abspath(found)) if found else shlex.join(ourselves.command())


def launcher_places() -> list[Path]:
    """Return where the installer puts the command: the system's place for root, else the user's and then the system's."""
    system = Path("/usr/local/bin/backup-tray")
    if sys.platform == "win32":
        return []
    return [system] if os.geteuid() == 0 else [Path(expand("~/.local/bin/backup-tray")), system]


def _write_password(places: Places, name: str, password: str) -> Path:
    """Keep *password* in a new private file of the configuration folder, durably."""
    folder = private(places.config)
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "job"
    for number in range(1, 1000):
        file = folder / (f"{slug}.password" if number == 1 else f"{slug}-{number}.password")
        try:
            handle = files.descriptor(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            continue  # never over another repository's password
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(password + "\n")
            out.flush()
            os.fsync(out.fileno())
        sync_folder(folder)
        return file
    raise FileExistsError(17, "too many password files", str(folder))


def _init(repository: str, secret: Path) -> None:
    """Make the repository with restic; remove *secret* if restic says that it did not."""
    environ = {key: value for key, value in os.environ.items() if key not in CLASHING_VARIABLES}
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
        said = [line.strip() for line in done.stderr.decode("utf-8", "backslashreplace").split("\n") if line.strip()]
        raise RepositoryInitError(repository, said[0] if said else f"restic ended with exit code {done.returncode}.")


def _accept(places: Places, job: Job) -> None:
    """Say that the change is on record already, so that nobody takes it for an edit by hand."""
    from tray.housekeeping import config_changes

    config_changes.accept(places, "jobs", job.name)


def _record(places: Places, job: Job) -> None:
    """Record that a repository and a job were made, and the configuration changed by that (FR-AUD-001)."""
    from tray.audit.entry import Action, Draft
    from tray.audit.spool import record

    made = {"repository": job.repository}
    job_made = {**made, "sources": list(job.sources)}
    added = {"change": "job added", **job_made}
    drafts = [
        Draft(action=Action.REPOSITORY_CREATED, job=job.name, engine=job.engine, body=made),
        Draft(action=Action.JOB_CREATED, job=job.name, engine=job.engine, body=job_made),
        Draft(action=Action.CONFIG_CHANGED, job=job.name, engine=job.engine, body=added),
    ]
    record(places, drafts, timeout=5.0)
