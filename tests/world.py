"""A machine whose clocks the test moves, with a real audit log and real marks of its awake time."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tray.audit.entry import SEVERITY_OF, Action, Draft
from tray.audit.store import AuditLog
from tray.core import clock, locks
from tray.core.model import Outcome
from tray.core.paths import Places
from tray.observe import boots
from tray.observe.awake_log import Keeper

ZONE = ZoneInfo("Europe/Berlin")
FIRST = datetime(2026, 1, 5, 8, tzinfo=ZONE)
"""A Monday."""


class World:
    """The machine and the past of its backups."""

    def __init__(self, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.boot, self.booted, self.slept = ms_of(FIRST), 1, ms_of(FIRST) - 60_000, 0
        monkeypatch.setattr(clock, "now_ms", lambda: self.now)
        monkeypatch.setattr(clock, "since_boot_ms", lambda: self.now - self.booted)
        monkeypatch.setattr(clock, "slept_ms", lambda: self.slept)
        monkeypatch.setattr(
            clock, "zone_set_ms", lambda: 0
        )  # the machine of the tests may have been set up in this time
        monkeypatch.setattr(locks, "boot_id", lambda: f"boot-{self.boot}")
        monkeypatch.setattr(boots, "recorded", list)
        self.places, self.keeper = places, Keeper(places)
        self.keeper.begin()
        self.log = AuditLog.open(places.audit_db, places.audit_key)

    def go(self, day: int, hour: float) -> None:
        """Let it be so late on that day."""
        self.now = ms_of((FIRST + timedelta(days=day)).replace(hour=int(hour), minute=int(hour % 1 * 60)))

    def sleep(self, day: int) -> None:
        """Sleep until the morning of *day*."""
        self.keeper.beat()
        before = self.now
        self.go(day, 8)
        self.slept += self.now - before
        self.keeper.beat()

    def off(self, day: int) -> None:
        """Be off until the morning of *day*."""
        self.keeper.beat()
        self.go(day, 8)
        self.boot, self.booted, self.slept = self.boot + 1, self.now - 60_000, 0
        self.keeper = Keeper(self.places)
        self.keeper.begin()

    def run(self, job: str, outcome: Outcome = Outcome.SUCCEEDED, kind: str = "backup") -> None:
        """Put a run of ten minutes on record that ended just now."""
        how = {"job": job, "run": clock.new_id(), "engine": "restic", "kind": kind, "source": "wrapped"}
        end = Draft(
            Action.RUN_FINISHED,
            time_ms=self.now,
            result=outcome.value,
            severity=SEVERITY_OF[outcome],
            duration_ms=600_000,
            body={"reason": "so"},
            **how,
        )
        self.log.append([Draft(Action.RUN_STARTED, time_ms=self.now - 600_000, result="started", **how), end])


def ms_of(moment: datetime) -> int:
    """Return a moment in milliseconds."""
    return int(moment.timestamp() * 1000)
