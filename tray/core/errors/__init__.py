"""The catalogue: every error that a person can meet, with what happened, why, and what to do next.

One class for one error, a module for each group of them. `code` is stable and appears in logs, in `status --json` and in the
window. `what` is one plain sentence, `why` the cause as far as it is known, `next` a step that works, with a command where there is
one. Only `cli.main` prints errors and chooses exit codes.
"""

from tray.core.errors.audit import (
    AuditMissingError as AuditMissingError,
)
from tray.core.errors.audit import (
    AuditStandingError as AuditStandingError,
)
from tray.core.errors.audit import (
    AuditUnavailableError as AuditUnavailableError,
)
from tray.core.errors.audit import (
    BaselineError as BaselineError,
)
from tray.core.errors.audit import (
    EntryNotFoundError as EntryNotFoundError,
)
from tray.core.errors.audit import (
    EntryPrunedError as EntryPrunedError,
)
from tray.core.errors.audit import (
    NoBreachError as NoBreachError,
)
from tray.core.errors.audit import (
    NothingMatchesError as NothingMatchesError,
)
from tray.core.errors.audit import (
    ProofError as ProofError,
)
from tray.core.errors.audit import (
    PruneRefusedError as PruneRefusedError,
)
from tray.core.errors.audit import (
    RedactRefusedError as RedactRefusedError,
)
from tray.core.errors.audit import (
    ReportExistsError as ReportExistsError,
)
from tray.core.errors.audit import (
    ReportUnwritableError as ReportUnwritableError,
)
from tray.core.errors.audit import (
    RepositoryAskError as RepositoryAskError,
)
from tray.core.errors.audit import (
    RepositoryCacheError as RepositoryCacheError,
)
from tray.core.errors.audit import (
    RepositoryNotKnownError as RepositoryNotKnownError,
)
from tray.core.errors.audit import (
    RepositoryUnreachableError as RepositoryUnreachableError,
)
from tray.core.errors.audit import (
    TilesError as TilesError,
)
from tray.core.errors.base import (
    BackupTrayError as BackupTrayError,
)
from tray.core.errors.base import (
    UnexpectedError as UnexpectedError,
)
from tray.core.errors.base import (
    UnsafeFolderError as UnsafeFolderError,
)
from tray.core.errors.base import (
    UsageError as UsageError,
)
from tray.core.errors.jobs import (
    AlreadyRunningError as AlreadyRunningError,
)
from tray.core.errors.jobs import (
    BackupStartError as BackupStartError,
)
from tray.core.errors.jobs import (
    CheckImpossibleError as CheckImpossibleError,
)
from tray.core.errors.jobs import (
    ConfigError as ConfigError,
)
from tray.core.errors.jobs import (
    ConfigWriteError as ConfigWriteError,
)
from tray.core.errors.jobs import (
    EngineInstallError as EngineInstallError,
)
from tray.core.errors.jobs import (
    EngineMissingError as EngineMissingError,
)
from tray.core.errors.jobs import (
    HookFailedError as HookFailedError,
)
from tray.core.errors.jobs import (
    JobChangeError as JobChangeError,
)
from tray.core.errors.jobs import (
    JobNotFoundError as JobNotFoundError,
)
from tray.core.errors.jobs import (
    JobSetupError as JobSetupError,
)
from tray.core.errors.jobs import (
    JobWatchedError as JobWatchedError,
)
from tray.core.errors.jobs import (
    NotScheduledError as NotScheduledError,
)
from tray.core.errors.jobs import (
    RecoverySheetError as RecoverySheetError,
)
from tray.core.errors.jobs import (
    RepositoryInitError as RepositoryInitError,
)
from tray.core.errors.jobs import (
    SchedulerError as SchedulerError,
)
from tray.core.errors.jobs import (
    SchedulesUnreadableError as SchedulesUnreadableError,
)
from tray.core.errors.jobs import (
    UnknownEngineError as UnknownEngineError,
)
from tray.core.errors.jobs import (
    WhenError as WhenError,
)
from tray.core.errors.runs import (
    CommandNotFoundError as CommandNotFoundError,
)
from tray.core.errors.runs import (
    ControlImpossibleError as ControlImpossibleError,
)
from tray.core.errors.runs import (
    ControlRefusedError as ControlRefusedError,
)
from tray.core.errors.runs import (
    LogNotKeptError as LogNotKeptError,
)
from tray.core.errors.runs import (
    RunAmbiguousError as RunAmbiguousError,
)
from tray.core.errors.runs import (
    RunElsewhereError as RunElsewhereError,
)
from tray.core.errors.runs import (
    RunNotFoundError as RunNotFoundError,
)
from tray.core.errors.runs import (
    RunNotLiveError as RunNotLiveError,
)
from tray.core.errors.runs import (
    RunObservedError as RunObservedError,
)
from tray.core.errors.runs import (
    RunOverError as RunOverError,
)
from tray.core.errors.runs import (
    RunUntrackedError as RunUntrackedError,
)
from tray.core.errors.runs import (
    StatusFetchError as StatusFetchError,
)
from tray.core.errors.runs import (
    TrackerGoneError as TrackerGoneError,
)
from tray.core.errors.surfaces import (
    BadDayError as BadDayError,
)
from tray.core.errors.surfaces import ChannelNotFoundError as ChannelNotFoundError
from tray.core.errors.surfaces import (
    ExportFailedError as ExportFailedError,
)
from tray.core.errors.surfaces import MessageNotSentError as MessageNotSentError
from tray.core.errors.surfaces import (
    MetricsFileError as MetricsFileError,
)
from tray.core.errors.surfaces import (
    NotInGroupError as NotInGroupError,
)
from tray.core.errors.surfaces import (
    NoTrayError as NoTrayError,
)
from tray.core.errors.surfaces import (
    NoWebViewError as NoWebViewError,
)
from tray.core.errors.surfaces import QueueUnavailableError as QueueUnavailableError
from tray.core.errors.surfaces import (
    SystemOwnedError as SystemOwnedError,
)
from tray.core.errors.surfaces import (
    SystemServiceError as SystemServiceError,
)
from tray.core.errors.surfaces import (
    SystemViewError as SystemViewError,
)
from tray.core.errors.surfaces import (
    WebViewUnsafeError as WebViewUnsafeError,
)
from tray.core.errors.surfaces import (
    WindowBusyError as WindowBusyError,
)
