"""The tray for 500 hours: 1,800,000 polls at full speed, while 10,000 runs come and go and the tracker is replaced again and again.

    python tests/bench/bench_soak.py [--polls 1800000] [--runs 10000] [--trackers 100]

Each poll is all that the tray does in a second: asking a real tracker over its socket and reading the record, then icon, tooltip
and menu, which a stand-in for a panel reads. A stand-in for a wrapper announces each run to the tracker and puts it on record;
every twentieth fails, and the next one of its job clears that. Trackers are killed or asked to end; the tray starts the next one. A
line for each tenth shows memory and files of tray and tracker: memory must stay flat from the first tenth on, descriptors, threads
and files must not grow, and no poll may fail. The exit code is 1 if one of that is not so.

A failure is a poll that says *unavailable* although the tracker was not replaced a moment ago; or a state that is not the true
one a second after a change.
"""

import argparse
import os
import select
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tray.core.dataclass import dataclass

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))
os.environ["PYSTRAY_BACKEND"] = "dummy"

from tests.e2e.trays import end_tracker, record
from tray import ipc
from tray.core import clock, paths
from tray.core.errors import TrackerGoneError
from tray.core.model import LiveRun, Phase, State
from tray.icon.app import App
from tray.status import StatusSource

SETTLED_SECONDS = 1.0
"""Seconds after a change in which the tray may still show the state before."""
JOBS = 5
MEMORY_KB = 4096
"""The growth from the first tenth to the end, in kB, that the allocator alone can cause."""


CONVERSATIONS = 2
"""Descriptors that come and go with the live run at the time of a measurement."""


class Panel:
    """An icon that reads titles and labels, as a panel does."""

    def __init__(self, menu: Any) -> None:
        self.menu = menu
        self.icon: object = None
        self.title = ""
        self.labels: list[str] = []
        self.changes = 0

    def update_menu(self) -> None:
        """Ask for every label."""
        self.labels = [item.text for item in self.menu]
        self.changes += 1

    def notify(self, message: str, title: str) -> None:
        """Take a notification, and show nothing."""


class Tray(App):
    """The tray with our panel; one turn at a time."""

    def __init__(self, source: StatusSource) -> None:
        super().__init__(lambda: source)
        self.panel = self._icon = Panel(self.menu.menu())

    def turn(self) -> None:
        """Run the icon's once-a-second work."""
        self._attempt(self._turn)

    @property
    def state(self) -> State:
        """The state that the icon shows."""
        return self.menu.status.state

    @property
    def error(self) -> object:
        """The error of the last poll, if there is one."""
        return self.menu.status.error


class Wrapper:
    """Announces one run after the other to the tracker, and again after the tracker was replaced.

    Attributes:
        conversations: How often it has begun a conversation; each one changes the tray's knowledge of the run.
    """

    def __init__(self) -> None:
        self.run: LiveRun | None = None
        self.conversations = 0
        self._client: ipc.Client | None = None

    def begin(self, number: int) -> None:
        """Start a run."""
        self.run = LiveRun(
            clock.new_id(), f"job {number % JOBS}", "restic", clock.now_ms(), phase=Phase.COPYING, bytes_total=10**10
        )
        self._tell({"type": "run.started", "run": self.run.to_json()})

    def go_on(self, done: int) -> None:
        """Tell how far it is."""
        assert self.run is not None
        self.run = self.run.with_changes(bytes_done=done, eta_seconds=60, updated_ms=clock.now_ms())
        if self._client is None:
            self._tell({"type": "run.started", "run": self.run.to_json()})
        else:
            self._tell({"type": "run.progress", "run": self.run.run, "bytes_done": done, "eta_seconds": 60})

    def end(self, *, failed: bool) -> None:
        """Put the end on record, and tell it."""
        assert self.run is not None
        record(
            self.run.job,
            "failed" if failed else "succeeded",
            hours=0,
            reason="it failed" if failed else None,
            run=self.run.run,
        )
        self._tell({"type": "run.finished", "run": self.run.run, "last": None})
        if self._client is not None:
            self._client.close()
        self.run = self._client = None

    @property
    def heard(self) -> bool:
        """Whether a tracker listens to it."""
        if self._client is not None and select.select([self._client], [], [], 0)[0]:
            self._client.close()  # the tracker hung up: it was replaced
            self._client = None
        return self._client is not None

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            if self._client is None:
                self._client = ipc.Client(paths.places(), "wrapper", timeout=5)
                self.conversations += 1
            self._client.send(message)
        except (TrackerGoneError, OSError):
            if self._client is not None:
                self._client.close()
            self._client = None


