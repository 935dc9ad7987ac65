"""The time from the end of a failed run to its notice, and the price of the process that hears of clicks while a notice is open.

    python tests/bench/bench_notify.py [--runs 5] [--seconds 30]

Wrapper, queue and sender are real; a double of GNOME's notification server on a bus of its own notes when it is called. The first
notice needs a new sender, the others meet the one that stays.
"""

import argparse
import os
import statistics
import sys
import time
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests import own_home
from tests.e2e.notification_servers import end, ours
from tests.e2e.program import tray
from tests.notification_doubles import GNOME, Server, private_bus
from tests.waiting import wait_for
from tray.core import paths
from tray.core.sender import PART
from tray.notify import queue_file


class Timed(Server):
    """A notification server that notes when each notice came."""

    def __post_init__(self) -> None:
        self.came: list[float] = []
        super().__post_init__()

    def _notify(self, call: object) -> int:
        self.came.append(time.time())
        return super()._notify(call)  # type: ignore[arg-type]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    base = own_home.begin()
    assert base is not None
    try:
        with private_bus() as bus:
            os.environ["DBUS_SESSION_BUS_ADDRESS"] = bus
            rows = measure(bus, base, arguments.runs, arguments.seconds)
        for name, value in rows:
            print(f"| {name} | {value} |")
    finally:
        own_home.end(base)


def measure(bus: str, base: Path, runs: int, seconds: float) -> list[tuple[str, str]]:
    """Return the rows of the table."""
    fresh, staying = [], []
    for number in range(runs):
        os.environ[paths.HOME_VARIABLE] = str(base / str(number))
        server = Timed(bus, GNOME)
        fresh.append(notice(server, "a"))
        with closing(queue_file.opened(paths.places())) as queue:
            wait_for(lambda: queue.mark("sent:desktop"), what="the note of the sender")
            queue.set_mark("sent:desktop", None)  # as if a minute had passed
        staying.append(notice(server, "b"))
        if number == runs - 1:
            cost = idle(seconds)
        server.stop()
        end(PART)
    return [
        ("end of a failed run → notice, by a new sender", spread(fresh)),
        ("the same, by the sender that stays", spread(staying)),
        *cost,
    ]


def notice(server: Timed, job: str) -> float:
    """Return the seconds from the end of a failed run to the call for its notice."""
    before = len(server.came)
    tray("run", "--job", job, "--", "false")
    ended = time.time()
    wait_for(lambda: len(server.came) > before, what="the notice")
    return server.came[before] - ended


def idle(seconds: float) -> list[tuple[str, str]]:
    """Return the price of the sender that stays while notices are open."""
    (process,) = ours(PART)
    begin = process.cpu_times()
    time.sleep(seconds)
    used = process.cpu_times()
    spent = (used.user + used.system - begin.user - begin.system) * 60_000 / seconds
    memory = process.memory_full_info().pss / 1_048_576
    return [
        ("processor time of the sender while a notice is open", f"{spent:.0f} ms a minute"),
        ("its memory (PSS)", f"{memory:.1f} MiB"),
    ]


def spread(times: list[float]) -> str:
    """Return median and worst."""
    return f"{statistics.median(times):.2f} s, worst {max(times):.2f}"


if __name__ == "__main__":
    main()
