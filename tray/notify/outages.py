"""Remember which channels send nothing, for status and doctor; the beginning of each outage is put on record."""

import threading
import time
from collections.abc import Callable, Collection

from tray.audit.entry import Action
from tray.baselines import unreached
from tray.core.paths import Places, private
from tray.status.kept_files import UNSENT

_TRIES, _PAUSE_SECONDS = 25, 0.02
_lock = threading.Lock()


def remember(places: Places, channel: str, why: str | None) -> None:
    """Keep whether *channel* works, and why not: a sentence without secrets."""
    if why is None and channel not in failing(places):
        return

    def change(memory: unreached.Memory) -> None:
        if why is None:
            memory.worked(channel)
        else:
            memory.failed(channel, why)

    _change(places, change)


def only(places: Places, channels: Collection[str]) -> None:
    """Forget the outages of all other channels."""
    if set(unreached.failing(places.state / UNSENT)) - set(channels):
        _change(places, lambda memory: memory.only(channels))


def failing(places: Places) -> dict[str, str]:
    """Return the channels that are out, each with the reason."""
    return unreached.failing(places.state / UNSENT)


def _change(places: Places, change: Callable[[unreached.Memory], None]) -> None:
    """Change the memory, alone if that can be: a disk that cannot be written costs the memory and nothing else."""
    private(places.state)
    file = places.state / UNSENT
    with _lock:
        for tries in range(_TRIES, 0, -1):
            with unreached.alone(file) as mine:
                if mine or tries == 1:
                    memory = unreached.Memory(places, file, Action.NOTIFICATION_FAILED)
                    change(memory)
                    memory.save()
                    return
            time.sleep(_PAUSE_SECONDS)
