"""Errors about the state of repositories."""

from pathlib import Path

from tray.core.errors.base import BackupTrayError


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
