"""What follows a run that no tracker saw: checkpoints and new entries go where the configuration says.

A tracker's helper does that otherwise. Here a process of its own does it, since a disk or a network that hangs must not hang the
backup; it is waited for only for a moment, because whoever started the run may unmount its disk next.
"""

import os
import subprocess
from contextlib import suppress

from tray.core import ourselves
from tray.core.paths import HOME_VARIABLE, Places

SECONDS = 2.0


def send(places: Places, seconds: float = SECONDS) -> "subprocess.Popen[bytes]":
    """Start the process that copies and forwards, wait for it at most *seconds*, and return it; it may go on after that."""
    process = ourselves.start("tray.baselines.far_copies", environment=_environ(places))
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process


def _environ(places: Places) -> dict[str, str]:
    if HOME_VARIABLE not in os.environ:
        return ourselves.environ()
    return {**ourselves.environ(), HOME_VARIABLE: str(places.config.parent)}
