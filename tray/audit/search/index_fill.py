"""Bring the index of words up to date with the log, in small transactions, so that the process may be killed at any time.

A new index is filled from the newest entry back: it is of use from the first moment on.
"""

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tray.audit.entry import Action
from tray.audit.merkle import leaf_hash
from tray.audit.rows import StoredEntry
from tray.audit.schema import MOMENT
from tray.audit.search import by_facets
from tray.audit.search.by_facets import Cursor
from tray.audit.search.by_words import SPAN_MS, TABLES, VERSION, State, forget, is_of, path_of, read_state, token
from tray.audit.search.conditions import NAMES, Filter, known, words_of
from tray.audit.store import AuditLog
from tray.core import clock, files
from tray.core.errors import AuditMissingError
from tray.core.paths import Places

BATCH = 2000
"""Entries that one transaction adds to the index."""

_LOCK_SECONDS = 2.0
_ATTEMPTS = 3
_MOST_SEEN = 300_000
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT)


def update(places: Places, *, progress: Callable[[int, int], None] | None = None, seconds: float | None = None) -> bool:
    """Bring the index up to date with the log; return whether it is now. It may be killed at any time and goes on later.

    If the index cannot be written, or this SQLite has no FTS5, nothing is done: searches then look at entries one by one.

    Args:
        progress: Called after each transaction with the number of entries in the index and in the log.
        seconds: Stop after about so long.

    Raises:
        AuditUnavailableError: The log cannot be read.
    """
    deadline = None if seconds is None else clock.monotonic() + seconds
    try:
        for _ in range(_ATTEMPTS):
            try:
                return _round(places, progress, deadline)
            except _StaleError:
                forget(places.audit_db)
            except sqlite3.Error as error:
                if (getattr(error, "sqlite_errorcode", sqlite3.SQLITE_NOTADB) & 0xFF) not in _DAMAGE:
                    return False
                forget(places.audit_db)
    except AuditMissingError:
        return True
    except OSError:
        pass
    return False


class _StaleError(Exception):
    """The index is damaged, of another version or another log, or knows erased entries: it must be made anew."""


