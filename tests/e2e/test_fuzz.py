"""A bounded run of the coverage-guided fuzzer on every engine; `tests/fuzz` runs it for longer."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tray.engines import ENGINES

RUNS = 2000
SECONDS = 60  # only against a hang: the runs take about two seconds


@pytest.mark.parametrize("engine", [known.name for known in ENGINES])
def test_the_fuzzer_finds_nothing(engine: str, tmp_path: Path) -> None:
    """Nothing that an engine may print raises, is no valid text, overflows, or turns a bad end green."""
    options = [
        f"-runs={RUNS}",
        f"-max_total_time={SECONDS}",
        "-seed=1",
        "-max_len=6000",
        f"-artifact_prefix={tmp_path}/",
    ]
    command = [sys.executable, "-m", "tests.fuzz.engines", engine, str(tmp_path / "corpus"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * SECONDS)
    assert done.returncode == 0, done.stderr[-3000:]
    found = re.search(r"Done (\d+) runs", done.stderr)
    assert found is not None
    assert int(found[1]) >= RUNS
