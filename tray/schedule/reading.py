"""Look how the schedules stand: read back from systemd and cron, compared with the configuration and with our own files."""

import os
import re
import shlex
from collections.abc import Mapping

from tray import wording
from tray.config import jobs
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError, ConfigError, SchedulerError, SchedulesUnreadableError, WhenError
from tray.core.model import CHECK
from tray.core.paths import Places
from tray.jobs import configured
from tray.schedule import cron, plan, systemd, units
from tray.schedule.plan import Plan
from tray.schedule.systemd import Systemd
from tray.status import schedules
from tray.status.schedules import Key, Schedule

_STARTED = "203"
"""The exit code with which systemd says that it could not start the program."""


def refresh(places: Places) -> list[Schedule]:
    """Look at all schedules, keep the answer for the surfaces, and return it. Nothing is started where there is no schedule."""
    now = look(places)
    if now or (places.state / schedules.NAME).exists():
        schedules.write(places, now)
    return now


def refreshed(places: Places) -> dict[str, str]:
    """Refresh as a task of housekeeping does: return by task why it failed, nothing if it did not."""
    try:
        refresh(places)
    except Exception as error:  # housekeeping goes on
        return {"schedules": f"{type(error).__name__}: {error}"}
    return {}


def look(places: Places) -> list[Schedule]:
    """Return all schedules of ours, and those that were ours and are gone, by job. Never raises for a scheduler that is away.

    If the last answer cannot be read, none can be said to be gone; the schedules that systemd and cron hold are found all the same.
    """
    try:
        known = {schedule.key: schedule for schedule in schedules.read(places)}
        ask_cron = any(schedule.by == "cron" for schedule in known.values())
    except SchedulesUnreadableError:
        known, ask_cron = {}, cron.present()
    standing = {**(_of_cron(places, known) if ask_cron else {}), **_of_systemd(places, known)}
    for key, schedule in known.items():
        if key not in standing:
            masked = schedule.by == "systemd" and systemd.is_mask(Systemd.ours().folder / schedule.where)
            fault = "Its timer is masked." if masked else "It was removed outside Backup Tray."
            standing[key] = _with_fault(schedule, fault, _repair(places, key))
    return [standing[key] for key in sorted(standing)]


def turned_off(places: Places) -> dict[str, str]:
    """Return by job how it is turned off, such as "off until 2026-12-24": a start of it is skipped."""
    try:
        known, now = jobs.load(places).jobs, clock.now_ms()
    except ConfigError:
        return {}
    return {
        name: wording.off(job.off_until_ms if job.enabled else None) for name, job in known.items() if job.is_off(now)
    }


def promise(schedule: Schedule) -> tuple[str, bool]:
    """Return a sentence about a start that *schedule* misses, and whether the job starts only during a login."""
    if schedule.by == "cron":
        return "Cron does not catch up on a start that it missed because the machine was off.", False
    caught_up = "A start that is missed because the machine is off or asleep is caught up once."
    return caught_up, not systemd.lingers()


def _of_systemd(places: Places, known: Mapping[Key, Schedule]) -> dict[Key, Schedule]:
    manager = Systemd.ours()
    scheduled = manager.scheduled()
    if not scheduled:
        return {}
    try:
        manager.check()
        states, silent = manager.states(scheduled), ""
    except SchedulerError as error:
        states, silent = {}, _silent(error)
    standing = {}
    for name, key in scheduled.items():
        timer, service = f"{name}.timer", f"{name}.service"
        state = states.get(timer, {})
        fault, repair = silent, "backup-tray schedule"
        if not silent:
            fault, repair = _fault(places, manager, key, state, states.get(service, {}))
        before = known.get(key)
        standing[key] = Schedule(
            key[0],
            kind=key[1],
            by="systemd",
            title=manager.title,
            where=timer,
            times=tuple(units.times_of(manager.text(timer) or "")),
            next_ms=_moment(state, "NextElapseUSecRealtime", before.next_ms if before and silent else None),
            last_ms=_last_start(state, before),
            set_ms=before.set_ms if before else None,
            fault=fault,
            repair=repair if fault else "",
        )
    return standing


def _silent(error: SchedulerError) -> str:
    return f"It cannot be looked at: {error} {error.why}".strip()


def _moment(state: Mapping[str, str], name: str, otherwise: int | None) -> int | None:
    moment = systemd.moment_ms(state.get(name))
    return otherwise if moment is None else moment


def _last_start(state: Mapping[str, str], before: Schedule | None) -> int | None:
    """Return when the timer last started the job; the moment at which it was set up, which systemd gives at first, is none."""
    last = _moment(state, "LastTriggerUSec", before.last_ms if before else None)
    return None if last is not None and last <= (before.set_ms or 0 if before else 0) else last


