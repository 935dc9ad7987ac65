"""Run configured jobs: their command lines, and the lines that start them from cron, systemd and other programs."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tray.config import jobs
from tray.config.jobs import Job
from tray.core import ourselves
from tray.core.errors import ConfigError, JobNotFoundError
from tray.core.paths import HOME_VARIABLE, Places, expand
from tray.core.redact import Redactor
from tray.wording.near_names import known_jobs

CLASHING_VARIABLES = ("RESTIC_PASSWORD_COMMAND", "RESTIC_REPOSITORY_FILE")
"""Variables with which restic refuses to start when the command line names repository and password file."""


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
