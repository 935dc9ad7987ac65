"""What is known of each job: its last run, its last good one, how many failed since, and whether the user has seen or forgotten it.

The order in which entries were recorded decides what is last, never their time: a clock may have been wrong then. A job's checks,
restores and the like are jobs of their own (`JobHistory.kind`).
"""

import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from heapq import nlargest

from tray.audit.entry import ENDS, Action, ended_run
from tray.audit.rows import ENTRY, StoredEntry, stored
from tray.audit.schema import STARTED
from tray.audit.search import by_facets, latest
from tray.audit.search.latest import Key, Newest
from tray.core import clock, locks
from tray.core.dataclass import dataclass, replace
from tray.core.model import BACKUP, EndedRun, JobHistory, Outcome, judge

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
"""In the place of a kind: an acknowledgement of the whole job, whatever its runs do."""
_MARKS = {Action.JOB_SEEN.value: _SEEN, Action.JOB_FORGOTTEN.value: _FORGOTTEN}
_AT_ONCE = 16
"""So many runs may be closed at once, in another order than they began; further back their order is that of their closing."""

_START = f"SELECT seq FROM entries INDEXED BY run_start WHERE {STARTED} AND run = ?"  # noqa: S608 - a constant of ours
_BEFORE = 8
"""Entries before one in which another run of this boot is looked for."""


@dataclass(frozen=True, slots=True)
class Mark:
    """When something was said of a job: its place in the log, None while it waits in a spool, and the time."""

    place: int | None
    time_ms: int

    def covers(self, run: EndedRun) -> bool:
        """Whether it was said after *run* had ended. Where the end was concluded later, the times must agree to that."""
        if self.place is None:
            return True
        later = self.place > judge.order(run)
        return later and (run.place is None or self.time_ms >= run.finished_ms)


Marks = Mapping[tuple[str, str], Mark]
"""By job and kind; kind "" is all of them."""


def histories(connection: sqlite3.Connection) -> tuple[list[JobHistory], Marks]:
    """Return what is known of each job that has an ended run and was not forgotten since, and what was forgotten when."""
    known, read = latest.Latest(connection, (*ENDS, *_MARKS), _keys), _Entries(connection)
    newest = known.newest()
    forgotten = {(job, kind): _mark(read, seq) for (what, job, kind), seq in newest.items() if what == _FORGOTTEN}
    jobs = sorted({(job, kind) for what, job, kind in newest if what in (_FINISHED, _CLOSED)})
    found = [_job(read, known, newest, job, kind) for job, kind in jobs]
    return [job for job in found if not is_marked(forgotten, job.last)], forgotten


def is_marked(marks: Marks, run: EndedRun) -> bool:
    """Whether one of *marks* was made of the job of *run* after the run had ended."""
    return any(mark.covers(run) for kind in (run.kind, _ALL) if (mark := marks.get((run.job, kind))) is not None)


@lru_cache(maxsize=4096)
def _keys(facet: str) -> tuple[Key, ...]:
    """Return as what entries of this facet count, and of which job and kind."""
    values = by_facets.parsed(facet)
    job, kind, action = values["job"], values["kind"], values["action"]
    if job is None:
        return ()
    if action in _MARKS:
        return ((_MARKS[action], job, kind or _ALL),)
    closed = action == Action.RUN_CLOSED
    found = [_CLOSED if closed else _FINISHED]
    if values["result"] != Outcome.CANCELLED:
        found.append(_DECIDED_LATER if closed else _DECIDED)
    if values["result"] in (Outcome.SUCCEEDED, Outcome.WARNING):
        found.append(_GOOD)
    return tuple((what, job, kind or BACKUP) for what in found)


def _job(read: "_Entries", known: latest.Latest, newest: Newest, job: str, kind: str) -> JobHistory:
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


def _last(read: "_Entries", known: latest.Latest, newest: Newest, finished: Key, closed: Key) -> EndedRun | None:
    """Return the last run: the newest end that a wrapper recorded, or a run that began after that and was closed by another."""
    first, then = newest.get(finished), newest.get(closed)
    ended = None if first is None else read.ended(first)
    if then is None or (first is not None and then < first):
        return ended
    found = [read.ended(seq) for seq in nlargest(_AT_ONCE, known.behind(closed, -1 if first is None else first))]
    return judge.newest([*found, *([] if ended is None else [ended])])


def _mark(read: "_Entries", seq: int) -> Mark:
    return Mark(seq, clock.from_text(read.entry(seq).data["time"]))


def _is_dated(read: "_Entries", known: latest.Latest, good: EndedRun) -> bool:
    """Whether nothing shows that the clock was ahead when *good* ended.

    In this boot the time since the start of the machine tells. Of an earlier boot it counts that neither its own entry nor one
    behind it has an earlier time, unless the clock was behind when that one was written. Of a run so old that it is not fine anyway
    nobody asks.
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
    """Return when by the clock of now an entry of this boot was made; None if it does not say how long the machine ran then."""
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
        """Return entry *seq*, None where there is none (any more)."""
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
