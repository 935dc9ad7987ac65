"""Read the text of a crontab: a user's, /etc/crontab or a file of /etc/cron.d (crontab(5)), and /etc/anacrontab (anacrontab(5)).

Nothing is run and no file is opened here.
"""

import re
from collections.abc import Iterator, Mapping

from tray.core import regex
from tray.core.dataclass import dataclass, field
from tray.takeover.schedule import DAY_MS, MINUTE_MS, Schedule, of_cron

_SETTING = regex.compile(r"""\s*(?:([A-Za-z_][\w.]*)|"([^"]+)"|'([^']+)')\s*=\s*(.*?)\s*""")
_ANACRON_NAMES = {"@daily": 1, "@weekly": 7, "@monthly": 30, "@yearly": 365, "@annually": 365}
_MOST_LINES = 5000
_LONGEST = 998
"""The greatest length of a command in cron (MAX_COMMAND, less its end)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a crontab that starts a command, or should.

    Attributes:
        number: Its number in the file, from 1.
        schedule: When it starts.
        command: The text that the shell runs; "" if `why` tells that the line could not be read.
        before: The line up to the command, as written: schedule and user, with the blank.
        stdin: The text behind a `%`, which the command reads.
        user: The user, None for the crontab's own.
        variables: The settings above it.
        why: Why the line could not be read.
        label: anacron's name of the job, else "".
    """

    number: int
    schedule: Schedule
    command: str = ""
    before: str = ""
    stdin: str | None = None
    user: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The rules of the cron that reads a crontab.

    Attributes:
        users: A sixth field names the user, as in /etc/crontab.
        zones: `CRON_TZ` counts (cronie); Debian's cron takes it for a variable like any other.
        delays: `RANDOM_DELAY` counts (cronie).
    """

    users: bool = False
    zones: bool = False
    delays: bool = False


def lines(text: str, dialect: Dialect) -> list[Line]:
    """Return the lines of a crontab that start commands, and those that cannot be read."""
    entries: list[Line] = []
    variables: dict[str, str] = {}
    for number, raw in enumerate(text.split("\n")[:_MOST_LINES], 1):
        line = raw.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        if setting := _setting(raw):
            variables = {**variables, setting[0]: setting[1]}
        else:
            entries.append(_line(number, line, dialect, variables))
    return entries


def _setting(raw: str) -> tuple[str, str] | None:
    match = _SETTING.fullmatch(raw.rstrip("\r"))
    if match is None:
        return None
    return match[1] or match[2] or match[3], _unquoted(match[4])


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _line(number: int, line: str, dialect: Dialect, variables: Mapping[str, str]) -> Line:
    line = line.removeprefix("-")  # cronie: root asks cron not to log it
    count = (1 if line.startswith("@") else 5) + dialect.users
    parts = re.split(r"[ \t]+", line, maxsplit=count)
    times = " ".join(parts[: count - dialect.users])
    if len(parts) <= count or not parts[-1].strip():
        missing = "a schedule of five fields" + (", a user" if dialect.users else "") + " and a command"
        return _unreadable(number, line, f"the line is not {missing}")
    delay_ms = _minutes(variables.get("RANDOM_DELAY", "")) if dialect.delays else 0
    zone = variables.get("CRON_TZ") or None if dialect.zones else None
    command, stdin = _split_percent(parts[-1])
    user = parts[count - 1] if dialect.users else None
    schedule = of_cron(times, zone=zone, delay_ms=delay_ms)
    before = line[: len(line) - len(parts[-1])]
    unreadable = not schedule.stated and times.lower() != "@reboot" and "by chance" not in schedule.why
    if unreadable or len(parts[-1]) > _LONGEST:
        return _unreadable(number, line, schedule.why if unreadable else "its command is longer than cron runs")
    return Line(number, schedule, command, before, stdin, user, variables)


def _unreadable(number: int, line: str, why: str) -> Line:
    """Return a line that cron cannot read; any word of it may be a password, so it is all command, which is redacted."""
    return Line(number, Schedule("", why="it could not be read"), line, why=why)


def _split_percent(text: str) -> tuple[str, str | None]:
    r"""Return the command, and the text that it reads: a `%` ends the command, a `\%` is a plain one (crontab(5))."""
    command, grown, at = None, "", 0
    while at < len(text):
        if text.startswith("\\%", at):
            grown, at = grown + "%", at + 2
        elif text[at] == "%":
            command, grown = (grown, "") if command is None else (command, grown + "\n")
            at += 1
        else:
            grown, at = grown + text[at], at + 1
    return (grown, None) if command is None else (command, grown)


def written(command: str, stdin: str | None) -> str:
    """Return a command as a crontab has it: each `%` is escaped, and the text that it reads follows."""
    text = command.replace("%", "\\%")
    return text if stdin is None else f"{text}%{stdin.replace('%', chr(92) + '%').replace(chr(10), '%')}"


def anacron_lines(text: str) -> list[Line]:
    """Return the lines of an anacrontab: period in days, delay in minutes, name, command."""
    entries: list[Line] = []
    variables: dict[str, str] = {}
    for number, line in _joined(text):
        if setting := _setting(line):
            variables = {**variables, setting[0]: setting[1]}
            continue
        parts = re.split(r"[ \t]+", line, maxsplit=3)
        days = _ANACRON_NAMES.get(parts[0].lower()) or (int(parts[0]) if re.fullmatch(r"[0-9]{1,4}", parts[0]) else 0)
        if len(parts) < 4 or not days or not re.fullmatch(r"[0-9]{1,4}", parts[1]):
            why = "the line is not a period in days, a delay in minutes, a name and a command"
            entries.append(_unreadable(number, line, why))
            continue
        delay_ms = _minutes(parts[1]) + _minutes(variables.get("RANDOM_DELAY", ""))
        schedule = Schedule(
            f"every {days} days" if days > 1 else "every day", every_ms=days * DAY_MS, delay_ms=delay_ms
        )
        before = line[: len(line) - len(parts[3])]
        entries.append(Line(number, schedule, parts[3], before, variables=variables, label=parts[2]))
    return entries


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, those that end with a backslash joined to the next."""
    waiting, first = "", 0
    for number, raw in enumerate(text.split("\n")[:_MOST_LINES], 1):
        line = raw.strip(" \t\r")
        first = first or number
        if line.endswith("\\"):
            waiting += line[:-1]
            continue
        line, waiting = waiting + line, ""
        if line and not line.startswith("#"):
            yield first, line
        first = 0


def _minutes(text: str) -> int:
    return int(text) * MINUTE_MS if re.fullmatch(r"[0-9]{1,4}", text) else 0


def unreadable(file: str, why: str) -> Line:
    """Return the line that stands for a whole file that cannot be read."""
    return Line(0, Schedule("", why="it could not be read"), why=f"{file} could not be read: {why}")
