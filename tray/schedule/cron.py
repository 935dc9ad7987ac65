"""Have cron start jobs, where systemd does not run: one marked block in the user's crontab. All other lines stay as they are.

Cron knows whole minutes of the machine's zone, and does not catch up on a start that it missed while the machine was off.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence

from tray.core.errors import NotScheduledError, SchedulerError, WhenError
from tray.core.model import BACKUP, CHECK
from tray.schedule.calendar import HOURS, MINUTES, MONTH_DAYS, MONTHS, Calendar
from tray.schedule.plan import WATCH, Plan, machine_zone
from tray.status.schedules import Key

TITLE = "cron"
BEGIN = "# >>> Backup Tray: `backup-tray schedule` writes these lines; change nothing between here and <<<"
END = "# <<< Backup Tray"
_MARKS = {BACKUP: "# job: ", CHECK: "# check of job: ", WATCH: "# housekeeping"}
_SECONDS = 20.0
_LONGEST = 900
"""Letters of a line; some crons cut at 998."""


def present() -> bool:
    """Whether this system has a crontab."""
    return shutil.which("crontab") is not None


def lines(plan: Plan) -> list[str]:
    """Return the lines of *plan*: one for each of its calendars.

    Raises:
        WhenError: Cron cannot follow it; the error names the nearest time that it can.
    """
    variables = [f"{name}={shlex.quote(value)}" for name, value in plan.environment if name != "HOME"]
    command = " ".join([*variables, "nice", "-n", "10", *map(shlex.quote, plan.argv), ">/dev/null"])
    if plan.kind == WATCH:
        command += " 2>&1"  # a mail each hour is no help; the doctor knows more
    command = command.replace("%", r"\%")  # cron ends the command at a bare percent sign
    made = [f"{_fields(calendar)} {command}" for calendar in plan.local(machine_zone()).calendars]
    if any(len(line) > _LONGEST for line in made):
        raise WhenError(plan.calendars[0].text(), "Its line would be longer than cron reads.", "*:0/15")
    return made


def install(plan: Plan) -> None:
    """Write the lines of *plan* into the block, in the place of those that the job has.

    Raises:
        WhenError: Cron cannot follow it.
        SchedulerError: There is no cron, or this user may not use it, or the block is damaged.
    """
    own = lines(plan)
    before, block, after = _split(_read())
    jobs = _jobs(block)
    jobs[plan.job, plan.kind] = own
    _write(before, jobs, after)


def remove(key: Key) -> None:
    """Take the lines of *key* out of the block; an empty block goes too.

    Raises:
        NotScheduledError: It has none.
        SchedulerError: As for `install`.
    """
    before, block, after = _split(_read())
    jobs = _jobs(block)
    if jobs.pop(key, None) is None:
        raise NotScheduledError(*key)
    _write(before, jobs, after)


def scheduled() -> dict[Key, list[str]]:
    """Return the lines of jobs in our block, by job and kind; none where there is no crontab.

    Raises:
        SchedulerError: This user may not use cron, or the block is damaged.
    """
    jobs = _jobs(_split(_read())[1]) if present() else {}
    return {key: own for key, own in jobs.items() if key[1] != WATCH}


def watches() -> bool:
    """Whether our block has the line that runs housekeeping; raises as `scheduled` does."""
    return present() and ("", WATCH) in _jobs(_split(_read())[1])


def _fields(calendar: Calendar) -> str:
    """Return the five fields of *calendar*."""
    text = calendar.text()
    if calendar.seconds != (0,):
        raise WhenError(text, "Cron knows whole minutes only.", re.sub(r":[\d,.*]+$", ":00", text))
    if calendar.from_end:
        raise WhenError(text, "Cron cannot count from the end of a month.", text.replace("~", "-", 1))
    if not calendar.any_day and not calendar.any_weekday:
        better = text.partition(" ")[2]
        raise WhenError(text, "Cron takes a weekday and a day of the month for either of them.", better)
    weekdays = "*" if calendar.any_weekday else _list(sorted((day + 1) % 7 for day in calendar.weekdays), ())
    minute, hour = _list(calendar.minutes, MINUTES), _list(calendar.hours, HOURS)
    return f"{minute} {hour} {_list(calendar.days, MONTH_DAYS)} {_list(calendar.months, MONTHS)} {weekdays}"


def _list(values: Sequence[int], every: Sequence[int]) -> str:
    return "*" if list(values) == list(every) else ",".join(map(str, values))


def _split(text: str) -> tuple[str, list[str], str]:
    """Return the text before our block, the lines in it, and the text after it."""
    begins, ends = text.count(BEGIN), text.count(END)
    if (begins, ends) == (0, 0):
        return text, [], ""
    start = text.find(BEGIN)
    end = text.find(END, start)
    if (begins, ends) != (1, 1) or end < start:
        raise SchedulerError(
            "The block of Backup Tray in the crontab is damaged.",
            why="Its first or last line is missing, or stands there twice.",
            next="Remove the rest of it with `crontab -e`, then try again.",
        )
    rest = text[end + len(END) :]
    return text[:start], text[start + len(BEGIN) : end].strip("\n").split("\n"), rest.removeprefix("\n")


def _jobs(block: Sequence[str]) -> dict[Key, list[str]]:
    """Return the lines of a block by job and kind."""
    jobs: dict[Key, list[str]] = {}
    key = None
    for line in block:
        if kind := next((kind for kind, mark in _MARKS.items() if line.startswith(mark)), None):
            key = line.removeprefix(_MARKS[kind]), kind
            jobs[key] = []
        elif key is not None and line.strip():
            jobs[key].append(line)
    return jobs


def _write(before: str, jobs: dict[Key, list[str]], after: str) -> None:
    if before and not before.endswith("\n"):
        before += "\n"
    block = [line for (job, kind), own in sorted(jobs.items()) for line in (f"{_MARKS[kind]}{job}", *own)]
    ours = "\n".join([BEGIN, *block, END]) + "\n" if block else ""
    _crontab("-", text=before + ours + after)


def _read() -> str:
    """Return this user's crontab, "" if there is none."""
    return _crontab("-l")


def _crontab(word: str, text: str | None = None) -> str:
    """Run `crontab` with *word* and return its answer."""
    if not present():
        raise SchedulerError(
            "There is no cron here.", why="No program `crontab` was found.", next="Install it: `sudo apt install cron`."
        )
    raw = None if text is None else text.encode("utf-8", "surrogateescape")
    try:
        done = subprocess.run(["crontab", word], input=raw or b"", capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SchedulerError("cron does not answer.", why=f"{error}.", next="Try `crontab -l` yourself.") from error
    said = " ".join(done.stderr.decode("utf-8", "replace").split())
    if done.returncode and not (word == "-l" and "no crontab" in said):
        refused = "not allowed" in said or "denied" in said.lower()
        step = "Have an administrator add you to /etc/cron.allow, or take you out of /etc/cron.deny."
        raise SchedulerError(
            "You are not allowed to use cron." if refused else "cron refused.",
            why=said or f"Its exit code is {done.returncode}.",
            next=step if refused else f"Try it yourself: `crontab {word}`.",
        )
    return "" if done.returncode else done.stdout.decode("utf-8", "surrogateescape")
