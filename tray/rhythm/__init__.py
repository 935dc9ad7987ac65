"""Know when a job's next good backup is expected, and whether it is overdue.

`expect` is the one pure function of this room; README.md beside this file gives its rules in words and figures. Nothing here does
I/O, and only `slots` and `zones` load the packages that read cron lines, OnCalendar and time zones: for jobs that state them.

awake.py    how much of a stretch of time the machine was awake
slots.py    the moments that a cron line or OnCalendar names
zones.py    days in a job's time zone
plan.py     the slots of a stated rhythm and the tolerance around them
stated.py   rule A: judge by stated slots
learn.py    rule B: a rhythm learnt from the past
kept_slots.py  the slots of the past that were kept, late or missed
expect.py   `expect`: both rules, the ceiling (C), the run that goes on
"""

from tray.core.dataclass import dataclass
from tray.core.model.expectation import MOST_MISSED, Ask, Expectation, Word

__all__ = ["MOST_GOODS", "MOST_MISSED", "Ask", "Expectation", "Past", "Rhythm", "Word"]

MOST_GOODS = 400
"""How many good runs of a job are worth handing in; older ones say little about its rhythm."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a job is meant to run, as the configuration or the job's scheduler states it. Without arguments: learnt.

    Attributes:
        kind: "stated" (by `every_ms` or `on`), "learn", "off" (not judged) or "disabled" (not to run).
        every_ms: Distance of two runs, counted from the start of the last good one.
        on: OnCalendar expressions, one a line, or a cron line of five fields, or a name such as "@daily".
        zone: IANA name of the time zone of `on` and of the job's days; None for the machine's.
        max_age_ms: The ceiling; None for 7 days or three periods, whichever is more.
        max_age_off: There is no ceiling.
        delay_ms: RandomizedDelaySec of the timer that starts the job.
        from_ms: The job was off until then, or is, if disabled; nothing was missed before. 0: it was not, or has no end.
        from_text: The timer, crontab or profile that states the rhythm, for users.
    """

    kind: str = "learn"
    every_ms: int | None = None
    on: str | None = None
    zone: str | None = None
    max_age_ms: int | None = None
    max_age_off: bool = False
    delay_ms: int = 0
    from_ms: int = 0
    from_text: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """The good runs of a job.

    Attributes:
        goods: Start and end (wall-clock ms) of each run that made a backup, if with warnings, in the order of recording; the newest
            `MOST_GOODS` are enough.
        first_ms: When the job became known: its first run of any outcome, or its first appearance in the configuration.
    """

    goods: tuple[tuple[int, int], ...] = ()
    first_ms: int = 0
