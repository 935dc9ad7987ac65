"""Mistakes of ours beside a run: what the command does, says and ends with stays its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tray import past, paths
from tray.model import Outcome

MISTAKES = {
    "its engine cannot take it in": "from tray import engines; engines.recognise = wrong",
    "the spool cannot be made": "import tray.runner.outputs as o\no.Tail.__init__ = full",
    "the run's log cannot be begun": "import tray.runner.wrap as w; w.RunLog = wrong",
    "a look fails": "import tray.runner.watch as w; w.Watch.look = wrong",
    "the past cannot be read": "import tray.runner.past as p; p.of = wrong",
    "the lock cannot be judged": "import tray.runner.leftover as l; l.advised = wrong",
    "the look at the repository fails": "import tray.runner.wrap as w; w._look_after = wrong",
    "another run cannot be closed": "import tray.runner.wrap as w; w._close_others = wrong",
}
HARMLESS = frozenset(
    (
        "the spool cannot be made",
        "the past cannot be read",
        "the look at the repository fails",
        "another run cannot be closed",
    )
)
PROGRAM = """
import sys
def wrong(*_, **__): raise KeyError("a mistake")
def full(*_, **__): raise OSError(28, "No space left on device")
{}
from tray.runner import wrap
sys.exit(wrap.run(sys.argv[1:], job="job"))
"""


@pytest.mark.parametrize(("mistake", "code"), [*((mistake, 0) for mistake in MISTAKES), ("a look fails", 7)])
def test_a_mistake_of_ours_costs_the_command_nothing(
    mistake: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same bytes, same exit code, one end on record, and green only where what went wrong tells nothing of the run."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(MISTAKES[mistake]), "sh", "-c", f"echo out; printf err >&2; exit {code}"],
        capture_output=True,
        cwd=Path(__file__).parents[2],
        env=os.environ,
        timeout=60,
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == (b"out\n", b"err", code)
    ends = past.history(paths.places(), limit=5, job="job")
    good = Outcome.SUCCEEDED if mistake in HARMLESS else Outcome.UNKNOWN
    assert [end.outcome for end in ends] == [Outcome.FAILED if code else good]
