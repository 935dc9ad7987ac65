"""Finding entries by their words: an index (SQLite's FTS5) beside the log, derived from it and never trusted.

The index holds only words (`asked.words_of`), not texts, and one hashed word for each value that a filter compares. It may be
stale, partial, damaged or missing: every hit is read from the log and checked again, entries that it does not know yet are looked
at one by one, and `update` brings it up to date in small transactions, so that it may be killed at any time.

Rows are numbered by time. Entries that arrive late would break that order; they go to a *part* of their own, and a search merges
the parts. A new index is filled from the newest entry back: it is of use from the first moment on.
"""

import contextlib
import heapq
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2s
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tray import clock
from tray.audit.entry import Action
from tray.audit.schema import MOMENT
from tray.audit.search import pages
from tray.audit.search.asked import NAMES, Filter, begins, known, words_of
from tray.audit.search.pages import Cursor, Page
from tray.audit.tree import leaf_hash
from tray.errors import AuditMissingError
from tray.paths import Places

if TYPE_CHECKING:
    from tray.audit.store import AuditLog, StoredEntry

VERSION = 1
"""Of the index: one of another version is made anew."""

BATCH = 2000
"""Entries that one transaction adds to the index."""

MOST_PARTS = 32
MOST_TERMS = 100
MOST_UNKNOWN = 20_000
"""More entries than these that the index does not know yet, and it is of no use."""

_LOCK_SECONDS = 2.0
_ATTEMPTS = 3
_MOST_SEEN = 300_000
_PART = 1 << 40
_TABLES = {
    "state": """TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), log TEXT NOT NULL, start INTEGER NOT NULL,
    built INTEGER NOT NULL, done INTEGER NOT NULL, anchor BLOB NOT NULL, low_at INTEGER, low_seq INTEGER)""",
    "parts": """TABLE parts (part INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL,
    seq INTEGER NOT NULL)""",
    "docs": "TABLE docs (row INTEGER PRIMARY KEY, at INTEGER NOT NULL, seq INTEGER NOT NULL)",
    "terms": "TABLE terms (term TEXT PRIMARY KEY) WITHOUT ROWID",
    "words": """VIRTUAL TABLE words USING fts5 (doc, content = '', detail = none, columnsize = 0, prefix = '3 4',
    tokenize = "ascii tokenchars '='")""",
}
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT)
_HITS = (
    "SELECT docs.at, docs.seq FROM words CROSS JOIN docs ON docs.row = words.rowid "
    "WHERE words MATCH ? AND words.rowid BETWEEN ? AND ? ORDER BY words.rowid DESC"
)


@dataclass(slots=True)
class _State:
    """What the index covers.

    Attributes:
        log: Name of the log.
        start: Number of the first entry that was not pruned.
        built: Size of the log when the index was begun.
        done: Every entry from `built` up to here is in the index.
        anchor: Leaf hash of entry `done - 1`: another log, or one that was rolled back, has another one there.
        low: Of the entries below `built` those from this key on are in the index; None if all are.
    """

    log: str
    start: int
    built: int
    done: int
    anchor: bytes
    low: Cursor | None


# -- finding


def find(
    log: "AuditLog", connection: sqlite3.Connection, wanted: Filter, limit: int, top: Cursor, deadline: float
) -> Page:
    """Return the newest entries below *top* that *wanted* asks for.

    Args:
        connection: One on *log*, in a transaction.
        deadline: On `clock.monotonic`; later the page ends where the search has come to.
    """
    with _opened(path_of(log.db)) as index:
        state = None if index is None else _state_for(index, connection)
        if index is None or state is None:
            return _checked(connection, wanted, limit, pages.keys(connection, wanted, top), deadline)
        streams = [_hits(index, wanted, top), iter(_unknown(connection, state, wanted, top))]
        if state.low is not None:
            older = pages.keys(connection, wanted, min(top, state.low))
            streams.append(key for key in older if key[1] < state.built)
        try:
            return _checked(connection, wanted, limit, heapq.merge(*streams, reverse=True), deadline)
        except _DamagedError:
            return _checked(connection, wanted, limit, pages.keys(connection, wanted, top), deadline)


