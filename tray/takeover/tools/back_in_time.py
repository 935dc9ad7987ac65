"""Back In Time: its profiles, their schedule, and the command line of rsync that it makes of them.

It puts lines into the user's crontab (or a udev rule), which start it; its settings say which lines those should be.
"""

from collections.abc import Callable, Mapping

from tray.takeover import reading
from tray.takeover.found import Machine
from tray.takeover.schedule import DAY_MS, HOUR_MS, Schedule, of_cron
from tray.takeover.tools import Asked, Backup, Tool, located, option

_MOST = 100
_EVERY = {2: "*/5 * * * *", 4: "*/10 * * * *", 7: "*/30 * * * *", 10: "0 * * * *"}
_HOURS = {12: 2, 14: 4, 16: 6, 18: 12}
_BOOT, _CUSTOM, _DAY, _REPEATEDLY, _UDEV, _WEEK, _MONTH, _YEAR = 1, 19, 20, 25, 27, 30, 40, 80
_UNITS = {10: HOUR_MS, 20: DAY_MS, 30: 7 * DAY_MS, 40: 30 * DAY_MS, 80: 365 * DAY_MS}
_VERBS = frozenset(("backup", "backup-job", "-b", "--backup", "--backup-job"))


def _called(asked: Asked) -> list[Backup]:
    words = list(asked.words)
    if _VERBS.isdisjoint(words):
        return []
    given = option(words, "--config")
    path = asked.path(given[-1]) if given else _usual(asked.machine, asked.home)
    number = (option(words, "--profile-id") or ["1"])[-1]
    names = option(words, "--profile")
    backups = _backups(path, asked.machine)
    chosen = [backup for at, backup in backups if backup.why or (backup.label in names if names else at == number)]
    return [backup.without_schedule() for backup in chosen]


def _usual(machine: Machine, home: str | None) -> str:
    there = f"{home}/.config/backintime/config" if home else ""
    return there if there and reading.exists(there) else located(machine, "/etc/backintime/config")


def _configured(machine: Machine) -> list[Backup]:
    path = f"{machine.config}/backintime/config"
    return [backup for _, backup in _backups(path, machine)] if reading.exists(path) else []


def _backups(path: str, machine: Machine) -> list[tuple[str, Backup]]:
    """Return the profiles of a configuration, each with its number."""
    shown = path.removeprefix(machine.root) if machine.root else path
    try:
        lines = reading.text(path).split("\n")
    except reading.UnreadableError as error:
        return [("1", Backup("", shown, "rsync", why=f"{shown} is not understood: {error}"))]
    settings = dict(line.partition("=")[::2] for line in lines if "=" in line)
    numbers = [number for number in settings.get("profiles", "1").split(":") if number.isdecimal()]
    return [(number, _backup(number, shown, settings, machine)) for number in numbers[:_MOST]]


def _backup(number: str, shown: str, settings: Mapping[str, str], machine: Machine) -> Backup:
    def get(key: str, default: str = "") -> str:
        return settings.get(f"profile{number}.{key}", default)

    label = get("name", "Main profile" if number == "1" else f"Profile {number}")
    base, mode = get("snapshots.path"), get("snapshots.mode", "local")
    count = int(size) if (size := get("snapshots.include.size", "0")).isdecimal() else 0
    includes = [
        (get(f"snapshots.include.{at}.value"), get(f"snapshots.include.{at}.type", "0") == "0")
        for at in range(1, min(count, _MOST) + 1)
    ]
    schedule = _schedule(get)
    if mode != "local":
        notes = (f"it copies over the network ({mode}), so its runs cannot be told by their command",)
        return Backup(label, shown, "rsync", schedule=schedule, notes=notes)
    if not base or not includes:
        return Backup(
            label, shown, "rsync", schedule=schedule, why=f"{shown} names no folder for the profile {label!r}"
        )
    parts = get("snapshots.path.host", machine.host), get("snapshots.path.user", machine.user)
    profile = get("snapshots.path.profile", number)
    place = f"{base.rstrip('/')}/backintime/{'/'.join(parts)}/{profile}/new_snapshot/backup"
    options = [f"--include={pattern}" for pattern in _patterns(includes)]
    argv = ("rsync", "-a", *options, "--exclude=*", "/", place)
    return Backup(label, shown, "rsync", ((argv,),), folder="/", schedule=schedule)


def _patterns(includes: list[tuple[str, bool]]) -> list[str]:
    """Return the patterns that it gives rsync: each folder above, the folder itself, and all in it."""
    patterns: list[str] = []
    for path, is_folder in includes:
        path = path.rstrip("/")
        above = path if is_folder else path.rpartition("/")[0]
        while above:
            patterns.append(f"{above}/")
            above = above.rpartition("/")[0]
        patterns.append(f"{path}/**" if is_folder else path)
    return list(dict.fromkeys(patterns))


def _schedule(get: Callable[..., str]) -> Schedule | None:
    """Return the schedule of a profile; None if it has none."""
    mode = int(text) if (text := get("schedule.mode", "0")).isdecimal() else 0
    time = int(text) if (text := get("schedule.time", "0")).isdecimal() else 0
    hour, minute = time // 100, time % 100
    day, weekday = get("schedule.day", "1"), get("schedule.weekday", "7")
    if mode in _EVERY:
        return of_cron(_EVERY[mode])
    if mode in _HOURS:
        return of_cron(f"0 */{_HOURS[mode]} * * *")
    lines = {
        _CUSTOM: f"0 {get('schedule.custom_time', '8,12,18,23')} * * *",
        _DAY: f"{minute} {hour} * * *",
        _WEEK: f"{minute} {hour} * * {weekday}",
        _MONTH: f"{minute} {hour} {day} * *",
        _YEAR: f"{minute} {hour} 1 1 *",
    }
    if mode in lines:
        return of_cron(lines[mode])
    if mode == _REPEATEDLY:
        unit = _UNITS.get(int(text) if (text := get("schedule.repeatedly.unit", "20")).isdecimal() else 20, DAY_MS)
        number = int(text) if (text := get("schedule.repeatedly.period", "1")).isdecimal() else 1
        return Schedule("repeatedly", every_ms=max(number, 1) * unit)
    if mode in (_BOOT, _UDEV):
        text = "at every start of the machine" if mode == _BOOT else "when the drive is connected"
        return Schedule(text, why="no clock says when it is due")
    return None


TOOL = Tool("Back In Time", ("backintime", "backintime-qt"), _called, _configured)
