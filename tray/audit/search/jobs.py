"""Tell the history of each job: its last run, its last good one, the failures since, and whether the user has seen or forgotten it.

The order in which entries were recorded decides which run is last, never their time: a clock may have been wrong then. A job's
checks, restores and the like are jobs of their own (`JobHistory.kind`).

`status` asks this after every change of the log, so only the jobs that the new entries are about are judged again.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from functools import lru_cache
from heapq import nlargest

from tray.audit.entry import ENDS, Action, ended_run
from tray.audit.rows import ENTRY, GOOD, StoredEntry, stored
from tray.audit.schema import STARTED
from tray.audit.search import by_facets
from tray.audit.search.latest import Key, Latest, Newest, Reached, Row, rows_since
from tray.core import clock, locks
from tray.core.dataclass import dataclass, replace
from tray.core.model import BACKUP, CHECK, EndedRun, JobHistory, Outcome, Proof, judge

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

_MANY = 2_000
"""If more entries are new, everything is read anew."""
_REMOVING = tuple(by_facets.range_of([action])[0] for action in (Action.AUDIT_PRUNED, Action.AUDIT_REDACTED))

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


class KnownJobs:
    """The history of each job in one log, kept from one state of the log to the next; give it connections to that log alone.

    Only jobs with new entries are judged again. All of them are, if entries were removed, or changed without a new one, or if a
    clock was set: then an old entry may mean something else.
    """

    def __init__(self) -> None:
        self._reached = Reached()
        self._offset_ms = 0
        self._recorded = ""
        self._newest: Latest | None = None
        self._jobs: dict[tuple[str, str], JobHistory] = {}
        self._forgotten: dict[tuple[str, str], Mark] = {}
        self._seen: dict[tuple[str, str], Mark] = {}

    def read(self, connection: sqlite3.Connection) -> tuple[list[JobHistory], Marks, Marks]:
        """Return the history of each job that has an ended run and was not forgotten since, and when which jobs were forgotten.

        The last value says when which jobs were acknowledged: for those without a run, of which there is no history.
        """
        rows = self._new(connection)
        if rows is None or self._newest is None:
            self._newest = Latest(connection, (*ENDS, *_MARKS), _keys)
            self._newest.read()
            self._jobs, self._forgotten, self._seen = {}, {}, {}
            changed: Iterable[Key] = self._newest.known
        else:
            self._newest.connection = connection
            changed = self._newest.take(rows)
        self._judge(_Entries(connection), self._newest, changed)
        self._reached.note(connection)
        self._offset_ms = _clock_offset()
        self._recorded = max(self._recorded if rows else "", self._newest.recorded)
        jobs = (self._jobs[key] for key in sorted(self._jobs))
        known = [job for job in jobs if not is_marked(self._forgotten, job.last)]
        return known, dict(self._forgotten), dict(self._seen)

    def _judge(self, read: "_Entries", newest: Latest, changed: Iterable[Key]) -> None:
        touched = set()
        for part, job, kind in changed:
            if part in (_FORGOTTEN, _SEEN):
                marks = self._forgotten if part == _FORGOTTEN else self._seen
                marks[job, kind] = _mark(read, newest.known[part, job, kind])
            touched |= {(job, kind)} if kind != _ALL else {key for key in self._jobs if key[0] == job}
        for job, kind in touched:
            if (_FINISHED, job, kind) in newest.known or (_CLOSED, job, kind) in newest.known:
                self._jobs[job, kind] = _job(read, newest, newest.known, job, kind)

    def _new(self, connection: sqlite3.Connection) -> list[Row] | None:
        """Return the entries that are new; None if everything must be read anew."""
        number = self._reached.new(connection)
        if not 0 < (number or 0) <= _MANY or abs(_clock_offset() - self._offset_ms) > clock.JUMP_MS:
            return None
        rows = rows_since(connection, self._reached.size, _MANY)
        latest = self._recorded
        for _, facet, recorded in rows:
            if facet.startswith(_REMOVING) or recorded < latest:
                return None
            latest = recorded
        return rows if len(rows) == number else None


def _clock_offset() -> int:
    return clock.now_ms() - clock.since_boot_ms()


def is_marked(marks: Marks, run: EndedRun) -> bool:
    """Whether one of *marks* was made of the job of *run* after the run had ended."""
    return bool(marks) and any(
        mark.covers(run) for kind in (run.kind, _ALL) if (mark := marks.get((run.job, kind))) is not None
    )


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
    later = {at: seq for at in (kind, _ALL) if (seq := newest.get((_SEEN, job, at), -1)) > judge.order(about)}
    marks = {(job, at): _mark(read, seq) for at, seq in later.items()}
    return JobHistory(
        job,
        last,
        good,
        kind,
        decides=None if decides is None or decides.run == last.run else decides,
        streak=streak,
        seen=is_marked(marks, about),
        seen_ms=max((mark.time_ms for mark in marks.values()), default=None),
        dated=good is None or kind != BACKUP or _is_dated(read, known, good),
        proven=_proven(read, known, (_GOOD, job, kind), good) if kind == CHECK else None,
    )


def _proven(read: "_Entries", known: Latest, key: Key, good: EndedRun | None) -> Proof | None:
    """Return the last proof among the newest good checks: one that only asked the engine proves nothing."""
    if good is None or good.proven is not None:
        return None if good is None else good.proven
    checks = (read.ended(seq) for seq in nlargest(_AT_ONCE, known.behind(key, -1)))
    return next((check.proven for check in checks if check.proven is not None), None)


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
    have an earlier time, unless the clock was behind when that entry was written.
    """
    if good.entry is None:
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
