"""Tell the history of each job: its last run, its last good one, the failures since, and whether the user has seen or forgotten it.

The order in which entries were recorded decides which run is last, never their time: a clock may have been wrong then. A job's
checks, restores and the like are jobs of their own (`JobHistory.kind`).

`status` asks this after every change of the log, so `Latest` does not ask every facet: most jobs stand among the newest few
entries of the log. Only a job that is not among them is looked up by its facets. The index there is sorted by time, which may
come from a wrong clock, so the entries at both ends of it are compared by number.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from heapq import nlargest

from tray.audit.entry import ENDS, Action, ended_run
from tray.audit.rows import ENTRY, GOOD, StoredEntry, stored
from tray.audit.schema import FACET, FACET_KEYS, MOMENT, STARTED
from tray.audit.search import by_facets
from tray.core import clock, locks
from tray.core.dataclass import dataclass, replace
from tray.core.model import BACKUP, EndedRun, JobHistory, Outcome, judge

NEAR = 256
DEPTH, DEEP = 48, 500
"""Entries of a facet that are compared at either end of the index; and so many where the log holds times that were ahead."""

MOST_COUNTED = 999

Key = tuple[str, str, str]
"""The part that an entry plays, its job, and the kind of its run."""

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
"""Entries behind a good end far from the end of the log that are searched for one recorded at an earlier time."""

_FINISHED, _CLOSED, _DECIDED, _DECIDED_LATER, _GOOD, _SEEN, _FORGOTTEN = (
    "finished",
    "closed",
    "f",
    "c",
    "good",
    "s",
    "g",
)
_ALL = ""
"""In the place of a kind: an acknowledgement of the whole job, of all kinds of runs."""
_MARKS = {Action.JOB_SEEN.value: _SEEN, Action.JOB_FORGOTTEN.value: _FORGOTTEN}
_AT_ONCE = 16
"""So many runs may be closed at once, in another order than they began; further back their order is that of their closing."""

_START = f"SELECT seq FROM entries INDEXED BY run_start WHERE {STARTED} AND run = ?"  # noqa: S608 - a constant of ours
_BEFORE = 8
"""Entries before one in which another run of this boot is looked for."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry `job.seen` or `job.forgotten`: its place in the log, None while it waits in a spool, and its time."""

    place: int | None
    time_ms: int

    def covers(self, run: EndedRun) -> bool:
        """Whether the user made it after *run* had ended. If the end was concluded later, the times must agree to that."""
        if self.place is None:
            return True
        later = self.place > judge.order(run)
        return later and (run.place is None or self.time_ms >= run.finished_ms)


Marks = Mapping[tuple[str, str], Mark]
"""By job and kind; kind "" is all of them."""