class _DamagedError(Exception):
    """The index cannot be read."""


def _checked(
    connection: sqlite3.Connection, wanted: Filter, limit: int, found: Iterator[Cursor], deadline: float
) -> Page:
    """Read what was found from the log, keep what is as asked, and stop when the page is full or time is over."""
    page: list[StoredEntry] = []
    ends: list[Cursor] = []
    while batch := list(itertools.islice(found, 16 if not page else 64)):
        entries = {entry.seq: entry for entry in pages.read(connection, [seq for _, seq in batch])}
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


def _unknown(connection: sqlite3.Connection, state: _State, wanted: Filter, top: Cursor) -> list[Cursor]:
    """Return the keys of the entries that were appended after the index was brought up to date."""
    since = 0 if wanted.since_ms is None else wanted.since_ms
    rows = connection.execute(f"SELECT {MOMENT}, seq FROM entries WHERE seq >= ?", (state.done,))  # noqa: S608 - a constant
    return sorted((key for key in rows if since <= key[0] and key < top), reverse=True)


def _hits(index: sqlite3.Connection, wanted: Filter, top: Cursor) -> Iterator[Cursor]:
    try:
        query = _query(index, wanted)
        if query is None:
            return
        parts = index.execute("SELECT first, last FROM parts").fetchall()
        streams = [_of_part(index, query, first, last, wanted, top) for first, last in parts]
        yield from heapq.merge(*streams, reverse=True)
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise _DamagedError from error


def _of_part(
    index: sqlite3.Connection, query: str, first: int, last: int, wanted: Filter, top: Cursor
) -> Iterator[Cursor]:
    begin = _row_of(index, first, last, (wanted.since_ms or 0, -1))
    end = _row_of(index, first, last, top) - 1
    # Not `yield from`: that would close the cursor too when the search is over, and by then its connection is.
    for row in index.execute(_HITS, (query, begin, end)):  # noqa: UP028 - the reason above
        yield row


def _row_of(index: sqlite3.Connection, first: int, last: int, key: Cursor) -> int:
    """Return the first row of a part whose key is *key* or greater; the one after the last if there is none."""
    low, high = first, last + 1
    while low < high:
        middle = (low + high) // 2
        row = index.execute("SELECT at, seq FROM docs WHERE row = ?", (middle,)).fetchone()
        if row is None:
            raise sqlite3.DatabaseError("a row is missing")
        if row < key:
            low = middle + 1
        else:
            high = middle
    return low


def _query(index: sqlite3.Connection, wanted: Filter) -> str | None:
    """Return what FTS5 is asked for; None if the index knows that there is nothing. All words are ours: letters and digits."""
    phrases = [
        " AND ".join(found)
        for phrase in wanted.phrases()
        if None not in (found := [_beginning(index, word) for word in phrase])
    ]
    if not phrases:
        return None
    asked = ((name, getattr(wanted, name)) for name in NAMES)
    named = [_either([f'"{token(name, value)}"' for value in values]) for name, values in asked if values]
    return " AND ".join([_either(phrases), *named])


def _either(alternatives: Sequence[str]) -> str:
    return f"({' OR '.join(f'({one})' if ' ' in one else one for one in alternatives)})"


def _beginning(index: sqlite3.Connection, word: str) -> Any:
    """Return what finds *word* and, if it is long enough, all words that begin with it; None if there are none.

    FTS5's own search for beginnings gathers all entries of all these words before it gives the first one.
    """
    last = word + "\U0010ffff" if begins(word) else word
    rows = index.execute(
        "SELECT term FROM terms WHERE term >= ? AND term <= ? LIMIT ?", (word, last, MOST_TERMS + 1)
    ).fetchall()
    if len(rows) > MOST_TERMS:
        return f'"{word}" *'
    return _either([f'"{term}"' for (term,) in rows]) if rows else None


