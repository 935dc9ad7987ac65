"""Figures of the window: spawn to content shown, push to pixel, memory.

    python tests/bench/bench_window.py [SPAWNS [PUSHES]]

Prints one table. The pixel is a real one: a patch of the screen is read until it has the new colour of the page, so the figure
holds our push, WebKit's layout and painting, and the X server.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.e2e import automated, statuses
from tests.e2e.desktop import Desktop, desktop
from tests.e2e.webdriver import end_tree
from tests.waiting import wait_for

_RUNNER = """
import sys
from tests.e2e.automated import FifoSource
from tray.core import paths
from tray.window import app
app.open_window(paths.places(), "dashboard", FifoSource(sys.argv[1]) if len(sys.argv) > 1 else None)
app.leave(0)
"""


def main() -> None:
    """Measure and print."""
    spawns = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    pushes = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with tempfile.TemporaryDirectory(prefix="bench-window-") as made:
        folder = Path(made)
        with desktop(folder / "desk", "none") as desk:
            os.environ.update(BACKUP_TRAY_HOME=str(folder / "bt"), PYTHONPATH=str(REPOSITORY))
            env = desk.env | {"BACKUP_TRAY_HOME": str(folder / "bt"), "PYTHONPATH": str(REPOSITORY)}
            rows = [*_spawn(env, folder, spawns), *_push(desk, env, folder, pushes)]
    width = max(len(row[0]) for row in rows)
    for name, value, goal in rows:
        print(f"{name:<{width}}  {value:<34}  {goal}")


def _spawn(env: dict[str, str], folder: Path, rounds: int) -> Iterator[tuple[str, str, str]]:
    seconds: list[float] = []
    memory: list[float] = []
    tracker = subprocess.Popen([sys.executable, "-m", "tray", "tracker"], env=env)
    try:
        for number in range(rounds + 1):
            times = folder / f"times{number}"
            begin = time.monotonic()
            window = subprocess.Popen(
                [sys.executable, "-m", "tray", "window"], env=env | {"BACKUP_TRAY_WINDOW_TIMES": str(times)}
            )
            shown = wait_for(lambda file=times: file.exists() and file.read_text().split(), what="the page")  # type: ignore[misc] # bound at once
            if number:  # the first one warms the disk cache
                seconds.append(float(shown[1]) - begin)
                time.sleep(1)
                memory.append(_pss(window.pid))
            end_tree(window.pid)
            window.wait()
    finally:
        tracker.terminate()
        tracker.wait(10)
    bare = _timed([sys.executable, "-c", "pass"])
    yield (
        "spawn to content shown (warm)",
        f"median {statistics.median(seconds):.2f} s, max {max(seconds):.2f} s",
        "goal 1.5 s",
    )
    yield "bare Python, start to end", f"{bare * 1000:.0f} ms", "for comparison"
    yield "PSS of the window's tree", f"median {statistics.median(memory):.0f} MiB", "plan 252 MiB"


def _timed(argv: list[str]) -> float:
    begin = time.monotonic()
    subprocess.run(argv, check=True)
    return time.monotonic() - begin


def _pss(pid: int) -> float:
    root = psutil.Process(pid)
    family = [root, *(process for process in root.children(recursive=True) if "tray" not in process.cmdline())]
    return sum(process.memory_full_info().pss for process in family) / 2**20


def _push(desk: Desktop, env: dict[str, str], folder: Path, rounds: int) -> Iterator[tuple[str, str, str]]:
    """Push statuses with a bar at 0 % and at 100 % in turn, and watch the bar's last pixels on the screen."""
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    feed = os.fdopen(os.open(fifo, os.O_RDWR), "w")
    times = folder / "shown"
    env = env | {"BACKUP_TRAY_WINDOW_TIMES": str(times)}
    run = statuses.live(bytes_done=0, files_done=0)
    feed.write(automated.encode(statuses.judged(running=(run,))))
    feed.flush()
    window = subprocess.Popen([sys.executable, "-c", _RUNNER, str(fifo)], env=env)
    try:
        wait_for(lambda: times.exists() and times.read_text(), what="the page")
        time.sleep(1)
        eye = Eye(desk)
        late = []
        before = psutil.Process(window.pid)
        family = [before, *before.children(recursive=True)]
        cpu = sum(sum(process.cpu_times()[:2]) for process in family)
        begun = time.monotonic()
        for number in range(rounds):
            done = 4_312_000_000 if number % 2 == 0 else 0
            line = automated.encode(statuses.judged(running=(run.with_changes(bytes_done=done),)))
            begin = time.monotonic()
            feed.write(line)
            feed.flush()
            eye.wait(full=done > 0)
            late.append((time.monotonic() - begin) * 1000)
            time.sleep(0.05)
        eye.close()
        lasted = time.monotonic() - begun
        cpu = (sum(sum(process.cpu_times()[:2]) for process in family) - cpu) / lasted
        late.sort()
        p99 = late[min(len(late) - 1, int(len(late) * 0.99))]
        yield (
            "status pushed to pixel",
            f"p50 {late[len(late) // 2]:.0f} ms, p99 {p99:.0f} ms ({rounds} pushes)",
            "goal p99 150 ms",
        )
        yield "CPU while pushing", f"{cpu * 100:.1f} % of a core at {rounds / lasted:.0f} pushes/s", "for comparison"
        yield (
            "CPU at 4 pushes a second",
            f"{_cpu_at(family, feed, run, 4, 10) * 100:.1f} % of a core",
            "goal 3 % with tray, tracker",
        )
        yield "CPU with nothing new", f"{_cpu_at(family, feed, run, 0, 10) * 100:.2f} % of a core", ""
    finally:
        end_tree(window.pid)
        window.wait()
        feed.close()


