"""Fetch the status: read tracker, run folders, audit log and spool, and let the pure `core.model.judge` decide.

source.py          the one source that every surface polls or follows
live.py            the live runs                          job_histories.py   the past of every job
kept_files.py      configuration, last check, repositories
system_status.py   the system-wide instance's status      system_history.py  its past
past_runs.py       ended runs                             run_ids.py         which run the user means
control.py         cancel, pause, resume                  marking.py         acknowledge or forget a job
"""

from tray.status.source import StatusSource

__all__ = ["StatusSource"]
