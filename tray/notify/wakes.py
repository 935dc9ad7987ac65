"""Tell since when the machine has been awake, and when the user's day usually begins: while a laptop wakes up, no alarm is sent."""

from tray.core import clock, locks
from tray.core.paths import Places
from tray.notify.rules import USUAL_MORNING, usual_morning
from tray.observe import awake_log, boots
from tray.observe.awake_log import BEAT, Mark
from tray.status import awake_times

CALM_MS = 20 * 60_000
"""For so long after a start or a sleep a missed backup may still be caught up."""


def look(places: Places) -> tuple[bool, int]:
    """Return whether the machine woke up or started only now, and the minute of the day at which the user usually begins.

    Of a system that does not tell its sleep neither is known: it counts as awake.
    """
    slept, boot = clock.slept_ms(), locks.boot_id()
    if slept is None or boot == locks.UNKNOWN_BOOT:
        return False, USUAL_MORNING
    now = Mark(BEAT, clock.now_ms(), boot, clock.since_boot_ms(), slept)
    awake, _ = awake_times.intervals(awake_log.read(places), boots.recorded(), now)
    begins = begins_of(awake)
    fresh = now.since_boot_ms < CALM_MS or now.wall_ms - max(begins, default=0) < CALM_MS
    return fresh, usual_morning(begins, now.wall_ms)


def begins_of(awake: list[tuple[int, int]]) -> list[int]:
    """Return when the machine began to be awake: intervals that touch or overlap are one."""
    begins: list[int] = []
    until = 0
    for begin, end in sorted(interval for interval in awake if interval[0] < interval[1]):
        if not begins or begin > until + clock.JUMP_MS:
            begins.append(begin)
        until = max(until, end)
    return begins
