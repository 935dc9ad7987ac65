"""Messages for the tests of mails."""

from typing import Any

from tray.core.model import Outcome
from tray.core.model.events import Event, EventKind, Message

NOW = 1_790_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
RUN = "0190aaaa-0000-7000-8000-000000000001"
NASTY = "a<img src=x onerror=alert(1)>\r\nBcc: eve@example.com\n\x1b[31m</style>\u2028\u202e\"'&"


def failure(**more: Any) -> Event:
    """Return a failure of "home" that begins an incident."""
    facts: dict[str, Any] = {
        "id": "0190eeee-0000-7000-8000-000000000041",
        "kind": EventKind.FAILURE,
        "at_ms": NOW - 60_000,
        "job": "home",
        "incident": "0190eeee-0000-7000-8000-000000000041",
        "run": RUN,
        "entry": 41,
        "engine": "restic",
        "outcome": Outcome.FAILED,
        "started_ms": NOW - 400_000,
        "duration_ms": 340_000,
        "bytes_processed": 4_312_000_000,
        "files": 20_220,
        "errors": 3,
        "reason": "restic could not open the repository: the disk is not connected",
        "advice": "Connect it, then run `backup-tray backup home`",
        "last_good_ms": NOW - 3 * DAY,
        "streak": 3,
        "log": "backup-tray/0190ffff-0000-7000-8000-000000000002",
        "host": "nas",
    }
    return Event(**(facts | more))


def recovered(**more: Any) -> Event:
    """Return the end of that incident."""
    facts: dict[str, Any] = {
        "id": "0190eeee-0000-7000-8000-000000000052",
        "kind": EventKind.RECOVERED,
        "outcome": Outcome.SUCCEEDED,
        "entry": 52,
        "reason": None,
        "advice": None,
        "since_ms": NOW - DAY,
        "streak": 0,
        "last_good_ms": NOW - 60_000,
    }
    return failure(**(facts | more))


def message(*events: Event, made_ms: int = NOW) -> Message:
    """Return a message to the channel "mail"."""
    return Message("0190cccc-0000-7000-8000-000000000003", "mail", made_ms, events)


def digest(rows: list[dict[str, Any]] | None = None, **more: Any) -> Event:
    """Return a digest of two jobs that are fine."""
    days = ["kept"] * 27 + ["missed"]
    listed = rows or [
        {"job": "home", "state": "ok", "word": "Fine", "last_good": "2026-09-21T02:00:00.000Z", "days": days}
        | {"next": "2026-09-22T02:00:00.000Z", "bytes": 4_312_000_000},
        {"job": "photos", "state": "ok", "word": "Fine", "last_good": "2026-09-21T03:00:00.000Z", "days": ["kept"] * 28}
        | {"next": None, "bytes": None},
    ]
    facts = {"title": "Both backups are fine", "state": "ok", "lines": ["Oldest: home, 12 hours ago."], "rows": listed}
    return Event("d1", EventKind.DIGEST, NOW, facts={**facts, "first_day": "2026-08-24", **more})
