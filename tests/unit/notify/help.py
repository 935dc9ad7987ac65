"""Events and messages for the tests of channels."""

from typing import Any

from tray.core.model import Outcome, State, Status
from tray.core.model.events import Event, EventKind, Message

NOW = 1_796_000_000_000
RUN = "0a1b2c3d-0000-4000-8000-000000000001"
FINE = Status(State.OK, NOW)


def event(kind: EventKind = EventKind.FAILURE, job: str | None = "home", **facts: Any) -> Event:
    """An event of now; a failure with a run and a reason."""
    usual: dict[str, Any] = {"id": f"{kind}-{job}", "at_ms": NOW, "incident": "i", "since_ms": NOW}
    if kind is EventKind.FAILURE:
        usual |= {
            "run": RUN,
            "outcome": Outcome.FAILED,
            "reason": "repository is already locked",
            "last_good_ms": NOW - 86_400_000,
        }
    if kind in (EventKind.RECOVERED, EventKind.SUCCESS):
        usual |= {"run": RUN, "outcome": Outcome.SUCCEEDED, "duration_ms": 60_000, "files": 20_220}
    return Event(kind=kind, job=job, **(usual | facts))


def message(*events: Event) -> Message:
    """A message of now."""
    return Message("3b241101-e2bb-4255-8caf-4136c566a962", "desktop", NOW, events or (event(),))
