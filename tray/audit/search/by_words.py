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
from tray.audit.search.index_file import SPAN_MS, State, opened, path_of, state_for, token
from tray.core import clock

if TYPE_CHECKING:
    from tray.audit.rows import StoredEntry
    from tray.audit.store import AuditLog

MOST_TERMS = 100
"""More words than these with the same beginning are left to FTS5's own search for beginnings."""

_HITS = "SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC"
_OF_SPAN = (
    f"SELECT {MOMENT}, seq FROM entries INDEXED BY at WHERE {MOMENT} BETWEEN ? AND ? "  # noqa: S608 - a constant
    f"ORDER BY {MOMENT} DESC, seq DESC"
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
        streams = [_hits(index, connection, state, wanted, top), iter(_unknown(connection, state, wanted, top))]
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


def _hits(
    index: sqlite3.Connection, connection: sqlite3.Connection, state: State, wanted: Filter, top: Cursor
) -> Iterator[Cursor]:
    """Yield the keys of the entries of the spans of time that the index names."""
    try:
        query = _query(index, wanted)
        between = ((wanted.since_ms or 0) // SPAN_MS, top[0] // SPAN_MS)
        for (row,) in [] if query is None else index.execute(_HITS, (query, *between)):
            keys = connection.execute(_OF_SPAN, (row * SPAN_MS, row * SPAN_MS + SPAN_MS - 1))
            yield from (key for key in keys if key < top and state.covers(key))
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise _DamagedError from error


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
