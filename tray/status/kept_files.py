"""Read the files that each poll needs: the configuration, the last verification, the cache about repositories.

Each is read again only when it changed, so that a poll costs one `stat` a file. `read` never raises; it returns a value that is
another one once something changed.
"""

import os
from collections.abc import Callable, Collection
from importlib import import_module
from pathlib import Path

from tray import config, wording
from tray.audit import last_check
from tray.baselines import unreached
from tray.config import AuditConfig, jobs
from tray.config.file import Document
from tray.config.jobs import Configured
from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError, ConfigError, RepositoryCacheError
from tray.core.model import AuditStanding, JobHistory, RepositoryState
from tray.core.paths import Places
from tray.recording.outage import Outage
from tray.repository import cache, local, states

_UNREADABLE = (
    "The result of the audit log's last verification cannot be read; `backup-tray audit verify` checks it again"
)
_GONE = "The audit log that was verified here is gone"


_MOST_NOTES = 20
UNSENT = "notify.failing"
"""The file in the state folder in which the sender notes the channels that are out."""
_DESKTOP = "desktop"
_OF_CHANNELS = {"channels", "notify"}
"""Tables of config.toml about messages."""


def _reason(error: BackupTrayError) -> str:
    line = f"line {error.line}: " if isinstance(error, ConfigError) and error.line else ""
    return line + error.why.rstrip(".")


def mark(file: str | Path) -> tuple[int, int, int] | None:
    """Return a value that is another one once *file* has changed; None if there is no file."""
    try:
        stat = os.stat(file)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _trouble(file: str) -> str | None:
    """Return why nothing can be said of *file*: a link that leads nowhere, a folder that cannot be entered. None: it is missing."""
    try:
        os.lstat(file)
        os.stat(file)
    except FileNotFoundError as error:
        return str(error) if os.path.islink(file) else None
    except OSError as error:
        return str(error)
    return None  # it was made just now


class Settings:
    """The configuration as far as the status needs it.

    Attributes:
        audit: The settings of the audit log; the defaults while the configuration is broken.
        configured: The jobs; none while the configuration is broken.
        doubtful: A job that is expected may be unknown: the jobs cannot be read, or one of them has a fault.
        changed_ms: When the file was last changed; 0 if there is none.
        notes: One line if the configuration is broken: it is not followed until the user mends it. Else a line for each job
            and each channel with a fault, and for each key without effect.
        channels: The names of the channels that can send; None while they cannot be read.
    """

    def __init__(self, places: Places) -> None:
        self._places, self._file = places, str(places.config_file)
        self._mark: object = None
        self.audit = AuditConfig()
        self.configured = Configured()
        self.changed_ms = 0
        self.doubtful = False
        self.notes: tuple[str, ...] = ()
        self.channels: Collection[str] | None = ()

    def read(self) -> object:
        """Read the file if it changed."""
        now = mark(self._file) or _trouble(self._file)
        if now == self._mark:
            return now
        self._mark, self.audit, self.configured, self.notes = now, AuditConfig(), Configured(), ()
        self.channels = () if now is None else None
        self.changed_ms = now[0] // 1_000_000 if isinstance(now, tuple) else 0
        self.doubtful = now is not None
        if now is None:
            return now
        try:
            document = config.read(self._places)
            if document is not None:
                self.configured = jobs.configured(document)
            self.doubtful = bool(self.configured.broken)
            if document is not None:
                self.audit = config.settings(document).audit
        except BackupTrayError as error:
            self.notes = (f"{wording.UNFOLLOWED} until it is mended: {_reason(error)}",)
            return now
        broken = [f"{wording.UNFOLLOWED} for a job: {_reason(error)}" for error in self.configured.broken.values()]
        lines = [*broken, *self.configured.notes, *(self._of_channels(document) if document is not None else ())]
        more = [f"{len(lines) - _MOST_NOTES} more faults in config.toml: `backup-tray doctor` names them all"]
        self.notes = (*lines[:_MOST_NOTES], *more[: len(lines) > _MOST_NOTES])
        return now

    def _of_channels(self, document: Document) -> list[str]:
        """Note the channels in *document*, and return a line for each fault and each key without effect."""
        self.channels = ()
        if not document.tables.keys() & _OF_CHANNELS:
            return []
        channels = import_module("tray.config.channels")  # most have none, and an icon stays in memory all day
        try:
            known = channels.configured(document)
        except ConfigError as error:
            return [f"{wording.UNFOLLOWED} for messages: {_reason(error)}"]
        self.channels = [name for name, settings in known.channels.items() if settings.enabled]
        faults = known.broken.items()
        return [f"{wording.UNFOLLOWED} for the channel {name}: {_reason(error)}" for name, error in faults] + [
            *known.notes
        ]

    def concerns(self) -> dict[str, str]:
        """Return by job why it is not fine although its last run says so: its settings have a fault."""
        return {
            name: f"Its settings in config.toml have a fault: {_reason(error)}."
            for name, error in self.configured.broken.items()
        }


