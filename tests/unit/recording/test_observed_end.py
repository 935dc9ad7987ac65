"""The outcome of a run that was observed, where another backup may have the same name."""

import pytest

from tray.core.model import Outcome
from tray.recording import observed_end
from tray.runs import RunInfo


@pytest.mark.parametrize(
    ("code", "shared", "outcome"),
    [
        (0, False, Outcome.SUCCEEDED),
        (0, True, Outcome.UNKNOWN),
        (2, True, Outcome.FAILED),
    ],
)
def test_a_success_that_may_be_another_backups_is_none(code: int, shared: bool, outcome: Outcome) -> None:
    """Else the success of one would hide the failure of the other; a failure stays one, and the reason says the way out."""
    seen = {"code": code, "shared": shared, "finished_ms": 2, "here": True}
    command = ("borg", "create", "--patterns-from", "/tmp/borgmatic-x/borgmatic/tmpabcdefgh", "/r::{now}")
    info = RunInfo(
        run="r",
        job="borg",
        engine="borg",
        kind="backup",
        started_ms=1,
        boot="b",
        wrapper=None,
        repository="/r",
        command=command,
        seen=seen,
    )
    result, *_ = observed_end.conclude(info, 2)
    assert result.outcome is outcome
    assert ("backup-tray run --job NAME" in result.reason) is (outcome is Outcome.UNKNOWN)
