"""Keep the live runs in memory, tell listeners of each change, and refuse requests that a run cannot take. No sockets, no files.

A hundred wrappers report four times a second, so a change costs as little as it can: only the changed fields are checked, and a run
is made into text once, when a client wants to read it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tray import ipc
from tray.core import codec
from tray.core.errors import (
    BackupTrayError,
    ControlImpossibleError,
    RunElsewhereError,
    RunNotLiveError,
    RunObservedError,
    RunUntrackedError,
)
from tray.core.model import Control, Instance, LiveRun, Phase, Source

Listener = Callable[[bytes], None]


class _Kept:
    """One run as fields, as an object and as JSON; each form is made when it is first needed."""

    __slots__ = ("_line", "_run", "data")

    def __init__(self, run: LiveRun) -> None:
        self.data = run.to_json()
        self._run: LiveRun | None = run
        self._line: bytes | None = None

    @property
    def run(self) -> LiveRun:
        """The run."""
        if self._run is None:
            self._run = LiveRun.from_json(self.data)
        return self._run

    @property
    def line(self) -> bytes:
        """Its JSON."""
        if self._line is None:
            self._line = ipc.encode(self.data).rstrip()
        return self._line

    def change(self, changed: Mapping[str, Any]) -> None:
        """Take in changed fields, or raise ValueError; unknown ones are left out."""
        known = {key: value for key, value in changed.items() if key in self.data}
        codec.check(LiveRun, known)
        if type(known.get("percent")) not in (int, type(None)):
            raise ValueError("percent must be a whole number")
        self.data.update(known)
        self._run = self._line = None


class Runs:
    """The live runs by id.

    Each change goes to the listeners at once, as the line that a subscriber gets. `changes` counts them.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Kept] = {}
        self._listeners: set[Listener] = set()
        self._notes: tuple[str, ...] = ()
        self.changes = 0

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run: str) -> bool:
        return run in self._runs

    def get(self, run: str) -> LiveRun | None:
        """Return a live run, None if there is none of that id."""
        kept = self._runs.get(run)
        return None if kept is None else kept.run

    def all(self) -> tuple[LiveRun, ...]:
        """Return every live run."""
        return tuple(kept.run for kept in self._runs.values())

    def at(self, repository: str | None) -> list[str]:
        """Return the ids of our own user's live runs on *repository*; may be called from another thread."""
        known = list(self._runs.items())
        return [run for run, kept in known if kept.data["repository"] == repository and kept.data["user"] is None]

    def note(self, notes: Sequence[str]) -> None:
        """Replace the notes that stand beside the runs."""
        if self._notes == tuple(notes):
            return
        self._notes = tuple(notes)
        self._tell(lambda: ipc.encode({"type": "notes", "notes": list(self._notes)}))

    def start(self, run: LiveRun) -> None:
        """Take in a run that began, or that a wrapper shows again after it reconnected."""
        kept = self._runs[run.run] = _Kept(run)
        self._tell_run(kept)

    def progress(self, changed: Mapping[str, Any]) -> None:
        """Merge changed fields into a run, or raise ValueError; ignore a run that no wrapper announced."""
        kept = self._runs.get(str(changed.get("run")))
        if kept is not None:
            kept.change(changed)
            self._tell_run(kept)

    def untracked(self, run: str) -> None:
        """Mark that a run's wrapper is gone: it may still run, but its progress is no longer known."""
        known = self.get(run)
        if known is not None and known.tracked:
            blank = dict.fromkeys(("files_done", "bytes_done", "bytes_per_second", "eta_seconds", "current"))
            phase = Phase.COPYING if known.phase is Phase.PAUSED else known.phase
            still = {"stalled": False, "since_progress_seconds": None, "can": (), "phase": phase}
            self.start(known.with_changes(tracked=False, **blank, **still))

    def finish(self, run: str, last: Any = None) -> None:
        """Forget a run that ended; *last* is passed to the subscribers."""
        if self._runs.pop(run, None) is not None:
            self._tell(lambda: ipc.encode({"type": "gone", "run": run, "last": last}))

    def snapshot(self) -> bytes:
        """Return the whole state as the `status` message."""
        lines = b",".join(kept.line for kept in self._runs.values())
        notes = ipc.encode({"notes": list(self._notes)}).strip()[1:-1]
        return b'{"type":"status","change":%d,%s,"runs":[%s]}\n' % (self.changes, notes, lines)

    def listen(self, listener: Listener) -> None:
        """Call *listener* with every change from now on."""
        self._listeners.add(listener)

    def unlisten(self, listener: Listener) -> None:
        """Stop calling *listener*."""
        self._listeners.discard(listener)

    def _tell_run(self, kept: _Kept) -> None:
        self._tell(lambda: b'{"type":"run","run":%s}\n' % kept.line)

    def _tell(self, line: Callable[[], bytes]) -> None:
        self.changes += 1
        if self._listeners:
            encoded = line()
            for listener in tuple(self._listeners):
                listener(encoded)


def refusal(name: str, run: LiveRun | None, control: Control, *, reachable: bool) -> BackupTrayError | None:
    """Return the reason that *control* cannot be passed on to *run*, None if it can; *reachable*: its wrapper is connected."""
    if run is None:
        return RunNotLiveError(name)
    pid = (run.process or "?").partition("@")[0]
    if run.instance is Instance.SYSTEM:
        return RunElsewhereError(run.job, control.value, run.run)
    if run.source is Source.OBSERVED:
        return RunObservedError(run.job, pid, run.user)
    if not reachable:
        return RunUntrackedError(run.job, pid)
    return None if control in run.can else _impossible(run, control, pid)


def _impossible(run: LiveRun, control: Control, pid: str) -> BackupTrayError:
    if control is Control.RESUME:
        return ControlImpossibleError(
            f"{run.job} goes on already.", "It is not paused.", f"To pause it: `backup-tray pause {run.run}`."
        )
    if not run.can:
        return ControlImpossibleError(
            f"{run.job} cannot be stopped from here.",
            "Its command runs as another user, or the program that watches it is of an older version.",
            f"Interrupt it yourself: `sudo kill -INT {pid}`.",
        )
    if run.phase is Phase.PAUSED:
        return ControlImpossibleError(
            f"{run.job} is paused already.",
            "It waits until you resume it.",
            f"To let it go on: `backup-tray resume {run.run}`.",
        )
    return ControlImpossibleError(
        f"{run.job} cannot be paused now.", "It is being stopped, or this system cannot do it."
    )
