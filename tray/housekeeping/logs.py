"""Duty: remove the logs of runs that are older or more than the configuration keeps."""

from tray.housekeeping.rounds import Round
from tray.runs import retention


def do(this: Round) -> None:
    """Remove them; their entries stay."""
    retention.trim(this.places, this.config_or_usual.runs)
