"""Find when the good runs of a job began and ended, and when it was skipped: the past from which its rhythm is learnt.

The index tells the ends without reading an entry. An entry is read for the beginning of the newest runs only: the older ones count
with the usual duration, since nothing asks for the exact beginning of a run of long ago. Once read, only new entries are looked at.

The order of recording decides, as everywhere. A run whose time disagrees with that order was made with a wrong clock; nothing is
learnt from it. All of that costs the same whether the log has a thousand entries or a million.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from tray.audit.entry import ENDS, Action
from tray.audit.rows import GOOD
from tray.audit.schema import FACET, MOMENT
from tray.audit.search import by_facets
from tray.audit.search.latest import Reached
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.model import BACKUP

MOST = 400
"""Runs of a job that are kept."""
EXACT = 60
"""The newest of them whose beginning is read from the entry."""
_BEGINNINGS = (*ENDS, Action.JOB_CREATED, Action.CONFIG_CHANGED, Action.RUN_SKIPPED)
"""Actions by which a job becomes known."""
_MANY = 2_000
"""If more entries are new, everything is read anew."""

Run = tuple[int, int]
"""Begin and end in milliseconds."""
Key = tuple[str, str]
"""A job and the kind of its runs."""

MOST_SKIPS = 99

_NEWEST = (
    f"SELECT seq, {MOMENT} FROM entries INDEXED BY facet WHERE {FACET} = ? AND {MOMENT} BETWEEN ? AND ? "  # noqa: S608 - constants of ours
    f"ORDER BY {MOMENT} DESC, seq DESC LIMIT ?"
)
_FIELD = "json_extract(CAST(entry AS TEXT), '$.{}')"
_DURATION = f"SELECT {_FIELD.format('duration_ms')} FROM entries WHERE seq = ?"  # noqa: S608 - the same
_SINCE = (
    f"SELECT seq, {MOMENT}, {FACET}, {_FIELD.format('duration_ms')} FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?"  # noqa: S608 - the same
)
_LATER = (
    f"SELECT {MOMENT} FROM entries INDEXED BY facet WHERE {FACET} = ? AND {MOMENT} > ? ORDER BY {MOMENT} DESC LIMIT ?"  # noqa: S608 - the same
)
_EARLIEST = f"SELECT min({MOMENT}) FROM entries INDEXED BY facet WHERE {FACET} = ? AND {MOMENT} >= ?"  # noqa: S608 - the same
_LAST = f"SELECT max({MOMENT}) FROM entries INDEXED BY facet WHERE {FACET} = ? AND {MOMENT} >= ?"  # noqa: S608 - the same


@dataclass(frozen=True, slots=True)
class Known:
    """The past of one job.

    Attributes:
        runs: Begin and end of the newest good runs, in the order of recording.
        first_ms: When the job became known: it was configured, or its first run ended, good or not; None if that is not known.
        skips: How often its conditions have kept it from starting since the last good run, up to `MOST_SKIPS`.
        reason: Why, the last time: a word of `run.skipped`.
    """

    runs: tuple[Run, ...] = ()
    first_ms: int | None = None
    skips: int = 0
    reason: str | None = None


class GoodRuns:
    """The good runs of every job in one audit log; give it connections to that log alone."""

    def __init__(self) -> None:
        self._reached = Reached()
        self._facets: dict[Key, list[str]] = {}
        self._rows: dict[Key, list[tuple[int, int, int | None]]] = {}
        self._runs: dict[Key, tuple[Run, ...]] = {}
        self._first: dict[Key, int] = {}
        self._known: dict[tuple[str, ...], Known] = {}

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Take in the entries that are new since the last time; read everything anew if the log is another one or far longer."""
        number = self._reached.new(connection)
        if number is None or number > _MANY:
            self._facets, self._rows, self._runs, self._first = _by_key(connection), {}, {}, {}
            self._known = {}
        elif number:
            for row in connection.execute(_SINCE, (self._reached.size, _MANY)):
                self._add(*row)
        if number != 0:
            self._reached.note(connection)

    def known(self, connection: sqlite3.Connection, names: Sequence[str], kind: str = BACKUP) -> Known:
        """Return the past of the job whose runs of this *kind* are on record under these *names*."""
        key = kind, *names
        if key not in self._known:
            runs = self.runs(connection, names, kind)
            skips = self._skips(connection, names, kind, runs[-1][1] if runs else 0)
            reason = max(skips)[1] if skips else None
            self._known[key] = Known(runs, self.first_ms(connection, names, kind), min(len(skips), MOST_SKIPS), reason)
        return self._known[key]

    def _skips(
        self, connection: sqlite3.Connection, names: Iterable[str], kind: str, after_ms: int
    ) -> list[tuple[int, str]]:
        """Return time and reason of the newest skipped runs behind *after_ms*."""
        facets = [facet for name in names for facet in self._facets.get((name, kind), ())]
        return [
            (at, str(by_facets.parsed(facet)["result"]))
            for facet in facets
            if by_facets.parsed(facet)["action"] == Action.RUN_SKIPPED
            for (at,) in connection.execute(_LATER, (facet, after_ms, MOST_SKIPS))
        ]

    def runs(self, connection: sqlite3.Connection, names: Iterable[str], kind: str = BACKUP) -> tuple[Run, ...]:
        """Return begin and end of the newest good runs of this *kind* of a job, in the order of recording.

        Args:
            names: The job's name, and those under which its runs are on record too.
        """
        keys = [(name, kind) for name in names]
        if len(keys) == 1:
            if keys[0] not in self._runs:
                self._runs[keys[0]] = _in_order(self._rows_of(connection, keys[0]))
            return self._runs[keys[0]]
        return _in_order(sorted(row for key in keys for row in self._rows_of(connection, key))[-MOST:])

    def first_ms(self, connection: sqlite3.Connection, names: Iterable[str], kind: str = BACKUP) -> int | None:
        """Return when the job became known: it was configured, or its first run ended, good or not; None if it is not known."""
        return min((first for name in names if (first := self._first_of(connection, (name, kind)))), default=None)

    def _first_of(self, connection: sqlite3.Connection, key: Key) -> int:
        if key not in self._first:
            facets = self._facets.get(key, ())
            made = [facet for facet in facets if _action(facet) == Action.JOB_CREATED]
            begins = [_moment(connection, _LAST, facet) for facet in made]  # the job may have been removed in between
            begins += [
                _moment(connection, _EARLIEST, facet)
                for facet in facets
                if facet not in made and not (made and _action(facet) == Action.CONFIG_CHANGED)
            ]
            self._first[key] = min(filter(None, begins), default=0)
        return self._first[key]

    def _rows_of(self, connection: sqlite3.Connection, key: Key) -> list[tuple[int, int, int | None]]:
        if key not in self._rows:
            self._rows[key] = _read(connection, list(filter(_is_good, self._facets.get(key, ()))))
        return self._rows[key]

    def _add(self, seq: int, ended: int, facet: str, took: int | None) -> None:
        values = by_facets.parsed(facet)
        if values["action"] not in _BEGINNINGS or values["job"] is None:
            return
        key = values["job"], values["kind"] or BACKUP
        self._known = {of: known for of, known in self._known.items() if of[0] != key[1] or key[0] not in of[1:]}
        facets = self._facets.setdefault(key, [])
        if facet not in facets:
            facets.append(facet)
        if ended < clock.EARLIEST_MS:
            return
        if values["action"] == Action.JOB_CREATED:
            self._first.pop(key, None)
        elif key in self._first:
            self._first[key] = min(self._first[key] or ended, ended)
        if _is_good(facet) and key in self._rows and ended <= clock.now_ms() + clock.SLACK_MS:
            self._rows[key] = [*self._rows[key][1 - MOST :], (seq, ended, took)]
            self._runs.pop(key, None)


