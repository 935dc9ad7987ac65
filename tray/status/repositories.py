"""What the status cache knows of the repositories, for every poll: only its files are read, and only those that changed."""

from collections.abc import Collection
from pathlib import Path

from tray.core.dataclass import replace
from tray.core.errors import RepositoryCacheError
from tray.core.model import JobHistory, RepositoryState
from tray.core.paths import Places
from tray.recording.outage import Outage
from tray.repository import cache, local, states


class Repositories:
    """The second opinion beside audit log and spool."""

    def __init__(self, places: Places) -> None:
        self._cache = cache.Cache(places)
        self._contents = cache.Contents({}, {})
        self._good: dict[str, RepositoryState] = {}
        self._outage = Outage(places, "repositories-outage")

    def read(self) -> None:
        """Take in what the cache says now. Never raises; that it cannot be read goes on record once (AF-2)."""
        self._contents = self._cache.contents()
        self._good |= {name: entry.state for name, entry in self._contents.entries.items()}
        for error in self._contents.errors.values():
            self._outage.began(error)
            return
        self._outage.over()

    @property
    def doubtful(self) -> bool:
        """Whether something is unreadable, so that a warning may be hidden in it."""
        return bool(self._contents.errors)

    def concerns(self, jobs: Collection[JobHistory]) -> dict[str, str]:
        """Return by job why it is not fine although its last run says so."""
        return states.concerns(self._contents.entries.values(), jobs)

    def states(self, jobs: Collection[JobHistory]) -> list[RepositoryState]:
        """Return the state of every repository; of one whose file cannot be read the error, and its name if a job tells it."""
        found = [entry.state for entry in self._contents.entries.values()]
        for name, error in self._contents.errors.items():
            old = self._good.get(name) or _nameless(name, error, jobs)
            found.append(replace(old, error=error.facts()))
        return sorted(found, key=lambda state: (state.repository, state.engine))

    def notes(self, now_ms: int) -> list[str]:
        """Return the facts that are worth a line of their own.

        They are: what cannot be read, locks that nobody needs any more, and repositories about which an engine gave no answer.
        That a disk is not there is none of them: many are there only for their backup.
        """
        notes = [f"{error.what} {error.why} {error.next}".rstrip(".") for error in self._contents.errors.values()]
        found = (states.lock_note(entry.state, now_ms) for entry in self._contents.entries.values())
        notes += [note for note in found if note]
        return notes + [note for entry in self._contents.entries.values() if (note := states.stale_note(entry.state))]


def _nameless(name: str, error: RepositoryCacheError, jobs: Collection[JobHistory]) -> RepositoryState:
    """Return a state that says nothing, of the repository that a job tells by its name, else of the file."""
    kept_ms = _kept_ms(error.file)
    for job in jobs:
        repository, engine = job.last.repository, job.last.engine
        if repository and name == cache.name_of(engine, str(local.folder(engine, repository) or repository)):
            return RepositoryState(repository, engine, kept_ms)
    return RepositoryState(str(error.file), "unknown", kept_ms)


def _kept_ms(file: Path) -> int:
    """Return when something was last kept there."""
    try:
        return file.stat().st_mtime_ns // 1_000_000
    except OSError:
        return 0