@dataclass()
class Held:
    """The memory, descriptors and threads of a process."""

    memory: int
    descriptors: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> "Held":
        """Measure a process; memory is its own alone (USS), in kB."""
        process = psutil.Process(pid)
        return cls(process.memory_full_info().uss // 1024, process.num_fds(), process.num_threads())


class Soak:
    """The soak test: one tray, one wrapper after another, and their trackers."""

    def __init__(self, polls: int, runs: int, trackers: int) -> None:
        self._polls, self._runs, self._trackers = polls, runs, trackers
        self._places = paths.places()
        self._tray = Tray(StatusSource(self._places, role="tray", start_tracker=True, system=False))
        self._wrapper = Wrapper()
        self._done = self._begun = self._replaced = self._failures = self._wrong = 0
        self._conversations = 0
        self._bad: set[str] = set()
        self._changed = 0.0
        self._away = 0.0
        self.rows: list[tuple[Held, Held, int]] = []

    def run(self) -> bool:
        """Run it, print a line for each tenth, and return whether all is well."""
        print(
            "| polls | polls/s | runs | trackers | tray: kB, fds, threads | tracker: kB, fds, threads | files | failures |"
        )
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        each, every = max(self._polls // self._runs, 4), max(self._polls // (self._trackers + 1), 1)
        began, before = time.monotonic(), 0
        for poll in range(self._polls):
            self._step(poll % each, each)
            if poll % every == every - 1 and self._replaced < self._trackers:
                self._replace()
            self._poll()
            if (poll + 1) % max(self._polls // 10, 1) == 0:
                now = time.monotonic()
                self._row(poll + 1, (poll + 1 - before) / (now - began))
                began, before = now, poll + 1
        return self._verdict()

    def _step(self, at: int, each: int) -> None:
        """Let a run begin, go on for half of the time, and end."""
        if at == 0 and self._wrapper.run is None and self._begun < self._runs:
            self._wrapper.begin(self._begun)
            self._begun += 1
            self._changed = time.monotonic()
        elif self._wrapper.run is None:
            return
        elif at == each // 2:
            job, failed = self._wrapper.run.job, self._begun % 20 == 0
            self._wrapper.end(failed=failed)
            self._bad = self._bad | {job} if failed else self._bad - {job}
            self._done += 1
            self._changed = time.monotonic()
        elif at % max(each // 10, 1) == 0:
            self._wrapper.go_on(at * 10**10 // each)

    def _replace(self) -> None:
        """End the tracker; the tray must find out and start another."""
        self._replaced += 1
        with suppress(TrackerGoneError, ProcessLookupError):
            os.kill(self._tracker(), signal.SIGKILL if self._replaced % 2 else signal.SIGTERM)
            self._away = self._changed = time.monotonic()

    def _tracker(self) -> int:
        client = ipc.Client(self._places, "cli", timeout=5)
        client.close()
        return int(client.tracker["pid"])

    def _poll(self) -> None:
        self._tray.turn()
        now = time.monotonic()
        wrapper = self._wrapper
        if self._conversations != wrapper.conversations or (wrapper.run is not None and not wrapper.heard):
            self._conversations, self._changed = wrapper.conversations, now
        if self._tray.error is not None:
            if now - max(self._away, self._changed) > SETTLED_SECONDS + 5:
                self._fail(f"unavailable: {self._tray.error}")
        elif self._tray.state is not self._true() and now - self._changed > SETTLED_SECONDS:
            self._fail(f"{self._tray.state} where {self._true()} is true")

    def _true(self) -> State:
        if self._bad:
            return State.FAILED
        return (
            State.OK if self._wrapper.run is None and self._done else State.RUNNING if self._wrapper.run else State.NONE
        )

    def _fail(self, why: str) -> None:
        self._failures += 1
        if self._failures <= 10:
            print(f"FAILED: {why}", file=sys.stderr, flush=True)

    def _row(self, polls: int, speed: float) -> None:
        mine, theirs = Held.by(os.getpid()), Held.by(self._tracker())
        files = sum(len(names) for _, _, names in os.walk(self._places.state.parent))
        self.rows.append((mine, theirs, files))
        held = (f"{side.memory:,}, {side.descriptors}, {side.threads}" for side in (mine, theirs))
        print(
            f"| {polls:,} | {speed:,.0f} | {self._done:,} | {self._replaced} | {' | '.join(held)} | {files:,} | {self._failures} |",
            flush=True,
        )

    def _verdict(self) -> bool:
        (first, tracker, files), (last, tracker_last, files_last) = self.rows[0], self.rows[-1]
        grown = last.memory - first.memory, tracker_last.memory - tracker.memory
        more = (
            last.descriptors - first.descriptors,
            last.threads - first.threads,
            tracker_last.descriptors - tracker.descriptors,
        )
        print(f"\nFrom the first tenth to the end: tray {grown[0]:+,} kB, tracker {grown[1]:+,} kB,", end=" ")
        print(f"descriptors and threads {max(more):+}, files {files_last - files:+}, failures {self._failures}")
        flat = max(grown) <= MEMORY_KB and max(more) <= CONVERSATIONS and files_last - files <= len(self.rows)
        return flat and not self._failures and self._done >= min(self._runs, self._begun) - 1


def main() -> int:
    """Run the soak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polls", type=int, default=1_800_000)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--trackers", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as made:
        os.environ[paths.HOME_VARIABLE] = f"{made}/bt"
        os.environ["PYTHONPATH"] = str(ROOT)
        try:
            good = Soak(options.polls, options.runs, options.trackers).run()
        finally:
            end_tracker()
    print("Flat." if good else "NOT FLAT, or failures.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
