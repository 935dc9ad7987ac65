"""Find entries by action, job, time and the like: the newest first, quick also if a million entries do not match.

The values that a filter compares stand as one text, a *facet*, in the index `facet` (`schema.FACET`), with the time behind it.
There are few different facets: a search jumps from one to the next, keeps those that the filter admits, and merges them by time.
So it costs as much as there are different facets, however many entries there are and however few of them match.

`keys` gives the order of time, `recorded` that in which entries were recorded, whatever the clock said then. No index has the
second order but the table itself: so entries are read from the end of the log as long as enough of them are admitted; then the
numbers of all other ones come from the index, and are sorted.
"""

import heapq
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tray.audit.rows import ENTRY, StoredEntry, stored
from tray.audit.schema import FACET, FACET_KEYS, MOMENT
from tray.audit.search.conditions import Filter
from tray.core.dataclass import dataclass

if TYPE_CHECKING:
    from tray.audit.store import AuditLog

Cursor = tuple[int, int]
"""Time in ms and number of an entry; the cursors of later pages are smaller."""

FAR: Cursor = (1 << 62, 0)
_FIRST, _GROWTH, _MOST, _NEAR = 2, 8, 1024, 300
_READ = 64
SCAN = 300
"""Entries that are read at once from the end of the log."""

SCARCE = 20
"""If fewer than one of so many entries is admitted, the index is asked instead."""

# Built from constants of ours only; values from outside are always parameters.
_KEYS = f"SELECT {MOMENT}, seq FROM entries INDEXED BY"  # noqa: S608 - of constants of ours
_NEWEST_OF = (
    f"SELECT {FACET}, {MOMENT}, seq FROM entries INDEXED BY facet WHERE {FACET} < ? AND {FACET} >= ? "  # noqa: S608 - of constants of ours
    f"ORDER BY {FACET} DESC, {MOMENT} DESC, seq DESC LIMIT 1"
)
_OF_ALL = f"{_KEYS} at WHERE "
_OF_FACET = f"{_KEYS} facet WHERE {FACET} = :facet AND "
_WITH_FACET = f"SELECT {MOMENT}, seq, {FACET} FROM entries INDEXED BY at WHERE "  # noqa: S608 - of constants of ours
_UP_TO = f"{MOMENT} <= :at AND {MOMENT} >= :since ORDER BY {MOMENT} DESC, seq DESC LIMIT :limit"
_BESIDE = f"{MOMENT} = :at AND :at >= :since AND seq < :seq ORDER BY seq DESC LIMIT :limit"
_BETWEEN = f"{MOMENT} >= :since AND {MOMENT} < :until AND seq < :below"
_LAST = f"SELECT {MOMENT}, seq, {FACET} FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT ?"  # noqa: S608 - of constants of ours


@dataclass(frozen=True, slots=True)
class Page:
    """A page of results.

    Attributes:
        entries: The newest first.
        next: Cursor with which the next page begins (`after`), None at the end.
        looked_to_ms: Time of the oldest entry that was looked at, if time was over before the end of the log; else None.
    """

    entries: list[StoredEntry]
    next: Cursor | None
    looked_to_ms: int | None = None


def keys(connection: sqlite3.Connection, wanted: Filter, top: Cursor = FAR) -> Iterator[Cursor]:
    """Yield time and number of the entries below *top* that *wanted* admits, words apart, in the order of time."""
    since = wanted.since_ms or 0
    if wanted.anything():
        yield from _older(connection, _OF_ALL, {"since": since}, top)
        return
    # Most filters fill a page from the newest entries: look at these few before all facets.
    near = _fetch(connection, _WITH_FACET, {"since": since}, top, _NEAR)
    yield from (row[:2] for row in near if wanted.admits(parsed(row[2])))
    if not near:
        return
    top = near[-1][:2]
    streams = [
        _of_facet(connection, {"facet": facet, "since": since}, newest, top)
        for facet, newest in facets(connection, wanted.action)
        if newest[0] >= since and wanted.admits(parsed(facet))
    ]
    yield from heapq.merge(*streams, reverse=True)


def recorded(connection: sqlite3.Connection, wanted: Filter, below: int | None = None) -> Iterator[Cursor]:
    """Yield time and number of the entries that *wanted* admits, words apart, the one that was recorded last first.

    Args:
        below: Only entries with smaller numbers; None for all.
    """
    since, until = wanted.since_ms or 0, FAR[0] if wanted.until_ms is None else wanted.until_ms
    floor = FAR[0] if below is None else below
    looked = hits = 0
    while looked < SCAN or hits * SCARCE >= looked:
        rows = connection.execute(_LAST, (floor, SCAN)).fetchall()
        for at, seq, facet in rows:
            if since <= at < until and wanted.admits(parsed(facet)):
                hits += 1
                yield at, seq
        if len(rows) < SCAN:
            return
        looked, floor = looked + len(rows), rows[-1][1]
    others = _scattered(connection, wanted, {"since": since, "until": until, "below": floor})
    yield from sorted(others, key=itemgetter(1), reverse=True)