class Latest:
    """The newest entries of one state of the log.

    Args:
        actions: Actions whose entries can count.
        keys_of: Returns the keys under which entries of a facet of these actions count.
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
        newest: dict[Key, int] = {}
        self._near = rows = self._connection.execute(_NEAR_ROWS, (NEAR,)).fetchall()
        for seq, facet, _ in rows:
            for key in self._keys_of(facet) if facet.startswith(ours) else ():
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

    def _look_up(self, group: Sequence[str | None], near: frozenset[Key], newest: dict[Key, int]) -> None:
        """Add the newest entries of the facets of *group*, unless all their keys are known."""
        first, last = by_facets.range_of(group)
        row = by_facets.newest_below(self._connection, last, first)
        if row is None or near.issuperset(_possible(row[0], self._keys_of)):
            return
        while row is not None:
            keys = [key for key in self._keys_of(row[0]) if key not in near]
            if keys:
                (number,) = self._connection.execute(_MAX, (row[0], self._depth, row[0], self._depth)).fetchone()
                newest |= {key: max(number, newest.get(key, number)) for key in keys}
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
        """Whether an entry has a later time than the last one on record, so that the clock was ahead or is behind."""
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
    """Return all keys of entries of this action, engine, job and kind: a success has the most."""
    values = json.loads(facet)
    values[FACET_KEYS.index("result")] = "succeeded"
    return keys_of(json.dumps(values, ensure_ascii=False))


def histories(connection: sqlite3.Connection) -> tuple[list[JobHistory], Marks]:
    """Return the history of each job that has an ended run and was not forgotten since, and which jobs were forgotten when."""
    known, read = Latest(connection, (*ENDS, *_MARKS), _keys), _Entries(connection)
    newest = known.newest()
    forgotten = {(job, kind): _mark(read, seq) for (part, job, kind), seq in newest.items() if part == _FORGOTTEN}
    jobs = sorted({(job, kind) for part, job, kind in newest if part in (_FINISHED, _CLOSED)})
    ended = [_job(read, known, newest, job, kind) for job, kind in jobs]
    return [job for job in ended if not is_marked(forgotten, job.last)], forgotten


def is_marked(marks: Marks, run: EndedRun) -> bool:
    """Whether one of *marks* was made of the job of *run* after the run had ended."""
    return any(mark.covers(run) for kind in (run.kind, _ALL) if (mark := marks.get((run.job, kind))) is not None)


@lru_cache(maxsize=4096)
def _keys(facet: str) -> tuple[Key, ...]:
    """Return the keys under which entries of this facet count."""
    values = by_facets.parsed(facet)
    job, kind, action = values["job"], values["kind"], values["action"]
    if job is None:
        return ()
    if action in _MARKS:
        return ((_MARKS[action], job, kind or _ALL),)
    closed = action == Action.RUN_CLOSED
    parts = [_CLOSED if closed else _FINISHED]
    if values["result"] != Outcome.CANCELLED:
        parts.append(_DECIDED_LATER if closed else _DECIDED)
    if values["result"] in GOOD:
        parts.append(_GOOD)
    return tuple((part, job, kind or BACKUP) for part in parts)


def _job(read: "_Entries", known: Latest, newest: Newest, job: str, kind: str) -> JobHistory:
    last = _last(read, known, newest, (_FINISHED, job, kind), (_CLOSED, job, kind))
    decides = _last(read, known, newest, (_DECIDED, job, kind), (_DECIDED_LATER, job, kind))
    assert last is not None
    good = None if (seq := newest.get((_GOOD, job, kind))) is None else read.ended(seq)
    if good is not None and decides is not None and good.run == decides.run:
        good = decides
    about = decides or last
    streak = 0
    if decides is not None and decides is not good:
        of_bad = [key for key in ((_DECIDED, job, kind), (_DECIDED_LATER, job, kind)) if key in newest]
        streak = max(1, known.count(of_bad, -1 if good is None or good.entry is None else good.entry))
    seen = {at: seq for at in (kind, _ALL) if (seq := newest.get((_SEEN, job, at), -1)) > judge.order(about)}
    return JobHistory(
        job,
        last,
        good,
        kind,
        decides=None if decides is None or decides.run == last.run else decides,
        streak=streak,
        seen=is_marked({(job, at): _mark(read, seq) for at, seq in seen.items()}, about),
        dated=good is None or _is_dated(read, known, good),
    )


def _last(read: "_Entries", known: Latest, newest: Newest, finished: Key, closed: Key) -> EndedRun | None:
    """Return the last run: the newest end that a wrapper recorded, or a run that began after that and was closed by another."""
    first, then = newest.get(finished), newest.get(closed)
    ended = None if first is None else read.ended(first)
    if then is None or (first is not None and then < first):
        return ended
    later = [read.ended(seq) for seq in nlargest(_AT_ONCE, known.behind(closed, -1 if first is None else first))]
    return judge.newest([*later, *([] if ended is None else [ended])])


def _mark(read: "_Entries", seq: int) -> Mark:
    return Mark(seq, clock.from_text(read.entry(seq).data["time"]))


def _is_dated(read: "_Entries", known: Latest, good: EndedRun) -> bool:
    """Whether nothing shows that the clock was ahead when *good* ended.

    In this boot the time since the start of the machine tells. In an earlier boot neither the run's own entry nor a later one may
    have an earlier time, unless the clock was behind when that entry was written. A run so old that it is not fine anyway needs
    no answer.
    """
    if good.entry is None or clock.now_ms() - good.finished_ms > judge.STALE_AFTER_MS:
        return True
    entry = read.entry(good.entry)
    recorded = clock.from_text(entry.data["recorded"])
    if good.finished_ms > recorded + clock.SLACK_MS:
        return False
    truth = _truth(entry)
    if truth is not None and abs(good.finished_ms - truth) <= clock.SLACK_MS:
        return True
    if truth is not None and (good.finished_ms > truth or _was_set_back(read, entry)):
        return False
    before = max(recorded - clock.SLACK_MS, 0)
    earlier = (_truth(read.entry(seq)) for seq in known.earlier_behind(good.entry, clock.to_text(before)))
    return all(truth is not None and truth >= before for truth in earlier)


def _truth(entry: StoredEntry) -> int | None:
    """Return when an entry of this boot was made by the present clock; None if it does not say how long the machine ran then."""
    then = _since_boot(entry)
    return None if then is None else clock.now_ms() - clock.since_boot_ms() + then


def _since_boot(entry: StoredEntry) -> int | None:
    boot, then = (entry.body or {}).get("boot"), (entry.body or {}).get("since_boot_ms")
    known = boot == locks.boot_id() and boot != locks.UNKNOWN_BOOT and isinstance(then, int)
    return then if known else None


def _was_set_back(read: "_Entries", entry: StoredEntry) -> bool:
    """Whether the clock was behind at an entry of this boot, by another run's entry shortly before it.

    A machine that was held (a suspended virtual one) looks the same from now on, but not from there.
    """
    for seq in range(entry.seq - 1, entry.seq - 1 - _BEFORE, -1):
        other = read.find(seq)
        if other is not None and other.data["run"] != entry.data["run"] and _since_boot(other) is not None:
            return _started_ms(entry) < _started_ms(other) - clock.SLACK_MS
    return False


def _started_ms(entry: StoredEntry) -> int:
    """Return when the machine was started, by the clock of the moment of *entry*."""
    return clock.from_text(entry.data["time"]) - (_since_boot(entry) or 0)


class _Entries:
    """The entries of one state of the log, each read once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._entries: dict[int, StoredEntry] = {}
        self._ended: dict[int, EndedRun] = {}

    def entry(self, seq: int) -> StoredEntry:
        """Return entry *seq*."""
        if seq not in self._entries:
            self._entries[seq] = stored(self._connection.execute(f"{ENTRY} entries.seq = ?", (seq,)).fetchone())
        return self._entries[seq]

    def find(self, seq: int) -> StoredEntry | None:
        """Return entry *seq*, None if it is missing or was pruned."""
        row = self._connection.execute(f"{ENTRY} entries.seq = ?", (seq,)).fetchone()
        return None if row is None else stored(row)

    def ended(self, seq: int) -> EndedRun:
        """Return the run whose end entry *seq* is, with its place among the others."""
        if seq not in self._ended:
            entry = self.entry(seq)
            run = ended_run(entry.data, entry.body, entry.seq)
            started = self._connection.execute(_START, (run.run,)).fetchone() if run.inferred else None
            self._ended[seq] = run if started is None else replace(run, place=started[0])
        return self._ended[seq]