def _is_good(facet: str) -> bool:
    values = by_facets.parsed(facet)
    return values["action"] in ENDS and values["result"] in GOOD


def _action(facet: str) -> str:
    return str(by_facets.parsed(facet)["action"])


def _moment(connection: sqlite3.Connection, query: str, facet: str) -> int | None:
    moment: int | None = connection.execute(query, (facet, clock.EARLIEST_MS)).fetchone()[0]
    return moment


def _by_key(connection: sqlite3.Connection) -> dict[Key, list[str]]:
    """Return the facets of `_BEGINNINGS` by job and kind."""
    by_key: dict[Key, list[str]] = {}
    for facet, _ in by_facets.facets(connection, _BEGINNINGS):
        values = by_facets.parsed(facet)
        if values["job"] is not None:
            by_key.setdefault((values["job"], values["kind"] or BACKUP), []).append(facet)
    return by_key


def _read(connection: sqlite3.Connection, facets: Sequence[str]) -> list[tuple[int, int, int | None]]:
    """Return number, end and duration of the newest good runs, by number; the duration of the newest ones only."""
    latest = clock.now_ms() + clock.SLACK_MS
    rows: list[tuple[int, int]] = []
    for facet in facets:
        rows += connection.execute(_NEWEST, (facet, clock.EARLIEST_MS, latest, MOST)).fetchall()
    newest = sorted(rows)[-MOST:]
    took = {seq: connection.execute(_DURATION, (seq,)).fetchone()[0] for seq, _ in newest[-EXACT:]}
    return [(seq, ended, took.get(seq)) for seq, ended in newest]


def _in_order(rows: Sequence[tuple[int, int, int | None]]) -> tuple[Run, ...]:
    """Return begin and end of the runs, without those whose time disagrees with the order of recording."""
    known = sorted(took for _, _, took in rows if took is not None)
    usual = known[(len(known) - 1) // 2] if known else 0  # the median, of two the lower one
    ends = [ended for _, ended, _ in rows]
    kept = range(len(rows)) if all(map(int.__le__, ends, ends[1:])) else _longest_rise(ends)
    return tuple((max(0, rows[at][1] - (usual if (took := rows[at][2]) is None else took)), rows[at][1]) for at in kept)


def _longest_rise(ends: Sequence[int]) -> list[int]:
    """Return the places of the longest series of *ends* that never falls: a clock that was wrong for a while is not in it."""
    tails: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for at, end in enumerate(ends):
        length = bisect_right(tails, end)
        before.append(places[length - 1] if length else -1)
        if length == len(tails):
            tails.append(end)
            places.append(at)
        else:
            tails[length], places[length] = end, at
    rise = []
    at = places[-1] if places else -1
    while at >= 0:
        rise.append(at)
        at = before[at]
    return rise[::-1]
