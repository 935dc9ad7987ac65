"""Record that a run of a job was skipped: its conditions kept it from starting, and no engine was started.

A skip is no run: it has no id, no outcome, and does not touch the last run of the job. The rhythm counts it as a missed slot, so
many skips in a row are as loud as a backup that has stopped.
"""

from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.core.model import BACKUP
from tray.core.paths import Places
from tray.core.redact import Redactor

ON_BATTERY, METERED, TARGET_AWAY = "on battery", "metered", "target away"
ENGINE_MISSING, ALREADY_RUNNING, DISABLED = "engine missing", "already running", "disabled"
REASONS = (ON_BATTERY, METERED, TARGET_AWAY, ENGINE_MISSING, ALREADY_RUNNING, DISABLED)
"""The results of an entry `run.skipped`: the closed list."""

_SECONDS = 5.0


def record(places: Places, job: str, reason: str, why: str, *, engine: str | None = None, kind: str = BACKUP) -> None:
    """Record that a run of *job* was skipped.

    Args:
        reason: One of `REASONS`.
        why: The reason as a sentence, for people.
        engine: The engine that was not started, None if it is not known.
        kind: The kind of the run.
    """
    body = {"reason": Redactor((), {}).text(why)}
    draft = Draft(Action.RUN_SKIPPED, result=reason, job=job, engine=engine, kind=kind, body=body)
    spool.record(places, [draft], timeout=_SECONDS)
