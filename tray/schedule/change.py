"""Set, mend and remove the schedule of a job with the scheduler of this system."""

import shlex
import sys
from collections.abc import Callable, Mapping

from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.config import length_text, saving
from tray.config.jobs import Job
from tray.core.dataclass import replace
from tray.core.errors import NotScheduledError, SchedulerError, SchedulesUnreadableError, UsageError, WhenError
from tray.core.paths import Places
from tray.housekeeping import config_changes
from tray.jobs import configured
from tray.rhythm import slots
from tray.rhythm.zones import apart
from tray.schedule import cron, launchd, plan, reading, systemd, task_scheduler, units
from tray.schedule.calendar import parse
from tray.schedule.plan import Plan
from tray.schedule.systemd import Systemd
from tray.status import schedules
from tray.status.schedules import Schedule

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
    places: Places, name: str, *, on: str | None = None, by: str | None = None, delay_seconds: int | None = None
) -> Schedule:
    """Have the system's scheduler start the job *name*, save its time if *on* gives one, and return how it stands.

    Args:
        on: When; None: as the configuration says.
        by: One of `SCHEDULERS`; None: the one it has, else systemd where it runs, else cron.
        delay_seconds: Longest random delay; None: the one it has, else the usual.

    Raises:
        WhenError, SchedulerError, JobNotFoundError, ConfigError: It cannot be done; nothing has changed then.
        OSError: The configuration cannot be written.
    """
    job = configured.find(places, name)
    configured.command(job)
    now = next((schedule for schedule in _known(places) if schedule.job == name), None)
    by = by or (now.by if now is not None else _usual(name))
    wanted = planned(job, on, delay_seconds)
    if by == "cron":
        cron.install(wanted)
    else:
        Systemd.ours().install(wanted)
    if now is not None and now.by != by:
        _take_away(now.by, name)
    if on is not None or delay_seconds is not None:
        _save(places, name, on, delay_seconds)
    times = [calendar.text() for calendar in wanted.calendars]
    _record(places, name, {"change": "schedule set", "on": times, "by": by})
    # The reader looks into the crontab only where it knows of lines of ours.
    schedules.write(places, [*(each for each in _known(places) if each.job != name), Schedule(name, by)])
    return next(schedule for schedule in reading.refresh(places) if schedule.job == name)


def remove(places: Places, name: str) -> None:
    """Take the schedule of *name* away, also of a job that is not configured any more.

    Raises:
        NotScheduledError: It has none.
        SchedulerError: The scheduler cannot be reached.
    """
    known = [schedule for schedule in _known(places) if schedule.job == name]
    by = known[0].by if known else "systemd"
    try:
        _take_away(by, name)
    except NotScheduledError:
        if not known:
            configured.find(places, name)  # a name that is no job's is said to be none
            raise
    schedules.write(places, [schedule for schedule in _known(places) if schedule.job != name])
    _record(places, name, {"change": "schedule removed", "by": by})


def remove_all(places: Places) -> list[str]:
    """Take every schedule of ours away, and return the names of the jobs that had one; the jobs stay.

    Raises:
        SchedulerError: The scheduler cannot be reached.
    """
    names = [schedule.job for schedule in reading.look(places)]
    for name in names:
        remove(places, name)
    return names


def edited(places: Places, job: Job) -> None:
    """Have the schedule of *job*, if it has one, follow the time that the configuration names now.

    Raises:
        WhenError, SchedulerError: It cannot; the schedule is then shown as one that does not fit the configuration.
    """
    if job.on is None or not _known(places):
        return  # nothing is asked where nothing is scheduled
    if any(schedule.job == job.name and schedule.fault for schedule in reading.look(places)):
        set_up(places, job.name)


def renamed(places: Places, name: str, new: str) -> None:
    """Have the schedule of the job *name*, if it has one, start the job under its *new* name.

    Raises:
        WhenError, SchedulerError: It cannot be done; the old schedule is then shown as one without a job.
    """
    for schedule in _known(places):
        if schedule.job == name:
            set_up(places, new, by=schedule.by)
            remove(places, name)


def dropped(places: Places, name: str) -> None:
    """Remove the schedule of a job that is over, if it has one.

    Raises:
        SchedulerError: The scheduler cannot be reached; the schedule is then shown as one without a job.
    """
    if any(schedule.job == name for schedule in _known(places)):
        remove(places, name)


