"""Turn root's status into messages for clients: each change at once, and a sign of life when nothing changes."""

import json
import threading
from collections.abc import Callable

from tray import ipc
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import Status
from tray.core.paths import Places
from tray.status import StatusSource
from tray.status.system_status import labelled

GAP_SECONDS = 0.1
"""Pause between two messages: many runs at once report often, and clients need no more."""
MOST = 1000
"""Runs and repositories in a status that would not fit into a message otherwise."""


class Follower:
    """A thread that follows root's status, and so keeps root's tracker alive.

    Args:
        tell: Called in that thread with each status, every 10 s at least.
        ended: Called in that thread when it ends, whatever the reason.
    """

    def __init__(self, places: Places, tell: Callable[[Status], None], ended: Callable[[], None]) -> None:
        self._places, self._tell, self._ended = places, tell, ended
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it."""
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        source = StatusSource(self._places, role="system", start_tracker=True, system=False)
        try:
            for status in source.follow(self._stop):
                self._tell(labelled(status))
                self._stop.wait(GAP_SECONDS)
        finally:
            source.close()
            self._ended()


class StatusLines:
    """The newest status, as the lines that clients get."""

    def __init__(self) -> None:
        self._status: Status | None = None
        self._body = b""
        self._at = 0.0

    @property
    def known(self) -> bool:
        """Whether there is a status yet."""
        return self._status is not None

    def take(self, status: Status) -> bytes:
        """Keep *status* and return the line with its change."""
        before, self._status = self._status, status
        self._at, self._body = clock.monotonic(), b""
        if before is None:
            return self.whole()
        same = replace(before, as_of_ms=status.as_of_ms)
        if same == status:
            return ipc.encode({"type": "alive"})
        if replace(same, runs=status.runs) == status:
            return ipc.encode({"type": "runs", "runs": [run.to_json() for run in status.runs]})
        return self.whole()

    def whole(self) -> bytes:
        """Return the line with the whole status; `age` tells how many seconds ago it was read."""
        assert self._status is not None
        if not self._body:
            self._body = _fitting(self._status)
        age = f"{clock.monotonic() - self._at:.3f}".encode()
        return b'{"type":"status","age":' + age + b',"status":' + self._body + b"}\n"


def _fitting(status: Status) -> bytes:
    """Return *status* as JSON that fits into a reply, with the best jobs left out if there are too many."""
    while len(body := json.dumps(status.to_json(), separators=(",", ":")).encode()) > ipc.MAX_REPLY - 100:
        keep = len(status.jobs) // 2
        status = replace(
            status,
            runs=tuple(run.with_changes(steps=()) for run in status.runs[:MOST]),
            jobs=status.jobs[:keep],
            notes=(f"Only the {keep} worst jobs are listed; there are too many to show",),
            repositories=status.repositories[:MOST],
        )
    return body
