"""Say in plain English what every surface shows: tooltip, menu, window and terminal call these functions and so cannot disagree.

Pure: status in, words out. An unknown value is called unknown, an estimate is called one, and a percentage is shown only where the
engine tells it. Names come out escaped.

status.py   everything together: tooltip, menu, headline; the audit log as a whole
jobs.py     all jobs together       runs.py          a run, a job, a repository
numbers.py  numbers, times, names   progress_bar.py  the bar in a terminal
expectations.py  by when a job should be backed up again
"""

from tray.wording.expectations import expected, moment, next_words, off, skipped_words, times
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
    markup,
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
    proof_words,
    proven_words,
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
    UNSENT,
    audit_line,
    audit_line_now,
    audit_words,
    headline,
    is_about_messages,
    lines,
    menu_audit_line,
    menu_lines,
    overdue_note,
    tooltip,
)