class Standing:
    """The audit log's standing: the result of its last verification.

    Attributes:
        audit: The standing; None if the log was never verified. A file that cannot be read is "unchecked", never intact.
    """

    def __init__(self, places: Places) -> None:
        self._places, self._file = places, str(places.audit_standing)
        self._mark: object = None
        self._unreadable = False
        self.audit: AuditStanding | None = None

    def read(self) -> object:
        """Read the file if it changed."""
        now = mark(self._file)
        if now == self._mark:
            return now
        self._mark, self._unreadable = now, False
        try:
            self.audit = None if now is None else last_check.read(self._places)
        except (BackupTrayError, OSError, ValueError):
            changed_ms = 0 if now is None else now[0] // 1_000_000
            self.audit, self._unreadable = AuditStanding("unchecked", changed_ms, 0, f"{_UNREADABLE}."), True
        return now

    def doubtful(self, begun_ms: int | None) -> bool:
        """Whether a breach may be hidden here: the file cannot be read, or the log to which it belongs is gone."""
        return self._unreadable or self._gone(begun_ms)

    def notes(self, now_ms: int, begun_ms: int | None, every_ms: int | None) -> list[str]:
        """Return at most one line: the file cannot be read, a breach was acknowledged, or the last check is long ago.

        Args:
            begun_ms: When the log began; None where there is none.
            every_ms: How often it is to be verified; None: never.
        """
        if self._unreadable:
            return [_UNREADABLE]
        if self._gone(begun_ms):
            return [_GONE]
        if self.audit is not None and self.audit.result == "tampered" and not self.audit.breach:
            return [wording.audit_line(self.audit, now_ms)]
        if begun_ms is None or now_ms - (begun_ms if self.audit is None else self.audit.checked_ms) <= DAY_MS:
            return []
        note = wording.overdue_note(self.audit, now_ms, every_ms, begun_ms)
        return [] if note is None else [note]

    def _gone(self, begun_ms: int | None) -> bool:
        return begun_ms is None and self.audit is not None


class Unsent:
    """The channels by which messages cannot be sent now, as the sender notes them."""

    def __init__(self, places: Places) -> None:
        self._file = places.state / UNSENT
        self._mark: object = None
        self._why: dict[str, str] = {}
        self._since: dict[str, int] = {}

    def read(self) -> object:
        """Read the file if it changed."""
        now = mark(self._file)
        if now != self._mark:
            self._mark, self._why, self._since = now, {}, {}
            if now is not None:
                self._why, self._since = unreached.failing(self._file), unreached.since(self._file)
        return now

    def notes(self, channels: Collection[str] | None, now_ms: int) -> list[str]:
        """Return a line for each of the configured *channels* that is out, None: of any.

        The desktop gets none: on a server there is none, and the icon says so itself.
        """
        out = [name for name in self._why if name != _DESKTOP and (channels is None or name in channels)]
        return [self._line(name, now_ms) for name in sorted(out)]

    def _line(self, name: str, now_ms: int) -> str:
        since = self._since.get(name)
        when = "" if since is None else f" since {wording.moment(since, now_ms)}"
        return f"{wording.UNSENT}{wording.escape(name)} cannot be sent{when}: {wording.escape(self._why[name]).rstrip('.')}"


class Repositories:
    """The repositories as the last look at them found them: a second opinion beside audit log and spool."""

    def __init__(self, places: Places) -> None:
        self._cache = cache.Cache(places)
        self._contents = cache.Contents({}, {})
        self._good: dict[str, RepositoryState] = {}
        self._outage = Outage(places, "repositories-outage")

    def read(self) -> object:
        """Read the files of the cache that changed; a cache that cannot be read goes on record once (AF-2)."""
        contents = self._cache.contents()
        if contents is self._contents:
            return contents
        self._contents = contents
        self._good |= {name: entry.state for name, entry in self._contents.entries.items()}
        if errors := list(self._contents.errors.values()):
            self._outage.began(errors[0])
        else:
            self._outage.over()
        return contents

    @property
    def doubtful(self) -> bool:
        """Whether something is unreadable, so that a warning may be hidden in it."""
        return bool(self._contents.errors)

    def concerns(self, jobs: Collection[JobHistory], present: Callable[[str], str]) -> dict[str, str]:
        """Return by job why it is not fine although its last run says so; *present* gives the present name of a job."""
        return states.concerns(self._contents.entries.values(), jobs, present)

    def states(self, jobs: Collection[JobHistory]) -> list[RepositoryState]:
        """Return the state of every repository; of one whose file cannot be read the error, and its name if a job tells it."""
        listed = [entry.state for entry in self._contents.entries.values()]
        for name, error in self._contents.errors.items():
            old = self._good.get(name) or _nameless(name, error, jobs)
            listed.append(replace(old, error=error.facts()))
        return sorted(listed, key=lambda state: (state.repository, state.engine))

    def notes(self, now_ms: int) -> list[str]:
        """Return a line about each file that cannot be read, each stale lock, and each repository that gave no answer.

        A disk that is not there gets no line: many are there only for their backup.
        """
        entries = self._contents.entries.values()
        notes = [f"{error.what} {error.why} {error.next}".rstrip(".") for error in self._contents.errors.values()]
        notes += [note for entry in entries if (note := states.lock_note(entry.state, now_ms))]
        return notes + [note for entry in entries if (note := states.stale_note(entry.state))]


def _nameless(name: str, error: RepositoryCacheError, jobs: Collection[JobHistory]) -> RepositoryState:
    """Return an empty state of the repository that a job tells by its name, else of the file."""
    kept = mark(error.file)
    kept_ms = 0 if kept is None else kept[0] // 1_000_000
    for job in jobs:
        repository, engine = job.last.repository, job.last.engine
        if repository and name == cache.name_of(engine, str(local.folder(engine, repository) or repository)):
            return RepositoryState(repository, engine, kept_ms)
    return RepositoryState(str(error.file), "unknown", kept_ms)
