"""Duty: remove the logs of runs that are older or more than the configuration keeps."""

from tray.care.rounds import Round
from tray.runner import keep


def do(this: Round) -> None:
    """Remove them; their entries stay."""
    keep.trim(this.places, this.config_or_usual.runs)
