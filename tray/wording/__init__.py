"""The words that every surface says: tooltip, menu, window and command line call these functions and so cannot disagree.

Pure: status in, plain English out. What is unknown is said to be unknown, an estimate is called one, and no percentage is shown
that nobody knows. Names come out escaped.

status.py   everything together: tooltip, menu, headline    jobs.py   all jobs together
runs.py     a run, a job, a repository                      audit.py  the audit log as a whole
numbers.py  numbers, times, names                           progress_bar.py  the bar in a terminal
"""

from tray.wording.audit import audit_line, audit_line_now, audit_words, overdue_note
from tray.wording.jobs import bad
from tray.wording.numbers import (
    ago,
    both_times,
    count,
    duration,
    elapsed,
    escape,
    fit,
    known,
    plural,
    rate,
    size,
    time_left,
)
from tray.wording.runs import (
    SHORT_ID,
    acknowledged,
    activity,
    added,
    amount,
    good_words,
    job_line,
    job_word,
    last_line,
    outcome_word,
    percent,
    problems,
    repository_line,
    run_line,
    short_id,
    short_line,
    speed,
    standstill,
    state_word,
    why,
)
from tray.wording.status import (
    ALL_FORGOTTEN,
    MENU_UNITS,
    TOOLTIP_UNITS,
    UNFOLLOWED,
    headline,
    lines,
    menu_audit_line,
    menu_lines,
    tooltip,
)

__all__ = [
    "ALL_FORGOTTEN",
    "MENU_UNITS",
    "SHORT_ID",
    "TOOLTIP_UNITS",
    "UNFOLLOWED",
    "acknowledged",
    "activity",
    "added",
    "ago",
    "amount",
    "audit_line",
    "audit_line_now",
    "audit_words",
    "bad",
    "both_times",
    "count",
    "duration",
    "elapsed",
    "escape",
    "fit",
    "good_words",
    "headline",
    "job_line",
    "job_word",
    "known",
    "last_line",
    "lines",
    "menu_audit_line",
    "menu_lines",
    "outcome_word",
    "overdue_note",
    "percent",
    "plural",
    "problems",
    "rate",
    "repository_line",
    "run_line",
    "short_id",
    "short_line",
    "size",
    "speed",
    "standstill",
    "state_word",
    "time_left",
    "tooltip",
    "why",
]
