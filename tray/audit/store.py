"""Open the audit log in SQLite: append entries, and read them.

Many processes may append at once; each append takes the write lock, reads the head, adds its entries, signs the new root and
commits. Readers see one consistent state and never write. Every failure is an AuditUnavailableError.
"""

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from tray.audit import database, near_copy
from tray.audit.append import append_all, ensure
from tray.audit.checkpoint import Signer
from tray.audit.entry import ENDS, Action, Draft, OpenRun, ended_run, open_run
from tray.audit.merkle import Frontier, Tiles
from tray.audit.rows import ENTRY, GOOD, PLAIN, StoredEntry, stored
from tray.audit.schema import ENDED, STARTED
from tray.audit.search import by_facets, renames
from tray.audit.search.conditions import Filter
from tray.audit.search.good_runs import GoodRuns, Known
from tray.audit.search.jobs import KnownJobs, Marks
from tray.audit.search.renames import Names
from tray.core.errors import AuditUnavailableError, EntryNotFoundError, EntryPrunedError, RedactRefusedError
from tray.core.model import BACKUP, EndedRun, JobHistory

_RUN = "SELECT max(seq) FROM entries INDEXED BY {} WHERE {} AND run = ?"
_BEGINS = "SELECT run FROM entries INDEXED BY {} WHERE {} AND run >= ? AND run < ? LIMIT ?"
_ENDS = "SELECT run FROM entries INDEXED BY {} WHERE {} AND substr(run, -?) = ? LIMIT ?"
_BOTH_ENDS = "SELECT (SELECT min(seq) FROM entries), (SELECT max(seq) FROM entries)"
"""As two questions: SQLite would look through all entries for both at once."""
_OF_RUNS = (("run_end", ENDED), ("run_start", STARTED))


