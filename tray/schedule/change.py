"""Set, mend and remove the schedule of a job's backups, or of its checks, with the scheduler of this system."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping

from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.config import length_text, saving
from tray.config.jobs import Job
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import NotScheduledError, SchedulerError, SchedulesUnreadableError, UsageError, WhenError
from tray.core.model import BACKUP, CHECK
from tray.core.paths import Places
from tray.housekeeping import config_changes
from tray.jobs import configured, ways
from tray.rhythm import slots
from tray.rhythm.zones import apart
from tray.schedule import cron, launchd, plan, reading, systemd, task_scheduler, units, watch
from tray.schedule.calendar import parse
from tray.schedule.plan import Plan
from tray.schedule.systemd import Systemd
from tray.status import schedules
from tray.status.schedules import Key, Schedule

SCHEDULERS = ("systemd", "cron")
_RECORD_SECONDS = 5.0
PRINTED: Mapping[str, Callable[[Plan], str]] = {
    "systemd": lambda plan: "".join(
        f"# {name}\n{text}\n" for name, text in zip(("service", "timer"), _texts(plan), strict=True)
    ),
    "cron": lambda plan: "\n".join(cron.lines(plan)) + "\n",
    "launchd": launchd.written,
    "task-scheduler": task_scheduler.written,
}
"""The schedulers whose files can be printed."""


def set_up(
    places: Places,
    name: str,
    *,
    kind: str = BACKUP,
    on: str | None = None,
    by: str | None = None,
    delay_seconds: int | None = None,
) -> Schedule:
    """Have the system's scheduler start the job *name*, save its time if *on* gives one, and return how it stands.

    Args:
        kind: Start its backups, or its checks.
        on: When; None: as the configuration says.
        by: One of `SCHEDULERS`; None: the one it has, else systemd where it runs, else cron.
        delay_seconds: Longest random delay; None: the one it has, else the usual.

    Raises:
        WhenError, SchedulerError, JobNotFoundError, ConfigError: It cannot be done; nothing has changed then.
        CheckImpossibleError: The backups of this job cannot be checked.
        OSError: The configuration cannot be written.
    """
    job = configured.find(places, name)
    key = name, kind
    if kind == CHECK:
        ways.access(job, os.environ)
    else:
        configured.command(job)
    now = next((schedule for schedule in _known(places) if schedule.key == key), None)
    by = by or (now.by if now is not None else _usual(key))
    wanted = planned(job, kind, on, delay_seconds)
    if by == "cron":
        cron.install(wanted)
    else:
        Systemd.ours().install(wanted)
    if now is not None and now.by != by:
        _take_away(now.by, key)
    times = [calendar.text() for calendar in wanted.calendars]
    with saving.locked(places):
        config_changes.check(places)  # an edit by hand goes on record as such first
        if on is not None or delay_seconds is not None:
            _save(places, key, on, delay_seconds)
        _record(places, key, {"change": "schedule set", "on": times, "by": by})
    # The reader looks into the crontab only where it knows of lines of ours.
    now_set = Schedule(name, by, kind=kind, set_ms=clock.now_ms())
    schedules.write(places, [*(each for each in _known(places) if each.key != key), now_set])
    return next(schedule for schedule in reading.refresh(places) if schedule.key == key)


def remove(places: Places, name: str, kind: str = BACKUP) -> None:
    """Take the schedule of *name* away, also of a job that is not configured any more.

    Args:
        kind: That of its backups, or of its checks.

    Raises:
        NotScheduledError: It has none.
        SchedulerError: The scheduler cannot be reached.
    """
    key = name, kind
    known = [schedule for schedule in _known(places) if schedule.key == key]
    by = known[0].by if known else "systemd"
    try:
        _take_away(by, key)
    except NotScheduledError:
        if not known:
            configured.find(places, name)  # a name that is no job's is said to be none
            raise
    schedules.write(places, [schedule for schedule in _known(places) if schedule.key != key])
    with saving.locked(places):
        config_changes.check(places)
        _record(places, key, {"change": "schedule removed", "by": by})


def remove_all(places: Places) -> list[str]:
    """Take every schedule of ours away, and return the names of the jobs and checks that had one; the jobs stay.

    That of housekeeping (`watch`) goes too.

    Raises:
        SchedulerError: The scheduler cannot be reached.
    """
    known = reading.look(places)
    for schedule in known:
        remove(places, *schedule.key)
    housekeeping = ["housekeeping"] if watch.turn_off(places) else []
    return [schedule.name for schedule in known] + housekeeping


def edited(places: Places, job: Job) -> None:
    """Have the schedules of *job* that there are follow the times that the configuration names now.

    Raises:
        WhenError, SchedulerError: It cannot; the schedule is then shown as one that does not fit the configuration.
    """
    kinds = [kind for kind in (BACKUP, CHECK) if plan.timing(job, kind).on is not None]
    if not kinds or not _known(places):
        return  # nothing is asked where nothing is scheduled
    for schedule in reading.look(places):
        if schedule.job == job.name and schedule.kind in kinds and schedule.fault:
            set_up(places, job.name, kind=schedule.kind)


def renamed(places: Places, name: str, new: str) -> None:
    """Have the schedules of the job *name* that there are start the job under its *new* name.

    Raises:
        WhenError, SchedulerError: It cannot be done; the old schedule is then shown as one without a job.
    """
    for schedule in _known(places):
        if schedule.job == name:
            set_up(places, new, kind=schedule.kind, by=schedule.by)
            remove(places, name, schedule.kind)


def dropped(places: Places, name: str) -> None:
    """Remove the schedules of a job that is over, if it has any.

    Raises:
        SchedulerError: The scheduler cannot be reached; the schedule is then shown as one without a job.
    """
    for schedule in _known(places):
        if schedule.job == name:
            remove(places, name, schedule.kind)


def printed(places: Places, key: Key, scheduler: str, on: str | None, delay_seconds: int | None) -> str:
    """Return the files of *scheduler*, one of `PRINTED`, for the backups or checks of a job; nothing is changed.

    Raises:
        WhenError, JobNotFoundError, ConfigError: There are none.
    """
    return PRINTED[scheduler](planned(configured.find(places, key[0]), key[1], on, delay_seconds))


def planned(job: Job, kind: str, on: str | None, delay_seconds: int | None) -> Plan:
    """Return the plan for *job*: by *on*, else by the configuration, else by the timer that it has.

    Raises:
        WhenError: It names no recurring time.
        UsageError: There is no time at all.
    """
    of = plan.timing(job, kind)
    timer = Systemd.ours().text(f"{units.name(job.name, kind)}.timer") or ""
    timer = timer if units.owner(timer) is not None else ""
    if delay_seconds is None:
        delay_seconds = of.delay_ms // 1000 or units.delay_of(timer)
    text = on or of.on
    if text is not None:
        made = plan.make(job, text, of.zone, delay_seconds, kind)
        _check_rhythm(text, of.zone)
        return made
    if times := units.times_of(timer):
        calendars = tuple(calendar for time in times for calendar in parse(time))
        _check_rhythm("\n".join(times), None)
        return replace(plan.make(job, times[0], None, delay_seconds, kind), calendars=calendars)
    raise _no_time((job.name, kind), of.every_ms)


def _check_rhythm(text: str, zone: str | None) -> None:
    """Refuse a time by which the job could not be judged.

    Raises:
        WhenError: The configuration would refuse it as well.
    """
    own, own_zone = apart(text)
    if (why := slots.fault(own, own_zone or zone)) is not None:
        raise WhenError(text, f"{why}.", "*:*" if slots.TOO_OFTEN in why else "")


def _no_time(key: Key, every_ms: int | None) -> UsageError:
    """Return the error for a job that has no time, perhaps an interval."""
    check = key[1] == CHECK
    words = f"The {'check of the job' if check else 'job'} {key[0]!r} has no time yet."
    usual = "monthly" if check else "daily"
    if every_ms is None:
        return UsageError(words, next=f"Name one: `{_command(key)} --on 'Mon..Fri 20:30'`, or `--on {usual}`.")
    every = length_text(every_ms)
    try:
        parse(every)
        nearest = every
    except WhenError as error:
        nearest = error.nearest or usual
    return UsageError(
        words,
        why=f"Its configuration says `every = {every!r}`, which names no time of the day.",
        next=f"The nearest that does: `{_command(key)} --on {shlex.quote(nearest)}`.",
    )


def _command(key: Key) -> str:
    return f"backup-tray schedule {shlex.quote(key[0])}{' --check' if key[1] == CHECK else ''}"


def _usual(key: Key) -> str:
    """Return the scheduler for a job that has none yet."""
    if sys.platform in ("darwin", "win32"):
        kind = "launchd" if sys.platform == "darwin" else "task-scheduler"
        raise SchedulerError(
            "Backup Tray does not set up the scheduler of this system itself.",
            why="It writes the scheduler's file, but has not been tried with it.",
            next=f"Print the file and load it yourself: `{_command(key)} --print {kind}`.",
        )
    if systemd.present():
        return "systemd"
    if cron.present():
        return "cron"
    raise SchedulerError(
        "There is no scheduler here.",
        why="Neither systemd nor cron was found.",
        next="Install cron (`sudo apt install cron`), or have another program call `backup-tray backup JOB`.",
    )


def _known(places: Places) -> list[Schedule]:
    """Return the schedules that are kept; those that the schedulers hold if the file is damaged."""
    try:
        return schedules.read(places)
    except SchedulesUnreadableError:
        return reading.refresh(places)


def _take_away(by: str, key: Key) -> None:
    if by == "cron":
        cron.remove(key)
    else:
        Systemd.ours().remove(key)


def _save(places: Places, key: Key, on: str | None, delay_seconds: int | None) -> None:
    """Save time and delay of a job's backups or checks, as far as they are given; a time takes the place of another rhythm."""
    name, kind = key
    below = ("check",) if kind == CHECK else ()
    values: dict[str, str | None] = {}
    if on is not None:
        text, zone = apart(on)
        values = {"on": text, "every": None, "rhythm": None} | ({} if zone is None else {"zone": zone})
    if delay_seconds is not None:
        values["delay"] = length_text(delay_seconds * 1000) if delay_seconds else None
    saving.change(places, lambda text: saving.with_keys(text, name, values, *below))


def _record(places: Places, key: Key, body: Mapping[str, object]) -> None:
    """Put a change of a schedule on record, and take the configuration as our own."""
    name, kind = key
    body = body if kind == BACKUP else {**body, "kind": kind}
    spool.record(places, [Draft(action=Action.CONFIG_CHANGED, job=name, body=body)], timeout=_RECORD_SECONDS)
    config_changes.accept(places, "jobs", name)


def _texts(plan: Plan) -> tuple[str, str]:
    made = units.of(plan)
    return made.service, made.timer