def _scattered(connection: sqlite3.Connection, wanted: Filter, span: Mapping[str, int]) -> Iterator[Cursor]:
    """Yield the admitted ones among all entries of a span of time below a number, in any order."""
    if wanted.anything():
        yield from connection.execute(_OF_ALL + _BETWEEN, span)
        return
    for facet, newest in facets(connection, wanted.action):
        if newest[0] >= span["since"] and wanted.admits(parsed(facet)):
            yield from connection.execute(_OF_FACET + _BETWEEN, {**span, "facet": facet})


def facets(connection: sqlite3.Connection, actions: Sequence[str] | None = None) -> Iterator[tuple[str, Cursor]]:
    """Yield each different facet, of these *actions* only, with the key of its newest entry: one jump in the index each."""
    for begin in [[action] for action in sorted(set(actions), reverse=True)] if actions else [[]]:
        first, last = range_of(begin)
        row = newest_below(connection, last, first)
        while row is not None:
            yield row[0], (row[1], row[2])
            row = newest_below(connection, row[0], first)


def newest_below(connection: sqlite3.Connection, last: str, first: str) -> tuple[str, int, int] | None:
    """Return the greatest facet below *last* and not below *first*, and time and number of its newest entry.

    Raises:
        sqlite3.DatabaseError: The index is damaged; to go on from a row out of its order could go on for ever.
    """
    row: tuple[str, int, int] | None = connection.execute(_NEWEST_OF, (last, first)).fetchone()
    if row is not None and not (isinstance(row[0], str) and first <= row[0] < last):
        raise sqlite3.DatabaseError("index facet is out of order")
    return row


def range_of(values: Sequence[str | None]) -> tuple[str, str]:
    """Return between which texts, the second one not included, the facets lie that begin with these *values*."""
    if not values:
        return "[", "\\"
    begin = json.dumps(values, ensure_ascii=False, separators=(",", ":"))[:-1]
    return begin + ",", begin + "-"  # the sign after the comma


@lru_cache(maxsize=8192)
def parsed(facet: str) -> Mapping[str, Any]:
    """Return the values of a facet by their names."""
    return dict(zip(FACET_KEYS, json.loads(facet), strict=True))


def names(log: "AuditLog", of: str, actions: Sequence[str] | None = None) -> list[str]:
    """Return the names on record, of jobs or engines or whatever else *of* says (one of `schema.FACET_KEYS`), sorted.

    A job that was renamed is there under each of its names. With *actions* only their entries count.

    Raises:
        AuditUnavailableError: The log cannot be read.
    """
    with log._snapshot() as connection:
        return sorted({name for facet, _ in facets(connection, actions) if (name := parsed(facet)[of]) is not None})


def _of_facet(
    connection: sqlite3.Connection, given: Mapping[str, Any], newest: Cursor, top: Cursor
) -> Iterator[Cursor]:
    if newest < top:
        yield newest
        top = newest
    yield from _older(connection, _OF_FACET, given, top)


def _older(connection: sqlite3.Connection, table: str, given: Mapping[str, Any], top: Cursor) -> Iterator[Cursor]:
    """Yield the keys below *top*, the newest first: few at first, since most facets have none on the page."""
    limit = _FIRST
    while rows := _fetch(connection, table, given, top, limit):
        if not rows[-1] < top:
            raise sqlite3.DatabaseError("an index is out of order")
        yield from rows
        top, limit = rows[-1], min(limit * _GROWTH, _MOST)


def _fetch(connection: sqlite3.Connection, table: str, given: Mapping[str, Any], top: Cursor, limit: int) -> list[Any]:
    """Return the newest rows below *top*, at most *limit* and one at least if there is any."""
    at = {**given, "at": top[0], "seq": top[1], "limit": limit}
    rows = connection.execute(table + _UP_TO, at).fetchall()
    below = [row for row in rows if row[:2] < top] if rows and rows[0][0] == top[0] else rows
    if below or len(rows) < limit:
        return below
    # All rows have the time of *top* and greater numbers: ask for smaller numbers of that time, then for earlier times.
    return connection.execute(table + _BESIDE, at).fetchall() or _fetch(
        connection, table, given, (top[0] - 1, FAR[0]), limit
    )


def read(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[StoredEntry]:
    """Return the entries with these *numbers*, in that order; a missing one is left out."""
    entries = {}
    for first in range(0, len(numbers), _READ):
        some = numbers[first : first + _READ]
        query = f"{ENTRY} entries.seq IN ({', '.join('?' * len(some))})"
        entries.update({entry.seq: entry for entry in map(stored, connection.execute(query, some))})
    return [entries[seq] for seq in numbers if seq in entries]
