"""Duty: send new entries to the places that the configuration names."""

from tray.care.rounds import Round


def do(this: Round) -> None:
    """Send what was not sent yet; a place that takes nothing is put on record by the sending itself.

    Raises:
        ConfigError: Nobody knows where to.
    """
    if not this.config.audit.forward:
        return
    from tray.audit.outside import forward

    forward.forward(this.places, this.config)
