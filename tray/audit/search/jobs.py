"""What is known of each job: its last run, its last good one, and whether somebody has seen it."""

import json
import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tray import clock
from tray.audit.entry import ENDS, Action, ended_run
from tray.audit.schema import FACET, FACET_KEYS, MOMENT
from tray.audit.search import latest
from tray.audit.search.pages import facets
from tray.audit.store import ENTRY, GOOD, stored
from tray.model import EndedRun, JobHistory

CLOCK_SLACK_MS = 600_000
"""An entry dated later than this from now was written under a wrong clock: its place in the log decides, not its time."""

# Built from constants of ours only; what comes from outside is always a parameter.
_UP_TO = f"SELECT {MOMENT}, seq FROM entries INDEXED BY facet WHERE {FACET} = ? AND {MOMENT} <= ? "  # noqa: S608
_UP_TO += f"ORDER BY {MOMENT} DESC, seq DESC LIMIT 1"
_AHEAD = f"SELECT max(seq) FROM entries INDEXED BY facet WHERE {FACET} = ? AND {MOMENT} > ?"  # noqa: S608
_END, _GOOD_END, _SEEN = "end", "good end", "seen"
_Newest = Mapping[tuple[str, str], int]


def histories(connection: sqlite3.Connection) -> list[JobHistory]:
    """Return what is known of each job that has an ended run, in the order of their names."""
    newest = _newest(connection)
    return [_job(connection, name, newest) for what, name in sorted(newest) if what == _END]


def _newest(connection: sqlite3.Connection) -> _Newest:
    """Return the newest end, good end and acknowledgement of each job: by one jump in the index for each different facet.

    The newest has the greatest time, then number. A time ahead of now does not count as newer: then the number decides.
    """
    horizon = clock.now_ms() + CLOCK_SLACK_MS
    known = latest.newest(connection, horizon, (*ENDS, Action.JOB_SEEN), _keys)
    if known is not None:
        return known
    past: dict[tuple[str, str], tuple[int, int]] = {}
    ahead: dict[tuple[str, str], int] = {}
    for facet, newest in facets(connection, (*ENDS, Action.JOB_SEEN)):
        keys = _keys(facet)
        if newest[0] > horizon:
            (seq,) = connection.execute(_AHEAD, (facet, horizon)).fetchone()
            ahead |= {key: max(seq, ahead.get(key, 0)) for key in keys}
            newest = connection.execute(_UP_TO, (facet, horizon)).fetchone()
            if newest is None:
                continue
        past |= {key: max(newest, past.get(key, newest)) for key in keys}
    return {key: max(past.get(key, (0, 0))[1], ahead.get(key, 0)) for key in past.keys() | ahead.keys()}


@lru_cache(maxsize=4096)
def _keys(facet: str) -> tuple[tuple[str, str], ...]:
    """Return as what entries of this facet count, and of which job."""
    values = dict(zip(FACET_KEYS, json.loads(facet), strict=True))
    job = values["job"]
    if job is None:
        return ()
    if values["action"] == Action.JOB_SEEN:
        return ((_SEEN, job),)
    return ((_END, job), (_GOOD_END, job)) if values["result"] in GOOD else ((_END, job),)


def _job(connection: sqlite3.Connection, job: str, newest: _Newest) -> JobHistory:
    numbers = {what: newest[what, job] for what in (_END, _GOOD_END, _SEEN) if (what, job) in newest}
    rows = {seq: connection.execute(f"{ENTRY} entries.seq = ?", (seq,)).fetchone() for seq in set(numbers.values())}
    ended = _ended(rows[numbers[_END]])
    good: EndedRun | None = ended
    if numbers.get(_GOOD_END) != numbers[_END]:
        good = _ended(rows[numbers[_GOOD_END]]) if _GOOD_END in numbers else None
    return JobHistory(job, ended, good, _seen_ms(rows[numbers[_SEEN]], ended) if _SEEN in numbers else None)


def _seen_ms(row: tuple[Any, ...], last: EndedRun) -> int:
    """Return when a job was acknowledged; under a wrong clock the order of the entries says whether that was after *last*."""
    seen = stored(row)
    moment = clock.from_text(seen.data["time"])
    if moment <= clock.now_ms() + CLOCK_SLACK_MS:
        return moment
    return last.finished_ms - (0 if last.entry is not None and seen.seq > last.entry else 1)


def _ended(row: tuple[Any, ...]) -> EndedRun:
    entry = stored(row)
    return ended_run(entry.data, entry.body, entry.seq)
