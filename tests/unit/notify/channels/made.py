"""Events and messages for the tests of channels."""

from typing import Any

from tray.core.model import JobStatus, Outcome, State, Status
from tray.core.model.events import Event, EventKind, Message

NOW = 1_796_000_000_000
HOSTILE = [
    "two\nlines",
    "<b>bold</b>&amp;",
    "home\r\nBcc: eve@example.com\r\n\r\nbody",
    "right\u202eto left",
    "x" * 65_536,
    'quotes " and \\ back',
    "half \udcff surrogate",
    "\x00\x1b[31mred",
    "日本語 🗄️",
]


def event(kind: EventKind = EventKind.FAILURE, job: str | None = "home", number: int = 0, **more: Any) -> Event:
    """Return an event, by default the failure of a run."""
    outcome = {EventKind.FAILURE: Outcome.FAILED, EventKind.SUCCESS: Outcome.SUCCEEDED}.get(kind)
    facts: dict[str, Any] = {"outcome": outcome, "entry": 12, "run": run_id(number), "reason": "Disk full."}
    return Event(f"event-{number}", kind, NOW + number, job=job, **{**facts, **more})


def run_id(number: int = 0) -> str:
    """Return the id of a run."""
    return f"01935f00-0000-7000-8000-{number:012d}"


def message(*events: Event, name: str = "message-1") -> Message:
    """Return a message with *events*."""
    return Message(name, "channel", NOW, events or (event(),))


def status(state: State = State.OK, **more: Any) -> Status:
    """Return a status."""
    return Status(state, NOW, **more)


def job(name: str, state: State = State.OK, **more: Any) -> JobStatus:
    """Return the status of a job."""
    return JobStatus(name, state, None, **more)
