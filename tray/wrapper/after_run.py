"""Once a run is on record: the tasks of a tracker that the wrapper does where there is none."""

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from tray import runs
from tray.core import clock
from tray.core.errors import ConfigError
from tray.core.files import content
from tray.core.paths import HOME_VARIABLE, Places
from tray.observe import awake_log
from tray.runs import retention

if TYPE_CHECKING:
    import subprocess

SECONDS = 2.0
COPIES, METRICS = "tray.baselines.far_copies", "tray.metrics.textfile"
"""Parts of the program that run as processes of their own (`core.ourselves.PARTS`)."""


def close_others(places: Places, mine: str) -> None:
    """Close runs whose wrapper died; costs nothing where there are none."""
    if any(folder.run != mine and not folder.wrapped for folder in runs.live(places)):
        from tray.recording import close_lost  # wrappers seldom die

        close_lost.close(places)


def without_tracker(places: Places) -> None:
    """Note that the machine is awake, tell further places, and remove logs beyond their time."""
    awake_log.note_run(places)
    with suppress(Exception):
        from tray.core import sender  # with a tracker, that starts it

        sender.start(places, ends=True)
        _tell_others(places)
    if retention.is_due(places):
        from tray import config  # most runs need not read the configuration

        try:
            keep = config.load(places).runs
        except ConfigError:
            keep = config.RunsConfig()
        retention.trim(places, keep)


def _tell_others(places: Places) -> None:
    """Let checkpoints and entries go to further places, and figures to a file, if the configuration may name any.

    It is not parsed here for that.
    """
    text = content(places.config_file)
    parts = [COPIES] if b"baselines" in text or b"forward" in text else []
    parts += [METRICS] if b"metrics" in text else []
    if parts:
        start(places, *parts)


def start(places: Places, *parts: str, seconds: float = SECONDS) -> "list[subprocess.Popen[bytes]]":
    """Start a process for each of these parts, wait for all at most *seconds*, and return them; they may go on after that."""
    from tray.core import ourselves  # few configurations need any

    environ = ourselves.environ()
    if HOME_VARIABLE in os.environ:
        environ[HOME_VARIABLE] = str(places.config.parent)
    processes = [ourselves.start(part, environment=environ) for part in parts]
    until = clock.monotonic() + seconds
    for process in processes:
        with suppress(Exception):  # it takes longer
            process.wait(max(0.0, until - clock.monotonic()))
    return processes
