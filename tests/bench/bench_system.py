"""The cost of the system-wide instance: each poll of the tray, the machine's memory, and the delay until a change shows.

    python tests/bench/bench_system.py

Works in a folder of its own, as the user who calls it.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tray import ipc
from tray.core import clock, paths
from tray.core.model import LiveRun, Phase
from tray.status import StatusSource

POLLS = 2000


def poll_us(make: Callable[[], StatusSource]) -> float:
    """Return the microseconds of one poll, the median of many."""
    source = make()
    source.poll()
    took = []
    for _ in range(POLLS):
        began = time.perf_counter()
        source.poll()
        took.append(time.perf_counter() - began)
    source.close()
    return statistics.median(took) * 1e6


def pss_kb(pid: int) -> int:
    """Return the memory of a process, shared pages by their share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        root, user = Path(folder) / "root", Path(folder) / "user"
        os.environ[paths.HOME_VARIABLE] = str(root)
        service = subprocess.Popen(
            [sys.executable, "-m", "tray", "system", "--group", str(os.getegid())], stderr=subprocess.DEVNULL
        )
        view = paths.view_folder()
        while not (view / paths.VIEW_SOCKET).exists():
            time.sleep(0.05)
        here = paths.places()
        for number in range(20):
            subprocess.run([sys.executable, "-m", "tray", "run", "--job", f"job{number}", "--", "true"], check=True)
        wrapper = ipc.Client(here, "wrapper")
        live = LiveRun("r1", "home", "restic", clock.now_ms(), phase=Phase.COPYING, bytes_total=10**6)
        wrapper.send({"type": "run.started", "run": live.to_json()})

        os.environ[paths.HOME_VARIABLE] = str(user)
        mine = paths.places()

        def source() -> StatusSource:
            return StatusSource(mine, role="cli", start_tracker=False)

        without = poll_us(lambda: StatusSource(mine, role="cli", start_tracker=False, system=False))
        os.environ[paths.SYSTEM_VARIABLE] = str(Path(folder) / "none")
        none = poll_us(source)
        os.environ[paths.SYSTEM_VARIABLE] = str(view)
        beside = poll_us(source)
        print(f"poll of a user who has no jobs:           {without:8.1f} us")
        print(f"  and there is no system instance:        {none:8.1f} us")
        print(f"  and one with 20 jobs and a live run:    {beside:8.1f} us")

        seen, took = source(), []
        seen.poll()
        for done in range(1, 21):
            time.sleep(0.3)
            began = time.perf_counter()
            wrapper.send({"type": "run.progress", "run": "r1", "bytes_done": done})
            while [run.bytes_done for run in seen.poll().runs] != [done]:
                time.sleep(0.001)
            took.append(time.perf_counter() - began)
        median, worst = statistics.median(took) * 1e3, max(took) * 1e3
        print(f"from the wrapper to another user's eyes:  {median:8.1f} ms, at worst {worst:.1f} ms")
        before = cpu_seconds(service.pid)
        time.sleep(10)
        print(f"service, nothing happens:                 {(cpu_seconds(service.pid) - before) * 10:8.2f} % of a core")
        print(f"service, memory (PSS):                    {pss_kb(service.pid) / 1000:8.1f} MB")
        seen.close()
        wrapper.close()
        service.terminate()
        service.wait()
        os.environ[paths.HOME_VARIABLE] = str(root)
        tracker = ipc.Client(here, "cli")
        tracker.send({"type": "handover"})
        tracker.close()
        time.sleep(0.5)


if __name__ == "__main__":
    main()
