"""Write the file with which macOS's launchd starts a job: launchd.plist(5).

It names StartCalendarInterval, which catches up after sleep; StartInterval would not.
"""

import plistlib
from itertools import product
from typing import Any

from tray.core.errors import WhenError
from tray.core.model import CHECK
from tray.schedule import units
from tray.schedule.calendar import HOURS, MINUTES, MONTH_DAYS, MONTHS, Calendar
from tray.schedule.plan import Plan, machine_zone

TITLE = "launchd"
NOT_TRIED = "It is checked as a property list; launchd itself has not been tried with it."
MOST = 1000
"""Intervals in one file; more is surely another schedule than was meant."""


def label(job: str, kind: str) -> str:
    """Return the name under which launchd knows the schedule of the runs of this *kind* of *job*."""
    of = "-check" if kind == CHECK else ""
    return f"org.backup-tray{of}.{units.name(job).removeprefix(units.PREFIX)}"


def written(plan: Plan) -> str:
    """Return the property list of *plan*.

    Raises:
        WhenError: launchd cannot follow it; the error names the nearest time that it can.
    """
    intervals = [part for calendar in plan.local(machine_zone()).calendars for part in _intervals(calendar)]
    description: dict[str, Any] = {
        "Label": label(plan.job, plan.kind),
        "ProgramArguments": plan.argv,
        "StartCalendarInterval": intervals,
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Nice": 10,
        "ExitTimeOut": 90,
    }
    if plan.environment:
        description["EnvironmentVariables"] = dict(plan.environment)
    return plistlib.dumps(description, sort_keys=False).decode()


def _intervals(calendar: Calendar) -> list[dict[str, int]]:
    text = calendar.text()
    if calendar.seconds != (0,):
        raise WhenError(text, "launchd knows whole minutes only.", text.rpartition(":")[0] + ":00")
    if calendar.from_end:
        raise WhenError(text, "launchd cannot count from the end of a month.", text.replace("~", "-", 1))
    if not calendar.any_day and not calendar.any_weekday:
        why = "launchd takes a weekday and a day of the month for either of them."
        raise WhenError(text, why, text.partition(" ")[2])
    parts = {
        "Minute": (calendar.minutes, MINUTES),
        "Hour": (calendar.hours, HOURS),
        "Day": (calendar.days, MONTH_DAYS),
        "Weekday": (sorted((day + 1) % 7 for day in calendar.weekdays), range(7)),
        "Month": (calendar.months, MONTHS),
    }
    bound = {name: values for name, (values, every) in parts.items() if list(values) != list(every)}
    if not bound:
        return [{}]
    intervals = [dict(zip(bound, chosen, strict=True)) for chosen in product(*bound.values())]
    if len(intervals) > MOST:
        raise WhenError(text, f"launchd would need {len(intervals)} intervals for it.", "*-*-* *:00:00")
    return intervals
