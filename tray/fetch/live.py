"""The live runs: from the tracker while one answers, else from the run folders, which know no progress."""

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tray import clock, ipc, runs
from tray.errors import StatusFetchError, TrackerGoneError
from tray.model import EndedRun, LiveRun
from tray.paths import Places
from tray.runner import closing
from tray.tracker import start
from tray.tracker.server import described

RESTART_SECONDS = 5.0


class Folders:
    """What the run folders say: runs that live without a tracker's knowledge, and runs that are over but not closed."""

    def __init__(self) -> None:
        self.live: dict[str, LiveRun] = {}
        self.over: list[EndedRun] = []


class Live:
    """The live runs: from the tracker while one answers, else from the run folders."""

    def __init__(self, places: Places, role: str, start_tracker: bool) -> None:
        self._places, self._role, self._start = places, role, start_tracker
        self._client: ipc.Client | None = None
        self._next_start = 0.0
        self._gone: TrackerGoneError | None = None
        self._subscribed = False
        self._runs: dict[str, LiveRun] = {}
        self._over: dict[str, EndedRun] = {}
        self._folders = runs.LiveFolders(places)

    def ask(self) -> dict[str, LiveRun]:
        """Poll the tracker.

        Raises:
            StatusFetchError: It is gone and cannot be replaced, and we are one of those who need it.
        """
        for _ in range(2):  # a tracker that was replaced leaves one broken conversation behind
            client = self._connected()
            if client is None:
                return {}
            try:
                return self._take(client.request("status"))
            except TrackerGoneError as error:
                self._lost(error)
        return self._connected_or_raise()

    def hear(self) -> dict[str, LiveRun]:
        """Return the runs as of the tracker's last word; connects and subscribes when needed."""
        client = self._connected()
        if client is None:
            return {}
        with self._failing():
            if not self._subscribed:
                self._take(client.request("subscribe"))
                self._subscribed = True
            elif self._readable(0):
                for message in client.waiting():
                    self._apply(message)
        return dict(self._runs)

    def wait(self, seconds: float, also: int | None = None) -> None:
        """Wait until the tracker says something, or something comes on the descriptor *also*, at most *seconds*."""
        self._readable(seconds, also)

    def folders(self, tracked: dict[str, LiveRun]) -> Folders:
        """Read the folders of runs that the tracker does not know."""
        found = Folders()
        for folder in self._folders.look():
            if folder.run in tracked and tracked[folder.run].tracked:
                continue
            with suppress(OSError, ValueError):
                info = folder.info()
                if folder.running(info):
                    found.live[folder.run] = described(info)
                    self._over.pop(folder.run, None)
                else:
                    found.over.append(self._concluded(folder, info))
        return found

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
        self._client, self._subscribed = None, False

    def _concluded(self, folder: runs.RunFolder, info: runs.RunInfo) -> EndedRun:
        if folder.run not in self._over:
            self._over[folder.run] = closing.conclude(folder, info)[0]
        return self._over[folder.run]

    def _connected(self) -> ipc.Client | None:
        if self._client is None:
            try:
                self._client = self._connect()
                self._gone = None
            except TrackerGoneError as error:
                self._gone = error
                self._connected_or_raise()
        return self._client

    def _connect(self) -> ipc.Client:
        if not self._start:
            return ipc.Client(self._places, self._role)
        if clock.monotonic() < self._next_start:
            try:
                return ipc.Client(self._places, self._role)
            except TrackerGoneError as error:
                raise self._gone or error from error
        self._next_start = clock.monotonic() + RESTART_SECONDS
        client = start.ensure(self._places, self._role)
        self._next_start = 0.0
        return client

    def _connected_or_raise(self) -> dict[str, LiveRun]:
        if self._start and self._gone is not None:
            raise StatusFetchError(f"{self._gone.what} {self._gone.why}", self._gone.next)
        return {}

    def _lost(self, error: TrackerGoneError) -> None:
        self._gone = error
        self._runs = {}
        self.close()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Take a conversation that breaks as the loss of the tracker."""
        try:
            yield
        except TrackerGoneError as error:
            self._lost(error)

    def _readable(self, seconds: float, also: int | None = None) -> bool:
        heard = [one for one in (self._client, also) if one is not None]
        if not heard:
            if seconds:
                threading.Event().wait(seconds)
            return False
        return self._client in select.select(heard, [], [], seconds)[0]

    def _take(self, message: ipc.Message) -> dict[str, LiveRun]:
        self._runs = {}
        for data in message.get("runs") or ():
            with suppress(ValueError, TypeError):
                run = LiveRun.from_json(data)
                self._runs[run.run] = run
        return dict(self._runs)

    def _apply(self, message: ipc.Message) -> None:
        with suppress(ValueError, TypeError, KeyError):
            if message["type"] == "run":
                run = LiveRun.from_json(message["run"])
                self._runs[run.run] = run
            elif message["type"] == "gone":
                self._runs.pop(message["run"], None)
            elif message["type"] == "status":
                self._take(message)
