"""The catalogue: every error that a person can meet, with what happened, why, and what to do next.

One class for one error. `code` is stable and appears in logs, in `status --json` and in the window. `what` is one plain
sentence, `why` the cause as far as it is known, `next` a step that works, with a command where there is one.
Only `cli.main` prints errors and chooses exit codes.
"""

from collections.abc import Mapping
from pathlib import Path


class BackupTrayError(Exception):
    """Base of everything that we raise on purpose."""

    code = "ERROR_INTERNAL"
    exit_code = 2

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.next = what, why, next

    def facts(self) -> dict[str, str]:
        """Return the error as `status --json` shows it: code, what, why, next."""
        return {"code": self.code, "what": self.what, "why": self.why, "next": self.next}


class UsageError(BackupTrayError):
    """The command line does not make sense."""

    code = "ERROR_USAGE"
    exit_code = 64


class UnsafeFolderError(BackupTrayError):
    """A folder that must be private is not."""

    code = "ERROR_FOLDER_UNSAFE"

    def __init__(self, folder: Path, why: str, *, next: str = "") -> None:
        super().__init__(
            f"The folder {folder} cannot be trusted.",
            why=f"Backup Tray keeps private files there, but {why}.",
            next=next
            or f"Look at it with `ls -ld {folder}`; move it away or mend it with `chmod 700 {folder}`, then try again.",
        )
        self.folder = folder


class StatusFetchError(BackupTrayError):
    """The status cannot be known (AF-2)."""

    code = "ERROR_STATUS_FETCH"
    exit_code = 3

    def __init__(
        self, why: str, next: str = "Run `backup-tray doctor`; it names the cause and the command that mends it."
    ) -> None:
        super().__init__("The backup status cannot be read.", why=why, next=next)


class TrackerGoneError(BackupTrayError):
    """No tracker answers."""

    code = "ERROR_TRACKER_GONE"

    def __init__(self, why: str) -> None:
        super().__init__(
            "The tracker does not answer, so live progress is not known.",
            why=why,
            next="Start one with `backup-tray tracker`; backups and their records do not depend on it.",
        )


class CommandNotFoundError(BackupTrayError):
    """The command to run under watch does not exist."""

    code = "ERROR_COMMAND_NOT_FOUND"
    exit_code = 127

    def __init__(self, command: str, why: str, next: str) -> None:
        super().__init__(f"{command}: the command could not be started.", why=why, next=next)
        self.command = command


class RunNotFoundError(BackupTrayError):
    """No run has this id."""

    code = "ERROR_RUN_NOT_FOUND"

    def __init__(self, run: str) -> None:
        if run in ("", "last"):
            super().__init__(
                "No run has ended yet.",
                why="Backup Tray has seen none.",
                next="Put your backup under watch: `backup-tray run -- COMMAND...`; or make one: `backup-tray window create`.",
            )
            return
        super().__init__(
            f"No run is known as {run!r}.",
            why="Neither the audit log nor the run folders hold a run whose id begins so.",
            next="List the runs with `backup-tray history`.",
        )


class RunNotLiveError(BackupTrayError):
    """No run that goes on has this id or job."""

    code = "ERROR_RUN_NOT_LIVE"

    def __init__(self, run: str, why: str = "No run of this id or job goes on now.") -> None:
        super().__init__(
            f"No run goes on as {run!r}." if run else "No run goes on now.",
            why=why,
            next="Look at what goes on with `backup-tray status`, and at what is over with `backup-tray history`.",
        )
        self.run = run


class RunOverError(RunNotLiveError):
    """The run has ended already."""

    code = "ERROR_RUN_OVER"

    def __init__(self, run: str) -> None:
        super().__init__(run, "That run has ended already.")
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
    """Somebody else started the run, so it is not ours to stop."""

    code = "ERROR_RUN_OBSERVED"

    def __init__(self, job: str, pid: str, user: str | None = None) -> None:
        whose = f"process {pid} of {user}" if user else f"process {pid}"
        super().__init__(
            f"{job} is not ours to stop.",
            why=f"Backup Tray did not start it, it only watches it: {whose}.",
            next=f"Interrupt it yourself: `{_kill(pid, user)}`.",
        )