def _round(places: Places, progress: Callable[[int, int], None] | None, deadline: float | None) -> bool:
    with AuditLog.read(places.audit_db) as log, _writable(path_of(places.audit_db)) as index:
        builder = _Builder(log, index)
        while builder.step():
            if progress is not None:
                progress(*builder.progress())
            if deadline is not None and clock.monotonic() > deadline:
                return False
    return True


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the index for writing; make it if it is missing."""
    os.close(files.descriptor(path, os.O_RDWR | os.O_CREAT))
    index = sqlite3.connect(path, timeout=_LOCK_SECONDS, isolation_level=None)
    try:
        index.execute("PRAGMA secure_delete = ON")
        index.execute("PRAGMA cache_size = -16000")
        index.execute("BEGIN IMMEDIATE")
        (version,) = index.execute("PRAGMA user_version").fetchone()
        (tables,) = index.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if version == 0 and tables == 0:
            for statement in TABLES.values():
                index.execute(f"CREATE {statement}")
            index.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            raise _StaleError
        index.execute("COMMIT")
        yield index
    finally:
        index.close()


class _Builder:
    """One round of bringing the index up to date."""

    def __init__(self, log: AuditLog, index: sqlite3.Connection) -> None:
        self._log, self._index = log, index
        self._seen: set[str] = set()
        self._known = self._size = 0

    def progress(self) -> tuple[int, int]:
        """Return the number of entries in the index and in the log."""
        return self._known, self._size

    def step(self) -> bool:
        """Add one batch of entries; False if there are none left."""
        self._index.execute("BEGIN IMMEDIATE")
        try:
            more = self._step()
            self._index.execute("COMMIT")
            return more
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._index.execute("ROLLBACK")
            raise

    def _step(self) -> bool:
        state = read_state(self._index)
        # The index is not touched in here: an error of it would be taken for damage of the log.
        with self._log._snapshot() as connection:
            state = self._current(connection, state)
            newer = state.done < self._size
            keys = _appended(connection, state) if newer else _older(connection, state)
            new = keys if newer else [key for key in keys if key[1] < state.built]
            docs = {entry.seq: _words(entry) for entry in by_facets.read(connection, [seq for _, seq in new])}
            if len(docs) != len(new):
                raise LookupError("an index names entries that are not there")
            if not keys:
                if state.low is None:
                    return False
                state.low = None
            elif newer:
                state.done = max(seq for _, seq in keys) + 1
                state.anchor = _anchor(connection, state.done)
            else:
                state.low = keys[0]
        state.known += len(new)
        self._known = state.known
        self._insert(new, docs)
        self._write(state)
        return True

    def _current(self, connection: sqlite3.Connection, state: State | None) -> State:
        """Return the part of the log that the index covers, none if it is new.

        Raises:
            _StaleError: It is of another log, or knows entries that were pruned or erased.
        """
        log, self._size = connection.execute("SELECT log, size FROM head").fetchone()
        (start,) = connection.execute("SELECT start FROM base").fetchone()
        if state is None:
            return State(log, start, self._size, self._size, 0, _anchor(connection, self._size), by_facets.FAR)
        if state.start != start or not is_of(state, connection) or _erased_since(connection, state):
            raise _StaleError
        return state

    def _insert(self, keys: Sequence[Cursor], docs: Mapping[int, set[str]]) -> None:
        rows: dict[int, set[str]] = {}
        for at, seq in keys:
            rows.setdefault(at // SPAN_MS, set()).update(docs[seq])
        new = set().union(*rows.values()) - self._seen
        self._index.executemany("INSERT OR IGNORE INTO terms VALUES (?)", [(word,) for word in sorted(new)])
        self._seen = new if len(self._seen) > _MOST_SEEN else self._seen | new
        self._index.executemany(
            "INSERT INTO words (rowid, doc) VALUES (?, ?)", [(row, " ".join(words)) for row, words in rows.items()]
        )

    def _write(self, state: State) -> None:
        low = (None, None) if state.low is None else state.low
        self._index.execute(
            "INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
            (state.log, state.start, state.built, state.done, state.known, state.anchor, *low),
        )


def _appended(connection: sqlite3.Connection, state: State) -> list[Cursor]:
    """Return the keys of the next entries that the index does not know, in the order of time."""
    rows = connection.execute(
        f"SELECT {MOMENT}, seq FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?",  # noqa: S608 - a constant of ours
        (state.done, BATCH),
    )
    return _dated(rows)


def _older(connection: sqlite3.Connection, state: State) -> list[Cursor]:
    """Return the keys of the entries right before those that the index knows, in the order of time."""
    if state.low is None:
        return []
    return _dated(itertools.islice(by_facets.keys(connection, Filter(), state.low), BATCH))


def _dated(rows: Iterable[Cursor]) -> list[Cursor]:
    """Return *rows* in the order of time.

    Raises:
        LookupError: The log is damaged: an entry has no time.
    """
    keys = list(rows)
    if any(at is None for at, _ in keys):
        raise LookupError("an entry has no time")
    return sorted(keys)


def _words(entry: StoredEntry) -> set[str]:
    return words_of(entry.data, entry.body) | {token(name, known(entry.data, name)) for name in NAMES}


def _anchor(connection: sqlite3.Connection, size: int) -> bytes:
    row = connection.execute("SELECT entry FROM entries WHERE seq = ?", (size - 1,)).fetchone()
    return b"" if row is None else leaf_hash(row[0])


def _erased_since(connection: sqlite3.Connection, state: State) -> bool:
    """Whether details were erased that the index may know."""
    return any(seq >= state.done for _, seq in by_facets.keys(connection, Filter(action=(Action.AUDIT_REDACTED,))))
