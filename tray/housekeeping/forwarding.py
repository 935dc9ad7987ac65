"""Duty: send new entries to the places that the configuration names."""

from tray.housekeeping.rounds import Round


def do(this: Round) -> None:
    """Send what was not sent yet; a place that takes nothing is put on record by the sending itself.

    Raises:
        ConfigError: Nobody knows where to.
    """
    if not this.config.audit.forward:
        return
    from tray.baselines import forwarding

    forwarding.forward(this.places, this.config)