class RunUntrackedError(ControlRefusedError):
    """Nobody is left who could stop the run: the process that watched it is gone."""

    code = "ERROR_RUN_UNTRACKED"

    def __init__(self, job: str, pid: str) -> None:
        super().__init__(
            f"{job} cannot be reached.",
            why=f"The process that watched it is gone; the command itself goes on as process {pid}.",
            next=f"Interrupt it yourself: `{_kill(pid)}`.",
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
    """No job has this name, among those that have run or among the `configured` ones."""

    code = "ERROR_JOB_NOT_FOUND"

    def __init__(self, job: str, known: tuple[str, ...] = (), *, configured: bool = False) -> None:
        names = ", ".join(known) if known else "none yet"
        super().__init__(
            f"There is no job named {job!r}.",
            why=f"Known jobs: {names}{' (in config.toml)' if configured else ''}.",
            next="Check the spelling, or make a job with `backup-tray window create`."
            if configured
            else "Look at `backup-tray status`, which names every job that has run.",
        )


class ConfigError(BackupTrayError):
    """The configuration file cannot be used."""

    code = "ERROR_CONFIG"

    def __init__(self, file: Path, why: str, *, line: int | None = None, next: str = "") -> None:
        place = str(file) if line is None else f"{file}, line {line}"
        super().__init__(
            f"The configuration cannot be used: {place}.",
            why=why,
            next=next
            or f"Mend that place in a text editor (`nano {f'+{line} ' if line else ''}{file}`), then try again.",
        )
        self.file, self.line = file, line


class JobSetupError(BackupTrayError):
    """A first backup cannot be set up as asked; `field` names the input at fault (name, sources, repository, password)."""

    code = "ERROR_JOB_SETUP"

    def __init__(self, field: str, what: str, *, why: str, next: str) -> None:
        super().__init__(what, why=why, next=next)
        self.field = field


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


class NoWebViewError(BackupTrayError):
    """No window can be shown: no web view, or no screen."""

    code = "ERROR_NO_WEB_VIEW"

    def __init__(
        self, why: str, next: str = "Install it with `sudo apt install python3-gi gir1.2-webkit2-4.1`, then try again."
    ) -> None:
        super().__init__("The window cannot be shown; what it would say stands in the terminal.", why=why, next=next)


class WebViewUnsafeError(BackupTrayError):
    """The web view library is not built as we need it to keep pages away from Python."""

    code = "ERROR_WEB_VIEW_UNSAFE"

    def __init__(self, module: str) -> None:
        super().__init__(
            "The window was not opened, because it would not be safe.",
            why=f"{module} of the installed pywebview has no door that we could guard.",
            next="Install the version that we know: `pip install 'pywebview>=6,<7'`.",
        )


class WindowBusyError(BackupTrayError):
    """A window is open but does not answer."""

    code = "ERROR_WINDOW_BUSY"

    def __init__(self, why: str) -> None:
        super().__init__(
            "The window is open already but does not answer.",
            why=why,
            next="Close that window, then try again; if you see none, run `backup-tray doctor`.",
        )


class AuditUnavailableError(BackupTrayError):
    """The audit log cannot be read or written."""

    code = "ERROR_AUDIT_UNAVAILABLE"

    def __init__(
        self, why: str, next: str = "Run `backup-tray doctor`; it names the cause and the command that mends it."
    ) -> None:
        super().__init__("The audit log cannot be used.", why=why, next=next)


class AuditMissingError(AuditUnavailableError):
    """There is no audit log yet, and no sign that there ever was one."""

    code = "ERROR_AUDIT_MISSING"

    def __init__(self, db: Path) -> None:
        super().__init__(
            f"{db} does not exist.", "Run a backup under watch: `backup-tray run -- COMMAND...`; that makes it."
        )


class EntryNotFoundError(BackupTrayError):
    """The audit log has no such entry."""

    code = "ERROR_ENTRY_NOT_FOUND"

    def __init__(self, seq: int, size: int) -> None:
        super().__init__(
            f"The audit log has no entry {seq}.",
            why=f"It holds {size} entries, numbered from 0.",
            next="List the newest with `backup-tray audit show`.",
        )
        self.seq, self.size = seq, size


class BaselineError(BackupTrayError):
    """What was given as a baseline is no signed checkpoint."""

    code = "ERROR_BASELINE"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"{name} cannot serve as a baseline.",
            why=why,
            next="Give a file that `backup-tray audit checkpoint` printed earlier, or a folder of such files.",
        )


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


