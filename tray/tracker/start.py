"""Connect to the tracker, and start one if none answers; if two processes start one at the same time, one of the two ends."""

import threading
import time

from tray import __version__, ipc
from tray.core import clock, locks, ourselves, succession
from tray.core.errors import TrackerGoneError
from tray.core.paths import Places

IDLE_EXIT_SECONDS = 60
STARTUP_SECONDS = 5.0


def ensure(places: Places, role: str) -> ipc.Client:
    """Return a conversation with a tracker; start one if none answers.

    This asks a tracker to hand over that is older than this program, or whose program was replaced since it started. Wrappers
    reconnect by themselves.

    Raises:
        TrackerGoneError: None answers and none can be started.
    """
    try:
        client = ipc.Client(places, role)
    except TrackerGoneError:
        return _start(places, role)
    if _outdated(client.tracker):
        _hand_over(client)
        return _start(places, role)
    return client


def _outdated(theirs: ipc.Message) -> bool:
    """Return whether a tracker with this `hello` is older than this program, or its program was replaced since it started."""
    version, protocol = theirs.get("version"), theirs.get("protocol")
    older = isinstance(version, str) and _parts(version) < _parts(__version__)
    if isinstance(protocol, list) and all(isinstance(part, int) for part in protocol):
        older = older or tuple(protocol) < ipc.PROTOCOL
    return older or succession.is_replaced(theirs.get("program"))


def _hand_over(client: ipc.Client) -> None:
    """Ask a tracker to end, and wait for it: until then a new one would find its place taken, and end."""
    named = client.tracker.get("pid")
    pid = named if isinstance(named, int) else 0
    begun = locks.process_start(pid) if pid > 0 else None
    client.send({"type": "handover"})
    client.close()
    deadline = clock.monotonic() + STARTUP_SECONDS
    while begun is not None and locks.process_start(pid) == begun and clock.monotonic() < deadline:
        time.sleep(0.01)


def _start(places: Places, role: str) -> ipc.Client:
    """Start a tracker that outlives us, and wait until it, or another one that was quicker, answers."""
    deadline = clock.monotonic() + STARTUP_SECONDS
    child = ourselves.start("tracker", "--idle-exit", str(IDLE_EXIT_SECONDS))
    # A thread reaps it: without that it would stay a zombie for as long as the tray lives.
    threading.Thread(target=child.wait, daemon=True).start()
    while True:
        try:
            return ipc.Client(places, role)
        except TrackerGoneError as error:
            if clock.monotonic() > deadline or child.returncode not in (None, 0):
                pid = ipc.pid_of(places) if error.there else None
                raise TrackerGoneError(
                    f"{error.why} A new one could not be started.", there=error.there, pid=pid
                ) from error
        time.sleep(0.02)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in version.split("."))
