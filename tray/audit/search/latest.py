"""Find the newest entries of every job, and how many there are behind one: by the index, and by the newest few entries of the log.

Most jobs stand among the newest few entries, so not every facet is asked. Only a job that is not among them is looked up by its
facets. The index there is sorted by time, which may come from a wrong clock, so the entries at both ends of it are compared by
number. Once that is known, new entries are taken in one by one.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

from tray.audit.schema import FACET, FACET_KEYS, MOMENT
from tray.audit.search import by_facets
from tray.core import clock

NEAR = 256
DEPTH, DEEP = 48, 500
"""Entries of a facet that are compared at either end of the index; and so many where the log holds times that were ahead."""

MOST_COUNTED = 999

Key = tuple[str, str, str]
"""The part that an entry plays, its job, and the kind of its run."""

Newest = dict[Key, int]
"""The number of the newest entry under each key."""

Row = tuple[int, str, str]
"""Number, facet and `recorded` of an entry."""

_OF_FACET = f"SELECT seq FROM entries INDEXED BY facet WHERE {FACET} = ? ORDER BY {MOMENT} "  # noqa: S608 - the same
_RECORDED = "json_extract(CAST(entry AS TEXT), '$.recorded')"
_NEAR_ROWS = f"SELECT seq, {FACET}, {_RECORDED} FROM entries ORDER BY seq DESC LIMIT ?"  # noqa: S608 - constants of ours
_MAX = (
    f"SELECT max(seq) FROM (SELECT seq FROM ({_OF_FACET}DESC LIMIT ?) "  # noqa: S608 - the same
    f"UNION ALL SELECT seq FROM ({_OF_FACET}ASC LIMIT ?))"
)
_GREATEST = f"SELECT {MOMENT} FROM entries INDEXED BY at ORDER BY {MOMENT} DESC LIMIT 1"  # noqa: S608 - the same
_ROWS_SINCE = f"SELECT seq, {FACET}, {_RECORDED} FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?"  # noqa: S608 - the same
_SIZE = "SELECT size FROM head"
_RAW = "SELECT entry FROM entries WHERE seq = ?"
_NEWEST = f"SELECT {MOMENT} FROM entries ORDER BY seq DESC LIMIT 1"  # noqa: S608 - the same
_EARLIER = f"SELECT seq FROM entries WHERE seq > ? AND seq <= ? AND {_RECORDED} >= ? AND {_RECORDED} < ?"  # noqa: S608 - the same
_AFTER = 16
"""Entries behind a good end far from the end of the log that are searched for one recorded at an earlier time."""


class Latest:
    """The newest entries of the log, as of its last reading.

    Attributes:
        connection: A connection to the log.
        known: The number of the newest entry under each key.

    Args:
        actions: Actions whose entries can count.
        keys_of: Returns the keys under which entries of a facet of these actions count.
    """

    def __init__(
        self, connection: sqlite3.Connection, actions: Sequence[str], keys_of: Callable[[str], tuple[Key, ...]]
    ) -> None:
        self.connection, self._actions, self._keys_of = connection, actions, keys_of
        self._ours = tuple(by_facets.range_of([action])[0] for action in actions)
        self._by_job: dict[str, list[str]] | None = None
        self._near: list[Row] = []
        self._depth = DEEP
        self.known: Newest = {}

    def read(self) -> None:
        """Read everything."""
        self.known = self._newest()

    def take(self, rows: Sequence[Row]) -> set[Key]:
        """Take in *rows*, all entries that are new, the oldest first; return the keys that they changed."""
        changed = set()
        for seq, facet, _ in rows:
            for key in self._keys_of(facet) if facet.startswith(self._ours) else ():
                self.known[key] = seq
                changed.add(key)
                if self._by_job is not None and facet not in (facets := self._by_job.setdefault(key[1], [])):
                    facets.append(facet)
        self._near = [*reversed(rows[-NEAR:]), *self._near][:NEAR]
        return changed

    @property
    def recorded(self) -> str:
        """When the newest entry was recorded; "" without one."""
        return self._near[0][2] if self._near else ""

    def _newest(self) -> Newest:
        """Return the number of the newest entry under each key."""
        newest: dict[Key, int] = {}
        self._near = rows = self.connection.execute(_NEAR_ROWS, (NEAR,)).fetchall()
        for seq, facet, _ in rows:
            for key in self._keys_of(facet) if facet.startswith(self._ours) else ():
                newest.setdefault(key, seq)
        if len(rows) < NEAR:
            return newest
        near = frozenset(newest)
        self._depth = DEEP if self._was_ahead() else DEPTH
        for group in self._groups():
            self._look_up(group, near, newest)
        return newest

    def behind(self, key: Key, after: int) -> list[int]:
        """Return the numbers of the newest entries under *key* behind entry *after*."""
        return [seq for facet in self._facets_of([key]) for seq in self._ends(facet) if seq > after]

    def count(self, keys: Iterable[Key], after: int) -> int:
        """Return how many entries behind entry *after* count as one of *keys*, up to `MOST_COUNTED`."""
        number = sum(seq > after for facet in self._facets_of(keys) for seq in self._ends(facet))
        return min(number, MOST_COUNTED)

    def earlier_behind(self, number: int, moment: str) -> Iterator[int]:
        """Yield entries behind entry *number* that were recorded before *moment*: the clock was set back in between, or was behind.

        An entry that was recorded before `clock.EARLIEST_MS` shows only that the clock was behind later.
        """
        earliest = clock.to_text(clock.EARLIEST_MS)
        for seq, _, recorded in self._near:
            if seq <= number:
                return
            if earliest <= recorded < moment:
                yield seq
        for (seq,) in self.connection.execute(_EARLIER, (number, number + _AFTER, earliest, moment)):
            yield seq

    def _groups(self) -> Iterator[list[str]]:
        """Yield action, engine, job and kind of every group of facets."""
        for action in self._actions:
            first, last = by_facets.range_of([action])
            row = by_facets.newest_below(self.connection, last, first)
            while row is not None:
                group = json.loads(row[0])[:4]
                yield group
                row = by_facets.newest_below(self.connection, min(by_facets.range_of(group)[0], row[0]), first)

    def _look_up(self, group: Sequence[str | None], near: frozenset[Key], newest: dict[Key, int]) -> None:
        """Add the newest entries of the facets of *group*, unless all their keys are known."""
        first, last = by_facets.range_of(group)
        row = by_facets.newest_below(self.connection, last, first)
        if row is None or near.issuperset(_possible(row[0], self._keys_of)):
            return
        while row is not None:
            keys = [key for key in self._keys_of(row[0]) if key not in near]
            if keys:
                (number,) = self.connection.execute(_MAX, (row[0], self._depth, row[0], self._depth)).fetchone()
                newest |= {key: max(number, newest.get(key, number)) for key in keys}
            row = by_facets.newest_below(self.connection, row[0], first)

    def _facets_of(self, keys: Iterable[Key]) -> Iterator[str]:
        if self._by_job is None:
            self._by_job = {}
            for facet, _ in by_facets.facets(self.connection, self._actions):
                self._by_job.setdefault(json.loads(facet)[FACET_KEYS.index("job")], []).append(facet)
        wanted = set(keys)
        for job in {key[1] for key in wanted}:
            yield from (facet for facet in self._by_job.get(job, ()) if wanted.intersection(self._keys_of(facet)))

    def _was_ahead(self) -> bool:
        """Whether an entry has a later time than the last one on record, so that the clock was ahead or is behind."""
        greatest, newest = (self.connection.execute(query).fetchone() for query in (_GREATEST, _NEWEST))
        return bool(greatest > newest)

    def _ends(self, facet: str) -> set[int]:
        """Return the numbers of the entries of *facet* with the greatest times, and with the smallest ones."""
        return {
            seq
            for order in ("DESC", "ASC")
            for (seq,) in self.connection.execute(f"{_OF_FACET}{order} LIMIT {DEEP}", (facet,))
        }


def _possible(facet: str, keys_of: Callable[[str], tuple[Key, ...]]) -> tuple[Key, ...]:
    """Return all keys of entries of this action, engine, job and kind: a success has the most."""
    values = json.loads(facet)
    values[FACET_KEYS.index("result")] = "succeeded"
    return keys_of(json.dumps(values, ensure_ascii=False))


class Reached:
    """How far one log has been read, and by which entry it is known again: the chain makes it stand for all before it."""

    def __init__(self) -> None:
        self.size = -1
        self._last: object = None

    def new(self, connection: sqlite3.Connection) -> int | None:
        """Return how many entries are new since `note`; None if that is not the same log, or entries of it are gone."""
        (size,) = connection.execute(_SIZE).fetchone()
        same = 0 < self.size <= size and connection.execute(_RAW, (self.size - 1,)).fetchone() == self._last
        return size - self.size if same else None

    def note(self, connection: sqlite3.Connection) -> None:
        """Note that all entries of now have been read."""
        (self.size,) = connection.execute(_SIZE).fetchone()
        self._last = connection.execute(_RAW, (self.size - 1,)).fetchone()


def rows_since(connection: sqlite3.Connection, number: int, most: int) -> list[Row]:
    """Return the entries from *number* on, at most *most*, the oldest first."""
    return connection.execute(_ROWS_SINCE, (number, most)).fetchall()