class NoTrayError(BackupTrayError):
    """There is no place for an icon, and none may come."""

    code = "ERROR_NO_TRAY"
    exit_code = 3

    def __init__(self, why: str) -> None:
        super().__init__(
            "The icon cannot be shown here.",
            why=why,
            next="See the same in this terminal with `backup-tray status --watch`; `backup-tray doctor` says what is missing.",
        )


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


class SystemViewError(BackupTrayError):
    """A system-wide instance was set up here, but what it knows cannot be had now."""

    code = "ERROR_SYSTEM_VIEW"
    exit_code = 3

    def __init__(
        self, why: str, next: str = "An administrator can look: `sudo systemctl status backup-tray` (and start it)."
    ) -> None:
        super().__init__("The system's backups (root's) are not known now.", why=why, next=next)


class NotInGroupError(BackupTrayError):
    """There is a system-wide instance, but this user is not in the group that may see it."""

    code = "ERROR_SYSTEM_GROUP"
    exit_code = 3

    def __init__(self, group: str, user: str, *, added: bool = False) -> None:
        super().__init__(
            f"Root's backups are not shown: you are not in the group {group}{' in this session' if added else ''}.",
            why=f"Only members of the group {group} may see them.",
            next="Log in again: you were added to it after you logged in."
            if added
            else f"An administrator can add you: sudo usermod -aG {group} {user} (then log in again).",
        )
        self.group, self.user, self.added = group, user, added


class SystemOwnedError(BackupTrayError):
    """What was asked for would change something of root's; `thing` names it, `command` is the way for an administrator."""

    code = "ERROR_SYSTEM_OWNED"

    def __init__(self, thing: str, command: str) -> None:
        super().__init__(
            f"{thing} belongs to the system (root) and is only shown to you.",
            why="Nothing that an ordinary user asks for changes root's backups or their record.",
            next=f"An administrator can do it: `{command}`.",
        )
        self.thing, self.command = thing, command


class SystemServiceError(BackupTrayError):
    """The system-wide instance cannot show itself to its group."""

    code = "ERROR_SYSTEM_SERVICE"

    def __init__(self, why: str, next: str) -> None:
        super().__init__("The system's status cannot be shown to others.", why=why, next=next)


class RepositoryUnreachableError(BackupTrayError):
    """A repository cannot be looked at: its disk is not mounted, it does not answer, or it must not be read."""

    code = "ERROR_REPOSITORY_UNREACHABLE"

    def __init__(self, repository: str, why: str) -> None:
        super().__init__(
            f"The repository {repository} cannot be looked at.",
            why=why,
            next="Connect its disk or server, then look again: `backup-tray repository --refresh`.",
        )
        self.repository = repository


class RepositoryAskError(BackupTrayError):
    """The engine was asked about a repository and did not answer."""

    code = "ERROR_REPOSITORY_ASK"

    def __init__(self, engine: str, repository: str, why: str, next: str) -> None:
        super().__init__(f"{engine} could not say what is in the repository {repository}.", why=why, next=next)
        self.engine, self.repository = engine, repository


class RepositoryCacheError(BackupTrayError):
    """What was last known of the repositories cannot be read or kept (AF-2)."""

    code = "ERROR_REPOSITORY_CACHE"

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            "What is known of a repository cannot be read.",
            why=f"{file}: {why}.",
            next="Look at the repositories again, which makes it anew: `backup-tray repository --refresh`.",
        )
        self.file = file


class RepositoryNotKnownError(BackupTrayError):
    """Nobody has looked at this repository yet."""

    code = "ERROR_REPOSITORY_NOT_KNOWN"

    def __init__(self, repository: str) -> None:
        super().__init__(
            f"Nothing is known of the repository {repository}.",
            why="No backup under watch went there, no job of config.toml names it, and there is no repository of that name here.",
            next="Check the spelling against the known ones: `backup-tray repository`.",
        )
        self.repository = repository
