"""A bounded run of the coverage-guided fuzzer over every engine; `python -m tests.fuzz.engines` runs it for longer."""

import re
import subprocess
import sys
from pathlib import Path

RUNS = 12_000
SECONDS = 600  # only against a hang: the runs take a few seconds, on a busy machine a minute and more


def test_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    """No output of an engine makes an adapter raise, return invalid text, overflow, or turn a bad end green."""
    options = [
        f"-runs={RUNS}",
        f"-max_total_time={SECONDS}",
        "-seed=1",
        "-max_len=6000",
        f"-artifact_prefix={tmp_path}/",
    ]
    command = [sys.executable, "-m", "tests.fuzz.engines", "all", str(tmp_path / "corpus"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 60)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = re.search(r"Done (\d+) runs", done.stderr)
    assert summary is not None
    assert int(summary[1]) >= RUNS
    covered = re.findall(r"cov: (\d+)", done.stderr)
    assert int(covered[-1]) > 1000  # it saw the adapters from inside