@lru_cache(maxsize=8192)
def token(name: str, value: str) -> str:
    """Return the word that stands for the *value* of *name* in the index; no word of a text holds its first sign."""
    return f"={NAMES.index(name)}{blake2s(value.encode(), digest_size=5).hexdigest()}"


# -- the file


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
def _opened(index: Path) -> Iterator[sqlite3.Connection | None]:
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


def _state(index: sqlite3.Connection) -> _State | None:
    row = index.execute("SELECT log, start, built, done, anchor, low_at, low_seq FROM state").fetchone()
    if row is None:
        return None
    log, start, built, done, anchor, low_at, low_seq = row
    return _State(log, start, built, done, anchor, None if low_at is None else (low_at, low_seq))


def _state_for(index: sqlite3.Connection, connection: sqlite3.Connection) -> _State | None:
    """Return what the index covers of the log at *connection*; None if it is of no use for it."""
    try:
        state = _state(index)
    except (sqlite3.Error, TypeError):
        return None
    if state is None or not _of_this_log(state, connection):
        return None
    (size,) = connection.execute("SELECT size FROM head").fetchone()
    return state if size - state.done <= MOST_UNKNOWN else None


def _of_this_log(state: _State, connection: sqlite3.Connection) -> bool:
    (log,) = connection.execute("SELECT log FROM head").fetchone()
    if state.log != log:
        return False
    row = connection.execute("SELECT entry FROM entries WHERE seq = ?", (state.done - 1,)).fetchone()
    return row is not None and leaf_hash(row[0]) == state.anchor


# -- bringing it up to date


