"""What the tracker knows: the live runs, and who wants to hear of changes. No sockets, no files."""

from collections.abc import Callable, Mapping
from typing import Any

from tray.model import LiveRun

Change = dict[str, Any]


class Runs:
    """The live runs by id.

    Every change is told to the listeners at once, as the message that a subscriber gets. `changes` counts them.
    """

    def __init__(self) -> None:
        self._runs: dict[str, LiveRun] = {}
        self._listeners: set[Callable[[Change], None]] = set()
        self.changes = 0

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run: str) -> bool:
        return run in self._runs

    def get(self, run: str) -> LiveRun | None:
        """Return a live run, None if there is none of that id."""
        return self._runs.get(run)

    def all(self) -> tuple[LiveRun, ...]:
        """Return every live run."""
        return tuple(self._runs.values())

    def start(self, run: LiveRun) -> None:
        """Take in a run that began, or that a wrapper shows again after it reconnected."""
        self._runs[run.run] = run
        self._tell({"type": "run", "run": run.to_json()})

    def progress(self, changed: Mapping[str, Any]) -> None:
        """Merge changed fields into a run; of a run that nobody announced nothing is kept.

        Raises:
            ValueError: A field has the wrong type.
        """
        known = self._runs.get(str(changed.get("run")))
        if known is not None:
            self.start(LiveRun.from_json({**known.to_json(), **changed}))

    def untracked(self, run: str) -> None:
        """Mark that a run's wrapper is gone: it may still run, but its progress is no longer known."""
        known = self._runs.get(run)
        if known is not None:
            blank = {
                "files_done": None,
                "bytes_done": None,
                "bytes_per_second": None,
                "eta_seconds": None,
                "current": None,
            }
            self.start(known.with_changes(tracked=False, **blank))

    def finish(self, run: str, last: Any = None) -> None:
        """Forget a run that ended; *last* is passed to the subscribers."""
        if self._runs.pop(run, None) is not None:
            self._tell({"type": "gone", "run": run, "last": last})

    def snapshot(self) -> Change:
        """Return the whole state as the `status` message."""
        return {"type": "status", "change": self.changes, "runs": [run.to_json() for run in self._runs.values()]}

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call *listener* with every change from now on."""
        self._listeners.add(listener)

    def unlisten(self, listener: Callable[[Change], None]) -> None:
        """Stop calling *listener*."""
        self._listeners.discard(listener)

    def _tell(self, change: Change) -> None:
        self.changes += 1
        for listener in tuple(self._listeners):
            listener(change)
