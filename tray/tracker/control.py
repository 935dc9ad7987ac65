"""Check whether a control request can be passed on to a run's wrapper."""

from tray.core.errors import (
    BackupTrayError,
    ControlImpossibleError,
    RunElsewhereError,
    RunNotLiveError,
    RunObservedError,
    RunUntrackedError,
)
from tray.core.model import Control, Instance, LiveRun, Phase, Source


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
