"""Mistakes of ours beside a run: what the command does, says and ends with stays its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tray.core import paths
from tray.core.model import Outcome
from tray.status import past_runs

pytestmark = pytest.mark.process

MISTAKES = {
    "its engine cannot take it in": "from tray import engines; engines.recognise = type(engines.COMMAND).plan = wrong",
    "the spool cannot be made": "import tray.wrapper.outputs as o\no.Tail.__init__ = full",
    "the run's log cannot be begun": "import tray.wrapper.follow as f; f.RunLog = wrong",
    "a look fails": "import tray.wrapper.watch as w; w.Watch.look = wrong",
    "the past cannot be read": "import tray.wrapper.live_state as p; p.earlier_runs = wrong",
    "the lock cannot be judged": "import tray.wrapper.result_checks as l; l.advised = wrong",
    "the look at the repository fails": "import tray.wrapper.follow as f; f.Follow._look_at_repository = wrong",
    "another run cannot be closed": "import tray.wrapper.after_run as a; a.close_others = wrong",
}
HARMLESS = frozenset(
    (
        "the spool cannot be made",
        "the past cannot be read",
        "the look at the repository fails",
        "another run cannot be closed",
    )
)
SAID = frozenset(("its engine cannot take it in",))
"""Where nothing of the run is watched, one line says so."""
PROGRAM = """
import sys
def wrong(*_, **__): raise KeyError("a mistake")
def full(*_, **__): raise OSError(28, "No space left on device")
{}
from tray.wrapper import wrap
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
        cwd=Path(__file__).parents[3],
        env=os.environ,
        timeout=60,
    )
    said = b"backup-tray: this run was not watched: KeyError: 'a mistake'.\n" if mistake in SAID else b""
    assert (ran.stdout, ran.stderr, ran.returncode) == (b"out\n", b"err" + said, code)
    ends = past_runs.history(paths.places(), limit=5, job="job")
    good = Outcome.SUCCEEDED if mistake in HARMLESS else Outcome.UNKNOWN
    assert [end.outcome for end in ends] == [Outcome.FAILED if code else good]


SLOW = """
import sys, time
from tray.wrapper import record, wrap
real = record.append
def slow(run, draft, seconds):
    if draft.action == "run.started":
        time.sleep(1)
    return real(run, draft, seconds)
record.append = slow
sys.exit(wrap.run(sys.argv[1:], job="job"))
"""


def test_a_step_that_fails_while_the_log_is_slow_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record of a script's beginning is written beside the watch, so that no step goes by unseen meanwhile."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    shutil.copy(shutil.which("bash") or "/bin/bash", tmp_path / "restic")  # runs the script "backup" as `restic backup`
    (tmp_path / "backup").write_text("sleep 0.4; exit 3")
    ran = subprocess.run(
        [sys.executable, "-c", SLOW, "sh", "-c", f"cd {tmp_path}; ./restic backup; exit 0"],
        cwd=Path(__file__).parents[3],
        timeout=60,
    )
    assert ran.returncode == 0
    (end,) = past_runs.history(paths.places(), limit=5, job="job")
    assert (end.outcome, [step.outcome for step in end.steps]) == (Outcome.WARNING, [Outcome.WARNING])
