"""Errors about jobs, their configuration, their schedules and their first backup."""

import errno
import shlex
from pathlib import Path

from tray.core.errors.base import BackupTrayError, UsageError


class JobNotFoundError(BackupTrayError):
    """No job has this name, among those that have run or among the `configured` ones; *why* names the nearest.

    With *ran* False there is such a job, but it has never run.
    """

    code = "ERROR_JOB_NOT_FOUND"

    def __init__(self, job: str, why: str, *, configured: bool = False, ran: bool = True) -> None:
        super().__init__(
            f"There is no job named {job!r}." if ran else f"There is no run of the job {job!r}.",
            why=why,
            next="Check the spelling, or make a job with `backup-tray create`."
            if configured
            else "See the names of all jobs with `backup-tray status`.",
        )


class ConfigError(BackupTrayError):
    """The configuration file cannot be used."""

    code = "ERROR_CONFIG"

    def __init__(
        self, file: Path, why: str, *, line: int | None = None, column: int | None = None, next: str = ""
    ) -> None:
        place = ", ".join([f"line {line}"] * (line is not None) + [f"column {column}"] * (column is not None))
        at = f"+{line}{f',{column}' if column else ''} " if line else ""
        super().__init__(
            f"The configuration cannot be used: {file}{f', {place}' if place else ''}.",
            why=why,
            next=next or f"Mend that place in a text editor (`nano {at}{file}`), then try again.",
        )
        self.file, self.line, self.column, self.place = file, line, column, place


class ConfigWriteError(BackupTrayError):
    """The configuration file cannot be written; it is as it was."""

    code = "ERROR_CONFIG_WRITE"

    def __init__(self, file: Path, cause: OSError) -> None:
        folder = shlex.quote(str(file.parent))
        full = cause.errno in (errno.ENOSPC, errno.EDQUOT)
        super().__init__(
            "The configuration was not changed.",
            why=f"{file} cannot be written: {cause.strerror or cause}.",
            next=f"Make room on that disk (`df -h {folder}` shows it), then try again."
            if full
            else f"See who may write there with `ls -ld {folder}`, and whether it can be written with `findmnt -T {folder}`.",
        )
        self.file, self.cause = file, cause


class JobWatchedError(BackupTrayError):
    """The job has no command here: another program starts it, and it is only watched."""

    code = "ERROR_JOB_WATCHED"

    def __init__(self, job: str, watched: str | None, command: str) -> None:
        super().__init__(
            f"The job {job!r} is only watched.",
            why=f"config.toml has no command for it; {watched or 'another program'} starts it.",
            next=f"To have it run from here, give it its command: `{command}`.",
        )
        self.job = job


class HookFailedError(BackupTrayError):
    """The command that a job has before its backup failed, so the engine was not started."""

    code = "ERROR_HOOK_FAILED"

    def __init__(self, program: str, why: str, code: int | None, *, cancelled: bool = False) -> None:
        super().__init__(
            "The backup was not started.",
            why=f"The command before it failed: {program}: {why}."
            if not cancelled
            else "It was cancelled before it began.",
            next=f"Run that command by itself and look at its words: `{program}`.",
        )
        self.exit_code = code or 1
        self.cancelled = cancelled


class JobChangeError(BackupTrayError):
    """A job cannot be added, changed, renamed or merged as asked; nothing was changed."""

    code = "ERROR_JOB_CHANGE"

    def __init__(self, what: str, *, why: str, next: str) -> None:
        super().__init__(what, why=why, next=next)


class JobSetupError(BackupTrayError):
    """A first backup cannot be set up as asked; `field` names the input at fault (name, sources, repository, login, password)."""

    code = "ERROR_JOB_SETUP"

    def __init__(self, field: str, what: str, *, why: str, next: str) -> None:
        super().__init__(what, why=why, next=next)
        self.field = field


class RecoverySheetError(BackupTrayError):
    """The recovery sheet of a job cannot show its password."""

    code = "ERROR_RECOVERY_SHEET"

    def __init__(self, job: str, why: str) -> None:
        step = "Leave out `--with-password`, and write the password onto the printed sheet by hand."
        super().__init__(f"The password of the job {job!r} cannot be put on its recovery sheet.", why=why, next=step)
        self.job = job


class EngineMissingError(BackupTrayError):
    """The backup program itself is not installed; *install* is the command of this system that installs it, if it is known."""

    code = "ERROR_ENGINE_MISSING"
    exit_code = 127

    def __init__(self, engine: str, install: str = "") -> None:
        super().__init__(
            f"{engine} is not installed.",
            why=f"No program named {engine} was found in the search path (PATH).",
            next=f"Install it with `{install or f'sudo apt install {engine}'}`, then try again.",
        )
        self.engine = engine


