"""The base of all errors, and the errors that any room can raise."""

from pathlib import Path


class BackupTrayError(Exception):
    """Base of all errors that the program raises on purpose."""

    code = "ERROR_INTERNAL"
    exit_code = 2

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.next = what, why, next

    def facts(self) -> dict[str, str]:
        """Return the error as `status --json` shows it: code, what, why, next."""
        return {"code": self.code, "what": self.what, "why": self.why, "next": self.next}


class UnexpectedError(BackupTrayError):
    """An internal error of Backup Tray; `cause` is the unexpected exception."""

    exit_code = 70

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            "Backup Tray made a mistake of its own.",
            why=f"{type(cause).__name__}: {cause}{_place(cause)}",
            next="Run `backup-tray doctor`; backups that run are not affected. Please report this line.",
        )
        self.cause = cause


def _place(cause: BaseException) -> str:
    """Return where in this program *cause* was raised, as " (status/source.py, line 81)"; "" if that is not known."""
    place, step = "", cause.__traceback__
    while step is not None:
        head, inside, tail = step.tb_frame.f_code.co_filename.rpartition("/tray/")
        if inside and head:
            place = f" ({tail}, line {step.tb_lineno})"
        step = step.tb_next
    return place


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
