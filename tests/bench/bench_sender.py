"""The price of messages: for the run that they are about, for the processes that stay, and of the sender itself.

    python tests/bench/bench_sender.py [--pairs 20] [--seconds 20] [--before CHECKOUT]

A run that notifies three dead channels (a closed port, a server that is silent, an address that does not answer) alternates with
one that notifies none. The tracker of this checkout stands beside that of an earlier one.
"""

import argparse
import ctypes
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests import own_home
from tests.unit.notify.help import event
from tests.waiting import wait_for
from tray.core import ourselves, paths
from tray.core.sender import PART
from tray.notify import queue_file
from tray.notify.queue import Delivery

NOWHERE = "http://192.0.2.1"
"""An address that documentation may use (RFC 5737), and no machine has."""
_SUBREAPER = 36


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--before", type=Path)
    arguments = parser.parse_args()
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        os.environ.pop(name, None)
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # the sender's second process is ours to reap, and to measure
    base = own_home.begin()
    assert base is not None
    try:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            for row in runs(base, arguments.pairs, silent.getsockname()[1]):
                print(row, flush=True)
        for checkout in (arguments.before, ROOT):
            if checkout is not None:
                print(tracker(base / checkout.name, checkout, arguments.seconds), flush=True)
        for row in senders(base):
            print(row, flush=True)
        print(stays(base, arguments.seconds), flush=True)
    finally:
        own_home.end(base)


@contextmanager
def home(folder: Path, *channels: str) -> Iterator[None]:
    """Use places of their own with these channels."""
    os.environ[paths.HOME_VARIABLE] = str(folder)
    places = paths.places()
    for each in (folder, places.config, places.state):
        paths.private(each)
    lines = [
        line
        for number, url in enumerate(channels)
        for line in (f"[channels.c{number}]", 'type = "webhook"', f'url = "{url}"')
    ]
    desktop = ["[channels.desktop]", "enabled = false"] if channels else []
    places.config_file.write_text("\n".join(["version = 1", *desktop, *lines]) + "\n")
    yield


def runs(base: Path, pairs: int, port: int) -> Iterator[str]:
    """Yield the rows about wrapped runs: their wall time with three dead channels beside that without any."""
    dead = (f"http://127.0.0.1:{closed_port()}", f"http://127.0.0.1:{port}", NOWHERE)
    took: dict[str, list[float]] = {"none": [], "dead": []}
    for number in range(-2, pairs):
        for kind in ("none", "dead") if number % 2 else ("dead", "none"):
            with home(base / kind, *(dead if kind == "dead" else ())):
                end_senders()
                code = number % 2
                began = time.perf_counter()
                run = subprocess.run(ourselves.command("run", "--job", "home", "--", "sh", "-c", f"exit {code}"))
                seconds = time.perf_counter() - began
                assert run.returncode == code
                if number >= 0:
                    took[kind].append(seconds)
    end_senders()
    more = [dead - none for dead, none in zip(took["dead"], took["none"], strict=True)]
    for kind in took:
        yield f"| a wrapped run, channels: {kind} | {1000 * statistics.median(took[kind]):.0f} ms |"
    yield f"| difference, {pairs} pairs | median {1000 * statistics.median(more):+.1f} ms, worst {1000 * max(more):+.1f} ms |"


def tracker(folder: Path, checkout: Path, seconds: float) -> str:
    """Return the row about an idle tracker."""
    with home(folder):
        program = [sys.executable, "-I", str(checkout / "tray/__main__.py"), "tracker"]
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        try:
            watched = psutil.Process(process.pid)
            wait_for((folder / "runtime").exists, what="the tracker")
            time.sleep(3)
            begin = watched.cpu_times()
            time.sleep(seconds)
            used, memory = watched.cpu_times(), watched.memory_full_info()
        finally:
            process.terminate()
            process.wait()
    spent = (used.user + used.system - begin.user - begin.system) * 60_000 / seconds
    return f"| idle tracker, {checkout.name} | {spent:.0f} ms a minute, {memory.pss / 1e6:.1f} MB PSS |"


def senders(base: Path) -> Iterator[str]:
    """Yield the rows about the sender itself."""
    hook = f"http://127.0.0.1:{closed_port()}"
    with home(base / "sender", hook):
        for name, number in (("nothing to tell", 0), ("the same again", 0), ("10,000 events for one channel", 10_000)):
            put(number)
            began = time.perf_counter()
            cpu, memory = measured(number == 0)
            yield f"| sender, {name} | {time.perf_counter() - began:.2f} s, {1000 * cpu:.0f} ms CPU, {memory:.1f} MB |"
        began = time.perf_counter()
        with queue_file.reading(paths.places()) as waiting:
            assert waiting is not None
            state = waiting.state("c0", 0)
        yield f"| state of a channel with {state.waiting:,} events waiting | {1000 * (time.perf_counter() - began):.1f} ms |"


def stays(base: Path, seconds: float) -> str:
    """Return the row about a sender that waits for the next try of a message."""
    with home(base / "stays", f"http://127.0.0.1:{closed_port()}"):
        put(1)
        ourselves.start(PART).wait()
        (sender,) = wait_for(lambda: [child for child in psutil.Process().children() if child.is_running()], what="it")
        time.sleep(2)
        begin = sender.cpu_times()
        time.sleep(seconds)
        used = sender.cpu_times()
        end_senders()
    spent = (used.user + used.system - begin.user - begin.system) * 60_000 / seconds
    return f"| a sender that waits for the next try | {spent:.0f} ms a minute |"


def put(number: int) -> None:
    """Queue so many events."""
    events = [event(id=f"event-{each}", job=f"job {each}", incident=f"i-{each}") for each in range(number)]
    with closing(queue_file.opened(paths.places())) as waiting:
        waiting.tell({}, events, [Delivery(each, "c0", 0) for each in events])


def measured(to_its_end: bool) -> tuple[float, float]:
    """Start a sender; return the CPU seconds of both its processes, and the most memory of the second one in MB."""
    process = ourselves.start(PART)
    _, _, first = os.wait4(process.pid, 0)
    process.returncode = 0
    if not to_its_end:
        time.sleep(5)
        end_senders(reap=False)
    _, _, second = os.wait4(-1, 0)
    return first.ru_utime + first.ru_stime + second.ru_utime + second.ru_stime, second.ru_maxrss / 1000


def closed_port() -> int:
    """Return a port on which no program listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def end_senders(*, reap: bool = True) -> None:
    """End the senders that this process started."""
    mine = [child for child in psutil.Process().children() if PART in child.cmdline()]
    for child in mine:
        child.terminate()
        if reap:
            child.wait()


if __name__ == "__main__":
    main()
