"""Describe the schedule of a job's backups or checks, for any scheduler."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence

from tray.config.job_table import CheckSettings
from tray.config.jobs import Job
from tray.core.dataclass import dataclass, replace
from tray.core.errors import ConfigError, JobWatchedError, WhenError
from tray.core.model import BACKUP, CHECK
from tray.core.paths import HOME_VARIABLE, expand
from tray.jobs import configured
from tray.schedule.calendar import Calendar, minutes_a_day, parse

USUAL_DELAY_SECONDS = 120
"""Longest random delay of a start, so that many jobs, or many machines with one target, do not begin at once."""
WATCH = "watch"
"""The kind of the schedule that runs housekeeping; it belongs to no job (`tray.schedule.watch`)."""
_WATCH_DELAY_SECONDS = 600
_OFTEN = 48
"""Starts a day from which on a delay would be felt, so none is usual."""
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedule of one job.

    Attributes:
        job: Name of the job; "" for housekeeping.
        calendars: When to start it: at the times of any of these.
        launcher: Words that start this program, by absolute path.
        delay_seconds: Longest random delay of each start; always the same on one machine.
        environment: Variables that the run needs: our own folder of a trial, a search path that holds the engine.
        kind: The kind of the runs: backup or check; or `WATCH`.
    """

    job: str
    calendars: tuple[Calendar, ...]
    launcher: tuple[str, ...]
    delay_seconds: int = USUAL_DELAY_SECONDS
    environment: tuple[tuple[str, str], ...] = ()
    kind: str = BACKUP

    @property
    def argv(self) -> list[str]:
        """The command that the scheduler starts."""
        if self.kind == WATCH:
            return [*self.launcher, "tracker", "--care"]
        return [*self.launcher, "check" if self.kind == CHECK else "backup", "--scheduled", self.job]

    def local(self, here: str) -> "Plan":
        """Return the plan for a scheduler that knows only the machine's zone *here*.

        Raises:
            WhenError: A calendar is of another zone.
        """
        for calendar in self.calendars:
            if calendar.zone not in (None, here):
                better = replace(calendar, zone=None).text()
                raise WhenError(calendar.text(), f"This scheduler knows only the machine's own zone, {here}.", better)
        return replace(self, calendars=tuple(replace(calendar, zone=None) for calendar in self.calendars))


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a job's backups or checks in the configuration; the fields are those of `config.jobs.Job`."""

    on: str | None
    zone: str | None
    every_ms: int | None
    delay_ms: int


def timing(job: Job, kind: str) -> Timing:
    """Return when the configuration has *job* run; of a check that no table names, nothing but the job's zone."""
    of: Job | CheckSettings = job if kind == BACKUP else job.check or CheckSettings()
    return Timing(of.on, of.zone or job.zone, of.every_ms, of.delay_ms)


def make(job: Job, on: str, zone: str | None = None, delay_seconds: int | None = None, kind: str = BACKUP) -> Plan:
    """Return the plan that starts *job* at the times of *on*, a text as `calendar.parse` reads it.

    Raises:
        WhenError: *on* is no recurring time.
    """
    calendars = parse(on, zone)
    usual = USUAL_DELAY_SECONDS if minutes_a_day(calendars) < _OFTEN else 0
    return Plan(
        job=job.name,
        calendars=calendars,
        launcher=tuple(shlex.split(configured.launcher())),
        delay_seconds=usual if delay_seconds is None else delay_seconds,
        environment=_environment(job),
        kind=kind,
    )


def watching() -> Plan:
    """Return the plan that runs housekeeping once an hour."""
    launcher = tuple(shlex.split(configured.launcher()))
    return Plan("", parse("hourly"), launcher, _WATCH_DELAY_SECONDS, _environment(None), WATCH)


def machine_zone() -> str:
    """Return the name of the machine's time zone, "UTC" where it cannot be known."""
    try:
        name = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
        return name.removeprefix("posix/") or "UTC"
    except OSError:
        return "UTC"


def _environment(job: Job | None) -> tuple[tuple[str, str], ...]:
    """Return the variables of this process that a scheduler's process would lack."""
    variables = {}
    if home := os.environ.get(HOME_VARIABLE):
        variables[HOME_VARIABLE] = os.path.abspath(home)
    folder = None if job is None else _engine_folder(job)
    if folder is not None and folder not in _USUAL_PATH.split(":"):
        variables["PATH"] = f"{folder}:{_USUAL_PATH}"
    if sys.platform == "linux" and os.geteuid() == 0:
        variables["HOME"] = expand("~")  # a service of the system has none, and engines would do without their cache
    return tuple(variables.items())


def _engine_folder(job: Job) -> str | None:
    """Return the folder in which the search path of this process finds the job's program; None if it does not matter."""
    try:
        argv: Sequence[str] = configured.command(job)
    except (ConfigError, JobWatchedError):
        return None
    path = None if os.path.isabs(argv[0]) else shutil.which(argv[0])
    return None if path is None else os.path.dirname(os.path.abspath(path))
