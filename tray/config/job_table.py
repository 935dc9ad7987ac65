"""Read one table [jobs.NAME] of the configuration file, key by key."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, TypeVar

from tray import config
from tray.config import MINUTE_MS
from tray.config.file import Fault
from tray.core.clock import DAY_MS
from tray.core.dataclass import dataclass
from tray.core.errors import ConfigError
from tray.rhythm import zones

STATED, LEARN, OFF = "stated", "learn", "off"
CONDITIONS = ("power", "unmetered", "target")
"""Conditions of a run: mains power, a network that is not metered, a target that is there."""
RULES = ("failure", "warning", "overdue", "breach", "recovered", "success")
"""Events of which a job can notify."""
_MOST_TEXT = 1000
_T = TypeVar("_T")
CHECK_KEYS = ("every", "on", "rhythm", "zone", "delay", "max_age", "read_data")
"""Every key of [jobs.NAME.check]."""


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """The sub-table [jobs.NAME.check].

    Attributes:
        rhythm: As that of a `Job`, but "off" unless the table says how often.
        every_ms, on, delay_ms, max_age_ms, max_age_off: As those of a `Job`.
        zone: Time zone of `on`; None: that of the job.
        read_data: The part of the data that the engine reads too, such as "5%" or "all"; None: as it does by itself.
    """

    rhythm: str = OFF
    every_ms: int | None = None
    on: str | None = None
    zone: str | None = None
    delay_ms: int = 0
    max_age_ms: int | None = None
    max_age_off: bool = False
    read_data: str | None = None


class Table:
    """One table [jobs.NAME], read key by key.

    Args:
        faults: Takes the faults of keys that `or_default` reads.
    """

    def __init__(self, table: Mapping[str, Any], fault: Fault, faults: list[ConfigError]) -> None:
        self.table, self.fault, self._faults = table, fault, faults

    def or_default(self, key: str, read: Callable[[str], _T], default: _T) -> _T:
        """Return *read* of *key*; of one that is missing or at fault *default*."""
        if key not in self.table:
            return default
        try:
            return read(key)
        except ConfigError as error:
            self._faults.append(error)
            return default

    def text(self, key: str) -> str | None:
        """Return the text at *key*, None if it is missing."""
        value = self.table.get(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise self.fault(key, f"`{key}` must be text that is not empty")
        return value

    def line(self, key: str) -> str:
        """Return the short text on one line at *key*."""
        value = self.text(key) or ""
        if len(value) > _MOST_TEXT or not value.isprintable():
            raise self.fault(key, f"`{key}` must be one line of at most {_MOST_TEXT:,} printable characters")
        return value

    def lines(self, key: str) -> str:
        """Return the short text on one or several lines at *key*."""
        value = self.text(key) or ""
        if len(value) > _MOST_TEXT or not all(line.isprintable() for line in value.split("\n")):
            raise self.fault(key, f"`{key}` must be at most {_MOST_TEXT:,} printable characters")
        return value.strip()

    def file(self, key: str) -> str | None:
        """Return the path at *key*, None if it is missing."""
        value = self.text(key)
        if value is not None and key != "password_file" and not is_absolute(value):
            raise self.fault(key, f"`{key}` must be an absolute path or begin with ~/, since cron starts elsewhere")
        return value

    def texts(self, key: str, example: str = "/home") -> tuple[str, ...]:
        """Return the list of texts at *key*."""
        value = self.table.get(key, [])
        if not (isinstance(value, list) and all(isinstance(item, str) and item for item in value)):
            raise self.fault(key, f'`{key}` must be a list of texts such as ["{example}"]')
        return tuple(value)

    def argv(self, key: str) -> tuple[str, ...]:
        """Return the command line at *key*."""
        value = self.table.get(key)
        if value is not None and not value:
            raise self.fault(key, f'`{key}` must be a command line such as ["/usr/bin/true", "--option"]')
        return self.texts(key, "/usr/bin/true")

    def words(self, key: str, known: Sequence[str]) -> tuple[str, ...]:
        """Return the list at *key*, each item one of *known*."""
        value = self.texts(key, known[0])
        for word in value:
            if word not in known:
                raise self.fault(key, f"{word!r} in `{key}` is none of {', '.join(known)}{nearest(word, known)}")
        return tuple(dict.fromkeys(value))

    def switch(self, key: str) -> bool:
        """Return true or false at *key*; true if it is missing."""
        value = self.table.get(key, True)
        if not isinstance(value, bool):
            raise self.fault(key, f"`{key}` must be true or false")
        return value

    def length(self, key: str, least: int, example: str) -> int | None:
        """Return the length of time at *key* in milliseconds, None for "off"."""
        return config.length(self.table, key, None, least, example, self.fault)


def rhythm(table: Table) -> dict[str, Any]:
    """Return the fields of the rhythm; a rhythm at fault is the default one."""
    stated = [key for key in ("every", "on", "rhythm") if key in table.table]
    if len(stated) > 1:
        table.or_default(
            stated[1], lambda key: _refuse(table, key, f"`{stated[0]}` and `{key}` exclude each other"), None
        )
        stated = []
    every = table.or_default("every", lambda _: _every(table), None) if stated == ["every"] else None
    zone = table.or_default("zone", lambda _: _zone(table), None)
    on = table.or_default("on", lambda _: _on(table, zone), None) if stated == ["on"] else None
    word = table.or_default("rhythm", lambda _: _rhythm_word(table), LEARN) if stated == ["rhythm"] else LEARN
    return {
        "rhythm": word if every is None and on is None else STATED,
        "every_ms": every,
        "on": on,
        "zone": zone,
        "delay_ms": table.or_default("delay", lambda key: table.length(key, 1, "15m") or 0, 0),
        "max_age_ms": table.or_default("max_age", lambda key: table.length(key, MINUTE_MS, "7d"), None),
        "max_age_off": table.table.get("max_age") == OFF,
    }


def secondary(table: Table) -> dict[str, Any]:
    """Return the fields that decide neither the command nor the rhythm."""
    no_texts: tuple[str, ...] = ()
    keep = table.or_default("keep_logs", lambda key: table.length(key, DAY_MS, "90d") or 0, None)
    return {
        "keep_logs_ms": keep,
        "notify": table.or_default("notify", lambda key: table.words(key, RULES), None),
        "watched": table.or_default("watched", table.line, None),
        "matches": table.or_default("matches", lambda key: table.texts(key, "restic /media/disk/backup"), no_texts),
        "stalled_after": table.or_default(
            "stalled_after", lambda _: config.stalled_after(table.table, table.fault), None
        ),
        "check": table.or_default("check", lambda _: _check(table), None),
        "off_until_ms": table.or_default("off_until", lambda _: _off_until(table), None),
    }


def _every(table: Table) -> int:
    value = table.table["every"]
    length = config.seconds(value) if isinstance(value, str) else None
    config.check_longest("every", length, table.fault)
    if length is None or length * 1000 < MINUTE_MS:  # "off" is no length either
        least = 'must be a length of time of at least a minute such as "1d"'
        raise table.fault("every", f'`every` {least}; write rhythm = "off" for a job that is never expected')
    return int(length * 1000)


def _on(table: Table, zone: str | None) -> str:
    on = table.lines("on")
    if (why := _fault(on, zone)) is not None:
        raise table.fault("on", f"`on`: {why.rstrip('.')}")
    return on


@cache
def _fault(on: str, zone: str | None) -> str | None:
    """Return why *on* cannot be followed, None if it can. The packages that read it load in milliseconds, and few jobs need it."""
    why: str | None = import_module("tray.rhythm.slots").fault(on, zone)
    return why


def _rhythm_word(table: Table) -> str:
    word = table.text("rhythm")
    if word not in (LEARN, OFF):
        raise table.fault(
            "rhythm", '`rhythm` must be "learn" or "off"; a known one is every = "1d" or on = "Mon..Fri 20:30"'
        )
    return word


def _check(table: Table) -> CheckSettings:
    values = table.table["check"]
    if not isinstance(values, dict):
        raise table.fault("check", '`check` must be a table such as { every = "30d" }')
    for key in values:
        if key not in CHECK_KEYS:
            raise table.fault("check", f"`check` has an unknown key `{key}`{nearest(key, CHECK_KEYS)}")
    faults: list[ConfigError] = []
    values = {key: value for key, value in values.items() if (key, value) != ("every", OFF)}
    inner = Table(values, lambda _, why: table.fault("check", f"`check`: {why}"), faults)
    known = rhythm(inner)
    read_data = inner.or_default("read_data", inner.line, None)
    if faults:
        raise faults[0]
    if not {"every", "on", "rhythm"} & values.keys():
        known["rhythm"] = OFF
    fields = ("rhythm", "every_ms", "on", "zone", "delay_ms", "max_age_ms", "max_age_off")
    return CheckSettings(**{key: known[key] for key in fields}, read_data=read_data)


def _zone(table: Table) -> str:
    name = table.line("zone")
    if not _is_zone(name):
        known = import_module("zoneinfo").available_timezones()
        raise table.fault("zone", f"{name!r} is no time zone{nearest(name, tuple(sorted(known)))}")
    return name


@cache
def _off_until(table: Table) -> int:
    """Return when the day begins on which the job is on again, in the job's time zone."""
    value = table.table["off_until"]
    try:
        day = value if type(value) is date else date.fromisoformat(value)
        zone = zones.zone(_zone(table) if "zone" in table.table else None)
        return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise table.fault("off_until", '`off_until` must be a date such as "2026-12-24"') from error


def _is_zone(name: str) -> bool:
    try:
        zones.zone(name)
    except ValueError:
        return False
    return True


def _refuse(table: Table, key: str, why: str) -> None:
    raise table.fault(key, why)


def is_absolute(path: str) -> bool:
    """Whether *path* means the same from every folder."""
    return os.path.isabs(path) or path.startswith("~/") or path == "~"


@lru_cache(maxsize=256)
def nearest(word: str, known: Sequence[str]) -> str:
    """Return "; did you mean …?" with the known word that is nearest to *word*, "" if none is near."""
    matches = import_module("difflib").get_close_matches(
        word, known, 1
    )  # only after a mistake: the icon reads jobs too
    return "".join(f"; did you mean {match!r}?" for match in matches)
