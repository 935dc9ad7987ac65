"""The index of words: a file (SQLite's FTS5) beside the log, derived from it and never trusted.

It holds only words (`conditions.words_of`), not texts, and one hashed word for each value that a filter compares. It may be stale,
partial, damaged or missing. `by_words` finds with it, `index_fill` brings it up to date.

The number of a row is a time, in units of `SPAN_MS`: so the index is in the order of time, whenever an entry arrives. Entries of
one such span share a row, since FTS5 adds the words of a second row with the same number to those of the first.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2s
from pathlib import Path

from tray.audit.merkle import leaf_hash
from tray.audit.search.by_facets import Cursor
from tray.audit.search.conditions import NAMES
from tray.core.dataclass import dataclass

VERSION = 2
"""Of the index: one of another version is made anew."""

SPAN_MS = 100
"""Milliseconds of one row. Shorter ones make the index larger, of longer ones more entries are read that are not as asked."""

MOST_UNKNOWN = 20_000
"""More entries than these that the index does not know yet, and it is of no use."""

TABLES = {
    "state": """TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), log TEXT NOT NULL, start INTEGER NOT NULL,
    built INTEGER NOT NULL, done INTEGER NOT NULL, known INTEGER NOT NULL, anchor BLOB NOT NULL,
    low_at INTEGER, low_seq INTEGER)""",
    "terms": "TABLE terms (term TEXT PRIMARY KEY) WITHOUT ROWID",
    "words": """VIRTUAL TABLE words USING fts5 (doc, content = '', detail = none, columnsize = 0, prefix = '3 4',
    tokenize = "ascii tokenchars '='")""",
}


@dataclass(slots=True)
class State:
    """What the index covers.

    Attributes:
        log: Name of the log.
        start: Number of the first entry that was not pruned.
        built: Size of the log when the index was begun.
        done: Every entry from `built` up to here is in the index.
        known: How many entries are in the index.
        anchor: Leaf hash of entry `done - 1`: another log, or one that was rolled back, has another one there.
        low: Of the entries below `built` those from this key on are in the index; None if all are.
    """

    log: str
    start: int
    built: int
    done: int
    known: int
    anchor: bytes
    low: Cursor | None

    def covers(self, key: Cursor) -> bool:
        """Whether the entry with this time and number is in the index."""
        return key[1] < self.done and (self.low is None or key[1] >= self.built or key >= self.low)


@lru_cache(maxsize=8192)
def token(name: str, value: str) -> str:
    """Return the word that stands for the *value* of *name* in the index; no word of a text holds its first sign."""
    return f"={NAMES.index(name)}{blake2s(value.encode(), digest_size=5).hexdigest()}"


def path_of(db: Path) -> Path:
    """Return where the index of the log *db* is."""
    return db.with_name("search.db")


def forget(db: Path) -> None:
    """Remove the index of the log *db*, with all words in it: something was erased from the log.

    Raises:
        OSError: It is there and cannot be removed.
    """
    index = path_of(db)
    for name in (index, index.with_name(index.name + "-journal")):
        name.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(index: Path) -> Iterator[sqlite3.Connection | None]:
    """Open the index for reading; None where that cannot be done."""
    try:
        connection = sqlite3.connect(
            f"{index.absolute().as_uri()}?mode=ro", uri=True, timeout=0.2, isolation_level=None
        )
    except sqlite3.Error:
        yield None
        return
    try:
        yield connection if _usable(connection) else None
    finally:
        connection.close()


def _usable(index: sqlite3.Connection) -> bool:
    try:
        index.execute("BEGIN")
        return bool(index.execute("PRAGMA user_version").fetchone()[0] == VERSION)
    except sqlite3.Error:
        return False


def read_state(index: sqlite3.Connection) -> State | None:
    """Return what the index says that it covers; None if it is new."""
    row = index.execute("SELECT log, start, built, done, known, anchor, low_at, low_seq FROM state").fetchone()
    if row is None:
        return None
    log, start, built, done, known, anchor, low_at, low_seq = row
    return State(log, start, built, done, known, anchor, None if low_at is None else (low_at, low_seq))


def state_for(index: sqlite3.Connection, connection: sqlite3.Connection) -> State | None:
    """Return what the index covers of the log at *connection*; None if it is of no use for it."""
    try:
        state = read_state(index)
    except (sqlite3.Error, TypeError):
        return None
    if state is None or not is_of(state, connection):
        return None
    (size,) = connection.execute("SELECT size FROM head").fetchone()
    return state if size - state.done <= MOST_UNKNOWN else None


def is_of(state: State, connection: sqlite3.Connection) -> bool:
    """Whether *state* is of the log at *connection*, as it is there now."""
    (log,) = connection.execute("SELECT log FROM head").fetchone()
    if state.log != log:
        return False
    row = connection.execute("SELECT entry FROM entries WHERE seq = ?", (state.done - 1,)).fetchone()
    return row is not None and leaf_hash(row[0]) == state.anchor
