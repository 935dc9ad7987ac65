"""Duty: copy the newest checkpoint to the places that the configuration names."""

from tray.housekeeping.rounds import Round


def do(this: Round) -> None:
    """Copy it; a place that cannot be reached is put on record by the copying itself.

    Raises:
        ConfigError: Nobody knows where to.
    """
    from tray.baselines import all_copies

    all_copies.copy_far(this.places, this.config)
