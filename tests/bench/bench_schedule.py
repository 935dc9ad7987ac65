"""The time from the slot of a timer to the record of the run, under a real systemd that boots for it.

    python tests/bench/bench_schedule.py [--starts 10]

As root, or with sudo. The job is restic's backup of one file by a user who lingers; the slots are a minute apart.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests import own_home
from tests.e2e import conftest
from tests.e2e.booted import Booted
from tests.e2e.test_schedule import configure

STEP_SECONDS = 60


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=10)
    starts = parser.parse_args().starts
    base = own_home.begin()
    assert base is not None
    tempfile.tempdir = None
    try:
        folder = Path(os.environ[own_home.BASE]) / "installed"
        folder.mkdir()
        installed = conftest._described(folder)
        conftest._install(folder, installed)
        machine = Booted(installed)
        try:
            measure(machine, starts)
        finally:
            machine.end()
    finally:
        own_home.end(base)


def measure(machine: Booted, starts: int) -> None:
    """Print how long after its slot each start was on record."""
    configure(machine, "ann")
    machine.root("loginctl", "enable-linger", "ann")
    machine.until(lambda: machine.has_manager("ann"), "the manager of the user")
    machine.tray("ann", "schedule", "home", "--on", "*:*", "--delay", "0")
    machine.until(
        lambda: len(machine.runs("ann", "home")) >= starts, "the runs", seconds=STEP_SECONDS * starts * 2 + 60
    )
    machine.tray("ann", "schedule", "home", "--remove")
    shown = machine.tray("ann", "audit", "show", "--json", "--action", "run.started", "--limit", str(starts)).stdout
    late: dict[str, list[float]] = {"time": [], "recorded": []}
    for line in shown.splitlines():
        entry = json.loads(line)
        for key, values in late.items():
            values.append(datetime.fromisoformat(entry[key]).timestamp() % STEP_SECONDS)
    print(f"\n{len(late['time'])} starts by a timer of a user, {STEP_SECONDS} s apart\n")
    print("| from the slot until | median s | worst s |\n| --- | --- | --- |")
    for key, name in (("time", "the run began"), ("recorded", "its beginning was in the audit log")):
        print(f"| {name} | {statistics.median(late[key]):.2f} | **{max(late[key]):.2f}** (goal ≤ 2) |")


if __name__ == "__main__":
    main()
