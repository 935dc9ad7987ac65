"""After a run is on record: what a tracker does from time to time, and a wrapper where there is none."""

from contextlib import suppress

from tray import runs
from tray.core.files import content
from tray.core.paths import Places


def close_others(places: Places, mine: str) -> None:
    """Close runs whose wrapper died; costs nothing where there are none."""
    if any(folder.run != mine and not folder.wrapped for folder in runs.live(places)):
        from tray.recording import close_lost

        close_lost.close(places)


def without_tracker(places: Places) -> None:
    """Send checkpoints and entries to further places, and remove logs that are not kept any more."""
    with suppress(Exception):
        _send_afar(places)
    from tray.runs import retention

    retention.daily(places)


def _send_afar(places: Places) -> None:
    """Let checkpoints and entries go to further places, if the configuration may name any; it is not parsed here for that."""
    text = content(places.config_file)
    if b"baselines" in text or b"forward" in text:
        from tray.wrapper import send_copies

        send_copies.send(places)
