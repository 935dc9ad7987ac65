"""Cancel, pause or resume a live run. Every surface calls `ask`.

The tracker passes the request on to the run's wrapper, which alone touches the command. An accepted request has reached the
wrapper; its effect shows in the status.
"""

import time
from collections.abc import Sequence
from contextlib import suppress

from tray import ipc, runs, wording
from tray.core import clock
from tray.core.errors import (
    BackupTrayError,
    ControlRefusedError,
    RunNotFoundError,
    RunNotLiveError,
    RunOverError,
    RunUntrackedError,
    UsageError,
)
from tray.core.model import Control, LiveRun, Phase, Source
from tray.core.paths import Places
from tray.status.live import Live
from tray.status.source import StatusSource
from tray.tracker import start
from tray.tracker.state import refusal

PATIENCE_SECONDS = 4.0
"""How long a wrapper may take to find a tracker that has just started; it looks once a second."""
_AGAIN_SECONDS = 0.05
_POLL_SECONDS = 0.1
_MAY_COME = (RunNotLiveError.code, RunUntrackedError.code)


def ask(places: Places, control: Control, run: str, by: str) -> None:
    """Pass *control* on to the wrapper of the live run of the whole id *run*, and return as soon as the wrapper has it.

    Takes no time where a tracker runs; without one it starts one and waits up to `PATIENCE_SECONDS` for the wrapper to find it,
    so a surface with an event loop calls it from a thread.

    Args:
        by: The surface on which the user asked: cli, tray or window.

    Raises:
        ControlRefusedError: It cannot be done with this run; names the reason and another way.
        RunNotLiveError: The run is over, or there is none of this id.
        TrackerGoneError: There is no tracker and none can be started.
    """
    deadline = clock.monotonic() + PATIENCE_SECONDS
    client = start.ensure(places, by)
    try:
        while (error := _refusal(client, control, run, by)) is not None:
            if error.code not in _MAY_COME:
                raise error
            _wrapped_or_raise(places, run, error)
            if clock.monotonic() > deadline:
                raise error
            time.sleep(_AGAIN_SECONDS)
    finally:
        client.close()


class LiveRuns:
    """The runs that go on, for a command that acts on one of them and waits for the effect. The audit log is not needed.

    Args:
        role: cli, tray or window.
    """

    def __init__(self, places: Places, role: str) -> None:
        self._places, self._role = places, role
        self._live = Live(places, role, start_tracker=False)

    def __enter__(self) -> "LiveRuns":
        return self

    def __exit__(self, *_: object) -> None:
        self._live.close()

    def now(self) -> dict[str, LiveRun]:
        """Return them by id."""
        tracked = self._live.ask()
        return {**self._live.folders(tracked).live, **tracked}

    def choose(self, words: str, control: Control) -> LiveRun:
        """Return the run that *words* mean (the beginning of an id, or a job; "" is the only run) and on which *control* may work.

        Raises:
            RunNotLiveError: There is none.
            UsageError: There are several.
            ControlRefusedError: It is not ours, or that cannot be done with it now.
        """
        live = list(self.now().values())
        meant = _meant(live, words) or _meant(self._elsewhere(), words)
        if not words:  # an observed run is not meant where a wrapped one goes on
            meant = [run for run in meant if run.source is Source.WRAPPED] or meant
        if not meant:
            over = [run for run in runs.known(self._places) if words and runs.is_called(run, words)]
            raise RunOverError(over[0]) if len(over) == 1 else RunNotLiveError(words)
        if len(meant) > 1:
            listed = ", ".join(f"{wording.short_id(run.run)} ({wording.escape(run.job)})" for run in meant)
            raise UsageError(
                f"Several runs go on as {words!r}." if words else "Several runs go on.",
                why=f"It could be any of {listed}.",
                next=f"Name one by its id: `backup-tray {control.value} ID`.",
            )
        run = meant[0]
        error = refusal(run.run, run, control, reachable=True)
        if error is not None and (run.tracked or run.source is Source.OBSERVED):
            raise error
        return run

    def wait_end(self, run: str) -> None:
        """Wait until the run has ended."""
        while run in self.now():
            time.sleep(_POLL_SECONDS)

    def wait_phase(self, run: str, *, paused: bool) -> LiveRun | None:
        """Wait a little until the run is paused, or is not, and return it as it then is; None if it has ended."""
        deadline = clock.monotonic() + PATIENCE_SECONDS
        while (live := self.now().get(run)) is not None and clock.monotonic() < deadline:
            if live.tracked and (live.phase is Phase.PAUSED) is paused:
                break
            time.sleep(_POLL_SECONDS)
        return live

    def _elsewhere(self) -> list[LiveRun]:
        """Return all runs with those of the system-wide instance, which are only shown here."""
        source = StatusSource(self._places, role=self._role, start_tracker=False)
        try:
            return list(source.poll().runs)
        finally:
            source.close()


def _meant(live: Sequence[LiveRun], words: str) -> list[LiveRun]:
    return [run for run in live if words == run.job] or [run for run in live if runs.is_called(run.run, words)]


def _refusal(client: ipc.Client, control: Control, run: str, by: str) -> BackupTrayError | None:
    client.send({"type": control.value, "run": run, "by": by})
    answer = client.receive()
    return None if answer["type"] == "accepted" else ControlRefusedError.of(answer)


def _wrapped_or_raise(places: Places, run: str, error: BackupTrayError) -> None:
    """Return if the run's wrapper lives and so may still connect; else raise the error that fits the run."""
    folder = None
    with suppress(RunNotFoundError):
        folder = runs.find(places, run)
    if folder is not None and folder.path.parent.name != "live":
        raise RunOverError(run)
    if folder is None or not folder.wrapped:
        raise RunNotLiveError(run) if error.code == RunNotLiveError.code else error
