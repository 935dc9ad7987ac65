"""How long config.toml with 500 jobs takes to load; goal: at most 100 ms. Prints a table."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tray import config
from tray.config import jobs
from tray.core.paths import Places, places

JOBS, ROUNDS = 500, 15
GOAL_MS = 100
TABLE = """
[jobs.job-{n}]
sources = ["/home/{n}", "/srv/{n}"]
excludes = ["*.tmp", "/home/{n}/.cache"]
repository = "/media/disk/backup-{n}"
password_file = "/etc/backup/{n}.password"
on = "Mon..Fri 20:{minute:02}"
zone = "Europe/Berlin"
max_age = "7d"
conditions = ["power", "target"]
notify = ["failure", "overdue"]
"""
FAULTY = TABLE + 'evry = "1d"\nstalled_after = "soon"\n'


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        here = places({"BACKUP_TRAY_HOME": folder})
        here.config.mkdir(mode=0o700)
        print(f"{f'config.toml of {JOBS} jobs':<64}{'ms':>8}{'goal':>8}")
        for name, table in (("fine", TABLE), ("each job with a fault and an unknown key", FAULTY)):
            text = "version = 1\n" + "".join(table.format(n=number, minute=number % 60) for number in range(JOBS))
            here.config_file.write_text(text)
            assert len(jobs.load(here).jobs) == JOBS
            row(f"the jobs, {name} ({len(text) >> 10} KiB)", jobs.load, here)
            row(f"the general settings alone, {name}", config.load, here)


def row(name: str, load: Callable[[Places], object], here: Places) -> None:
    """Print the median time of *load*."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        load(here)
        times.append((time.perf_counter() - start) * 1000)
    print(f"{name:<64}{statistics.median(times):>8.1f}{GOAL_MS:>8}")


if __name__ == "__main__":
    main()
