"""Keep and read the last answer of the system's scheduler about our schedules: asking systemd takes a process.

`tray.schedule.reading` writes it after each change, after each run and once an hour. A poll reads it again only when it changed.
"""

import json
import os
from collections.abc import Iterator, Sequence

from tray.audit.keys import write_new
from tray.core import clock
from tray.core.codec import Coded
from tray.core.dataclass import dataclass
from tray.core.errors import SchedulesUnreadableError
from tray.core.files import content
from tray.core.model import BACKUP, shown_name
from tray.core.paths import Places, private
from tray.status.kept_files import mark

NAME = "schedules.json"
MOST_AGE_MS = 5_400_000

Key = tuple[str, str]
"""A job, and the kind of the runs that its schedule starts: backup or check."""


@dataclass(frozen=True, slots=True)
class Schedule(Coded):
    """One job's schedule, as it was last seen.

    Attributes:
        job: Name of the job.
        by: "systemd" or "cron".
        title: The scheduler, for people.
        where: The unit, or the crontab.
        times: When, as OnCalendar or cron's five fields.
        next_ms: The next start, as the scheduler says; None if it does not say.
        last_ms: The last start, as the scheduler says.
        fault: One sentence why it will not start the job as asked; empty if it will.
        repair: The command that mends it; empty if there is nothing to mend.
        kind: The kind of the runs that it starts: backup or check.
        set_ms: When it was set; the scheduler's last start before that is none of this schedule.
    """

    job: str
    by: str
    title: str = ""
    where: str = ""
    times: tuple[str, ...] = ()
    next_ms: int | None = None
    last_ms: int | None = None
    fault: str = ""
    repair: str = ""
    kind: str = BACKUP
    set_ms: int | None = None

    @property
    def key(self) -> Key:
        """The job and the kind of its runs; no two schedules have the same."""
        return self.job, self.kind

    @property
    def name(self) -> str:
        """The name of these runs, for people: "home", "home (check)"."""
        return shown_name(self.job, self.kind)


def read(places: Places) -> list[Schedule]:
    """Return the schedules that are kept; none without a file.

    Raises:
        SchedulesUnreadableError: It cannot be read or is damaged.
    """
    file = places.state / NAME
    try:
        data = json.loads(content(file))
        return [Schedule.from_json(item) for item in data["schedules"]]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SchedulesUnreadableError(file, error.strerror or str(error)) from error
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise SchedulesUnreadableError(file, "it is damaged") from error


def write(places: Places, schedules: Sequence[Schedule]) -> None:
    """Keep *schedules*; of an unchanged file only the time is.

    Raises:
        UnsafeFolderError, OSError: It cannot be written.
    """
    if _kept(places) == list(schedules):
        os.utime(places.state / NAME)  # asked now, with the same answer
        return
    text = json.dumps({"schedules": [schedule.to_json() for schedule in schedules]})
    write_new(private(places.state) / NAME, text.encode())


def _kept(places: Places) -> list[Schedule] | None:
    """Return the schedules of the file; None without one that can be read."""
    try:
        return read(places) if (places.state / NAME).exists() else None
    except SchedulesUnreadableError:
        return None


def old(places: Places) -> bool:
    """Whether there are schedules, and the scheduler was not asked for longer than housekeeping leaves between two looks."""
    try:
        asked = (places.state / NAME).stat().st_mtime_ns // 1_000_000
    except OSError:
        return False
    return not 0 <= clock.now_ms() - asked <= MOST_AGE_MS


class Schedules:
    """The schedules, for a caller that polls.

    Attributes:
        notes: A line for each schedule that will not start its job as asked, with the repair; one line if they are unavailable.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._mark: object = None
        self.notes: tuple[str, ...] = ()

    def read(self) -> object:
        """Read the file if it changed, and return its mark. Never raises."""
        now = mark(self._places.state / NAME)
        if now != self._mark:
            self._mark = now
            self.notes = tuple(self._told())
        return now

    def _told(self) -> Iterator[str]:
        """Yield the notes."""
        try:
            for schedule in read(self._places):
                if schedule.fault:
                    fault = _inside(schedule.fault)
                    yield f"The schedule of {schedule.name}: {fault}; mend it with `{schedule.repair}`"
        except SchedulesUnreadableError as error:
            yield f"{error} {error.why} {error.next}"


def _inside(sentence: str) -> str:
    return (sentence[:1].lower() + sentence[1:]).rstrip(".")