class EngineInstallError(BackupTrayError):
    """The package manager did not install the backup program."""

    code = "ERROR_ENGINE_INSTALL"

    def __init__(self, engine: str, why: str, install: str) -> None:
        super().__init__(
            f"{engine} was not installed.",
            why=why,
            next=f"Install it in a terminal: `{install}`, then try again.",
        )
        self.engine = engine


class RepositoryInitError(BackupTrayError):
    """The engine could not make the repository."""

    code = "ERROR_REPOSITORY_INIT"

    def __init__(self, repository: str, why: str) -> None:
        super().__init__(
            f"The repository {repository} could not be made.",
            why=why,
            next="Choose a folder that you can write, on a disk with free space; nothing was saved, so simply try again.",
        )
        self.repository = repository


class UnknownEngineError(UsageError):
    """`--engine` names an engine that does not exist."""

    code = "ERROR_ENGINE_UNKNOWN"

    def __init__(self, engine: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"There is no engine named {engine!r}.",
            why=f"Known engines: {', '.join(known)}.",
            next="Leave out `--engine` to have it recognised, or take one of these; `command` fits any command.",
        )
        self.engine, self.known = engine, known


class BackupStartError(BackupTrayError):
    """The process of a backup or a check that the window started ended badly; if the run is on record, that says more."""

    code = "ERROR_BACKUP_START"

    def __init__(self, job: str, exit_code: int, verb: str = "backup") -> None:
        super().__init__(
            f"The {verb} ended badly.",
            why=f"Its process ended with exit code {exit_code}.",
            next=f"See why in a terminal: `backup-tray {verb} {shlex.quote(job)}`.",
        )
        self.job, self.process_exit_code = job, exit_code


class WhenError(UsageError):
    """A text is no time at which a job can start again and again; `nearest` is a text that is, or ""."""

    code = "ERROR_SCHEDULE_WHEN"

    def __init__(self, text: str, why: str, nearest: str = "") -> None:
        super().__init__(
            f"{text!r} cannot be the time of a schedule.",
            why=why,
            next=f"The nearest that can: `--on {shlex.quote(nearest)}`."
            if nearest
            else "Write it as systemd does, such as `--on 'Mon..Fri 20:30'`, `--on daily`, or as cron: `--on '15 2 * * *'`.",
        )
        self.text, self.nearest = text, nearest


class SchedulerError(BackupTrayError):
    """The system's scheduler is not there, cannot be reached, or refuses."""

    code = "ERROR_SCHEDULER"


class NotScheduledError(BackupTrayError):
    """The job has no schedule of ours."""

    code = "ERROR_NOT_SCHEDULED"

    def __init__(self, job: str, kind: str = "backup") -> None:
        check = kind == "check"
        make = f"backup-tray schedule {shlex.quote(job)} {'--check --on monthly' if check else '--on daily'}"
        super().__init__(
            f"{'The check of the' if check else 'The'} job {job!r} has no schedule that Backup Tray made.",
            next=f"Make it: `{make}`. All that there are: `backup-tray schedule`.",
        )
        self.job, self.kind = job, kind


class SchedulesUnreadableError(BackupTrayError):
    """The file with the last answer about our schedules is there and cannot be read, so it is not known which there are."""

    code = "ERROR_SCHEDULES_UNREADABLE"

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            "The schedules are unavailable: it is not known whether each still starts its job.",
            why=f"{file} cannot be read: {why}.",
            next="Look at them anew: `backup-tray schedule`.",
        )
        self.file = file


class AlreadyRunningError(BackupTrayError):
    """The job's run goes on, so a second one was not started."""

    code = "ERROR_ALREADY_RUNNING"
    exit_code = 75

    def __init__(self, job: str) -> None:
        super().__init__(
            f"{job} was not started.",
            why="Its last run still goes on; two at once would be in each other's way.",
            next="Look at it with `backup-tray status`.",
        )
        self.job = job


class CheckImpossibleError(BackupTrayError):
    """Nothing of the job's backup can be restored for a check: its engine or its repository does not allow it, or is not known."""

    code = "ERROR_CHECK_IMPOSSIBLE"

    def __init__(self, job: str, why: str, next: str) -> None:
        super().__init__(f"The job {job!r} cannot be checked.", why=why, next=next)
        self.job = job
