"""The closed lists of words: states, outcomes, phases, and where a run's record is."""

from enum import StrEnum

BACKUP = "backup"
"""The kind of run that makes a backup; no other kind ever makes anything green."""

DRY_RUN = "dry-run"
"""A kind of run that only rehearses, so that nothing about it is green or red."""


class State(StrEnum):
    """What a job, or everything together, is in. `WORST_FIRST` orders them."""

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
    """How a run ended. `LOST`: nobody saw the end. `UNKNOWN`: it ended, but how cannot be known."""

    SUCCEEDED = "succeeded"
    WARNING = "warning"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """What a live run is doing."""

    SCANNING = "scanning"
    COPYING = "copying"
    FINISHING = "finishing"
    PAUSED = "paused"


class Source(StrEnum):
    """How we know of a run."""

    WRAPPED = "wrapped"
    OBSERVED = "observed"


class Instance(StrEnum):
    """Whose record a run is in: the user's own, or that of the whole system (root's)."""

    USER = "user"
    SYSTEM = "system"


class Control(StrEnum):
    """What can be done with a live run."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
