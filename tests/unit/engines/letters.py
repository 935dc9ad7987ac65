"""A letter for each outcome, so that tables of cases stay readable."""

from tray.core.model import Outcome

S, W, F, C, L, U = (
    Outcome.SUCCEEDED,
    Outcome.WARNING,
    Outcome.FAILED,
    Outcome.CANCELLED,
    Outcome.LOST,
    Outcome.UNKNOWN,
)
