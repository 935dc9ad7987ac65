"""Costs of the status with fifty jobs and a million entries: the first poll, quiet ones, and the one after a run.

    python tests/bench/bench_status.py --folder DIR [--entries N]

The log is that of `million.py`, made in DIR once. Its jobs state no rhythm, so each is learnt, which costs most. The clock is that
of the log's end. The first run after the start is not counted: it lists the facets once. Prints wall-clock and processor time:
another process that works takes the first and not the second.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.million import END_MS, ENTRIES, million
from tray.audit.entry import Action, Draft
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.paths import Places, private
from tray.status import StatusSource

QUIET, ANEW, RUNS = 1000, 50, 20


def measured(name: str, goal: str, number: int, act: Callable[[], object]) -> None:
    """Print how long *act* takes, in the mean of *number* times."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(number):
        act()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:<28} {wall / number * 1e3:8.3f} ms {cpu / number * 1e3:8.3f} ms of processor  {goal}")


def places_with(folder: Path, home: Path) -> Places:
    """Return places in *home* whose log is that of *folder*, by links."""
    places = Places(home / "config", home / "state", home / "runtime", home / "log")
    private(places.state)
    for file in folder.iterdir():
        os.link(file, places.state / file.name)
    return places


def append_run(log: AuditLog) -> None:
    """Put one run on record."""
    how = {"job": "home 1", "run": clock.new_id(), "engine": "restic", "kind": "backup", "source": "wrapped"}
    now = clock.now_ms()
    log.append(
        [
            Draft(Action.RUN_STARTED, time_ms=now, result="started", **how),
            Draft(Action.RUN_FINISHED, time_ms=now, result="succeeded", duration_ms=5000, **how),
        ]
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the log is, or is made")
    parser.add_argument("--entries", type=int, default=ENTRIES, help=f"how long it gets (default {ENTRIES:,})")
    args = parser.parse_args()
    folder = million(args.folder, args.entries)
    began = time.monotonic()
    clock.now_ms = lambda: END_MS + int((time.monotonic() - began) * 1000)
    with tempfile.TemporaryDirectory(dir=folder.parent) as home:
        places = places_with(folder, Path(home))
        source = StatusSource(places, role="cli", start_tracker=False, system=False)
        measured("first poll", "(goal 500 ms)", 1, source.poll)
        measured("quiet poll", "(goal 0.1 ms)", QUIET, source.poll)

        def anew() -> None:
            source._marks = None
            source.poll()

        measured("judged anew, each 10 s", "", ANEW, anew)
        with AuditLog.open(places.audit_db, places.audit_key) as log:
            append_run(log)
            source.poll()
            wall = cpu = 0.0
            for _ in range(RUNS):
                append_run(log)
                start, used = time.perf_counter(), time.process_time()
                source.poll()
                wall, cpu = wall + time.perf_counter() - start, cpu + time.process_time() - used
        print(f"{'after a run':<28} {wall / RUNS * 1e3:8.3f} ms {cpu / RUNS * 1e3:8.3f} ms of processor  (goal 5 ms)")
        source.close()


if __name__ == "__main__":
    main()
