"""Searching the audit log: the newest first, a page at a time, quick also where a million entries do not match.

What an entry is filtered by stands as one value in the index `facet` (`schema.FACET`), with the time behind it. There are few
different values: a search jumps from one to the next, keeps those that the filter admits, and merges them by time. So it costs as
much as there are different facets, however many entries there are and however few of them match. For words see `words`.

A cursor is the (time in ms, number) of the last entry of a page: what is appended meanwhile moves nothing.
"""

import heapq
import itertools
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tray.audit.schema import FACET, FACET_KEYS, MOMENT
from tray.audit.search.conditions import Filter
from tray.core import clock
from tray.core.dataclass import dataclass

if TYPE_CHECKING:
    from tray.audit.rows import StoredEntry
    from tray.audit.store import AuditLog

Cursor = tuple[int, int]
"""Time in ms and number of an entry; what comes next is smaller."""

SECONDS = 2.0
"""How long a search without an index looks at entries one by one."""

FAR: Cursor = (1 << 62, 0)
_FIRST, _GROWTH, _MOST, _NEAR = 2, 8, 1024, 300
_BATCH = 64

# Built from constants of ours only; what comes from outside is always a parameter.
_NEWEST = (
    f"SELECT {FACET}, {MOMENT}, seq FROM entries INDEXED BY facet WHERE {FACET} < ? AND {FACET} >= ? "  # noqa: S608
    f"ORDER BY {FACET} DESC, {MOMENT} DESC, seq DESC LIMIT 1"
)
_OF_ALL = f"SELECT {MOMENT}, seq FROM entries INDEXED BY at WHERE "  # noqa: S608
_OF_FACET = f"SELECT {MOMENT}, seq FROM entries INDEXED BY facet WHERE {FACET} = :facet AND "  # noqa: S608
_WITH_FACET = f"SELECT {MOMENT}, seq, {FACET} FROM entries INDEXED BY at WHERE "  # noqa: S608
_UP_TO = f"{MOMENT} <= :at AND {MOMENT} >= :since ORDER BY {MOMENT} DESC, seq DESC LIMIT :limit"
_BESIDE = f"{MOMENT} = :at AND :at >= :since AND seq < :seq ORDER BY seq DESC LIMIT :limit"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of what was found.

    Attributes:
        entries: The newest first.
        next: Where the next page begins (`after`), None at the end.
        looked_to_ms: Time was over before all of the log was looked at: only entries from here on were. None if all were.
    """

    entries: "list[StoredEntry]"
    next: Cursor | None
    looked_to_ms: int | None = None


def search(
    log: "AuditLog",
    wanted: Filter,
    limit: int = 100,
    after: Sequence[int] | None = None,
    *,
    seconds: float = SECONDS,
    recorded: bool = False,
) -> Page:
    """Return the newest entries that *wanted* asks for, in the order of time, then number, both descending.

    Args:
        recorded: In the order of the numbers instead, as the entries were recorded; where words are searched it is that of time.
        after: The `next` of the page before.
        seconds: After so long a search for words that no index knows gives what it has found, and says so.

    Raises:
        AuditUnavailableError: The log cannot be read.
    """
    top = _top(wanted, after)
    with log._snapshot() as connection:
        if wanted.phrases():
            from tray.audit.search import by_words

            return by_words.find(log, connection, wanted, limit, top, clock.monotonic() + seconds)
        if recorded:
            from tray.audit.search import recorded as numbered

            among = numbered.keys(connection, wanted, None if after is None else int(after[1]))
        else:
            among = keys(connection, wanted, top)
        found = list(itertools.islice(among, limit + 1))
        page = read(connection, [seq for _, seq in found[:limit]])
    return Page(page, found[limit - 1] if len(found) > limit else None)


def _top(wanted: Filter, after: Sequence[int] | None) -> Cursor:
    """Return what all keys of a page are smaller than."""
    top = FAR if wanted.until_ms is None else (wanted.until_ms, 0)
    if after is None:
        return top
    at, seq = after
    return min(top, (int(at), int(seq)))


def keys(connection: sqlite3.Connection, wanted: Filter, top: Cursor = FAR) -> Iterator[Cursor]:
    """Yield time and number of the entries below *top* that *wanted* asks for, words apart, the newest first."""
    since = 0 if wanted.since_ms is None else wanted.since_ms
    if wanted.anything():
        yield from _older(connection, _OF_ALL, {"since": since}, top)
        return
    # Most filters fill a page from the newest entries: these few are looked at before all facets are.
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


def facets(connection: sqlite3.Connection, actions: Sequence[str] | None = None) -> Iterator[tuple[str, Cursor]]:
    """Yield each different facet, of these *actions* only, with time and number of its newest entry: one jump in the index each."""
    for first, last in map(range_of, [[]] if not actions else [[one] for one in sorted(set(actions), reverse=True)]):
        row = newest_below(connection, last, first)
        while row is not None:
            yield row[0], (row[1], row[2])
            row = newest_below(connection, row[0], first)


def newest_below(connection: sqlite3.Connection, last: str, first: str) -> tuple[str, int, int] | None:
    """Return the greatest facet below *last* and not below *first*, and time and number of its newest entry.

    Raises:
        sqlite3.DatabaseError: The index is damaged; to go on from a row out of its order could go on for ever.
    """
    row: tuple[str, int, int] | None = connection.execute(_NEWEST, (last, first)).fetchone()
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


def names(log: "AuditLog", of: str) -> list[str]:
    """Return the names that are on record, of jobs or engines or whatever else *of* says (one of `schema.FACET_KEYS`), sorted.

    Raises:
        AuditUnavailableError: The log cannot be read.
    """
    with log._snapshot() as connection:
        return sorted({name for facet, _ in facets(connection) if (name := parsed(facet)[of]) is not None})


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
    while found := _fetch(connection, table, given, top, limit):
        if not found[-1] < top:
            raise sqlite3.DatabaseError("an index is out of order")
        yield from found
        top, limit = found[-1], min(limit * _GROWTH, _MOST)


def _fetch(connection: sqlite3.Connection, table: str, given: Mapping[str, Any], top: Cursor, limit: int) -> list[Any]:
    """Return the newest rows below *top*, at most *limit* and one at least if there is any."""
    at = {**given, "at": top[0], "seq": top[1], "limit": limit}
    rows = connection.execute(table + _UP_TO, at).fetchall()
    found = [row for row in rows if row[:2] < top] if rows and rows[0][0] == top[0] else rows
    if found or len(rows) < limit:
        return found
    # So many of one moment that none was below: ask for those of this moment by their number, then for what is older.
    return connection.execute(table + _BESIDE, at).fetchall() or _fetch(
        connection, table, given, (top[0] - 1, FAR[0]), limit
    )


def read(connection: sqlite3.Connection, numbers: Sequence[int]) -> "list[StoredEntry]":
    """Return the entries with these *numbers*, in that order; those that are not there are left out."""
    from tray.audit.rows import ENTRY, stored

    found = {}
    for first in range(0, len(numbers), _BATCH):
        some = numbers[first : first + _BATCH]
        query = f"{ENTRY} entries.seq IN ({', '.join('?' * len(some))})"
        found.update({entry.seq: entry for entry in map(stored, connection.execute(query, some))})
    return [found[seq] for seq in numbers if seq in found]