def _cpu_at(family: list[psutil.Process], feed: Any, run: Any, rate: int, seconds: int) -> float:
    cpu = sum(sum(process.cpu_times()[:2]) for process in family)
    begun = time.monotonic()
    for number in range(rate * seconds):
        feed.write(
            automated.encode(
                statuses.judged(running=(run.with_changes(bytes_done=number * 50_000_000, files_done=number),))
            )
        )
        feed.flush()
        time.sleep(1 / rate)
    time.sleep(max(0.0, seconds - (time.monotonic() - begun)))
    return float(sum(sum(process.cpu_times()[:2]) for process in family) - cpu) / (time.monotonic() - begun)


class Eye:
    """Looks at the pixels of the bar's right end on the screen, as often as the X server answers."""

    def __init__(self, desk: Desktop) -> None:
        from Xlib import X, display

        self._x = X
        self._display = display.Display(desk.env["DISPLAY"])
        self._root = self._display.screen().root
        self._spot = self._find()

    def _pixels(self, x: int, y: int, width: int, height: int) -> bytes:
        return bytes(self._root.get_image(x, y, width, height, self._x.ZPixmap, 0xFFFFFFFF).data)

    def _find(self) -> tuple[int, int]:
        """Find the bar: the longest line in the soft colour, and its right end."""
        image = self._pixels(0, 0, 1280, 800)
        soft, best = b"\xee\xe8\xe3", (0, 0, 0)
        for y in range(0, 800, 2):
            row = image[y * 1280 * 4 : (y + 1) * 1280 * 4]
            xs = [x for x in range(0, 1280, 4) if row[x * 4 : x * 4 + 3] == soft]
            if len(xs) > best[0]:
                best = (len(xs), xs[-1] - 10, y)
        assert best[0] > 50, "the bar is not on the screen"
        return best[1], best[2]

    def wait(self, *, full: bool) -> None:
        """Wait until the bar is full there, or empty."""
        deadline = time.monotonic() + 5
        while True:
            blue, _, red, _ = self._pixels(*self._spot, 1, 1)[:4]
            if (blue > red + 60) is full:
                return
            assert time.monotonic() < deadline, "the pixel did not change"

    def close(self) -> None:
        """Look away."""
        self._display.close()


if __name__ == "__main__":
    threading.current_thread().name = "bench"
    main()
