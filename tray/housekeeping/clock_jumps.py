"""Notice that the wall clock was set, and record it.

Each round compares the wall clock with the time since the machine started, which goes on while the machine sleeps and which users
cannot set. Both are kept from one round to the next. Summer time and time zones change neither. After a restart only a clock that
is behind the last known time shows that it was set.
"""

from collections.abc import Mapping
from typing import Any

from tray.audit import spool
from tray.audit.entry import Action, Draft, Severity
from tray.core import clock, locks
from tray.core.dataclass import asdict, dataclass
from tray.core.paths import Places
from tray.housekeeping import task_memory

SLACK_MS = clock.JUMP_MS
_NAME = "clock"


@dataclass(frozen=True, slots=True)
class Clocks:
    """Both clocks at one moment.

    Attributes:
        wall_ms: The time that people see, UTC.
        boot_ms: The time since the machine started.
        boot: Id of that start.
    """

    wall_ms: int
    boot_ms: int
    boot: str


@dataclass(frozen=True, slots=True)
class Jump:
    """A change of the wall clock by hand.

    Attributes:
        from_ms: Time that the clock would show without the change; after a restart the last known time.
        to_ms: Time that it shows.
        restarted: Whether the machine was restarted in between, so that it was set back by that much at least.
    """

    from_ms: int
    to_ms: int
    restarted: bool = False


def check(places: Places) -> None:
    """Compare the clocks with those of the last round, record a jump, and remember the clocks of now."""
    now = read()
    before = _remembered(task_memory.load(places, _NAME))
    jump = None if before is None else jumped(before, now)
    if jump is not None:
        _record(places, jump)
    task_memory.save(places, _NAME, asdict(now))


def read() -> Clocks:
    """Return both clocks now."""
    return Clocks(clock.now_ms(), clock.since_boot_ms(), locks.boot_id())


def jumped(before: Clocks, now: Clocks) -> Jump | None:
    """Return how the wall clock was set between two moments, None if it only went on."""
    if before.boot != now.boot:
        return Jump(before.wall_ms, now.wall_ms, True) if now.wall_ms < before.wall_ms - SLACK_MS else None
    expected = before.wall_ms + now.boot_ms - before.boot_ms
    return Jump(expected, now.wall_ms) if abs(now.wall_ms - expected) > SLACK_MS else None


def _remembered(data: Mapping[str, Any]) -> Clocks | None:
    match data:
        case {"wall_ms": int(wall), "boot_ms": int(since_boot), "boot": str(boot)}:
            return Clocks(wall, since_boot, boot)
    return None


def _record(places: Places, jump: Jump) -> None:
    by_ms = jump.to_ms - jump.from_ms
    body = {
        "from": clock.to_text(jump.from_ms),
        "to": clock.to_text(jump.to_ms),
        "seconds": round(by_ms / 1000),
        "restarted": jump.restarted,
    }
    result = "set back" if by_ms < 0 else "set forward"
    spool.record(places, [Draft(Action.CLOCK_JUMPED, result=result, severity=Severity.WARNING, body=body)])
