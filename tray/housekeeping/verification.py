"""Duty: verify the audit log, all of it as often as the configuration asks, and what is new when the tracker starts."""

from tray.core import clock
from tray.housekeeping import duty_memory
from tray.housekeeping.rounds import Round

AGAIN_MS = clock.DAY_MS
"""A check of all that came to nothing lasting (the log could not be read) is tried again after so long."""
_NAME = "verification"


def do(this: Round) -> None:
    """Verify what is due; that, and what it came to, is an entry.

    Raises:
        BackupTrayError: It could not be checked; that is an entry too.
    """
    from tray.audit import last_check
    from tray.baselines.recorded_check import check

    now, tried = clock.now_ms(), duty_memory.load(this.places, _NAME).get("tried_ms")
    every = this.config_or_usual.audit.verify_every_ms
    if is_due(every, last_check.full_ms(this.places), tried if isinstance(tried, int) else None, now):
        duty_memory.save(this.places, _NAME, {"tried_ms": now})
        check(this.places, this.config_or_usual, scheduled=True)
    elif this.started:
        check(this.places, this.config_or_usual, scheduled=True, incremental=True)


def is_due(every_ms: int | None, last_ms: int | None, tried_ms: int | None, now_ms: int) -> bool:
    """Whether the whole log is to be verified now.

    Args:
        every_ms: How often; None: never by itself.
        last_ms: When it was, None if never. A time that lies ahead of the clock says nothing.
        tried_ms: When a check last began, whatever it came to.
    """
    if every_ms is None or _within(last_ms, now_ms, every_ms):
        return False
    return not _within(tried_ms, now_ms, min(every_ms, AGAIN_MS))


def _within(moment_ms: int | None, now_ms: int, span_ms: int) -> bool:
    return moment_ms is not None and 0 <= now_ms - moment_ms < span_ms
