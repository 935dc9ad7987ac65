"""Remember since when the machine is in its time zone: on the days before a journey noon was at another moment.

A report asks for it before it judges a job without a zone of its own by slots of the past.
"""

from tray.core import clock
from tray.core.paths import Places
from tray.housekeeping import task_memory

_NAME = "zone"


def check(places: Places) -> None:
    """Compare the machine's time zone with the last known one; the first time only remember it."""
    name, known = clock.zone_name(), task_memory.load(places, _NAME)
    if known.get("zone") == name:
        return
    now = clock.now_ms()
    since = min(clock.zone_set_ms() or now, now) if "zone" in known else 0
    task_memory.save(places, _NAME, {"zone": name, "since_ms": since})


def since_ms(places: Places) -> int:
    """Return when the machine came into its present time zone; 0 where no other one is known."""
    since = task_memory.load(places, _NAME).get("since_ms")
    return since if isinstance(since, int) and 0 <= since <= clock.now_ms() else 0