class AuditLog:
    """One open audit log: `open` it to append, `read` to look. Not for two threads at the same time."""

    def __init__(self, db: Path, key: Path | None, timeout: float, copies: Path | None = None) -> None:
        self.db, self._key, self.timeout, self._copies = db, key, timeout, copies
        self._seen: database.Identity = ()
        self._immutable = False
        self._connection: sqlite3.Connection | None = None
        self._jobs, self._good = KnownJobs(), GoodRuns()
        self._further: Callable[[Names], Names] | None = None

    @classmethod
    def open(cls, db: Path, key: Path, *, timeout: float = 5.0, copies: Path | None = None) -> Self:
        """Open the log for appending; make log and key if they are missing.

        Args:
            timeout: Seconds to wait for other writers, here and at each append.
            copies: Folder that gets a copy of the checkpoint after each append (`near_copy.copy_near`); None: nothing is copied.

        Raises:
            AuditUnavailableError: It cannot be opened or made.
        """
        log = cls(db, key, timeout, copies)
        with database.guard(db, timeout):
            ensure(db, key, timeout, copies)
            log._connect()
        return log

    @classmethod
    def read(cls, db: Path, *, timeout: float = 2.0, further: Callable[[Names], Names] | None = None) -> Self:
        """Open the log for reading; nothing is written, no key is needed.

        Args:
            further: Adds names of jobs that the log does not know yet to its own.

        Raises:
            AuditMissingError: There is no log, and there never was one.
            AuditUnavailableError: There is one, but it cannot be read.
        """
        log = cls(db, None, timeout)
        log._further = further
        with database.guard(db, timeout):
            log._connect()
        return log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the log; it opens again by itself when it is used again."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    # -- writing

    def append(self, drafts: Sequence[Draft]) -> list[int]:
        """Append *drafts* in one transaction that survives a power cut, and return their sequence numbers.

        A draft whose id is in the log already is not appended again, nor is a second start or end of a run: the first one's
        number is returned.

        Raises:
            AuditUnavailableError: Nothing was appended.
        """
        key = self.writing_key()
        with database.guard(self.db, self.timeout), self._writing() as connection:
            return append_all(connection, key, drafts)

    def change_key(self, fresh: Signer) -> int:
        """Let *fresh* sign from now on, introduced by the present key; return that entry's number. See `tray.audit.rotation`."""
        key = self.writing_key()
        with database.guard(self.db, self.timeout), self._writing() as connection:
            return append_all(connection, key, [], fresh)[-1]

    def redact(self, seq: int, reason: str) -> int:
        """Erase the body of entry *seq*, after an entry that says so; return that entry's number. See `tray.audit.redact`.

        The entry itself stays, so the log still verifies.

        Raises:
            RedactRefusedError: There is nothing to erase, or it is needed to verify the log.
        """
        key, target = self.writing_key(), self.entry(seq)
        if target.data["action"] in PLAIN:
            raise RedactRefusedError(seq, "They are needed to verify the log, and hold nothing personal.")
        if target.body is None:
            raise RedactRefusedError(seq, "They were erased before." if target.erased else "It never had any.")
        draft = Draft(
            Action.AUDIT_REDACTED, job=target.data["job"], run=target.data["run"], body={"entry": seq, "reason": reason}
        )
        with database.guard(self.db, self.timeout), self._writing() as connection:
            (number,) = append_all(connection, key, [draft])
            connection.execute("DELETE FROM bodies WHERE seq = ?", (seq,))
        self.flush()
        return number

    def writing_key(self) -> Path:
        """Return the file with the signing key.

        Raises:
            AuditUnavailableError: The log was opened for reading.
        """
        if self._key is None:
            raise AuditUnavailableError("This log was opened for reading.")
        return self._key

    def flush(self) -> None:
        """Move all of SQLite's write-ahead log into the database and empty it, so that nothing deleted is left there."""
        with database.guard(self.db, self.timeout):
            self._live().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # -- reading

    def version(self) -> object:
        """Return a cheap value that differs once the log has changed, was replaced or overwritten."""
        with database.guard(self.db, self.timeout):
            connection = self._fresh()
            return *self._seen, connection.execute("PRAGMA data_version").fetchone()[0]

    def jobs(self) -> list[JobHistory]:
        """Return the history of each job that has an ended run and was not forgotten since, in the order of their names."""
        return self.known_jobs()[0]

    def known_jobs(self) -> tuple[list[JobHistory], Marks, Marks]:
        """Return `jobs`, which jobs were forgotten when, and which were acknowledged when."""
        with self._snapshot() as connection:
            return self._jobs.read(connection)

    def good_runs(self, jobs: Iterable[Sequence[str]], kind: str = BACKUP) -> list[Known]:
        """Return the good runs of this *kind* of each job.

        Args:
            jobs: The names under which the runs of each job are on record.
        """
        with self._snapshot() as connection:
            self._good.refresh(connection)
            return [self._good.known(connection, names, kind) for names in jobs]

    def names(self) -> Names:
        """Return the present names of jobs that were renamed; `known_jobs` and entries keep the names on record."""
        with self._snapshot() as connection:
            return self.names_in(connection)

    def names_in(self, connection: sqlite3.Connection) -> Names:
        """Return `names` within a snapshot."""
        names = renames.read(connection)
        return names if self._further is None else self._further(names)

    def open_runs(self) -> list[OpenRun]:
        """Return the runs that have a start and no end on record, the oldest first."""
        with self._snapshot() as connection:
            rows = connection.execute(
                "SELECT entries.seq, entry, body FROM open_runs JOIN entries ON entries.seq = open_runs.seq "
                "LEFT JOIN bodies ON bodies.seq = entries.seq ORDER BY entries.seq"
            ).fetchall()
        with database.guard(self.db):
            return [open_run(entry.data, entry.body, entry.seq) for entry in map(stored, rows)]

    def history(self, limit: int = 50, before: int | None = None, job: str | None = None) -> list[EndedRun]:
        """Return ended runs, the one that was recorded last first.

        Args:
            before: Go on behind this entry (of an earlier page).
            job: Only of this job.
        """
        wanted = Filter(action=ENDS, job=None if job is None else (job,))
        entries, names = self._newest(wanted, limit, before), self.names()
        with database.guard(self.db):
            return [ended_run(entry.data, entry.body, entry.seq, names.present) for entry in entries]

    def good_ends(self, job: str, limit: int) -> list[StoredEntry]:
        """Return the newest ends of *job* that were a success or a warning, the newest first."""
        return self._newest(Filter(action=ENDS, job=(job,), outcome=GOOD), limit)

    def _newest(self, wanted: Filter, limit: int, before: int | None = None) -> list[StoredEntry]:
        with self._snapshot() as connection:
            wanted = self.names_in(connection).widened(wanted)
            keys = itertools.islice(by_facets.recorded(connection, wanted, before), limit)
            return by_facets.read(connection, [seq for _, seq in keys])

    def entry(self, seq: int) -> StoredEntry:
        """Return entry *seq*.

        Raises:
            EntryNotFoundError: There is none.
            EntryPrunedError: It is not kept any more.
        """
        with self._snapshot() as connection:
            row = connection.execute(f"{ENTRY} entries.seq = ?", (seq,)).fetchone()
            if row is None:
                start = _start(connection)
                if 0 <= seq < start:
                    raise EntryPrunedError(seq, start)
                raise EntryNotFoundError(seq, _size(connection))
            return stored(row)

    def entry_of_run(self, run: str) -> StoredEntry | None:
        """Return the end of the run of this whole id, else its start, else None."""
        with self._snapshot() as connection:
            for index, condition in _OF_RUNS:
                row = connection.execute(_RUN.format(index, condition), (run,)).fetchone()
                if row[0] is not None:
                    return stored(connection.execute(f"{ENTRY} entries.seq = ?", row).fetchone())
        return None

    def runs_like(self, words: str, limit: int, *, ends: bool) -> set[str]:
        """Return the ids of up to about *limit* runs that begin with *words*, or with *ends* also those that end so."""
        with self._snapshot() as connection:
            runs: set[str] = set()
            for index, condition in _OF_RUNS:
                query = _BEGINS.format(index, condition)
                runs |= {run for (run,) in connection.execute(query, (words, words + "\U0010ffff", limit))}
                if ends:  # no index is sorted by the ends of ids: SQLite looks through all of them
                    query = _ENDS.format(index, condition)
                    runs |= {run for (run,) in connection.execute(query, (len(words), words, limit))}
            return runs

    def entries(self, first: int = 0, limit: int = 100) -> list[StoredEntry]:
        """Return up to *limit* entries from number *first* on; a negative *first* counts from the end."""
        with self._snapshot() as connection:
            start = first if first >= 0 else max(0, _size(connection) + first)
            rows = connection.execute(
                f"{ENTRY} entries.seq >= ? ORDER BY entries.seq LIMIT ?", (start, limit)
            ).fetchall()
            return [stored(row) for row in rows]

    def first(self) -> StoredEntry:
        """Return the oldest entry that is kept, after comparing both ends of the log with its head.

        Raises:
            AuditUnavailableError: Entries are missing at its beginning or end: it was emptied or cut.
        """
        with self._snapshot() as connection:
            start, size = _start(connection), _size(connection)
            ends = connection.execute(_BOTH_ENDS).fetchone()
            rows = connection.execute(f"{ENTRY} entries.seq IN (?, ?) ORDER BY 1", ends).fetchall()
            kept = [stored(row) for row in rows]
        if not kept or (kept[0].seq, kept[-1].seq + 1) != (start, size):
            raise database.emptied(self.db, [entry.seq for entry in kept], start, size)
        return kept[0]

    def head(self) -> tuple[int, bytes, bytes]:
        """Return size, root and the newest signed checkpoint."""
        with self._snapshot() as connection:
            size, frontier, checkpoint = connection.execute("SELECT size, frontier, checkpoint FROM head").fetchone()
            return size, Frontier.from_bytes(size, frontier).root(), bytes(checkpoint)

    def start(self) -> int:
        """Return the number of the first entry that is kept: 0 unless older ones were pruned."""
        with self._snapshot() as connection:
            return _start(connection)

    def root_at(self, size: int) -> bytes:
        """Return the root that the log had when it was *size* entries long.

        Raises:
            AuditUnavailableError: It has fewer entries.
            EntryPrunedError: The root depends on entries that were pruned; at a multiple of 256 it is known all the same.
        """
        with self._snapshot() as connection:
            return Tiles(connection).root_at(size)

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """Return the audit path (RFC 6962, 2.1.1) of entry *seq* in the tree of the first *size* entries, from the leaf upward.

        Raises:
            AuditUnavailableError, EntryPrunedError: As `root_at`.
        """
        with self._snapshot() as connection:
            return Tiles(connection).inclusion(seq, size)

    # -- the connection

    def _connect(self) -> sqlite3.Connection:
        self.close()
        if self._key is None:
            self._seen = database.fingerprint(self.db)
            self._connection, self._immutable = database.connect_reader(self.db, self.timeout)
        else:
            self._seen = database.identity(self.db)
            self._connection = database.connect_writer(self.db, self.timeout)
        return self._connection

    def _live(self) -> sqlite3.Connection:
        return self._connect() if self._connection is None else self._connection

    def _fresh(self) -> sqlite3.Connection:
        """Return a connection to the file that is there now."""
        if self._key is not None:
            return self._live() if self._seen == database.identity(self.db) else self._connect()
        if self._seen != database.fingerprint(self.db) or (self._immutable and database.has_wal(self.db)):
            return self._connect()
        return self._live()

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        connection = self._fresh()
        connection.execute(begin)
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        with database.guard(self.db, self.timeout), self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; copy the new checkpoint when all is on the disk."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            database.check_format(connection, self.db)  # a newer program may have changed it since it was opened
            before = None if self._copies is None else _checkpoint(connection)
            yield connection
            note = None if self._copies is None else _checkpoint(connection)
        self._must_be_the_same()
        if self._copies is not None and before is not None and note is not None and note != before:
            near_copy.copy_near(self._copies, note, before, key=self._key, root_at=self.root_at)

    def _must_be_the_same(self) -> None:
        """Raise if the file was moved away under us: the new entries may not be in the log."""
        if database.identity(self.db) != self._seen:
            self.close()
            raise AuditUnavailableError(f"{self.db} was replaced while it was written.")


def _size(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT size FROM head").fetchone()[0])


def _start(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT start FROM base").fetchone()[0])


def _checkpoint(connection: sqlite3.Connection) -> bytes:
    return bytes(connection.execute("SELECT checkpoint FROM head").fetchone()[0])
