"""Record that the tracker began and ended, so that a quiet night can be told from one without a tracker.

A tracker that was killed leaves a start without an end, which is the truth.
"""

import os

from tray import __version__
from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.core.paths import Places

_SECONDS = 2.0


def started(places: Places, since_ms: int, pid: int) -> None:
    """Record that the tracker *pid* began at *since_ms*, if there is a log."""
    if places.audit_db.exists():
        body = {"pid": pid, "program": f"backup-tray {__version__}"}
        draft = Draft(Action.RECORDER_STARTED, time_ms=since_ms, result="started", body=body)
        spool.record(places, [draft], timeout=_SECONDS)


def stopped(places: Places, why: str) -> None:
    """Record that this process, the tracker, ends: "idle", "signal" or "handover"; only if there is a log."""
    if places.audit_db.exists():
        body = {"pid": os.getpid(), "why": why}
        spool.record(places, [Draft(Action.RECORDER_STOPPED, result="stopped", body=body)], timeout=_SECONDS)