def update(places: Places, *, progress: Callable[[int, int], None] | None = None, seconds: float | None = None) -> bool:
    """Bring the index up to date with the log; whether it is now. It may be killed at any time and goes on later.

    Where the index cannot be written, or this SQLite has no FTS5, nothing is done: searches then look at entries one by one.

    Args:
        progress: Called after each transaction with how many entries the index knows and how many there are.
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
    """The index is damaged, of another version or another log, or knows what is gone from the log: it must be made anew."""


def _round(places: Places, progress: Callable[[int, int], None] | None, deadline: float | None) -> bool:
    from tray.audit.store import AuditLog

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
    """Open the index for writing, and make it if it is not there."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    index = sqlite3.connect(path, timeout=_LOCK_SECONDS, isolation_level=None)
    try:
        index.execute("PRAGMA secure_delete = ON")
        index.execute("PRAGMA cache_size = -16000")
        index.execute("BEGIN IMMEDIATE")
        (version,) = index.execute("PRAGMA user_version").fetchone()
        (tables,) = index.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if version == 0 and tables == 0:
            for statement in _TABLES.values():
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

    def __init__(self, log: "AuditLog", index: sqlite3.Connection) -> None:
        self._log, self._index = log, index
        self._seen: set[str] = set()
        self._size = self._left = 0

    def progress(self) -> tuple[int, int]:
        """Return how many entries are known, and how many there are."""
        (known_now,) = self._index.execute("SELECT count(*) FROM docs").fetchone()
        return known_now, self._size

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
        state = _state(self._index)
        (parts,) = self._index.execute("SELECT count(*) FROM parts").fetchone()
        if parts > MOST_PARTS:
            raise _StaleError
        # The index is not touched in here: what is wrong with it would be taken for damage of the log.
        with self._log._snapshot() as connection:
            state = self._current(connection, state)
            newer = state.done < self._size
            keys = _appended(connection, state) if newer else _older(connection, state)
            docs = {entry.seq: _words(entry) for entry in pages.read(connection, [seq for _, seq in keys])}
            if len(docs) != len({seq for _, seq in keys}):
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
        rows = self._behind(keys) if newer else self._before([key for key in keys if key[1] < state.built])
        self._insert(rows, docs)
        self._write(state)
        return True

    def _current(self, connection: sqlite3.Connection, state: _State | None) -> _State:
        """Return what the index covers, nothing if it is new.

        Raises:
            _StaleError: It is of another log, or knows what was pruned or erased.
        """
        log, self._size = connection.execute("SELECT log, size FROM head").fetchone()
        (start,) = connection.execute("SELECT start FROM base").fetchone()
        if state is None:
            return _State(log, start, self._size, self._size, _anchor(connection, self._size), pages.FAR)
        if state.start != start or not _of_this_log(state, connection) or _erased_since(connection, state):
            raise _StaleError
        return state

    def _behind(self, keys: Sequence[Cursor]) -> list[tuple[int, Cursor]]:
        """Return the rows for entries behind the part that ends closest before them, or in a new one."""
        found = self._index.execute("SELECT part, last, at, seq FROM parts")
        parts = {part: (last, (at, seq)) for part, last, at, seq in found}
        rows: list[tuple[int, Cursor]] = []
        for key in keys:
            before = [part for part, (_, end) in parts.items() if end < key]
            part = max(before, key=lambda part: parts[part][1], default=None)
            if part is None:
                part = max(parts, default=-1) + 1
                first = part * _PART + _PART // 2
                parts[part] = (first - 1, key)
                self._index.execute("INSERT INTO parts VALUES (?, ?, ?, ?, ?)", (part, first, first - 1, *key))
            parts[part] = (parts[part][0] + 1, key)
            rows.append((parts[part][0], key))
        self._index.executemany(
            "UPDATE parts SET last = ?, at = ?, seq = ? WHERE part = ?",
            [(last, *end, part) for part, (last, end) in parts.items()],
        )
        return sorted(rows)

    def _before(self, keys: Sequence[Cursor]) -> list[tuple[int, Cursor]]:
        """Return the rows for entries before the first part, which they make if it is not there."""
        row = self._index.execute("SELECT first FROM parts WHERE part = 0").fetchone()
        if row is None:
            return self._behind(keys)
        first = row[0] - len(keys)
        self._index.execute("UPDATE parts SET first = ? WHERE part = 0", (first,))
        return list(enumerate(keys, first))

    def _insert(self, rows: Sequence[tuple[int, Cursor]], docs: Mapping[int, set[str]]) -> None:
        new = {word for _, (_, seq) in rows for word in docs[seq]} - self._seen
        self._index.executemany("INSERT OR IGNORE INTO terms VALUES (?)", [(word,) for word in sorted(new)])
        self._seen = new if len(self._seen) > _MOST_SEEN else self._seen | new
        self._index.executemany(
            "INSERT INTO words (rowid, doc) VALUES (?, ?)", [(row, " ".join(docs[seq])) for row, (_, seq) in rows]
        )
        self._index.executemany("INSERT INTO docs VALUES (?, ?, ?)", [(row, *key) for row, key in rows])

    def _write(self, state: _State) -> None:
        low = (None, None) if state.low is None else state.low
        self._index.execute(
            "INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
            (state.log, state.start, state.built, state.done, state.anchor, *low),
        )


def _appended(connection: sqlite3.Connection, state: _State) -> list[Cursor]:
    """Return the keys of the next entries that the index does not know, in the order of time."""
    rows = connection.execute(
        f"SELECT {MOMENT}, seq FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?",  # noqa: S608 - a constant of ours
        (state.done, BATCH),
    )
    return sorted(rows)


def _older(connection: sqlite3.Connection, state: _State) -> list[Cursor]:
    """Return the keys of the entries right before those that the index knows, in the order of time."""
    if state.low is None:
        return []
    return sorted(itertools.islice(pages.keys(connection, Filter(), state.low), BATCH))


def _words(entry: "StoredEntry") -> set[str]:
    return words_of(entry.data, entry.body) | {token(name, known(entry.data, name)) for name in NAMES}


def _anchor(connection: sqlite3.Connection, size: int) -> bytes:
    row = connection.execute("SELECT entry FROM entries WHERE seq = ?", (size - 1,)).fetchone()
    return b"" if row is None else leaf_hash(row[0])


def _erased_since(connection: sqlite3.Connection, state: _State) -> bool:
    """Whether a body was erased that the index may know."""
    return any(seq >= state.done for _, seq in pages.keys(connection, Filter(action=(Action.AUDIT_REDACTED,))))
