"""Find entries by their words too, with an index of words beside the log.

The index is a file (SQLite's FTS5), derived from the log and never trusted: it may be stale, partial, damaged or missing. Every
hit is read from the log and checked again, and entries that the index does not know yet are looked at one by one; without it all
are. It holds only words (`conditions.words_of`), not texts, and one hashed word for each value that a filter compares.
`index_fill` fills it.

The number of a row is a time, in units of `SPAN_MS`: so the index is in the order of time, whenever an entry arrives. Entries of
one such span share a row, since FTS5 adds the words of a second row with the same number to those of the first.
"""

import contextlib
import heapq
import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2s
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tray.audit.merkle import leaf_hash
from tray.audit.rows import StoredEntry
from tray.audit.schema import MOMENT
from tray.audit.search import by_facets
from tray.audit.search.by_facets import FAR, Cursor, Page
from tray.audit.search.conditions import NAMES, Filter, begins
from tray.core import clock

if TYPE_CHECKING:
    from tray.audit.store import AuditLog

SECONDS = 2.0
"""How long a search without an index looks at entries one by one."""

VERSION = 3
"""Version of the index: one of another version is made anew."""

SPAN_MS = 100
"""Milliseconds of one row. Shorter ones make the index larger; with longer ones more entries are read in vain."""

MOST_UNKNOWN = 20_000
"""With more entries than these that the index does not know yet, it is of no use."""

TABLES = {
    "state": """TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), log TEXT NOT NULL, start INTEGER NOT NULL,
    done INTEGER NOT NULL, anchor BLOB NOT NULL)""",
    "terms": "TABLE terms (term TEXT PRIMARY KEY) WITHOUT ROWID",
    "words": """VIRTUAL TABLE words USING fts5 (doc, content = '', detail = none, columnsize = 0, prefix = '3 4',
    tokenize = "ascii tokenchars '='")""",
}

MOST_TERMS = 100
"""If more words than these have the same beginning, FTS5's own search for beginnings finds them."""

_HITS = "SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC"
_OF_SPAN = (
    f"SELECT {MOMENT}, seq FROM entries INDEXED BY at WHERE {MOMENT} BETWEEN ? AND ? "  # noqa: S608 - a constant
    f"ORDER BY {MOMENT} DESC, seq DESC"
)


class State(NamedTuple):
    """The part of the log that the index covers: the entries from `start` up to `done`.

    Attributes:
        log: Name of the log.
        start: Number of the first entry that was not pruned.
        anchor: Leaf hash of entry `done - 1`: another log, or one that was rolled back, has another one there.
    """

    log: str
    start: int
    done: int
    anchor: bytes


def search(
    log: "AuditLog",
    wanted: Filter,
    limit: int = 100,
    after: Sequence[int] | None = None,
    *,
    seconds: float = SECONDS,
    recorded: bool = False,
) -> Page:
    """Return the newest entries that *wanted* admits, in the order of time, then number, both descending.

    Args:
        after: The `next` of the page before.
        seconds: After so long a search for words that no index knows returns the hits so far, and says so.
        recorded: In the order of the numbers instead, as the entries were recorded; a search for words keeps that of time.

    Raises:
        AuditUnavailableError: The log cannot be read.
    """
    top = FAR if wanted.until_ms is None else (wanted.until_ms, 0)
    if after is not None:
        top = min(top, (int(after[0]), int(after[1])))
    with log._snapshot() as connection:
        wanted = log.names_in(connection).widened(wanted)
        if wanted.phrases():
            return _find(log, connection, wanted, limit, top, clock.monotonic() + seconds)
        if recorded:
            stream = by_facets.recorded(connection, wanted, None if after is None else int(after[1]))
        else:
            stream = by_facets.keys(connection, wanted, top)
        keys = list(itertools.islice(stream, limit + 1))
        page = by_facets.read(connection, [seq for _, seq in keys[:limit]])
    return Page(page, keys[limit - 1] if len(keys) > limit else None)


def _find(
    log: "AuditLog", connection: sqlite3.Connection, wanted: Filter, limit: int, top: Cursor, deadline: float
) -> Page:
    """Return the newest entries below *top* that *wanted* admits, up to the *deadline* on `clock.monotonic`."""
    with opened(path_of(log.db)) as index:
        state = None if index is None else state_for(index, connection)
        if index is not None and state is not None:
            streams = [_hits(index, connection, state, wanted, top), _unknown(connection, state, wanted, top)]
            with contextlib.suppress(_DamagedError):
                return _checked(connection, wanted, limit, heapq.merge(*streams, reverse=True), deadline)
        return _checked(connection, wanted, limit, by_facets.keys(connection, wanted, top), deadline)


class _DamagedError(Exception):
    """The index cannot be read."""


def _checked(
    connection: sqlite3.Connection, wanted: Filter, limit: int, keys: Iterator[Cursor], deadline: float
) -> Page:
    """Read the entries with these *keys* from the log, keep those that match, and stop when the page is full or time is over."""
    page: list[StoredEntry] = []
    ends: list[Cursor] = []
    while batch := list(itertools.islice(keys, 16 if not page else 64)):
        entries = {entry.seq: entry for entry in by_facets.read(connection, [seq for _, seq in batch])}
        for key in batch:
            entry = entries.get(key[1])
            if entry is not None and wanted.matches(entry.data, entry.body):
                page.append(entry)
                ends.append(key)
                if len(page) > limit:
                    return Page(page[:limit], ends[limit - 1])
        if clock.monotonic() > deadline:
            return Page(page, batch[-1], batch[-1][0])
    return Page(page, None)


