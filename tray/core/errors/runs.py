"""Errors about jobs, runs, their control and the status of all of them."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from tray.core.errors.base import BackupTrayError, UsageError


class StatusFetchError(BackupTrayError):
    """The status cannot be known (AF-2)."""

    code = "ERROR_STATUS_FETCH"
    exit_code = 3

    def __init__(
        self, why: str, next: str = "Run `backup-tray doctor`; it names the cause and the command that mends it."
    ) -> None:
        super().__init__("The backup status cannot be read.", why=why, next=next)


class TrackerGoneError(BackupTrayError):
    """No tracker answers.

    Attributes:
        there: A tracker exists all the same: it hangs, was stopped, or cannot be reached. Its live runs are then not known here.
    """

    code = "ERROR_TRACKER_GONE"

    def __init__(self, why: str, *, there: bool = False, pid: int | None = None) -> None:
        end = f"`kill -9 {pid}`" if pid else "`kill -9` with its process number (`pgrep -af tray.*tracker`)"
        super().__init__(
            "The tracker does not answer, so live progress is not known.",
            why=why,
            next=f"If it does not come back, end it: {end}; then start a new one: `backup-tray tracker`."
            if there
            else "Start one with `backup-tray tracker`; backups and their records do not depend on it.",
        )
        self.there = there


class CommandNotFoundError(BackupTrayError):
    """The command to run under watch does not exist."""

    code = "ERROR_COMMAND_NOT_FOUND"
    exit_code = 127

    def __init__(self, command: str, why: str, next: str) -> None:
        super().__init__(f"{command}: the command could not be started.", why=why, next=next)
        self.command = command


class LogNotKeptError(BackupTrayError):
    """The run is on record, its folder with the log is gone."""

    code = "ERROR_LOG_NOT_KEPT"

    def __init__(self, run: str) -> None:
        super().__init__(
            "The full log of this run is no longer kept.",
            why="Logs are kept for a time and up to a size ([runs] in config.toml: 90 days and 1 GiB, unless it says otherwise).",
            next=f"Its report is still there: `backup-tray report {run}`.",
        )
        self.run = run


class RunNotFoundError(BackupTrayError):
    """No run has this id."""

    code = "ERROR_RUN_NOT_FOUND"

    def __init__(self, run: str) -> None:
        if run in ("", "last"):
            super().__init__(
                "No run has ended yet.",
                next="Put your backup under watch: `backup-tray run -- COMMAND...`; or make one: `backup-tray create`.",
            )
            return
        super().__init__(
            f"No run is known as {run!r}.",
            why="No run on record has an id that begins or ends like that.",
            next="List the runs and their ids with `backup-tray history`.",
        )


class RunAmbiguousError(BackupTrayError):
    """The beginning or the end of an id fits several runs, so none is taken."""

    code = "ERROR_RUN_AMBIGUOUS"

    def __init__(self, run: str, candidates: Sequence[str] = (), why: str = "") -> None:
        super().__init__(
            f"Several runs are known as {run!r}.",
            why=why or f"It could be any of {', '.join(candidates)}.",
            next="Name one by its short id, as `backup-tray history` shows it.",
        )


class RunNotLiveError(BackupTrayError):
    """No run that goes on has this id or job."""

    code = "ERROR_RUN_NOT_LIVE"

    def __init__(self, run: str, why: str = "") -> None:
        super().__init__(
            f"No running backup has the id or the job {run!r}." if run else "No backup is running now.",
            why=why or ("It may have ended already, or have another name." if run else ""),
            next="See what runs with `backup-tray status`, and what is over with `backup-tray history`.",
        )
        self.run = run


class RunOverError(RunNotLiveError):
    """The run has ended already."""

    code = "ERROR_RUN_OVER"

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self.why = ""
        self.what = "That run has ended already."
        self.next = f"See how it ended: `backup-tray report {run}`."


class ControlRefusedError(BackupTrayError):
    """A run cannot be cancelled, paused or resumed from here; also what a tracker or wrapper answered, whatever its code."""

    code = "ERROR_CONTROL_REFUSED"

    @classmethod
    def of(cls, facts: Mapping[str, object]) -> "ControlRefusedError":
        """Return the error whose facts came over the socket."""
        what, why, after = (str(facts.get(key) or "") for key in ("what", "why", "next"))
        error = cls(what or "That is not possible now.", why=why, next=after or "Look at it: `backup-tray status`.")
        error.code = str(facts.get("code") or cls.code)
        return error


class RunObservedError(ControlRefusedError):
    """Another program started the run, so it is not ours to stop."""

    code = "ERROR_RUN_OBSERVED"

    def __init__(self, job: str, pid: str, user: str | None = None) -> None:
        whose = f"process {pid} of {user}" if user else f"process {pid}"
        super().__init__(
            f"{job} is not ours to stop.",
            why=f"Backup Tray did not start it, it only watches it: {whose}.",
            next=f"Stop it yourself: `{_kill(pid, user)}`.",
        )


class RunUntrackedError(ControlRefusedError):
    """The run cannot be controlled: the process that watched it is gone."""

    code = "ERROR_RUN_UNTRACKED"

    def __init__(self, job: str, pid: str) -> None:
        super().__init__(
            f"{job} cannot be reached.",
            why=f"The process that watched it is gone; the command itself goes on as process {pid}.",
            next=f"Stop it yourself: `{_kill(pid)}`.",
        )


class RunElsewhereError(ControlRefusedError):
    """The run is another instance's, which is only shown here."""

    code = "ERROR_RUN_ELSEWHERE"

    def __init__(self, job: str, control: str, run: str) -> None:
        super().__init__(
            f"{job} belongs to the whole system.",
            why="Runs of root are only shown here, for reading.",
            next=f"Ask as root: `sudo backup-tray {control} {run}`.",
        )


class ControlImpossibleError(ControlRefusedError):
    """The run is there and ours, but this cannot be done with it now."""

    code = "ERROR_CONTROL_IMPOSSIBLE"

    def __init__(self, what: str, why: str, next: str = "See what can be done with it: `backup-tray status`.") -> None:
        super().__init__(what, why=why, next=next)


def _kill(pid: str, user: str | None = None) -> str:
    return f"sudo kill -INT {pid}" if user else f"kill -INT {pid}"


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
    """A first backup cannot be set up as asked; `field` names the input at fault (name, sources, repository, password)."""

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
    """The backup program itself is not installed."""

    code = "ERROR_ENGINE_MISSING"
    exit_code = 127

    def __init__(self, engine: str) -> None:
        super().__init__(
            f"{engine} is not installed.",
            why=f"No program named {engine} was found in the search path (PATH).",
            next=f"Install it with `sudo apt install {engine}`, then try again.",
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
    """The process of a backup that the window started ended badly; if the run is on record, that says more."""

    code = "ERROR_BACKUP_START"

    def __init__(self, job: str, exit_code: int) -> None:
        super().__init__(
            "The backup ended badly.",
            why=f"Its process ended with exit code {exit_code}.",
            next=f"See why in a terminal: `backup-tray backup {job}`.",
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

    def __init__(self, job: str) -> None:
        super().__init__(
            f"The job {job!r} has no schedule that Backup Tray made.",
            next=f"Make it: `backup-tray schedule {shlex.quote(job)} --on daily`. All that there are: `backup-tray schedule`.",
        )
        self.job = job


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
