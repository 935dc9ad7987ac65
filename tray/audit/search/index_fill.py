"""Bring the index of words up to date with the log, in small transactions, so that the process may be killed at any time.

While many entries are missing in it, searches look at entries one by one.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from tray.audit.entry import Action
from tray.audit.schema import MOMENT
from tray.audit.search import by_facets
from tray.audit.search.by_words import (
    SPAN_MS,
    TABLES,
    VERSION,
    State,
    anchor,
    forget,
    is_of,
    path_of,
    read_state,
    token,
)
from tray.audit.search.conditions import NAMES, Filter, known, words_of
from tray.audit.store import AuditLog
from tray.core import clock, files
from tray.core.errors import AuditMissingError
from tray.core.paths import Places

BATCH = 2000
"""Entries that one transaction adds to the index."""

_LOCK_SECONDS = 2.0
_ATTEMPTS = 3
_NEXT = f"SELECT {MOMENT}, seq FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?"  # noqa: S608 - a constant of ours
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
        while True:
            index.execute("BEGIN IMMEDIATE")
            try:
                state, size = _add_batch(log, index)
                index.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    index.execute("ROLLBACK")
                raise
            if progress is not None:
                progress(state.done - state.start, size - state.start)
            if state.done >= size:
                return True
            if deadline is not None and clock.monotonic() > deadline:
                return False


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


def _add_batch(log: AuditLog, index: sqlite3.Connection) -> tuple[State, int]:
    """Add the next entries to the index; return the part of the log that it covers then, and the size of the log.

    Raises:
        LookupError: The log is damaged.
        _StaleError: The index is of another log, or knows entries that were pruned or erased.
    """
    state = read_state(index)
    # The index is not touched in here: an error of it would be taken for damage of the log.
    with log._snapshot() as connection:
        name, size = connection.execute("SELECT log, size FROM head").fetchone()
        if state is None:
            (start,) = connection.execute("SELECT start FROM base").fetchone()
            state = State(name, start, start, b"")
        elif not is_of(state, connection) or _erased_since(connection, state):
            raise _StaleError
        keys = connection.execute(_NEXT, (state.done, BATCH)).fetchall()
        entries = by_facets.read(connection, [seq for _, seq in keys])
        if len(entries) < len(keys) or any(at is None for at, _ in keys):
            raise LookupError("an index names entries that are not there, or an entry has no time")
        done = keys[-1][1] + 1 if keys else state.done
        state = state._replace(done=done, anchor=anchor(connection, done) or b"")
    rows: dict[int, set[str]] = {}
    for (at, _), entry in zip(keys, entries, strict=True):
        tokens = {token(name, known(entry.data, name)) for name in NAMES}
        rows.setdefault(at // SPAN_MS, set()).update(words_of(entry.data, entry.body), tokens)
    terms = sorted(set().union(*rows.values()))
    index.executemany("INSERT OR IGNORE INTO terms VALUES (?)", [(word,) for word in terms])
    docs = [(row, " ".join(words)) for row, words in sorted(rows.items())]
    index.executemany("INSERT INTO words (rowid, doc) VALUES (?, ?)", docs)
    index.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?)", state)
    return state, size


def _erased_since(connection: sqlite3.Connection, state: State) -> bool:
    """Whether details were erased that the index may know."""
    newest = next(by_facets.recorded(connection, Filter(action=(Action.AUDIT_REDACTED,))), None)
    return newest is not None and newest[1] >= state.done
