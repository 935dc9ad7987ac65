"""Duty: bring the index for searching up to date, so that who searches does not wait for it."""

from tray.housekeeping.rounds import Round

SECONDS = 60.0
"""A log of many years is taken in over several rounds."""


def do(this: Round) -> None:
    """Take in the entries that are not in the index yet."""
    from tray.audit.search import index_fill

    index_fill.update(this.places, seconds=SECONDS)
