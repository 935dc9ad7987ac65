"""Write the systemd units of a schedule: a timer, and the service that it starts.

Each file begins with a comment that names the job and holds a hash of the rest: so a file that the user has edited is told from one
that is only out of date. Quoting is that of systemd.service(5).
"""

import hashlib
import os
import re
import zlib
from pathlib import Path

from tray.core.dataclass import dataclass
from tray.core.model import BACKUP, CHECK
from tray.core.paths import HOME_VARIABLE
from tray.schedule.plan import WATCH, Plan
from tray.status.schedules import Key

PREFIX = "backup-tray-"
GLOB = "backup-tray[.-]*.timer"
_MARK = re.compile(
    r"# Backup Tray made this for (?:(the check of )?the job (\".*\")|its housekeeping); "
    r"changes: `backup-tray (?:schedule|notify watch)`\. ([0-9a-f]{16})\n"
)
_OF_KIND = {BACKUP: PREFIX, CHECK: "backup-tray.check-", WATCH: "backup-tray.watch"}
"""Begins of the names of units; no unit of a backup begins as one of another kind."""
_LONGEST = 200
"""Bytes of a unit's name; systemd takes 255."""
_SERVICE = """\
[Unit]
Description={title} (Backup Tray)

[Service]
Type=oneshot
{environment}ExecStart={command}
{end}
Nice=10
IOSchedulingClass=idle
"""
_END_OF_RUN = "KillMode=mixed\nKillSignal=SIGINT\nTimeoutStopSec=90"
_END_OF_ROUND = "KillMode=process\nSuccessExitStatus=1"
"""The sender of messages outlives the round that starts it; a task that failed is for the doctor, and no failure of the system."""
_TIMER = """\
[Unit]
Description=Start of {title} (Backup Tray)

[Timer]
{calendars}
Persistent=true
AccuracySec=100ms
RandomizedDelaySec={delay}
FixedRandomDelay=true

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True, slots=True)
class Units:
    """The two files of a schedule.

    Attributes:
        name: Their name without ending.
        timer, service: Their texts.
    """

    name: str
    timer: str
    service: str

    def files(self, folder: Path) -> dict[Path, str]:
        """Return the texts by the paths of the files in *folder*; the timer comes last."""
        return {folder / f"{self.name}.service": self.service, folder / f"{self.name}.timer": self.timer}


def of(plan: Plan) -> Units:
    """Return the units of *plan*."""
    environment = "".join(f"Environment={quoted(f'{name}={value}')}\n" for name, value in plan.environment)
    job = plan.job.replace("%", "%%")
    service_title, timer_title = f"Backup of {job}", job
    if plan.kind == CHECK:
        service_title, timer_title = f"Check of {job}", f"the check of {job}"
    elif plan.kind == WATCH:
        service_title, timer_title = "Housekeeping", "housekeeping"
    end = _END_OF_ROUND if plan.kind == WATCH else _END_OF_RUN
    service = _SERVICE.format(title=service_title, environment=environment, command=_command(plan), end=end)
    calendars = "\n".join(f"OnCalendar={calendar.text()}" for calendar in plan.calendars)
    timer = _TIMER.format(title=timer_title, calendars=calendars, delay=plan.delay_seconds)
    key = plan.job, plan.kind
    return Units(name(*key), marked(plan.job, timer, plan.kind), marked(plan.job, service, plan.kind))


def name(job: str, kind: str = BACKUP, home: str | None = None) -> str:
    """Return the name of the units of *job*: the same for the same job and kind, another for any other.

    Args:
        kind: The kind of the runs: backup or check; or `WATCH`.
        home: The folder of a trial, `BACKUP_TRAY_HOME` by default: its units stand beside those of the real installation.
    """
    home = os.environ.get(HOME_VARIABLE) if home is None else home
    trial = f"trial:{zlib.crc32(os.fsencode(os.path.abspath(home))):08x}:" if home else ""
    escaped = "".join(
        chr(byte) if chr(byte) in _PLAIN else f"\\x{byte:02x}" for byte in job.encode("utf-8", "surrogateescape")
    )
    if len(escaped) > _LONGEST:
        escaped = f"{escaped[: _LONGEST - 20].rpartition(chr(92))[0]}_{hashlib.sha256(job.encode()).hexdigest()[:16]}"
    return f"{_OF_KIND[kind]}{trial}{escaped}"


_PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"


def marked(job: str, text: str, kind: str = BACKUP) -> str:
    """Return *text* with our mark above it."""
    of = f'{"the check of " if kind == CHECK else ""}the job "{job}"; changes: `backup-tray schedule`'
    of = "its housekeeping; changes: `backup-tray notify watch`" if kind == WATCH else of
    return f"# Backup Tray made this for {of}. {_hash(text)}\n{text}"


def owner(text: str) -> Key | None:
    """Return the job whose schedule a file is, and the kind of its runs, by our mark in the first line; else None."""
    match = _MARK.match(text)
    return None if match is None or match[2] is None else (match[2][1:-1], CHECK if match[1] else BACKUP)


def is_ours(text: str) -> bool:
    """Whether the first line of a file is our mark: of a job's schedule, or of housekeeping."""
    return _MARK.match(text) is not None


def edited(text: str) -> bool:
    """Whether a file of ours is no longer as we wrote it."""
    match = _MARK.match(text)
    return match is None or match[3] != _hash(text[match.end() :])


def times_of(timer: str) -> list[str]:
    """Return the times of a timer, as OnCalendar texts."""
    return re.findall(r"^OnCalendar=(.*)$", timer, re.MULTILINE)


def delay_of(timer: str) -> int | None:
    """Return the delay in seconds that a timer of ours has, None if it does not say."""
    match = re.search(r"^RandomizedDelaySec=(\d+)$", timer, re.MULTILINE)
    return None if match is None else int(match[1])


def quoted(word: str, *, variables: bool = False) -> str:
    """Return *word* as a unit file writes it: percent signs doubled, and in quotes where it has more than plain letters.

    Args:
        variables: It is a word of a command, in which a dollar sign would name a variable.
    """
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    text = text.replace("\t", "\\t").replace("\n", "\\n").replace("$", "$$" if variables else "$")
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII) else f'"{text}"'


def _command(plan: Plan) -> str:
    first, *rest = plan.argv
    return " ".join([quoted(first), *(quoted(word, variables=True) for word in rest)])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
