"""Tests of reminders: of incidents of which people were told long ago, and not beside the first message."""

from tray.config.channels import ChannelSettings
from tray.core.clock import DAY_MS
from tray.core.model import EndedRun, JobStatus, Outcome, State, Status
from tray.notify.news import Known, News
from tray.notify.rules import Rules

NOON = 1_790_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2
HOOK = ChannelSettings("hook", "webhook")


def down(now_ms: int, memory: dict[str, Known]) -> dict[str, Known]:
    """Return the incidents of which the channel reminds, and keep the memory."""
    last = EndedRun("r", "home", "restic", Outcome.SUCCEEDED, NOON - 30 * DAY_MS, NOON - 30 * DAY_MS)
    job = JobStatus("home", State.OVERDUE, last, last_good=last, overdue_since_ms=NOON - 29 * DAY_MS)
    memory |= News(memory, Status(State.OVERDUE, now_ms, jobs=(job,))).memory
    return Rules({"hook": HOOK}).reminded(HOOK, memory, None, now_ms, 0)


def test_an_incident_that_is_told_late_is_not_reminded_of_at_once() -> None:
    """A server whose first round finds a backup overdue for a month tells of it once that day."""
    memory: dict[str, Known] = {}
    assert down(NOON, memory) == {}
    assert down(NOON + DAY_MS // 24, memory) == {}
    assert list(down(NOON + DAY_MS, memory)) == ["job:user:home"]
