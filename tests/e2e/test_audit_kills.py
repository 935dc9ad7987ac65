"""kill -9 at each step of every operation on the audit log: acknowledged entries stay, exactly once, and the log verifies.

A run with a kill before every single change takes some minutes: `python -m tests.e2e.kills FOLDER 10000 30`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import CHECKOUT
from tests.e2e.kills import OPERATIONS

MOST, MOMENTS = 36, 4
"""Kills of each operation: before changes to files, spread over all of them, and at random moments."""

GROUPS = {
    "append": (("append", "append, the copy beside is lost", "record and drain", "into the spool"), 119),
    "begin": (("a new log", "key change", "verification", "copy elsewhere"), 126),
    "forget": (("closing segments", "pruning"), 72),
    "archive": (("pruning with archive", "export of tiles"), 72),
    "change": (("first append to a copy", "erasing", "index of words"), 105),
    "files": (("proof in a file", "report in a file", "report of a run"), 50),
}
"""Operations that one process tries, and the least number of kills that they must come to."""


@pytest.mark.parametrize("group", GROUPS)
def test_a_kill_loses_nothing_that_was_acknowledged(group: str, tmp_path: Path) -> None:
    """After each kill the log opens and verifies, each acknowledged entry is there once, and the operation can be repeated."""
    operations, least = GROUPS[group]
    command = [sys.executable, "-m", "tests.e2e.kills", str(tmp_path), str(MOST), str(MOMENTS), *operations]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    trials = json.loads(done.stdout)
    for name, trial in trials.items():
        print(f"{name}: {trial['kills']} kills at {trial['steps']} steps")
    assert [problem for trial in trials.values() for problem in trial["problems"]] == []
    assert sum(trial["kills"] for trial in trials.values()) >= least


def test_there_are_enough_kills_of_every_operation() -> None:
    """The groups contain every operation, and together kill at least 500 times."""
    assert {name for operations, _ in GROUPS.values() for name in operations} == set(OPERATIONS)
    assert sum(least for _, least in GROUPS.values()) >= 500
