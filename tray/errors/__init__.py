"""The catalogue: every error that a person can meet, with what happened, why, and what to do next.

One class for one error, a module for each group of them. `code` is stable and appears in logs, in `status --json` and in the
window. `what` is one plain sentence, `why` the cause as far as it is known, `next` a step that works, with a command where there is
one. Only `cli.main` prints errors and chooses exit codes.
"""

from tray.errors.audit import (
    AuditMissingError,
    AuditUnavailableError,
    BaselineError,
    EntryNotFoundError,
    EntryPrunedError,
)
from tray.errors.base import (
    BackupTrayError,
    UnsafeFolderError,
    UsageError,
)
from tray.errors.repository import (
    RepositoryAskError,
    RepositoryCacheError,
    RepositoryNotKnownError,
    RepositoryUnreachableError,
)
from tray.errors.runs import (
    BackupStartError,
    CommandNotFoundError,
    ConfigError,
    ControlImpossibleError,
    ControlRefusedError,
    EngineMissingError,
    JobNotFoundError,
    JobSetupError,
    RepositoryInitError,
    RunElsewhereError,
    RunNotFoundError,
    RunNotLiveError,
    RunObservedError,
    RunOverError,
    RunUntrackedError,
    StatusFetchError,
    TrackerGoneError,
    UnknownEngineError,
)
from tray.errors.surfaces import (
    BadDayError,
    ExportFailedError,
    NotificationError,
    NotInGroupError,
    NoTrayError,
    NoWebViewError,
    SystemOwnedError,
    SystemServiceError,
    SystemViewError,
    WebViewUnsafeError,
    WindowBusyError,
)

__all__ = [
    "AuditMissingError",
    "AuditUnavailableError",
    "BackupStartError",
    "BackupTrayError",
    "BadDayError",
    "BaselineError",
    "CommandNotFoundError",
    "ConfigError",
    "ControlImpossibleError",
    "ControlRefusedError",
    "EngineMissingError",
    "EntryNotFoundError",
    "EntryPrunedError",
    "ExportFailedError",
    "JobNotFoundError",
    "JobSetupError",
    "NoTrayError",
    "NoWebViewError",
    "NotInGroupError",
    "NotificationError",
    "RepositoryAskError",
    "RepositoryCacheError",
    "RepositoryInitError",
    "RepositoryNotKnownError",
    "RepositoryUnreachableError",
    "RunElsewhereError",
    "RunNotFoundError",
    "RunNotLiveError",
    "RunObservedError",
    "RunOverError",
    "RunUntrackedError",
    "StatusFetchError",
    "SystemOwnedError",
    "SystemServiceError",
    "SystemViewError",
    "TrackerGoneError",
    "UnknownEngineError",
    "UnsafeFolderError",
    "UsageError",
    "WebViewUnsafeError",
    "WindowBusyError",
]
