"""Run configured jobs: their command lines, and the lines that start them from cron, systemd and other programs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tray import engines
from tray.config import jobs
from tray.config.jobs import DEFAULT_ENGINE, Job
from tray.config.toml_text import toml_name
from tray.core import ourselves
from tray.core.errors import ConfigError, JobNotFoundError, JobWatchedError, UnknownEngineError
from tray.core.files import content
from tray.core.paths import HOME_VARIABLE, Places, expand
from tray.core.redact import Redactor
from tray.engines.base import Built, Wish
from tray.jobs import passwords
from tray.wording.near_names import known_jobs
from tray.wrapper.hooks import Hooks

CLASHING_VARIABLES = ("RESTIC_PASSWORD_COMMAND", "RESTIC_REPOSITORY_FILE")
"""Variables with which restic refuses to start when the command line names repository and password file."""
_MOST_ENVIRONMENT = 1 << 20
_VARIABLE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>[^\0]*?)\s*", re.ASCII)


def find(places: Places, name: str) -> Job:
    """Return the configured job *name*; a former name that `matches` lists leads to it too.

    Raises:
        JobNotFoundError: There is none.
        ConfigError: The configuration file is broken, or the job is.
    """
    configured = jobs.load(places)
    if name not in configured.jobs and name not in configured.broken:
        name = configured.owners.get(name, name)
    if name in configured.jobs:
        return configured.jobs[name]
    if name in configured.broken:
        raise configured.broken[name]
    why = known_jobs(name, sorted({*configured.jobs, *configured.broken}), "config.toml has no jobs yet")
    raise JobNotFoundError(name, why, configured=True)


def start(places: Places, job: Job) -> "subprocess.Popen[bytes]":
    """Start *job* in a process of its own that outlives this one, and return it (`poll` it, or it stays a zombie).

    It has no terminal and prints nothing; its record goes to the audit log, its output to the run's log.

    Raises:
        JobNotFoundError: *job* is not in the configuration, so the new process would not find it either.
        ConfigError: The configuration file is broken.
    """
    find(places, job.name)
    return ourselves.start("backup", job.name)


def built(job: Job) -> Built:
    """Return the command line that *job* stands for, with the variables that belong to it. No secret stands on it.

    Raises:
        JobWatchedError: The job is only watched.
        ConfigError: Its engine builds no such command line.
    """
    if job.command:
        return Built(job.command)
    if not job.runnable or job.repository is None:
        raise JobWatchedError(job.name, job.watched, _to_command(job))
    try:
        made = engines.named(job.engine or DEFAULT_ENGINE).backup_command(
            Wish(
                tuple(map(expand, job.sources)),
                expand(job.repository),
                Redactor((), {}).text(job.repository) != job.repository,
                job.excludes,
                job.options,
                None if job.password_file is None else expand(job.password_file),
                job.password_command,
            )
        )
    except UnknownEngineError as error:
        raise _cannot(job, error.what) from error
    except ValueError as error:
        raise _cannot(job, str(error)) from error
    if made is None:
        raise _cannot(job, f"no command line of {job.engine} is built from `sources` and `repository`")
    return made


def _cannot(job: Job, why: str) -> ConfigError:
    step = f"Give the job its whole command: `{_to_command(job)}`."
    return ConfigError(Path("config.toml"), f"In [{toml_name(('jobs', job.name))}]: {why.rstrip('.')}.", next=step)


def _to_command(job: Job) -> str:
    return f"backup-tray jobs edit {shlex.quote(job.name)} --command COMMAND"


def command(job: Job) -> list[str]:
    """Return the command line that *job* stands for; errors as of `built`."""
    return list(built(job).argv)


def environment(job: Job, environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* as the command of *job* gets it: with its `environment_file`, and without contradictions.

    Raises:
        ConfigError: As `built`, or the file cannot be read or makes no sense, or the password that the engine needs.
    """
    made = built(job)
    whole = {**environ, **variables(job)}
    kept = {name: value for name, value in whole.items() if name not in made.clears} | dict(made.env)
    password = passwords.read(job) if made.password_variable else None
    return kept if password is None else {**kept, made.password_variable: password}


def hooks(job: Job) -> Hooks | None:
    """Return the commands before and after the backup of *job*; None without any."""
    if not job.before and not job.after:
        return None
    return Hooks(*([expand(argv[0]), *argv[1:]] if argv else () for argv in (job.before, job.after)))


def variables(job: Job) -> dict[str, str]:
    """Return the variables of the job's environment file: lines `NAME=VALUE`, without quotes around a value and `export`.

    Raises:
        ConfigError: The file cannot be read or makes no sense.
    """
    if job.environment_file is None:
        return {}
    file = Path(expand(job.environment_file))
    try:
        lines = content(file, _MOST_ENVIRONMENT).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        step = f"Look at the file: `ls -l {shlex.quote(str(file))}`."
        raise ConfigError(
            Path("config.toml"),
            f"The `environment_file` {file} of the job {job.name!r} cannot be read: {why}.",
            next=step,
        ) from error
    known = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _VARIABLE.fullmatch(line)
        if match is None:  # the line itself may be a secret
            raise ConfigError(file, "The line is not of the form NAME=VALUE.", line=number)
        value = match["value"]
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        known[match["name"]] = value[1:-1] if quoted else value
    return known


def cron_line(job: Job) -> str:
    """Return the line for `crontab -e` that runs *job* every night at a quarter past two."""
    home = os.environ.get(HOME_VARIABLE)
    place = f"{HOME_VARIABLE}={shlex.quote(str(Path(home).absolute()))} " if home else ""
    line = f"{place}{launcher()} backup {shlex.quote(job.name)}"
    return "15 2 * * * " + line.replace("%", r"\%")  # cron ends the line at a bare percent sign


def prefixes() -> list[tuple[str, str]]:
    """Return the lines that put existing backups under watch: (where to write it, the exact text)."""
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
    path_entry = shutil.which("backup-tray")
    return shlex.quote(os.path.abspath(path_entry)) if path_entry else shlex.join(ourselves.command())


def launcher_places() -> list[Path]:
    """Return the paths of the installed command: the system's for root, else the user's and then the system's."""
    system = Path("/usr/local/bin/backup-tray")
    if sys.platform == "win32":
        return []
    return [system] if os.geteuid() == 0 else [Path(expand("~/.local/bin/backup-tray")), system]
