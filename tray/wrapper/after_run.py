"""Once a run is on record: the tasks of a tracker that the wrapper does where there is none."""

import os
import subprocess
from contextlib import suppress

from tray import runs
from tray.core import ourselves
from tray.core.errors import ConfigError
from tray.core.files import content
from tray.core.paths import HOME_VARIABLE, Places
from tray.observe import awake_log
from tray.runs import retention

SECONDS = 2.0


def close_others(places: Places, mine: str) -> None:
    """Close runs whose wrapper died; costs nothing where there are none."""
    if any(folder.run != mine and not folder.wrapped for folder in runs.live(places)):
        from tray.recording import close_lost  # wrappers seldom die

        close_lost.close(places)


def without_tracker(places: Places) -> None:
    """Note that the machine is awake, send checkpoints and entries to further places, and remove logs beyond their time."""
    awake_log.note_run(places)
    with suppress(Exception):
        _send_afar(places)
    if retention.is_due(places):
        from tray import config  # most runs need not read the configuration

        try:
            keep = config.load(places).runs
        except ConfigError:
            keep = config.RunsConfig()
        retention.trim(places, keep)


def _send_afar(places: Places) -> None:
    """Let checkpoints and entries go to further places, if the configuration may name any; it is not parsed here for that."""
    text = content(places.config_file)
    if b"baselines" in text or b"forward" in text:
        send_copies(places)


def send_copies(places: Places, seconds: float = SECONDS) -> "subprocess.Popen[bytes]":
    """Start the process that copies and forwards, wait for it at most *seconds*, and return it; it may go on after that."""
    process = ourselves.start("tray.baselines.far_copies", environment=_environ(places))
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process


def _environ(places: Places) -> dict[str, str]:
    if HOME_VARIABLE not in os.environ:
        return ourselves.environ()
    return {**ourselves.environ(), HOME_VARIABLE: str(places.config.parent)}