def _unknown(connection: sqlite3.Connection, state: State, wanted: Filter, top: Cursor) -> Iterator[Cursor]:
    """Yield the keys of the entries that were appended after the index was brought up to date."""
    since = wanted.since_ms or 0
    rows = connection.execute(f"SELECT {MOMENT}, seq FROM entries WHERE seq >= ?", (state.done,))  # noqa: S608 - a constant
    yield from sorted((key for key in rows if since <= key[0] and key < top), reverse=True)


def _hits(
    index: sqlite3.Connection, connection: sqlite3.Connection, state: State, wanted: Filter, top: Cursor
) -> Iterator[Cursor]:
    """Yield the keys of the entries of the spans of time that the index names."""
    try:
        query = _query(index, wanted)
        between = ((wanted.since_ms or 0) // SPAN_MS, top[0] // SPAN_MS)
        for (row,) in [] if query is None else index.execute(_HITS, (query, *between)):
            keys = connection.execute(_OF_SPAN, (row * SPAN_MS, row * SPAN_MS + SPAN_MS - 1))
            yield from (key for key in keys if key < top and key[1] < state.done)
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise _DamagedError from error


def _query(index: sqlite3.Connection, wanted: Filter) -> str | None:
    """Return the query for FTS5; None if the index knows that there is no hit. All words are ours: letters and digits."""
    phrases = [
        " AND ".join(terms)
        for phrase in wanted.phrases()
        if None not in (terms := [_beginning(index, word) for word in phrase])
    ]
    if not phrases:
        return None
    asked = ((name, getattr(wanted, name)) for name in NAMES)
    named = [_either([f'"{token(name, value)}"' for value in values]) for name, values in asked if values]
    return " AND ".join([_either(phrases), *named])


def _either(alternatives: Sequence[str]) -> str:
    return f"({' OR '.join(f'({text})' if ' ' in text else text for text in alternatives)})"


def _beginning(index: sqlite3.Connection, word: str) -> Any:
    """Return the query for *word* and, if it is long enough, for all words that begin with it; None if there are none.

    FTS5's own search for beginnings gathers all entries of all these words before it gives the first one.
    """
    last = word + "\U0010ffff" if begins(word) else word
    rows = index.execute(
        "SELECT term FROM terms WHERE term >= ? AND term <= ? LIMIT ?", (word, last, MOST_TERMS + 1)
    ).fetchall()
    if len(rows) > MOST_TERMS:
        return f'"{word}" *'
    return _either([f'"{term}"' for (term,) in rows]) if rows else None


# -- the file


@lru_cache(maxsize=8192)
def token(name: str, value: str) -> str:
    """Return the word that stands for the *value* of *name* in the index; no word of a text begins with its first sign."""
    return f"={NAMES.index(name)}{blake2s(value.encode(), digest_size=5).hexdigest()}"


def path_of(db: Path) -> Path:
    """Return the file of the index of the log *db*."""
    return db.with_name("search.db")


def forget(db: Path) -> None:
    """Remove the index of the log *db* with all words in it, since details were erased from the log.

    Raises:
        OSError: It is there and cannot be removed.
    """
    index = path_of(db)
    for name in (index, index.with_name(index.name + "-journal")):
        name.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(index: Path) -> Iterator[sqlite3.Connection | None]:
    """Open the index for reading; None if that is not possible."""
    connection = None
    try:
        uri = f"{index.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=0.2, isolation_level=None)
        connection.execute("BEGIN")
        usable = connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    except sqlite3.Error:
        usable = False
    try:
        yield connection if usable else None
    finally:
        if connection is not None:
            connection.close()


def read_state(index: sqlite3.Connection) -> State | None:
    """Return the part of the log that the index says it covers; None if it is new."""
    row = index.execute("SELECT log, start, done, anchor FROM state").fetchone()
    return None if row is None else State(*row)


def state_for(index: sqlite3.Connection, connection: sqlite3.Connection) -> State | None:
    """Return the part of the log at *connection* that the index covers; None if it is of no use for it."""
    try:
        state = read_state(index)
    except (sqlite3.Error, TypeError):
        return None
    if state is None or not is_of(state, connection):
        return None
    (size,) = connection.execute("SELECT size FROM head").fetchone()
    return state if size - state.done <= MOST_UNKNOWN else None


def is_of(state: State, connection: sqlite3.Connection) -> bool:
    """Whether *state* belongs to the log at *connection*, as it is now."""
    log = connection.execute("SELECT log FROM head").fetchone()
    start = connection.execute("SELECT start FROM base").fetchone()
    return (*log, *start) == (state.log, state.start) and anchor(connection, state.done) == state.anchor


def anchor(connection: sqlite3.Connection, done: int) -> bytes | None:
    """Return the leaf hash of entry *done* - 1; None if the log does not hold it, nothing for the beginning of the log."""
    if connection.execute("SELECT start FROM base").fetchone() == (done,):
        return b""
    row = connection.execute("SELECT entry FROM entries WHERE seq = ?", (done - 1,)).fetchone()
    return None if row is None else leaf_hash(row[0])
