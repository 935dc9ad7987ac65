"""Tell for each job how the last 28 days were: backed up, late, missed. By the rules of `tray.rhythm`, as reports count.

A stated rhythm counts from its last change on record. Days on which no backup was expected, or of which nothing is known, stay
empty.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from tray.audit import search
from tray.audit.entry import Action
from tray.audit.search.conditions import Filter
from tray.audit.search.good_runs import Known
from tray.audit.search.renames import Names
from tray.audit.store import AuditLog
from tray.config import jobs
from tray.config.jobs import Configured
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.errors import BackupTrayError, ConfigError
from tray.core.model import BACKUP
from tray.core.paths import Places
from tray.housekeeping.config_changes import key_text
from tray.rhythm import Rhythm, kept_slots
from tray.rhythm.awake import Awake
from tray.rhythm.plan import Run
from tray.status import past_runs
from tray.status.awake_times import AwakeTimes
from tray.status.expected import rhythm_of

DAYS = 28
EMPTY = ""
"""A day without a backup on which none was expected, or of which nothing is known."""
_KEYS = ("every", "on", "rhythm", "zone", "delay", "enabled", "off_until")
_MOST_CHANGES = 500
_WORST = (kept_slots.MISSED, kept_slots.LATE, kept_slots.KEPT, kept_slots.ASLEEP)


def of_jobs(places: Places, names: Sequence[str], now_ms: int) -> Mapping[str, tuple[str, ...]]:
    """Return how each of the last `DAYS` whole days was for each job of this user's log, the oldest first.

    Args:
        names: Present names of jobs.

    Returns:
        Words of `tray.rhythm.kept_slots`, or `EMPTY`; nothing if the log cannot be read.
    """
    with suppress(BackupTrayError), past_runs.reading(places) as log:
        if log is None:
            return {}
        known = past_runs.present_names(places, log)
        pasts = log.good_runs([known.recorded(name) for name in names])
        try:
            configured = jobs.load(places)
        except ConfigError:
            configured = Configured()
        newest = max((past.runs[-1][1] for past in pasts if past.runs), default=None)
        awake, changed = AwakeTimes(places).read(newest), _changes(log)
        made = {}
        for name, past in zip(names, pasts, strict=True):
            rhythm = rhythm_of(configured.jobs.get(name), BACKUP, now_ms) or Rhythm("off")
            since_ms = _since_ms(known, name, changed)
            made[name] = _days(rhythm, past, awake, since_ms, now_ms)
        return made
    return {}


def first_day(now_ms: int) -> date:
    """Return the first of the days."""
    return clock.local(now_ms).date() - timedelta(days=DAYS)


def _days(rhythm: Rhythm, past: Known, awake: Awake, since_ms: int, now_ms: int) -> tuple[str, ...]:
    begin = first_day(now_ms)
    begin_ms = now_ms - (DAYS + 2) * DAY_MS  # a little more than needed, as a day may have 25 hours
    goods, first_ms = list(past.runs), past.first_ms or now_ms
    by_day: dict[date, set[str]] = {}
    for _, end in goods:
        by_day.setdefault(_day(end), set()).add(kept_slots.KEPT)
    for at_ms, how in _judged(rhythm, goods, first_ms, awake, max(begin_ms, since_ms), now_ms):
        if how != kept_slots.ASLEEP or _day(at_ms) not in by_day:
            by_day.setdefault(_day(at_ms), set()).add(how)
    days = (by_day.get(begin + timedelta(days=number), set()) for number in range(DAYS))
    return tuple(next((how for how in _WORST if how in hows), EMPTY) for hows in days)


def _judged(
    rhythm: Rhythm, goods: list[Run], first_ms: int, awake: Awake, begin_ms: int, now_ms: int
) -> Iterable[tuple[int, str]]:
    """Yield the moments that were judged, and how; of a rhythm that is learnt the days of each silence."""
    if rhythm.kind == "learn":
        for silence in kept_slots.silences(rhythm, goods, first_ms, awake, begin_ms, now_ms):
            for at_ms in range(max(silence.first_ms, begin_ms), silence.last_ms, DAY_MS):
                yield at_ms, kept_slots.MISSED
    elif rhythm.kind == "stated":
        met = kept_slots.met(rhythm, goods, first_ms, awake, begin_ms, now_ms)
        for slot in () if met is None else met[0]:
            yield slot.slot_ms, slot.how


def _changes(log: AuditLog) -> list[tuple[int, str]]:
    """Return time and key of the changes of config.toml on record."""
    page = search.search(log, Filter(action=(str(Action.CONFIG_CHANGED),)), limit=_MOST_CHANGES)
    return [
        (clock.from_text(entry.data["time"]), str(change.get("key")))
        for entry in page.entries
        for change in _listed((entry.body or {}).get("changes"))
    ]


def _since_ms(known: Names, name: str, changed: Iterable[tuple[int, str]]) -> int:
    """Return when the job's rhythm was last changed on record; 0 if it never was."""
    keys = {f"{key_text(('jobs', each))}.{key}" for each in known.recorded(name) for key in _KEYS}
    return max((at_ms for at_ms, key in changed if key in keys), default=0)


def _listed(changes: Any) -> list[Mapping[str, Any]]:
    return [change for change in changes if isinstance(change, Mapping)] if isinstance(changes, list) else []


def _day(ms: int) -> date:
    return clock.local(ms).date()
