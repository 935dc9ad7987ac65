"""Write the XML with which Windows' Task Scheduler starts a job, by its schema of version 1.2 (MS-TSCH).

It starts a missed job as soon as it can (StartWhenAvailable), does not stop on battery, and starts no second one beside the first.
Each moment of a day is a trigger of its own, and the wall clock of the machine decides.
"""

import subprocess
from itertools import product
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tray.core.errors import SchedulerError, WhenError
from tray.core.model import CHECK
from tray.core.paths import HOME_VARIABLE
from tray.schedule.calendar import Calendar
from tray.schedule.plan import Plan, machine_zone

TITLE = "Task Scheduler"
NOT_TRIED = "It is checked by the schema of tasks; the Task Scheduler itself has not been tried with it."
NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MOST = 48
"""Triggers of one task: a limit of Windows."""
_SETTINGS = {
    "MultipleInstancesPolicy": "IgnoreNew",
    "DisallowStartIfOnBatteries": "false",
    "StopIfGoingOnBatteries": "false",
    "StartWhenAvailable": "true",
    "RunOnlyIfNetworkAvailable": "false",
    "Enabled": "true",
    "ExecutionTimeLimit": "PT0S",
    "Priority": "7",
}


def written(plan: Plan) -> str:
    """Return the XML of *plan*.

    Raises:
        WhenError: The Task Scheduler cannot follow it; the error names the nearest time that it can.
        SchedulerError: It is of a trial, whose folder a task cannot be given.
    """
    if HOME_VARIABLE in dict(plan.environment):
        why = f"A task cannot set variables, and {HOME_VARIABLE} is set here."
        step = f"Unset {HOME_VARIABLE}, or print it for another scheduler: `--print systemd`."
        raise SchedulerError("This trial cannot be scheduled.", why=why, next=step)
    task = Element("Task", version="1.2", xmlns=NAMESPACE)
    about = SubElement(task, "RegistrationInfo")
    SubElement(
        about, "Description"
    ).text = f"Backup Tray starts {'the check of' if plan.kind == CHECK else 'the backup'} {plan.job}."
    triggers = SubElement(task, "Triggers")
    for calendar in plan.local(machine_zone()).calendars:
        _add_triggers(triggers, calendar, plan.delay_seconds)
    if len(triggers) > _MOST:
        why = f"The Task Scheduler would need {len(triggers)} triggers for it, and takes {_MOST}."
        raise WhenError(plan.calendars[0].text(), why, "*-*-* *:00:00")
    settings = SubElement(task, "Settings")
    for name, value in _SETTINGS.items():
        SubElement(settings, name).text = value
    actions = SubElement(task, "Actions")
    start = SubElement(actions, "Exec")
    SubElement(start, "Command").text = plan.argv[0]
    SubElement(start, "Arguments").text = subprocess.list2cmdline(plan.argv[1:])
    indent(task)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(task, encoding="unicode") + "\n"


def _add_triggers(triggers: Element, calendar: Calendar, delay: int) -> None:
    """Add a trigger for each moment of a day."""
    for hour, minute, second in product(calendar.hours, calendar.minutes, calendar.seconds):
        trigger = SubElement(triggers, "CalendarTrigger")
        SubElement(trigger, "StartBoundary").text = f"2020-01-01T{hour:02}:{minute:02}:{second:02}"
        if delay:
            SubElement(trigger, "RandomDelay").text = f"PT{delay}S"
        _add_days(trigger, calendar)


def _add_days(trigger: Element, calendar: Calendar) -> None:
    all_year = len(calendar.months) == len(_MONTHS)
    if calendar.any_day and all_year and calendar.any_weekday:
        by_day = SubElement(trigger, "ScheduleByDay")
        SubElement(by_day, "DaysInterval").text = "1"
    elif calendar.any_day and all_year:
        by_week = SubElement(trigger, "ScheduleByWeek")
        SubElement(by_week, "WeeksInterval").text = "1"
        days = SubElement(by_week, "DaysOfWeek")
        for number in calendar.weekdays:
            SubElement(days, _DAYS[number])
    else:
        _add_month_days(SubElement(trigger, "ScheduleByMonth"), calendar)


def _add_month_days(by_month: Element, calendar: Calendar) -> None:
    text = calendar.text()
    if not calendar.any_weekday:
        better = text.partition(" ")[2] if not calendar.any_day else f"{text.partition(' ')[0]} {text.split()[-1]}"
        raise WhenError(text, "The Task Scheduler cannot have weekdays and days of the month together.", better)
    if calendar.from_end and calendar.days != (1,):
        raise WhenError(
            text, "Of the days before the end of a month it knows the last only.", text.replace("~", "-", 1)
        )
    days = SubElement(by_month, "DaysOfMonth")
    for day in ("Last",) if calendar.from_end else calendar.days:
        SubElement(days, "Day").text = str(day)
    months = SubElement(by_month, "Months")
    for number in calendar.months:
        SubElement(months, _MONTHS[number - 1])
