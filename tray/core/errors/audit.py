"""Errors of the audit log, its baselines, keys and exports, and of repositories."""

from pathlib import Path

from tray.core.errors.base import BackupTrayError


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
        self.what = "There is no audit log yet."


class EntryNotFoundError(BackupTrayError):
    """The audit log has no such entry."""

    code = "ERROR_ENTRY_NOT_FOUND"

    def __init__(self, seq: int, size: int) -> None:
        super().__init__(
            f"The audit log has no entry {seq}.",
            why=f"It holds {size} {'entry' if size == 1 else 'entries'}, numbered from 0.",
            next="List the newest with `backup-tray audit show`.",
        )
        self.seq, self.size = seq, size


class BaselineError(BackupTrayError):
    """The given baseline is no signed checkpoint."""

    code = "ERROR_BASELINE"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"{name} cannot serve as a baseline.",
            why=why,
            next="Give a file that `backup-tray audit checkpoint` printed earlier, or a folder of such files.",
        )


class EntryPrunedError(BackupTrayError):
    """The entry was pruned."""

    code = "ERROR_ENTRY_PRUNED"

    def __init__(self, seq: int, start: int) -> None:
        super().__init__(
            f"Entry {seq} of the audit log is not kept any more.",
            why=f"The entries before number {start} were pruned, as the retention says.",
            next="Look in the archive, if one is configured. The newest that are kept: `backup-tray audit show`.",
        )
        self.seq, self.start = seq, start


class TilesError(BackupTrayError):
    """The audit log cannot be exported into a folder."""

    code = "ERROR_TILES"

    def __init__(self, folder: Path, why: str, next: str = "Choose another folder, an empty one.") -> None:
        super().__init__(f"The audit log cannot be written into {folder}.", why=why, next=next)


class ProofError(BackupTrayError):
    """A proof of an entry of the audit log proves nothing."""

    code = "ERROR_PROOF"

    def __init__(self, why: str, next: str = "Ask for the proof again, from the machine that keeps the log.") -> None:
        super().__init__("This is no proof.", why=why, next=next)


class AuditStandingError(BackupTrayError):
    """The file about the last verification is damaged."""

    code = "ERROR_AUDIT_STANDING"

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            "The result of the last verification of the audit log is not known.",
            why=f"{file}: {why}",
            next="Verify again: `backup-tray audit verify`.",
        )


class NoBreachError(BackupTrayError):
    """The user acknowledges a breach, but there is none."""

    code = "ERROR_NO_BREACH"

    def __init__(self) -> None:
        super().__init__(
            "There is nothing to acknowledge.",
            why="No breach of the audit log is open.",
            next="See how the log stands: `backup-tray audit verify`.",
        )


class ReportExistsError(BackupTrayError):
    """A report would overwrite a file."""

    code = "ERROR_REPORT_EXISTS"

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"The report was not written: {file} exists.",
            why="A report does not overwrite a file.",
            next="Choose another name, or add `--force` to replace the file.",
        )


class ReportUnwritableError(BackupTrayError):
    """The file of a report cannot be written."""

    code = "ERROR_REPORT_UNWRITABLE"

    def __init__(
        self, file: Path, why: str, next: str = "Choose another folder, or make room, then try again."
    ) -> None:
        super().__init__(f"The report was not written to {file}.", why=f"{why.rstrip('.')}.", next=next)


class NothingMatchesError(BackupTrayError):
    """There is nothing that a report could be about."""

    code = "ERROR_NOTHING_MATCHES"

    def __init__(self, why: str) -> None:
        super().__init__(
            "There is nothing to report.",
            why=why,
            next="See what there is: `backup-tray history`, or `backup-tray audit show`.",
        )


class PruneRefusedError(BackupTrayError):
    """Entries that are old enough must not go."""

    code = "ERROR_PRUNE_REFUSED"

    def __init__(self, why: str, next: str) -> None:
        super().__init__("The oldest entries of the audit log are kept.", why=why, next=next)


class RedactRefusedError(BackupTrayError):
    """The details of an entry cannot be erased."""

    code = "ERROR_REDACT_REFUSED"

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(
            f"The details of entry {seq} are not erased.",
            why=why,
            next=f"Look at it: `backup-tray audit show {seq}`.",
        )
        self.seq = seq


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
    """The engine was asked about a repository and did not answer; `slow` if it took too long or its answer did not end."""

    code = "ERROR_REPOSITORY_ASK"

    def __init__(self, engine: str, repository: str, why: str, next: str, *, slow: bool = False) -> None:
        super().__init__(f"{engine} could not say what is in the repository {repository}.", why=why, next=next)
        self.engine, self.repository, self.slow = engine, repository, slow


class RepositoryCacheError(BackupTrayError):
    """The cache of the repositories' states cannot be read or written (AF-2)."""

    code = "ERROR_REPOSITORY_CACHE"

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            "The stored state of a repository cannot be read.",
            why=f"{file}: {why}.",
            next="Look at the repositories again, which makes it anew: `backup-tray repository --refresh`.",
        )
        self.file = file


class RepositoryNotKnownError(BackupTrayError):
    """This repository was never looked at."""

    code = "ERROR_REPOSITORY_NOT_KNOWN"

    def __init__(self, repository: str) -> None:
        super().__init__(
            f"Nothing is known of the repository {repository}.",
            why="No backup under watch went there, no job of config.toml names it, and there is no repository of that name here.",
            next="Check the spelling against the known ones: `backup-tray repository`.",
        )
        self.repository = repository
