"""Vorta: the profiles in its SQLite file, their schedule, and the command line of borg that it makes of them.

Vorta keeps its schedule itself, inside its tray program: nothing starts a backup while that does not run. Its file is read as it is
on disk and never locked. The fields of its models are those of versions 0.8 to 0.11.
"""

import re
import sqlite3
import stat
import time
import urllib.parse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tray.core.dataclass import dataclass
from tray.takeover import reading
from tray.takeover.found import Machine
from tray.takeover.schedule import DAY_MS, HOUR_MS, Schedule
from tray.takeover.shell import UNKNOWN
from tray.takeover.tools import Asked, Backup, Forms, Tool

_PLACES = (".local/share/Vorta/settings.db", ".var/app/com.borgbase.Vorta/data/Vorta/settings.db")
_MOST_BYTES = 256 * 1024 * 1024
_MOST_ROWS = 200
_MOST_STEPS = 2_000_000
_UNITS = {"minutes": 60_000, "hours": HOUR_MS, "days": DAY_MS, "weeks": 7 * DAY_MS}
_PROFILES = """select p.id, p.name, r.url, p.schedule_mode, p.schedule_interval_count, p.schedule_interval_unit,
    p.schedule_fixed_hour, p.schedule_fixed_minute, p.new_archive_name
    from backupprofilemodel p left join repomodel r on r.id = p.repo_id order by p.id limit ?"""
_SOURCES = "select dir from sourcedirmodel where profile_id = ? order by id limit ?"


@dataclass(frozen=True, slots=True)
class _Profile:
    """A row of Vorta's profiles."""

    name: str
    url: str
    mode: str
    count: int
    unit: str
    hour: int
    minute: int
    archive: str
    sources: tuple[str, ...]


def _called(asked: Asked) -> list[Backup]:
    """Return the backup of `vorta --create PROFILE`; `vorta` alone starts its tray program."""
    words = list(asked.words)
    names = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "--create"]
    chosen = [backup for backup in _configured(asked.machine) if backup.label in names or backup.why]
    return [backup.without_schedule() for backup in chosen] if names else []


def _configured(machine: Machine) -> list[Backup]:
    data = machine.environ.get("XDG_DATA_HOME")
    paths = [f"{machine.home}/{place}" for place in _PLACES] + ([f"{data}/Vorta/settings.db"] if data else [])
    return [backup for path in dict.fromkeys(paths) if reading.exists(path) for backup in _backups(path, machine)]


def _backups(path: str, machine: Machine) -> list[Backup]:
    try:
        profiles = _profiles(path)
    except (OSError, sqlite3.Error, reading.UnreadableError) as error:
        return [Backup("", path, "borg", why=f"{path} is not understood: {error}")]
    waiting = Path(f"{path}-wal")
    late = ("Vorta's latest changes may be missing",) if waiting.exists() and waiting.stat().st_size else ()
    return [_backup(profile, path, machine, late) for profile in profiles]


def _profiles(path: str) -> list[_Profile]:
    state = Path(path).stat()
    if not stat.S_ISREG(state.st_mode) or state.st_size > _MOST_BYTES:
        raise reading.UnreadableError("it is no regular file, or too large")
    address = f"file:{urllib.parse.quote(path)}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as store:
        store.execute("pragma trusted_schema = off")
        store.set_progress_handler(lambda: 1, _MOST_STEPS)  # a hostile file must not keep us
        rows = store.execute(_PROFILES, (_MOST_ROWS,)).fetchall()
        return [_profile(row, store.execute(_SOURCES, (row[0], _MOST_ROWS)).fetchall()) for row in rows]


def _profile(row: Sequence[object], sources: Sequence[Sequence[object]]) -> _Profile:
    return _Profile(
        name=_text(row[1]),
        url=_text(row[2]),
        mode=_text(row[3]),
        count=_number(row[4]),
        unit=_text(row[5]),
        hour=_number(row[6]),
        minute=_number(row[7]),
        archive=_text(row[8]),
        sources=tuple(_text(source[0]) for source in sources),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 10_000 else 0


def _backup(profile: _Profile, path: str, machine: Machine, late: tuple[str, ...]) -> Backup:
    if not profile.url:
        return Backup(profile.name, path, "borg", why=f"the profile {profile.name!r} has no repository")
    archive = _archive(profile.archive or "{hostname}-{now:%Y-%m-%d-%H%M%S}", profile.name, machine)
    notes = late
    if archive is None:
        notes = (*late, "the form of its archives' names is not understood")
    calls = () if archive is None else (_forms(profile.url, archive, profile.sources),)
    schedule = _schedule(profile)
    if schedule is not None:
        notes = (*notes, "Vorta starts it only while its tray program runs")
    return Backup(profile.name, path, "borg", calls, folder="/", schedule=schedule, runs_itself=True, notes=notes)


def _forms(url: str, archive: str, sources: tuple[str, ...]) -> Forms:
    """Return the call for borg 1, and for borg 2."""
    return ("borg", "create", f"{url}::{archive}", *sources), ("borg", "create", "-r", url, archive, *sources)


def _archive(form: str, profile: str, machine: Machine) -> str | None:
    """Return the name of today's archive; Vorta itself replaces the parts in braces. None if one is not known."""
    now = time.localtime(machine.now_ms / 1000)
    known = {
        "hostname": machine.host.partition(".")[0],
        "fqdn": machine.host,
        "user": machine.user,
        "profile_slug": profile.lower().replace(" ", "-"),
    }

    def value(match: "re.Match[str]") -> str:
        name, _, pattern = match[1].partition(":")
        if name in ("now", "utcnow", "utc_now"):
            return time.strftime(pattern or "%Y-%m-%d %H:%M:%S", now)
        return known.get(name, UNKNOWN)

    named = re.sub(r"\{([^{}]{1,80})\}", value, form[:300])
    return None if UNKNOWN in named else named


def _schedule(profile: _Profile) -> Schedule | None:
    """Return the schedule of a profile; None if it has none."""
    if profile.mode == "fixed" and profile.hour < 24 and profile.minute < 60:
        text = f"daily at {profile.hour:02}:{profile.minute:02}"
        return Schedule(text, on=f"{profile.minute} {profile.hour} * * *")
    if profile.mode == "interval" and profile.count and profile.unit in _UNITS:
        return Schedule(f"every {profile.count} {profile.unit}", every_ms=profile.count * _UNITS[profile.unit])
    return None


TOOL = Tool("Vorta", ("vorta",), _called, _configured)
