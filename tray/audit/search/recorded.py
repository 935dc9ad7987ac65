"""The entries that a filter admits in the order in which they were recorded, the newest first, whatever the clock said then.

No index has that order but the table itself. So entries are read from the end of the log as long as enough of them are admitted;
then the numbers of all others that are come from the index of facets, and are sorted.
"""

import sqlite3
from collections.abc import Iterator

from tray.audit.schema import FACET, MOMENT
from tray.audit.search import by_facets
from tray.audit.search.by_facets import Cursor
from tray.audit.search.conditions import Filter

BATCH = 300
SCARCE = 20
"""Where fewer than one of so many entries is admitted, they are looked up instead."""

_NEWEST = f"SELECT {MOMENT}, seq, {FACET} FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT ?"  # noqa: S608 - constants of ours
_BETWEEN = f"{MOMENT} >= ? AND {MOMENT} < ? AND seq < ?"
_OF_FACET = f"SELECT {MOMENT}, seq FROM entries INDEXED BY facet WHERE {FACET} = ? AND {_BETWEEN}"  # noqa: S608 - the same
_OF_ALL = f"SELECT {MOMENT}, seq FROM entries INDEXED BY at WHERE {_BETWEEN}"  # noqa: S608 - the same


def keys(connection: sqlite3.Connection, wanted: Filter, below: int | None = None) -> Iterator[Cursor]:
    """Yield time and number of the entries that *wanted* asks for, words apart, the one that was recorded last first.

    Args:
        below: Only entries with smaller numbers; None for all.
    """
    since = wanted.since_ms or 0
    until = by_facets.FAR[0] if wanted.until_ms is None else wanted.until_ms
    floor = by_facets.FAR[0] if below is None else below
    looked = hits = 0
    while looked < BATCH or hits * SCARCE >= looked:
        rows = connection.execute(_NEWEST, (floor, BATCH)).fetchall()
        for at, seq, facet in rows:
            if since <= at < until and wanted.admits(by_facets.parsed(facet)):
                hits += 1
                yield at, seq
        if len(rows) < BATCH:
            return
        looked, floor = looked + len(rows), rows[-1][1]
    yield from sorted(_others(connection, wanted, (since, until, floor)), key=_number, reverse=True)


def _others(connection: sqlite3.Connection, wanted: Filter, between: tuple[int, int, int]) -> Iterator[Cursor]:
    """Yield those that are admitted among all entries of a span of time and below a number, in any order."""
    if wanted.anything():
        yield from connection.execute(_OF_ALL, between)
        return
    for facet, newest in by_facets.facets(connection, wanted.action):
        if newest[0] >= between[0] and wanted.admits(by_facets.parsed(facet)):
            yield from connection.execute(_OF_FACET, (facet, *between))


def _number(key: Cursor) -> int:
    return key[1]
