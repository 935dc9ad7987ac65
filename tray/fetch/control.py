"""Asking for something to be done with a live run: cancel, pause, resume. Every surface calls `ask`.

The tracker passes it on to the run's wrapper, which alone touches the command. That it was accepted means that the wrapper has
been told; what comes of it shows in the status.
"""

import time
from collections.abc import Sequence
from contextlib import suppress

from tray import clock, ipc, runs
from tray.errors import (
    BackupTrayError,
    ControlRefusedError,
    RunElsewhereError,
    RunNotFoundError,
    RunNotLiveError,
    RunObservedError,
    RunOverError,
    RunUntrackedError,
    UsageError,
)
from tray.model import Control, Instance, LiveRun
from tray.paths import Places
from tray.tracker import start

PATIENCE_SECONDS = 4.0
"""So long a wrapper may take to find a tracker that has just started; it looks once a second."""
_AGAIN_SECONDS = 0.05
_MAY_COME = (RunNotLiveError.code, RunUntrackedError.code)


def ask(places: Places, control: Control, run: str, by: str) -> None:
    """Have *control* done with the live run of the id *run*; returns as soon as its wrapper has been told.

    Takes no time where a tracker runs; without one it starts one and waits up to `PATIENCE_SECONDS` for the wrapper to find it,
    so a surface with an event loop calls it from a thread.

    Args:
        places: Where tracker and run folders are.
        control: What to do.
        run: The whole id.
        by: Where the wish came from: cli, tray or window.

    Raises:
        ControlRefusedError: It cannot be done with this run; says why and what to do instead.
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


def choose(live: Sequence[LiveRun], words: str) -> LiveRun:
    """Return the live run that *words* mean: the beginning of an id, or a job's name; "" is the only one that goes on.

    Raises:
        RunNotLiveError: There is none.
        UsageError: There are several.
    """
    found = [run for run in live if words == run.job] or [run for run in live if run.run.startswith(words)]
    if not found:
        raise RunNotLiveError(words)
    if len(found) > 1:
        raise UsageError(
            f"Several runs go on as {words!r}." if words else "Several runs go on.",
            why="It could be any of " + ", ".join(f"{run.job} ({run.run})" for run in found) + ".",
            next="Name one by its id: `backup-tray cancel ID`.",
        )
    return found[0]


def check(run: LiveRun, control: Control) -> None:
    """Refuse at once what no tracker of ours could do, so that nobody is asked whether to.

    Raises:
        ControlRefusedError: The run is not ours.
    """
    pid = (run.process or "?").partition("@")[0]
    if run.instance is Instance.SYSTEM:
        raise RunElsewhereError(run.job, control.value, run.run)
    if run.source.value == "observed":
        raise RunObservedError(run.job, pid, run.user)


def _refusal(client: ipc.Client, control: Control, run: str, by: str) -> BackupTrayError | None:
    client.send({"type": control.value, "run": run, "by": by})
    answer = client.receive()
    return None if answer["type"] == "accepted" else ControlRefusedError.of(answer)


def _wrapped_or_raise(places: Places, run: str, error: BackupTrayError) -> None:
    """Return if the run's wrapper lives and so may still come; else raise what is known of the run."""
    folder = None
    with suppress(RunNotFoundError):
        folder = runs.find(places, run)
    if folder is not None and folder.path.parent.name != "live":
        raise RunOverError(run)
    if folder is None or not folder.wrapped:
        raise RunNotLiveError(run) if error.code == RunNotLiveError.code else error
