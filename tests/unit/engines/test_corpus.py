"""Every recorded run of every engine comes to what a person would call it: no false green, no false alarm."""

import pytest

from tests.unit.engines.captures import expected, folders, load, names, result
from tray.core.model import Outcome
from tray.engines.base import Exit

CORPUS = [(name, outcome) for engine in folders() for name, outcome in expected(engine).items()]


@pytest.mark.parametrize(("name", "outcome"), CORPUS)
def test_every_recorded_run_is_judged_as_a_person_would(name: str, outcome: Outcome) -> None:
    """Each version's own mixture of words and exit codes leads to the outcome that stands beside the recording."""
    found = result(load(name))
    assert found.outcome is outcome, found.reason
    assert found.reason.strip()
    assert "\n" not in found.reason


@pytest.mark.parametrize("engine", folders())
def test_every_recorded_run_has_an_expected_outcome(engine: str) -> None:
    """No recording is left out of the judgement above, and none is judged that is not there."""
    assert sorted(expected(engine)) == names(engine)


@pytest.mark.parametrize("engine", folders())
def test_no_unknown_exit_code_is_green(engine: str) -> None:
    """Also after the best of outputs, an exit code or a signal that the engine never had is a failure."""
    for name in names(engine):
        capture = load(name)
        for how in (Exit(99), Exit(200), Exit(None, 11), Exit(None, 9)):
            assert result(capture, how).outcome is not Outcome.SUCCEEDED, (name, how)
