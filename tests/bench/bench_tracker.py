"""The tracker under load: 100 wrapped runs at once, and 10,000 runs one after the other.

    python tests/bench/bench_tracker.py [--runs 100] [--seconds 15] [--many 10000] [--real 3]

The runs are made by publishers that speak the protocol as a wrapper does, four times a second each; a few real wrappers run beside
them. A tray asks once a second, a window listens. CPU is the tracker's own, by /proc; `status` is timed from the question to the
decoded answer, while all that goes on.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.waiting import wait_for
from tray import ipc
from tray.core import clock, paths
from tray.core.errors import TrackerGoneError
from tray.core.model import Control, LiveRun, Phase
from tray.core.paths import Places

TICKS = os.sysconf("SC_CLK_TCK")
A_SECOND = 4  # updates that a wrapper sends at most


def live(number: int, **changes: object) -> LiveRun:
    """Return a run as a wrapper announces it."""
    run = LiveRun(
        run=clock.new_id(),
        job=f"job-{number}",
        engine="restic",
        started_ms=clock.now_ms(),
        repository=f"/media/disk/repository-{number}",
        phase=Phase.COPYING,
        files_total=20_220,
        bytes_total=1_450_000_000,
        can=(Control.CANCEL, Control.PAUSE),
        process=f"{number}@123456",
    )
    return run.with_changes(**changes)


def progress(run: LiveRun, step: int) -> LiveRun:
    """Return the run a moment later."""
    return run.with_changes(
        files_done=step * 7,
        bytes_done=step * 500_000,
        bytes_per_second=40_000_000 + step,
        eta_seconds=max(0, 1000 - step),
        eta_is_estimate=True,
        current=f"/home/ann/Documents/some folder/with a file of a usual length {step}.odt",
        updated_ms=clock.now_ms(),
    )


class Publisher:
    """One fake wrapper."""

    def __init__(self, places: Places, number: int) -> None:
        self.client = ipc.Client(places, "wrapper", timeout=5)
        self.first = self.told = live(number)
        self.step = 0
        self.client.send({"type": "run.started", "run": self.told.to_json()})

    def tell(self) -> None:
        """Send the changes."""
        self.step += 1
        now, before = progress(self.first, self.step), self.told.to_json()
        changed = {key: value for key, value in now.to_json().items() if before[key] != value}
        self.client.send({"type": "run.progress", "run": now.run, **changed})
        self.told = now

    def end(self) -> None:
        """Say that the run is over."""
        self.client.send({"type": "run.finished", "run": self.first.run, "last": None})
        self.client.close()


@contextmanager
def a_tracker(places: Places) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a tracker."""
    process = subprocess.Popen([sys.executable, "-m", "tray", "tracker"])

    def answers() -> bool:
        try:
            ipc.Client(places, "cli").close()
        except TrackerGoneError:
            return False
        return True

    wait_for(answers, what="the tracker")
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> tuple[int, int]:
    """Return RSS and PSS in kB."""
    rolled = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:] if ":" in line
    )
    return int(rolled["Rss"].split()[0]), int(rolled["Pss"].split()[0])


class Crowd:
    """All publishers in one thread, evenly spread over each quarter of a second."""

    def __init__(self, places: Places, size: int) -> None:
        self.all = [Publisher(places, number) for number in range(size)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def __enter__(self) -> "Crowd":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for publisher in self.all:
            publisher.end()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            for publisher in self.all:
                publisher.tell()
                self.sent += 1
                due += 1 / A_SECOND / len(self.all)
                if (early := due - time.monotonic()) > 0:
                    time.sleep(early)


def listen(client: ipc.Client, stop: threading.Event) -> None:
    """Read the messages to a subscriber, as a window does."""
    client.send({"type": "subscribe"})
    while not stop.is_set():
        try:
            client.receive()
        except TrackerGoneError:
            return


def asked(client: ipc.Client, seconds: float, every: float) -> list[float]:
    """Ask for the status again and again; return how long each answer took, in ms."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        client.request("status")
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(every)
    return took


def load(places: Places, size: int, seconds: float, real: int) -> None:
    """Print CPU and answer times with *size* runs publishing at once."""
    print(f"\n{size} wrapped runs at once, {A_SECOND} updates a second each, {seconds:g} s\n")
    print("| who listens | tracker CPU of a core | updates/s | status p50 ms | p99 ms | worst ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    for who in ("none", "a tray (1 Hz)", "a tray and a window"):
        with a_tracker(places) as tracker:
            wrappers = [
                subprocess.Popen([sys.executable, "-m", "tray", "run", "--job", f"real-{number}", "--", "sleep", "60"])
                for number in range(real)
            ]
            with Crowd(places, size) as crowd:
                stop, window = threading.Event(), ipc.Client(places, "window", timeout=5)
                if "window" in who:
                    threading.Thread(target=listen, args=(window, stop), daemon=True).start()
                asking = ipc.Client(places, "tray", timeout=5)
                time.sleep(1.0)
                before, sent, began = cpu(tracker.pid), crowd.sent, time.monotonic()
                if "tray" in who:
                    asked(asking, seconds, 1.0)
                else:
                    time.sleep(seconds)
                took = time.monotonic() - began
                used, updates = (cpu(tracker.pid) - before) / took, (crowd.sent - sent) / took
                answers = asked(asking, 5.0, 0.02)
                stop.set()
                cuts = statistics.quantiles(answers, n=100)
                print(
                    f"| {who} | {used * 100:.1f} % (goal ≤ 3 %) | {updates:.0f} | {cuts[49]:.2f} | {cuts[98]:.2f} (goal ≤ 5)"
                    f" | {max(answers):.2f} |"
                )
                window.close()
                asking.close()
            for wrapper in wrappers:
                wrapper.terminate()
                wrapper.wait()


def many(places: Places, count: int) -> None:
    """Print the tracker's memory over *count* runs that begin, go on and end."""
    print(f"\nMemory of the tracker over {count:,} runs, each announced, shown five times and ended, ten at a time\n")
    print("| runs | RSS kB | PSS kB |\n| --- | --- | --- |")
    with a_tracker(places) as tracker:
        done = 0
        first = None
        for goal in (0, 1000, count // 4, count // 2, count):
            while done < goal:
                batch = [Publisher(places, done + number) for number in range(10)]
                for publisher in batch:
                    for _ in range(5):
                        publisher.tell()
                    publisher.end()
                done += len(batch)
            client = ipc.Client(places, "tray", timeout=10)
            wait_for(lambda client=client: not client.request("status")["runs"], what="the last run to go")
            client.close()
            rss, pss = memory(tracker.pid)
            first = pss if goal == 1000 else first
            print(f"| {done:,} | {rss:,} | {pss:,} |")
        print(f"\nGrowth from 1,000 to {count:,} runs: **{pss - (first or 0):,} kB**")


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--real", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ[paths.HOME_VARIABLE] = name
        os.environ["PYTHONPATH"] = str(ROOT)
        here = paths.places()
        load(here, options.runs, options.seconds, options.real)
        many(here, options.many)


if __name__ == "__main__":
    main()
