"""Rule B: learn a job's rhythm from its past, and judge it by that."""

from collections.abc import Sequence
from itertools import pairwise

from tray.core.clock import DAY_MS
from tray.core.model.expectation import Expectation, Word
from tray.rhythm.stated import Run

FEW_GAPS = 5
"""With fewer gaps between good runs the rhythm is not known."""

UNKNOWN_MS, UNKNOWN_LONGEST, NEVER_MS = 8 * DAY_MS, 2.5, 7 * DAY_MS
"""A job whose rhythm is not known is worth a warning after 8 days or 2.5 times its longest gap, and after 7 days without a gap."""


def judge(goods: Sequence[Run], first_ms: int, now_ms: int) -> Expectation:
    """Judge a job by the rhythm of its good runs.

    Args:
        goods: The good runs in order of their ends, none in the future.
        first_ms: When the job became known.
        now_ms: The moment to judge at.
    """
    return _not_known(goods, first_ms, now_ms)


def _not_known(goods: Sequence[Run], first_ms: int, now_ms: int) -> Expectation:
    gaps = [later[1] - before[1] for before, later in pairwise(goods)]
    patience = max(UNKNOWN_MS, int(UNKNOWN_LONGEST * max(gaps))) if gaps else NEVER_MS
    limit = (goods[-1][1] if goods else first_ms) + patience
    return Expectation(
        Word.UNKNOWN if goods else Word.NEVER_RAN,
        expected_by_ms=limit,
        late_since_ms=limit if limit <= now_ms else None,
        learnt=True,
        valid_until_ms=limit if limit > now_ms else 0,
    )
