"""Get the live runs: from the tracker while one answers, else from the run folders, which know no progress."""

import select
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tray import ipc, runs
from tray.core import clock
from tray.core.errors import StatusFetchError, TrackerGoneError
from tray.core.model import EndedRun, LiveRun
from tray.core.paths import Places
from tray.recording import close_lost
from tray.tracker import start

RESTART_SECONDS = 5.0
PATIENCE_SECONDS = 2.0
"""How long a tracker that exists may take to answer before the status says that it does not."""
QUIET_SECONDS = 5.0
"""A tracker that was silent for so long is asked whether it is still there."""
_AGAIN_SECONDS = 0.1
MOST_NOTES = 20


class Folders(NamedTuple):
    """The runs that the run folders tell of: live ones that the tracker does not know, and ones that are over but not closed."""

    live: dict[str, LiveRun]
    over: list[EndedRun]


class Live:
    """The live runs: from the tracker while one answers, else from the run folders.

    Attributes:
        notes: The tracker's notes.
        changes: How often its runs or notes may have changed.
    """

    def __init__(self, places: Places, role: str, start_tracker: bool) -> None:
        self._places, self._role, self._start = places, role, start_tracker
        self._client: ipc.Client | None = None
        self._next_start = 0.0
        self._gone: TrackerGoneError | None = None
        self._subscribed = False
        self._heard = self._asked = 0.0
        self.notes: tuple[str, ...] = ()
        self.changes = 0
        self._runs: dict[str, LiveRun] = {}
        self._change: int | None = None
        self._over: dict[str, EndedRun] = {}
        self._folders = runs.LiveFolders(places)

    def ask(self) -> dict[str, LiveRun]:
        """Poll the tracker.

        Raises:
            StatusFetchError: It is gone and cannot be replaced, and this surface needs it; or it is there and silent.
        """
        return self._runs_after(lambda client: self._take(client.status(self._change)))

    def hear(self) -> dict[str, LiveRun]:
        """Return the runs as of the tracker's last message; connect and subscribe when needed. Raises as `ask`."""
        return self._runs_after(self._hear)

    def _runs_after(self, act: Callable[[ipc.Client], None]) -> dict[str, LiveRun]:
        for _ in range(2):  # a tracker that was replaced leaves one broken conversation behind
            client = self._connected()
            if client is None:
                return {}
            try:
                act(client)
                return dict(self._runs)
            except TrackerGoneError as error:
                self._lost(error)
        return self._connected_or_raise()

    def _hear(self, client: ipc.Client) -> None:
        """Take in the tracker's messages; ask a silent one, since one that hangs is silent too.

        Raises:
            TrackerGoneError: It ended, or does not answer.
        """
        now = clock.monotonic()
        if not self._subscribed:
            self._take(client.request("subscribe"))
            self._subscribed, self._heard, self._asked = True, now, 0.0
        elif self._readable(0):
            for message in client.waiting():
                self._apply(message)
            self._heard, self._asked = now, 0.0
        elif self._asked:
            if now - self._asked > PATIENCE_SECONDS:
                why = f"It has said nothing for {now - self._heard:.0f} s."
                raise TrackerGoneError(why, there=True, pid=ipc.pid_of(self._places))
        elif now - self._heard > QUIET_SECONDS:
            client.send({"type": "status"})
            self._asked = now

    def wait(self, seconds: float, also: int | None = None) -> None:
        """Wait until the tracker says something, or something comes on the descriptor *also*, at most *seconds*."""
        self._readable(seconds, also)

    def folders(self, tracked: dict[str, LiveRun]) -> Folders:
        """Read the folders of runs that the tracker does not know."""
        listed = Folders({}, [])
        for folder in self._folders.look():
            if folder.run in tracked and tracked[folder.run].tracked:
                continue
            with suppress(OSError, ValueError):
                info = folder.info()
                if folder.running(info):
                    listed.live[folder.run] = info.live(tracked=False)
                    self._over.pop(folder.run, None)
                else:
                    listed.over.append(self._concluded(folder, info))
        return listed

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
        self._client, self._subscribed, self._change = None, False, None

    def _concluded(self, folder: runs.RunFolder, info: runs.RunInfo) -> EndedRun:
        if folder.run not in self._over:
            self._over[folder.run] = close_lost.conclude(folder, info)[0]
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
        if not self._start or clock.monotonic() < self._next_start:
            try:
                return self._patiently()
            except TrackerGoneError as error:
                raise (self._gone or error) if self._start else error from error
        self._next_start = clock.monotonic() + RESTART_SECONDS
        client = _understood(start.ensure(self._places, self._role))
        self._next_start = 0.0
        return client

    def _patiently(self) -> ipc.Client:
        """Connect; a tracker that exists gets a moment: it may just be starting, ending, or busy. The tray asks again anyway."""
        deadline = clock.monotonic() + (0.0 if self._start else PATIENCE_SECONDS)
        while True:
            try:
                timeout = max(deadline - clock.monotonic(), ipc.ANSWER_SECONDS)
                return _understood(ipc.Client(self._places, self._role, timeout=timeout))
            except TrackerGoneError as error:
                if not error.there or clock.monotonic() >= deadline:
                    raise
            threading.Event().wait(_AGAIN_SECONDS)

    def _connected_or_raise(self) -> dict[str, LiveRun]:
        if self._gone is not None and (self._start or self._gone.there):
            raise StatusFetchError(f"{self._gone.what} {self._gone.why}", self._gone.next)
        return {}

    def _lost(self, error: TrackerGoneError) -> None:
        self._gone = error
        self._runs, self.notes = {}, ()
        self.changes += 1
        self.close()

    def _readable(self, seconds: float, also: int | None = None) -> bool:
        heard = [source for source in (self._client, also) if source is not None]
        if not heard:
            if seconds:
                threading.Event().wait(seconds)
            return False
        return self._client in select.select(heard, [], [], seconds)[0]

    def _take(self, message: ipc.Message) -> None:
        """Take in a whole state, or learn that it is still the one that was read before."""
        if message["type"] == "same":
            return
        self._runs = {}
        self.changes += 1
        for data in message.get("runs") or ():
            with suppress(ValueError, TypeError):
                run = LiveRun.from_json(data)
                self._runs[run.run] = run
        self.notes = _notes(message)
        self._change = message.get("change")

    def _apply(self, message: ipc.Message) -> None:
        self.changes += 1
        with suppress(ValueError, TypeError, KeyError):
            if message["type"] == "run":
                run = LiveRun.from_json(message["run"])
                self._runs[run.run] = run
            elif message["type"] == "gone":
                self._runs.pop(message["run"], None)
            elif message["type"] == "notes":
                self.notes = _notes(message)
            elif message["type"] == "status":
                self._take(message)


def _notes(message: ipc.Message) -> tuple[str, ...]:
    notes = message.get("notes")
    return tuple(str(note) for note in notes[:MOST_NOTES]) if isinstance(notes, list) else ()


def _understood(client: ipc.Client) -> ipc.Client:
    """Return *client*, unless the tracker speaks a protocol of which we know nothing."""
    protocol = client.tracker.get("protocol")
    if not isinstance(protocol, list) or not protocol or protocol[0] != ipc.PROTOCOL[0]:
        client.close()
        version = str(client.tracker.get("version"))[:40]
        raise TrackerGoneError(f"It is of version {version}, which this program does not understand.", there=True)
    return client
