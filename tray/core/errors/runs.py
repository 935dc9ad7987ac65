"""Errors about runs, their control and the status of all of them."""

from collections.abc import Mapping, Sequence

from tray.core.errors.base import BackupTrayError


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
