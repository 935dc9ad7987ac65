"""Finding entries by their words, with the index beside the log (`index_file`).

The index is never trusted: every hit is read from the log and checked again, and entries that it does not know yet are
looked at one by one. Without it all are.
"""

import heapq
import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tray.audit.schema import MOMENT
from tray.audit.search import by_facets
from tray.audit.search.by_facets import Cursor, Page
from tray.audit.search.conditions import NAMES, Filter, begins
from tray.audit.search.index_file import State, opened, path_of, state_for, token
from tray.core import clock

if TYPE_CHECKING:
    from tray.audit.rows import StoredEntry
    from tray.audit.store import AuditLog

MOST_TERMS = 100
"""More words than these with the same beginning are left to FTS5's own search for beginnings."""

_HITS = (
    "SELECT docs.at, docs.seq FROM words CROSS JOIN docs ON docs.row = words.rowid "
    "WHERE words MATCH ? AND words.rowid BETWEEN ? AND ? ORDER BY words.rowid DESC"
)


def find(
    log: "AuditLog", connection: sqlite3.Connection, wanted: Filter, limit: int, top: Cursor, deadline: float
) -> Page:
    """Return the newest entries below *top* that *wanted* asks for.

    Args:
        connection: One on *log*, in a transaction.
        deadline: On `clock.monotonic`; later the page ends where the search has come to.
    """
    with opened(path_of(log.db)) as index:
        state = None if index is None else state_for(index, connection)
        if index is None or state is None:
            return _checked(connection, wanted, limit, by_facets.keys(connection, wanted, top), deadline)
        streams = [_hits(index, wanted, top), iter(_unknown(connection, state, wanted, top))]
        if state.low is not None:
            older = by_facets.keys(connection, wanted, min(top, state.low))
            streams.append(key for key in older if key[1] < state.built)
        try:
            return _checked(connection, wanted, limit, heapq.merge(*streams, reverse=True), deadline)
        except _DamagedError:
            return _checked(connection, wanted, limit, by_facets.keys(connection, wanted, top), deadline)


class _DamagedError(Exception):
    """The index cannot be read."""


def _checked(
    connection: sqlite3.Connection, wanted: Filter, limit: int, found: Iterator[Cursor], deadline: float
) -> Page:
    """Read what was found from the log, keep what is as asked, and stop when the page is full or time is over."""
    page: list[StoredEntry] = []
    ends: list[Cursor] = []
    while batch := list(itertools.islice(found, 16 if not page else 64)):
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


def _unknown(connection: sqlite3.Connection, state: State, wanted: Filter, top: Cursor) -> list[Cursor]:
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
