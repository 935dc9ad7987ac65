"""The cost of observing, and how soon the tracker shows a run that others started.

    python tests/bench/bench_observe.py [SECONDS [PROCESSES]]

Prints one table. The observing part is measured as a process of its own that does nothing else, beside a bare loop that only wakes
once a second, both with the same number of idle processes around; the scheduler's own figures, not clock ticks.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.unit.observe.help import engine
from tests.waiting import wait_for
from tray import ipc
from tray.core import paths
from tray.core.errors import TrackerGoneError

BARE = """
from tray.tracker.loop import Loop
loop = Loop(lambda error: None)
def tick():
    loop.later(1, tick)
tick()
print(flush=True)
loop.run()
"""
OBSERVER = """
from tray.core.paths import places
from tray.tracker.loop import Loop
from tray.tracker.observer import Observer
from tray.tracker.state import Runs
loop = Loop(lambda error: None)
Observer(places(), Runs().start, Runs().at, loop, lambda run: None).begin()
loop.later(1.5, lambda: print(flush=True))
loop.run()
"""


def main() -> None:
    """Measure and print."""
    seconds, count = (int(sys.argv[n]) if len(sys.argv) > n else default for n, default in ((1, 30), (2, 500)))
    with tempfile.TemporaryDirectory(prefix="bench-observe-") as made:
        os.environ.update(BACKUP_TRAY_HOME=f"{made}/bt", PYTHONPATH=str(REPOSITORY))
        idle = [subprocess.Popen(["sleep", "3600"]) for _ in range(count)]
        rows = _costs(seconds, count)
        rows += _latency(Path(made))
        for process in idle:
            process.kill()
            process.wait()
    width = max(len(row[0]) for row in rows)
    for name, value, goal in rows:
        print(f"{name:<{width}}  {value:<36}  {goal}")


def _costs(seconds: int, count: int) -> list[tuple[str, str, str]]:
    loops = {"bare loop": BARE, "observing": OBSERVER}
    started = {
        name: subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for name, code in loops.items()
    }
    for process in started.values():
        assert process.stdout is not None
        process.stdout.readline()
    before = {name: _cpu(process.pid) for name, process in started.items()}
    born = _newest()
    time.sleep(seconds)
    used = {name: (_cpu(process.pid) - before[name]) * 100 / seconds for name, process in started.items()}
    new = _newest() - born
    for process in started.values():
        process.kill()
        process.communicate()
    around = f"{count} idle processes, {new / seconds:.1f} new pids a second"
    return [
        (f"bare loop, once a second, {seconds} s", f"{used['bare loop']:.3f} % of a core", "for comparison"),
        (f"observing, {around}", f"{used['observing']:.3f} % of a core", ""),
        ("the observing part alone", f"{used['observing'] - used['bare loop']:.3f} % of a core", "goal <= 0.1 %"),
    ]


def _latency(made: Path) -> list[tuple[str, str, str]]:
    """Start made-up engines: in PATH when the tracker starts, and elsewhere, where only the look each second finds them."""
    known, elsewhere = engine(made / "bin"), engine(made / "elsewhere")
    os.environ["PATH"] = f"{made}/bin:{os.environ['PATH']}"
    tracker = subprocess.Popen([sys.executable, "-m", "tray", "tracker"])
    client = wait_for(_client, what="the tracker")
    rows = []
    for what, program in (("in PATH", known), ("elsewhere", elsewhere)):
        took = [_one(client, program) for _ in range(20)]
        spread = f"{statistics.median(took):.3f} s median, {max(took):.3f} s worst of {len(took)}"
        rows.append((f"exec -> shown, program {what}", spread, "goal <= 2 s"))
    rows.append(("tracker that has observed these: PSS", f"{_pss(tracker.pid):.1f} MiB", "goal <= 20 MiB"))
    client.close()
    tracker.terminate()
    tracker.wait()
    return rows


def _one(client: ipc.Client, program: Path) -> float:
    time.sleep(0.37)  # at another moment of the tracker's second each time
    began = time.perf_counter()
    run = subprocess.Popen([program, "-c", "read x", "backup", "/etc"], stdin=subprocess.PIPE)
    wait_for(lambda: client.request("status")["runs"], what="the run")
    took = time.perf_counter() - began
    run.communicate(b"\n")
    wait_for(lambda: not client.request("status")["runs"], what="the end")
    return took


def _client() -> ipc.Client | None:
    try:
        return ipc.Client(paths.places(), "bench", timeout=10)
    except TrackerGoneError:
        return None


def _newest() -> int:
    return int(Path("/proc/loadavg").read_text().split()[-1])


def _cpu(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main()
