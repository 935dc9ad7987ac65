"""The answer of `tray.rhythm.expect`: whether a job's next good backup is due, late or overdue, with the arithmetic behind it."""

from enum import StrEnum

from tray.core.dataclass import dataclass
from tray.core.model.runs import State


class Word(StrEnum):
    """How a job stands against its rhythm."""

    FINE = "fine"
    DUE = "due"
    LATE = "late"
    STILL_RUNNING = "still running"
    OLD = "old"
    OVERDUE = "overdue"
    NEVER_RAN = "never ran"
    UNKNOWN = "rhythm not known yet"
    UNDATED = "age not known"
    OFF = "off"
    DISABLED = "disabled"


class Ask(StrEnum):
    """Why the user should be asked, once, for the rhythm of a job that states none."""

    RARE = "rarer than fortnightly"
    CHANGED = "rhythm changed"


@dataclass(frozen=True, slots=True)
class Expectation:
    """How a job stands against its rhythm at one moment.

    Every time is wall-clock milliseconds; a time in the future assumes that the machine stays awake from now on.

    Attributes:
        word: The judgement.
        expected_by_ms: The deadline of the next good run: it is late after this. None if no rhythm is known or judged.
        next_ms: The slot that the next run belongs to; it lies in the past once the job is due.
        late_since_ms: When the job began to deserve a warning: late, old, still running, or too long without a known
            rhythm; None if it does not.
        overdue_since_ms: When the job became overdue, or a job that never ran passed its deadline; None if it has not.
        awake_ms: How long the machine was awake since the last good run ended, or since the job is known if there was none.
        tolerance_ms: How much awake time after the slot, and after the timer's own delay, is allowed.
        missed: Slots that passed their deadline without a good run, at most `MOST_MISSED`.
        period_ms: Distance of two slots, stated or learnt (the median gap); None if there is neither.
        learnt: The rhythm comes from the job's past, not from a statement.
        score: Learnt rhythm only: expected successes since the last one. Overdue when it reaches `limit`.
        limit: See `score`.
        old_after_ms: The ceiling: from then on the last good run is old, awake or not; None if it is off.
        last_good_ms: End of the newest good run whose time can be believed.
        running_since_ms: Start of the run that goes on.
        running_limit_ms: How much awake time that run may take before it is "still running".
        ask: Why to ask for the rhythm, None if there is no reason.
        ask_since_ms: The moment that the question is about; a question that was asked for it need not be asked again.
        off_until_ms: DISABLED: when the job is on again by itself, None if it is not. Else: it was off until then, and has made no
            good run since; None in every other case.
        anew: The state that the rhythm demands if the silence is counted from the user's acknowledgement; None if there is none, or
            nothing was missed since.
        valid_until_ms: Nothing changes before this while nothing new is recorded; sleep only moves it later.
    """

    word: Word
    expected_by_ms: int | None = None
    next_ms: int | None = None
    late_since_ms: int | None = None
    overdue_since_ms: int | None = None
    awake_ms: int = 0
    tolerance_ms: int | None = None
    missed: int = 0
    period_ms: int | None = None
    learnt: bool = False
    score: float | None = None
    limit: float | None = None
    old_after_ms: int | None = None
    last_good_ms: int | None = None
    running_since_ms: int | None = None
    running_limit_ms: int | None = None
    ask: Ask | None = None
    ask_since_ms: int | None = None
    off_until_ms: int | None = None
    anew: State | None = None
    valid_until_ms: int = 0

    @property
    def state(self) -> State | None:
        """The state that the rhythm alone demands of the job: WARNING, OVERDUE, or None where it says nothing against it."""
        if self.overdue_since_ms is not None:
            return State.OVERDUE
        return None if self.late_since_ms is None else State.WARNING


MOST_MISSED = 100
"""Slots are counted up to here; beyond that the number tells the user nothing."""
