"""Fetching the status: reads tracker, run folders, audit log and spool, and lets the pure `core.model.judge` decide.

source.py          the one source that every surface polls or follows
live.py            the live runs                          job_histories.py   what is known of every job
last_check.py      the last verification of the log       repositories.py    what repositories say
settings.py        the configuration                      marks.py           whether a file changed
system_status.py   the system-wide instance's status      system_history.py  its past
past_runs.py       ended runs                             run_ids.py         which run the user means
control.py         cancel, pause, resume                  marking.py         acknowledge or forget a job
"""

from tray.status.source import StatusSource

__all__ = ["StatusSource"]
