"""How long reports take, and how much memory: of one run and of 10,000, as `backup-tray report` in a process of its own.

    python tests/bench/bench_report.py [RUNS]

Half of the jobs state a rhythm, that of the others is learnt. Goals: a PDF of one run in 0.5 s,
of 10,000 runs in 5 s and 100 MiB.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.report.help import months
from tray.core import paths
from tray.core.paths import private

_CHILD = """
import resource, sys
from tray.cli.main import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def measured(folder: Path, *arguments: str) -> tuple[float, float, int]:
    """Run one report and return its seconds, its peak memory in MiB, and the size of the file."""
    target = folder / "report.out"
    command = [sys.executable, "-c", _CHILD, "report", *arguments, "--force", "--output", str(target)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    seconds = time.perf_counter() - began
    return seconds, int(done.stderr.split()[-1]) / 1024, target.stat().st_size


def main(runs: int) -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ[paths.HOME_VARIABLE] = str(folder / "home")
        places, jobs = paths.places(), tuple(f"job-{number}" for number in range(20))
        private(places.config)
        every = "".join(f'[jobs.{job}]\ncommand = ["true"]\nevery = "20h"\n' for job in jobs[:10])
        places.config_file.write_text(f"version = 1\n{every}")
        months(places, runs, jobs=jobs)
        print(f"log of {runs} ended runs; times of whole processes, verification of the log included\n")
        print(f"{'report':<24}{'median s':>10}{'MiB':>8}{'file kB':>10}")
        everything = ("--since", "2020-01-01")
        for words, arguments in (("one run", ("last",)), (f"{runs} runs", everything)):
            for kind in ("pdf", "html", "csv", "jsonl"):
                rounds = [measured(folder, *arguments, "--format", kind) for _ in range(3)]
                seconds, memory, size = zip(*rounds, strict=True)
                row = f"{statistics.median(seconds):>10.2f}{max(memory):>8.0f}{size[0] / 1000:>10.0f}"
                print(f"{words + ', ' + kind:<24}{row}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
