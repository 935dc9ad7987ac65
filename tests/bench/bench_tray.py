"""Figures of the tray on a real panel: start, memory, idle cost, cost during a run, latency to the tooltip.

    python tests/bench/bench_tray.py [IDLE_SECONDS [STARTS [LATENCIES]]]

Prints one table, with bare Python measured in the same run for comparison. Everything is the real thing: xfce4-panel under Xvfb, a
tracker, an audit log with 200 runs.
"""

import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.e2e.desktop import ITEM, WATCHER, Desktop
from tests.e2e.trays import Publisher, record, tray_desktop
from tests.waiting import wait_for
from tray import ipc
from tray.core import paths

Row = tuple[str, str, str]


def main() -> None:
    """Measure and print."""
    idle, starts, latencies = (
        int(sys.argv[n]) if len(sys.argv) > n else default for n, default in ((1, 60), (2, 15), (3, 60))
    )
    with tempfile.TemporaryDirectory(prefix="bench-tray-") as made:
        os.environ.update(BACKUP_TRAY_HOME=f"{made}/bt", PYTHONPATH=str(REPOSITORY))
        for number in range(200):
            record(f"job {number % 4}", "succeeded", hours=2 + number / 10)
        with tray_desktop(Path(made), "xfce") as desk:
            rows = [*_starts(desk, starts), *_idle(desk, idle), *_running(desk, latencies)]
    width = max(len(row[0]) for row in rows)
    for name, value, goal in rows:
        print(f"{name:<{width}}  {value:<40}  {goal}")


class Signals(threading.Thread):
    """Listens on the session bus and notes when each signal came."""

    def __init__(self, desk: Desktop, rule: str) -> None:
        super().__init__(daemon=True)
        self.times: list[tuple[float, str]] = []
        self._address, self._rule = desk.env["DBUS_SESSION_BUS_ADDRESS"], rule
        self.ready = threading.Event()
        self.start()
        self.ready.wait(10)

    def run(self) -> None:
        """Listen until `close`."""
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        bus = await MessageBus(bus_address=self._address).connect()
        bus.add_message_handler(self._heard)
        name = "org.freedesktop.DBus"
        await bus.call(Message(name, "/org/freedesktop/DBus", name, "AddMatch", signature="s", body=[self._rule]))
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        self.ready.set()
        await self._done.wait()
        bus.disconnect()

    def _heard(self, message: Message) -> bool:
        if message.message_type is MessageType.SIGNAL:
            self.times.append((time.perf_counter(), message.member or ""))
        return False

    def first(self, member: str, after: float) -> float | None:
        """Return when the first such signal came after a time."""
        return next((when for when, name in list(self.times) if name == member and when > after), None)

    def close(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._done.set)
        self.join()


def _starts(desk: Desktop, rounds: int) -> Iterator[Row]:
    heard = Signals(desk, f"type='signal',interface='{WATCHER}'")
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        process = desk.tray()
        registered = wait_for(lambda began=began: heard.first("StatusNotifierItemRegistered", began), what="the icon")
        seconds.append(registered - began)
        desk.end(process)
        wait_for(lambda: desk.items() == [], what="the icon to go")
    heard.close()
    yield "tray command -> icon registered", _spread(seconds[1:], "s"), "goal <= 0.5 s"


def _idle(desk: Desktop, seconds: int) -> Iterator[Row]:
    tray = psutil.Process(desk.tray().pid)
    wait_for(lambda: "backups are fine" in desk.tooltip(desk.item()), what="the first poll")
    client = ipc.Client(paths.places(), "bench")
    tracker = psutil.Process(client.tracker["pid"])
    client.close()
    time.sleep(5)
    bare = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=subprocess.PIPE
    )
    assert bare.stdout is not None
    bare.stdout.readline()
    yield "bare Python here: PSS", f"{_pss(bare.pid):.1f} MiB", "for comparison"
    desk.end(bare)
    yield "tray, idle: PSS", f"{_pss(tray.pid):.1f} MiB", "goal <= 25 MiB"
    yield "tracker, idle: PSS", f"{_pss(tracker.pid):.1f} MiB", "goal <= 20 MiB"
    before = _cpu(tray), _cpu(tracker)
    time.sleep(seconds)
    used = _cpu(tray) - before[0], _cpu(tracker) - before[1]
    for name, cpu in (("tray", used[0]), ("tracker", used[1]), ("together", sum(used))):
        yield f"idle for {seconds} s, CPU: {name}", f"{cpu * 100 / seconds:.3f} % of a core", "goal <= 0.1 % together"
    yield "tray: PSS after that", f"{_pss(tray.pid):.1f} MiB", ""


def _running(desk: Desktop, rounds: int) -> Iterator[Row]:
    tray = psutil.Process(next(process.pid for process in reversed(desk.started) if "tray" in process.args))
    heard = Signals(desk, f"type='signal',interface='{ITEM}'")
    run = Publisher("home")
    chance, waited = random.Random(1), []
    before, began = _cpu(tray), time.perf_counter()
    for number in range(rounds):
        time.sleep(0.5 + chance.random())
        sent = time.perf_counter()
        run.reach(1 + number * 98 // rounds if rounds <= 98 else 1 + number % 98)
        waited.append(wait_for(lambda sent=sent: heard.first("NewToolTip", sent), what="a new tooltip") - sent)
    lasted = time.perf_counter() - began
    used = _cpu(tray) - before
    run.close()
    heard.close()
    yield "line sent -> tooltip changed", _spread(waited, "s"), "goal <= 1.3 s at p99"
    yield "tray during that run: CPU", f"{used * 100 / lasted:.2f} % of a core", "tray < 0.5 %"
    yield "tray during that run: PSS", f"{_pss(tray.pid):.1f} MiB", ""


def _spread(values: list[float], unit: str) -> str:
    ordered = sorted(values)
    return f"{statistics.median(ordered):.3f} {unit} median, {ordered[-1]:.3f} {unit} worst of {len(ordered)}"


def _cpu(process: psutil.Process) -> float:
    """Return the seconds of CPU that all threads used, from the scheduler: clock ticks of 10 ms would be too coarse."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main()
