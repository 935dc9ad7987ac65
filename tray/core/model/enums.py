"""The closed lists of words: states, outcomes, phases, and where a run's record is."""

from enum import StrEnum

BACKUP = "backup"
"""The kind of run that makes a backup; no other kind ever makes anything green."""

DRY_RUN = "dry-run"
"""A kind of run that only rehearses, so that nothing about it is green or red."""


class State(StrEnum):
    """State of a job, or of all jobs together. `WORST_FIRST` orders them."""

    OK = "ok"
    RUNNING = "running"
    WARNING = "warning"
    STALLED = "stalled"
    FAILED = "failed"
    OVERDUE = "overdue"
    TAMPERED = "tampered"
    NONE = "none"
    UNAVAILABLE = "unavailable"


WORST_FIRST = (
    State.UNAVAILABLE,
    State.TAMPERED,
    State.FAILED,
    State.OVERDUE,
    State.STALLED,
    State.WARNING,
    State.RUNNING,
    State.OK,
    State.NONE,
)


class Outcome(StrEnum):
    """How a run ended. `LOST`: the wrapper stopped before the backup ended. `UNKNOWN`: the way it ended is not known."""

    SUCCEEDED = "succeeded"
    WARNING = "warning"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """Present activity of a live run."""

    SCANNING = "scanning"
    COPYING = "copying"
    FINISHING = "finishing"
    PAUSED = "paused"


class Source(StrEnum):
    """Origin of the knowledge of a run: the wrapper or the observer."""

    WRAPPED = "wrapped"
    OBSERVED = "observed"


class Instance(StrEnum):
    """Whose record a run is in: the user's own, or that of the whole system (root's)."""

    USER = "user"
    SYSTEM = "system"


class Control(StrEnum):
    """A request that a live run can take."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