def _fault(
    places: Places, manager: Systemd, key: Key, timer: Mapping[str, str], service: Mapping[str, str]
) -> tuple[str, str]:
    """Return the first fault of a schedule, "" if there is none, and the repair."""
    repair = _repair(places, key)
    name = units.name(*key)
    own = {unit: manager.text(unit) for unit in (f"{name}.timer", f"{name}.service")}
    gone = next((unit for unit, text in own.items() if text is None), None)
    if not _is_configured(places, key[0]):
        return "The job is not in config.toml any more.", repair
    if gone is not None:
        return f"The file {gone} is gone.", repair
    if timer.get("LoadState") != "loaded" or service.get("LoadState") not in ("loaded", None):
        return "systemd cannot read its units.", repair
    if drop_ins := " ".join(filter(None, (timer.get("DropInPaths"), service.get("DropInPaths")))):
        return f"It was changed by {drop_ins}.", shlex.join(
            manager.command("revert", f"{name}.timer", f"{name}.service")
        )
    if edited := next((unit for unit, text in own.items() if units.edited(text or "")), None):
        return f"The file {edited} was edited.", repair
    if timer.get("UnitFileState") != "enabled":
        return "Its timer is disabled.", repair
    if timer.get("ActiveState") != "active":
        return f"Its timer is {timer.get('ActiveState') or 'not known to systemd'}.", repair
    if timer.get("NeedDaemonReload") == "yes":
        return "systemd has not read its units since they changed.", repair
    return _stale(places, key, own, service), repair


def _stale(places: Places, key: Key, own: Mapping[str, str | None], service: Mapping[str, str]) -> str:
    """Return why units that work as they are do not follow the configuration, or cannot start the program; "" if they do."""
    timer, text = own.values()
    if service.get("ExecMainStatus") == _STARTED:
        return "systemd could not start the program."
    path = re.search(r"^ExecStart=\"?(/[^\s\"]+)", text or "", re.MULTILINE)
    if path is not None and not os.access(path[1], os.X_OK):
        return f"The program {path[1]} is gone."
    try:
        wanted = _wanted(places, key, units.delay_of(timer or ""))
    except (ConfigError, WhenError) as error:
        return f"The time in config.toml cannot be followed: {error.why}"
    except BackupTrayError:
        return ""
    return "" if wanted is None or units.of(wanted).timer == timer else "config.toml names another time."


def _wanted(places: Places, key: Key, delay_seconds: int | None = None) -> Plan | None:
    """Return the plan by the configuration, None if it names no time for it.

    Raises:
        BackupTrayError: There is no such job, or its time cannot be followed.
    """
    job = configured.find(places, key[0])
    of = plan.timing(job, key[1])
    return None if of.on is None else plan.make(job, of.on, of.zone, delay_seconds, key[1])


def _of_cron(places: Places, known: Mapping[Key, Schedule]) -> dict[Key, Schedule]:
    """Return the schedules in the crontab."""
    try:
        scheduled = cron.scheduled()
    except SchedulerError as error:
        broken = _silent(error)
        return {
            key: _with_fault(schedule, broken, "crontab -l") for key, schedule in known.items() if schedule.by == "cron"
        }
    standing = {}
    for key, lines in scheduled.items():
        job, kind = key
        fault = "" if _is_configured(places, job) else "The job is not in config.toml any more."
        fault = fault or _cron_stale(places, key, lines)
        times = tuple(" ".join(line.split()[:5]) for line in lines)
        repair = _repair(places, key) if fault else ""
        standing[key] = Schedule(job, "cron", cron.TITLE, "crontab", times, fault=fault, repair=repair, kind=kind)
    return standing


def _cron_stale(places: Places, key: Key, lines: list[str]) -> str:
    try:
        named = _wanted(places, key)
        if named is None:
            return ""
        wanted = cron.lines(named)
    except BackupTrayError as error:
        return f"The time in config.toml cannot be followed: {error.why}"
    same = [line.split()[:5] for line in wanted] == [line.split()[:5] for line in lines]
    return "" if same else "Its lines and config.toml name different times."


def _with_fault(schedule: Schedule, fault: str, repair: str) -> Schedule:
    return replace(schedule, next_ms=None, last_ms=None, fault=fault, repair=repair)


def _is_configured(places: Places, job: str) -> bool:
    try:
        configured.find(places, job)
    except ConfigError:
        return True  # the broken file is reported elsewhere
    except BackupTrayError:
        return False
    return True


def _repair(places: Places, key: Key) -> str:
    """Return the command that mends the schedule of *key*."""
    check = " --check" if key[1] == CHECK else ""
    step = "--repair" if _is_configured(places, key[0]) else "--remove"
    return f"backup-tray schedule {shlex.quote(key[0])}{check} {step}"
