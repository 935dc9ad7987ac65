"""A job that people are told is overdue has an entry that says so, once."""

from collections.abc import Iterator

import pytest

from tests.e2e.trays import record
from tray.audit.store import AuditLog
from tray.core import clock
from tray.core.paths import Places, private
from tray.notify import fill, queue_file
from tray.notify.queue import Queue


@pytest.fixture
def queue(places: Places) -> Iterator[Queue]:
    """An empty queue."""
    made = queue_file.opened(places)
    yield made
    made.close()


def test_an_overdue_job_is_put_on_record_once_under_the_id_of_the_event(
    places: Places, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id is none of the good run before it: that entry is there already, and the log takes no id twice."""
    up_ms = clock.since_boot_ms() + 30 * clock.DAY_MS
    monkeypatch.setattr(clock, "since_boot_ms", lambda: up_ms)  # the machine of the test may have been started just now
    record("home", "succeeded", hours=72)
    private(places.config)
    places.config_file.write_text(
        '[jobs.home]\nevery = "1d"\n[channels.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n'
    )
    for _ in range(2):
        fill.now(places, queue, fill.settings(places))
    with AuditLog.read(places.audit_db) as log:
        (entry,) = [entry for entry in log.entries() if entry.data["action"] == "job.overdue"]
    assert (entry.data["job"], entry.data["severity"]) == ("home", "warning")
    message = queue.take("hook", 1 << 52)
    assert message is not None
    assert [event.id for event in message.events] == [entry.data["id"]]
    assert queue.unrecorded() == []
