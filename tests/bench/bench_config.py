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
APART = TABLE.replace("20:{minute:02}", "{hour:02}:{minute:02}")
FAULTY = TABLE + 'evry = "1d"\nstalled_after = "soon"\n'


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        here = places({"BACKUP_TRAY_HOME": folder})
        here.config.mkdir(mode=0o700)
        print(f"{f'config.toml of {JOBS} jobs':<70}{'ms':>8}{'CPU ms':>8}{'goal':>8}")
        here.config_file.write_text(written(APART))
        row("the jobs, each at a time of its own, the first load", jobs.load, here, rounds=1)
        for name, table in (("fine", TABLE), ("each job with a fault and an unknown key", FAULTY)):
            text = written(table)
            here.config_file.write_text(text)
            assert len(jobs.load(here).jobs) == JOBS
            row(f"the jobs, {name} ({len(text) >> 10} KiB)", jobs.load, here)
            row(f"the general settings alone, {name}", config.load, here)


def written(table: str) -> str:
    """Return a configuration of so many jobs."""
    jobs_ = (table.format(n=number, hour=number // 60, minute=number % 60) for number in range(JOBS))
    return "version = 1\n" + "".join(jobs_)


def row(name: str, load: Callable[[Places], object], here: Places, rounds: int = ROUNDS) -> None:
    """Print the median time of *load*, by the clock and on the processor: others may work on this machine."""
    times = []
    for _ in range(rounds):
        start, on_processor = time.perf_counter(), time.process_time()
        load(here)
        times.append((time.perf_counter() - start, time.process_time() - on_processor))
    wall, processor = (statistics.median(each) * 1000 for each in zip(*times, strict=True))
    print(f"{name:<70}{wall:>8.1f}{processor:>8.1f}{GOAL_MS:>8}")


if __name__ == "__main__":
    main()
