"""The newest entry of each job, without asking every facet: most jobs stand among the newest few entries of the log.

The newest is the one that was recorded last (`seq`). Only a job that is not among the newest entries is looked up by its facets.
The index there is sorted by time, which may come from a wrong clock, so the entries at both ends of it are compared by number.
`status` asks this after every change of the log.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tray.audit.schema import FACET, FACET_KEYS, MOMENT
from tray.audit.search import by_facets
from tray.core import clock

NEAR = 256
DEPTH, DEEP = 48, 500
"""Entries of a facet that are compared at either end of the index; and so many where the log holds times that were ahead."""

MOST_COUNTED = 999

Key = tuple[str, str, str]
"""What an entry counts as, its job, and what kind of run it is about."""

Newest = Mapping[Key, int]
"""The number of the newest entry under each key."""

_OF_FACET = f"SELECT seq FROM entries INDEXED BY facet WHERE {FACET} = ? ORDER BY {MOMENT} "  # noqa: S608 - the same
_RECORDED = "json_extract(CAST(entry AS TEXT), '$.recorded')"
_NEAR_ROWS = f"SELECT seq, {FACET}, {_RECORDED} FROM entries ORDER BY seq DESC LIMIT ?"  # noqa: S608 - constants of ours
_MAX = (
    f"SELECT max(seq) FROM (SELECT seq FROM ({_OF_FACET}DESC LIMIT ?) "  # noqa: S608 - the same
    f"UNION ALL SELECT seq FROM ({_OF_FACET}ASC LIMIT ?))"
)
_GREATEST = f"SELECT {MOMENT} FROM entries INDEXED BY at ORDER BY {MOMENT} DESC LIMIT 1"  # noqa: S608 - the same
_NEWEST = f"SELECT {MOMENT} FROM entries ORDER BY seq DESC LIMIT 1"  # noqa: S608 - the same
_EARLIER = f"SELECT seq FROM entries WHERE seq > ? AND seq <= ? AND {_RECORDED} >= ? AND {_RECORDED} < ?"  # noqa: S608 - the same
_AFTER = 16
"""Entries behind one that is far from the end of the log, among which one that was recorded at an earlier time is looked for."""


class Latest:
    """The newest entries of one state of the log.

    Args:
        actions: Those that can have a key.
        keys_of: The keys under which entries of a facet of these actions count.
    """

    def __init__(
        self, connection: sqlite3.Connection, actions: Sequence[str], keys_of: Callable[[str], tuple[Key, ...]]
    ) -> None:
        self._connection, self._actions, self._keys_of = connection, actions, keys_of
        self._by_job: dict[str, list[str]] | None = None
        self._near: list[tuple[int, str, str]] = []
        self._depth = DEEP

    def newest(self) -> Newest:
        """Return the number of the newest entry under each key."""
        ours = tuple(by_facets.range_of([action])[0] for action in self._actions)
        found: dict[Key, int] = {}
        self._near = rows = self._connection.execute(_NEAR_ROWS, (NEAR,)).fetchall()
        for seq, facet, _ in rows:
            for key in self._keys_of(facet) if facet.startswith(ours) else ():
                found.setdefault(key, seq)
        if len(rows) < NEAR:
            return found
        near = frozenset(found)
        self._depth = DEEP if self._was_ahead() else DEPTH
        for group in self._groups():
            self._look_up(group, near, found)
        return found

    def behind(self, key: Key, after: int) -> list[int]:
        """Return the numbers of the newest entries under *key* behind entry *after*."""
        return [seq for facet in self._facets_of([key]) for seq in self._ends(facet) if seq > after]

    def count(self, keys: Iterable[Key], after: int) -> int:
        """Return how many entries behind entry *after* count as one of *keys*, up to `MOST_COUNTED`."""
        number = sum(seq > after for facet in self._facets_of(keys) for seq in self._ends(facet))
        return min(number, MOST_COUNTED)

    def earlier_behind(self, number: int, moment: str) -> Iterator[int]:
        """Yield entries behind entry *number* that were recorded before *moment*: the clock was set back in between, or was behind.

        One that was recorded before `clock.EARLIEST_MS` shows only that the clock was behind later.
        """
        earliest = clock.to_text(clock.EARLIEST_MS)
        for seq, _, recorded in self._near:
            if seq <= number:
                return
            if earliest <= recorded < moment:
                yield seq
        for (seq,) in self._connection.execute(_EARLIER, (number, number + _AFTER, earliest, moment)):
            yield seq

    def _groups(self) -> Iterator[list[str]]:
        """Yield action, engine, job and kind of every group of facets."""
        for action in self._actions:
            first, last = by_facets.range_of([action])
            row = by_facets.newest_below(self._connection, last, first)
            while row is not None:
                group = json.loads(row[0])[:4]
                yield group
                row = by_facets.newest_below(self._connection, min(by_facets.range_of(group)[0], row[0]), first)

    def _look_up(self, group: Sequence[str | None], near: frozenset[Key], found: dict[Key, int]) -> None:
        """Add the newest entries of the facets of *group*, unless all that they count as is known."""
        first, last = by_facets.range_of(group)
        row = by_facets.newest_below(self._connection, last, first)
        if row is None or near.issuperset(_possible(row[0], self._keys_of)):
            return
        while row is not None:
            keys = [key for key in self._keys_of(row[0]) if key not in near]
            if keys:
                (number,) = self._connection.execute(_MAX, (row[0], self._depth, row[0], self._depth)).fetchone()
                found |= {key: max(number, found.get(key, number)) for key in keys}
            row = by_facets.newest_below(self._connection, row[0], first)

    def _facets_of(self, keys: Iterable[Key]) -> Iterator[str]:
        if self._by_job is None:
            self._by_job = {}
            for facet, _ in by_facets.facets(self._connection, self._actions):
                self._by_job.setdefault(json.loads(facet)[FACET_KEYS.index("job")], []).append(facet)
        wanted = set(keys)
        for job in {key[1] for key in wanted}:
            yield from (facet for facet in self._by_job.get(job, ()) if wanted.intersection(self._keys_of(facet)))

    def _was_ahead(self) -> bool:
        """Whether an entry has a later time than the one that was recorded last, so that the clock was ahead or is behind."""
        greatest, newest = (self._connection.execute(query).fetchone() for query in (_GREATEST, _NEWEST))
        return bool(greatest > newest)

    def _ends(self, facet: str) -> set[int]:
        """Return the numbers of the entries of *facet* with the greatest times, and with the smallest ones."""
        return {
            seq
            for order in ("DESC", "ASC")
            for (seq,) in self._connection.execute(f"{_OF_FACET}{order} LIMIT {DEEP}", (facet,))
        }


def _possible(facet: str, keys_of: Callable[[str], tuple[Key, ...]]) -> tuple[Key, ...]:
    """Return all that entries of this action, engine, job and kind may count as: a success counts as most."""
    values = json.loads(facet)
    values[FACET_KEYS.index("result")] = "succeeded"
    return keys_of(json.dumps(values, ensure_ascii=False))
