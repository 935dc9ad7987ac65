"""Once a run is on record: the tasks of a tracker that the wrapper does where there is none."""

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from tray import runs
from tray.core.errors import ConfigError
from tray.core.files import content
from tray.core.paths import HOME_VARIABLE, Places
from tray.observe import awake_log
from tray.runs import retention

if TYPE_CHECKING:
    import subprocess

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
    import subprocess  # few configurations name further places

    from tray.core import ourselves  # as above

    environ = ourselves.environ()
    if HOME_VARIABLE in os.environ:
        environ[HOME_VARIABLE] = str(places.config.parent)
    process = ourselves.start("tray.baselines.far_copies", environment=environ)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process
