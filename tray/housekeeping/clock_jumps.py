"""Duty: notice that somebody set the clock, and put it on record.

The wall clock is compared with the time since the machine started, which goes on while it sleeps and which nobody can set. Both
are kept from one round to the next. Summer time and time zones change neither. After a restart only a clock that is behind the
last known time gives itself away.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tray.core import clock, locks
from tray.housekeeping import duty_memory
from tray.housekeeping.rounds import Round

SLACK_MS = clock.JUMP_MS
_NAME = "clock"


@dataclass(frozen=True, slots=True)
class Clocks:
    """Both clocks at one moment.

    Attributes:
        wall_ms: The time that people see, UTC.
        boot_ms: The time since the machine started.
        boot: Which start that was.
    """

    wall_ms: int
    boot_ms: int
    boot: str


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock was set.

    Attributes:
        from_ms: What it would show, had nobody set it; the last known time if the machine was restarted since.
        to_ms: What it shows.
        restarted: The machine was restarted in between, so it was set back by that much at least.
    """

    from_ms: int
    to_ms: int
    restarted: bool = False


def do(this: Round) -> None:
    """Compare with the last round, and remember this one."""
    now = read()
    before = _known(duty_memory.load(this.places, _NAME))
    jump = None if before is None else jumped(before, now)
    if jump is not None:
        _record(this, jump)
    duty_memory.save(this.places, _NAME, asdict(now))


def read() -> Clocks:
    """Return both clocks now."""
    return Clocks(clock.now_ms(), clock.since_boot_ms(), locks.boot_id())


def jumped(before: Clocks, now: Clocks) -> Jump | None:
    """Return how the wall clock was set between two moments, None if it only went on."""
    if before.boot != now.boot:
        return Jump(before.wall_ms, now.wall_ms, True) if now.wall_ms < before.wall_ms - SLACK_MS else None
    expected = before.wall_ms + now.boot_ms - before.boot_ms
    return Jump(expected, now.wall_ms) if abs(now.wall_ms - expected) > SLACK_MS else None


def _known(data: Mapping[str, Any]) -> Clocks | None:
    wall, boot_ms, boot = data.get("wall_ms"), data.get("boot_ms"), data.get("boot")
    if isinstance(wall, int) and isinstance(boot_ms, int) and isinstance(boot, str):
        return Clocks(wall, boot_ms, boot)
    return None


def _record(this: Round, jump: Jump) -> None:
    from tray.audit import spool
    from tray.audit.entry import Action, Draft, Severity

    by_ms = jump.to_ms - jump.from_ms
    body = {
        "from": clock.to_text(jump.from_ms),
        "to": clock.to_text(jump.to_ms),
        "seconds": round(by_ms / 1000),
        "restarted": jump.restarted,
    }
    result = "set back" if by_ms < 0 else "set forward"
    spool.record(this.places, [Draft(Action.CLOCK_JUMPED, result=result, severity=Severity.WARNING, body=body)])