def printed(places: Places, name: str, kind: str, on: str | None, delay_seconds: int | None) -> str:
    """Return the files of the scheduler *kind*, one of `PRINTED`, for the job *name*; nothing is changed.

    Raises:
        WhenError, JobNotFoundError, ConfigError: There are none.
    """
    return PRINTED[kind](planned(configured.find(places, name), on, delay_seconds))


def planned(job: Job, on: str | None, delay_seconds: int | None) -> Plan:
    """Return the plan for *job*: by *on*, else by the configuration, else by the timer that it has.

    Raises:
        WhenError: It names no recurring time.
        UsageError: There is no time at all.
    """
    manager = Systemd.ours()
    timer = manager.text(f"{units.name(job.name)}.timer") or ""
    if delay_seconds is None:
        own = units.delay_of(timer) if units.job_of(timer) is not None else None
        delay_seconds = job.delay_ms // 1000 or own
    text = on or job.on
    if text is not None:
        made = plan.make(job, text, job.zone, delay_seconds)
        _check_rhythm(text, job.zone)
        return made
    if times := units.times_of(timer) if units.job_of(timer) is not None else []:
        calendars = tuple(calendar for time in times for calendar in parse(time))
        _check_rhythm("\n".join(times), None)
        return replace(plan.make(job, times[0], None, delay_seconds), calendars=calendars)
    if job.every_ms is not None:
        raise _no_time(job.name, length_text(job.every_ms))
    raise UsageError(
        f"The job {job.name!r} has no time yet.",
        next=f"Name one: `backup-tray schedule {shlex.quote(job.name)} --on 'Mon..Fri 20:30'`, or `--on daily`.",
    )


def _check_rhythm(text: str, zone: str | None) -> None:
    """Refuse a time by which the job could not be judged.

    Raises:
        WhenError: The configuration would refuse it as well.
    """
    own, own_zone = apart(text)
    if (why := slots.fault(own, own_zone or zone)) is not None:
        raise WhenError(text, f"{why}.", "*:*" if slots.TOO_OFTEN in why else "")


def _no_time(job: str, every: str) -> UsageError:
    """Return the error for a job that has an interval."""
    try:
        parse(every)
        nearest = every
    except WhenError as error:
        nearest = error.nearest or "daily"
    return UsageError(
        f"The job {job!r} has no time yet.",
        why=f"Its configuration says `every = {every!r}`, which names no time of the day.",
        next=f"The nearest that does: `backup-tray schedule {shlex.quote(job)} --on {shlex.quote(nearest)}`.",
    )


def _usual(job: str) -> str:
    """Return the scheduler for a job that has none yet."""
    if sys.platform in ("darwin", "win32"):
        kind = "launchd" if sys.platform == "darwin" else "task-scheduler"
        raise SchedulerError(
            "Backup Tray does not set up the scheduler of this system itself.",
            why="It writes the scheduler's file, but has not been tried with it.",
            next=f"Print the file and load it yourself: `backup-tray schedule {shlex.quote(job)} --print {kind}`.",
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


def _take_away(by: str, name: str) -> None:
    if by == "cron":
        cron.remove(name)
    else:
        Systemd.ours().remove(name)


def _save(places: Places, name: str, on: str | None, delay_seconds: int | None) -> None:
    """Save time and delay of the job *name*, as far as they are given; a time takes the place of another rhythm."""
    values: dict[str, str | None] = {}
    if on is not None:
        text, zone = apart(on)
        values = {"on": text, "every": None, "rhythm": None} | ({} if zone is None else {"zone": zone})
    if delay_seconds is not None:
        values["delay"] = length_text(delay_seconds * 1000) if delay_seconds else None
    saving.change(places, lambda text: saving.with_keys(text, name, values))


def _record(places: Places, name: str, body: Mapping[str, object]) -> None:
    """Put a change of a schedule on record, and take the configuration as our own."""
    spool.record(places, [Draft(action=Action.CONFIG_CHANGED, job=name, body=body)], timeout=_RECORD_SECONDS)
    config_changes.accept(places, "jobs", name)


def _texts(plan: Plan) -> tuple[str, str]:
    made = units.of(plan)
    return made.service, made.timer
