"""The cost of wrapper, tracker and tray during one real backup of 20,000 files, and how soon a line reaches the tracker.

    python tests/bench/bench_backup.py [--files 20000] [--size 70000] [--lines 300]

The first table: CPU of wrapper, tracker and tray while restic works, without and with the window, as a share of one core over the
backup's duration. The second: from the moment a line stands in the engine's spool until a subscriber of the tracker has it.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.e2e.desktop import Desktop
from tests.e2e.program import PASSWORD, TRAY, make_repository, make_tree
from tests.e2e.trays import tray_desktop
from tests.waiting import wait_for
from tray import ipc
from tray.core import paths

_ENGINE = """#!{python} -u
import json, sys, time
for number in range({lines}):
    time.sleep(0.26)
    print(json.dumps({{"message_type": "status", "bytes_done": time.time_ns() // 1000, "total_bytes": 2**62}}), flush=True)
print(json.dumps({{"message_type": "summary", "snapshot_id": "0" * 64}}))
"""


class Meter(threading.Thread):
    """Notes the CPU seconds of processes again and again, so that those that end are counted too."""

    def __init__(self, groups: dict[str, list[int]]) -> None:
        super().__init__(daemon=True)
        self._groups = groups
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._enough = threading.Event()

    def run(self) -> None:
        """Look twenty times a second."""
        while not self._enough.wait(0.05):
            for pids in self._groups.values():
                for pid in pids:
                    used = cpu(pid)
                    if used is not None:
                        self._first.setdefault(pid, used)
                        self._last[pid] = used

    def seconds(self) -> dict[str, float]:
        """Stop, and return the CPU seconds of each group."""
        self._enough.set()
        self.join()
        return {
            name: sum(self._last.get(pid, 0) - self._first.get(pid, 0) for pid in pids)
            for name, pids in self._groups.items()
        }


def cpu(pid: int) -> float | None:
    """Return the seconds of CPU of all threads of a process, from the scheduler; None if it is gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except OSError:
        return None


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def during(desk: Desktop, folder: Path, source: Path, *, window: bool) -> Iterator[str]:
    """Run one backup and yield a row for each process of ours."""
    repository = make_repository(folder / "repository")
    client = ipc.Client(paths.places(), "bench")
    tray = next(process.pid for process in desk.started if "tray" in process.args)
    groups = {"tray": [tray], "tracker": [int(client.tracker["pid"])]}
    client.close()
    shown = desk.tray("window") if window else None
    if shown is not None:
        wait_for(lambda: desk.titles("Backup Status"), what="the window")
        time.sleep(3)
        groups["window, whole tree"] = family(shown.pid)
    environ = {**os.environ, "RESTIC_PASSWORD": PASSWORD}
    command = [
        *TRAY,
        "run",
        "--job",
        "bench",
        "--",
        "restic",
        "-r",
        str(repository),
        "--no-cache",
        "backup",
        str(source),
    ]
    began = time.perf_counter()
    run = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    groups["wrapper, its start included"] = [run.pid]
    meter = Meter(groups)
    meter.start()
    _, _, usage = os.wait4(run.pid, 0)
    run.returncode = 0
    lasted = time.perf_counter() - began
    used = meter.seconds()
    engine = usage.ru_utime + usage.ru_stime - used["wrapper, its start included"]
    if shown is not None:
        desk.end(shown)
    shutil.rmtree(repository)
    with_window = "with" if window else "without"
    for name, seconds in used.items():
        yield f"| {with_window} | {name} | {seconds:.3f} | {seconds / lasted:.2%} |"
    yield f"| {with_window} | **all of us** | {sum(used.values()):.3f} | **{sum(used.values()) / lasted:.2%}** |"
    yield f"| {with_window} | restic itself | {engine:.2f} | {engine / lasted:.0%} of a core in {lasted:.1f} s |"


def latency(folder: Path, lines: int) -> None:
    """Print how long a line takes from the engine's mouth to a subscriber of the tracker."""
    engine = folder / "restic"
    engine.write_text(_ENGINE.format(python=sys.executable, lines=lines))
    engine.chmod(0o755)
    client = ipc.Client(paths.places(), "bench", timeout=60)
    client.request("subscribe")
    run = subprocess.Popen([*TRAY, "run", "--", str(engine), "backup", "/x"], stdout=subprocess.DEVNULL)
    took: list[float] = []
    while True:
        message = client.receive()
        if message["type"] == "gone":
            break
        said = message["run"].get("bytes_done")
        if said:
            took.append((time.time_ns() // 1000 - said) / 1000)
    run.wait()
    client.close()
    took.sort()
    print(f"\nLine written by the engine → heard by a subscriber of the tracker, {len(took)} lines\n")
    print("| p50 ms | p99 ms | worst ms | goal |\n| --- | --- | --- | --- |")
    print(f"| {statistics.median(took):.1f} | {took[int(len(took) * 0.99)]:.1f} | {took[-1]:.1f} | ≤ 50 ms at p99 |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=70_000)
    parser.add_argument("--lines", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-backup-") as name:
        folder = Path(name)
        os.environ.update(BACKUP_TRAY_HOME=str(folder / "bt"), PYTHONPATH=str(ROOT))
        source = make_tree(folder / "source", files=options.files, size=options.size)
        with tray_desktop(folder, "xfce") as desk:
            desk.tray()
            wait_for(lambda: "No backups" in desk.tooltip(desk.item()), what="the tray")
            time.sleep(2)
            print(f"One first backup of {options.files:,} files, {options.files * options.size / 1e9:.2f} GB\n")
            print("| window | who | CPU s | share of a core |\n| --- | --- | --- | --- |")
            for window in (False, True):
                for row in during(desk, folder, source, window=window):
                    print(row, flush=True)
            latency(folder, options.lines)


if __name__ == "__main__":
    main()
