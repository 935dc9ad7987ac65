"""When a channel's digest is due."""

from collections.abc import Iterator

import pytest

from tray.config.channels import ChannelSettings, Notify
from tray.core.clock import DAY_MS
from tray.core.paths import Places
from tray.notify import fill, queue_file
from tray.notify.queue import Queue

MONDAY_MS = 1_796_025_600_000
"""2026-11-30 08:00 UTC."""
MAIL = Notify({"mail": ChannelSettings("mail", "mail", digest="Mon 08:00")})


@pytest.fixture
def queue(places: Places) -> Iterator[Queue]:
    """An empty queue."""
    made = queue_file.opened(places)
    yield made
    made.close()


def due(queue: Queue, now_ms: int, known: Notify = MAIL) -> list[str]:
    """The channels whose digest is due; it then counts as sent."""
    marks: dict[str, int] = {}
    names = fill.digests_due(known.channels, queue, now_ms, marks)
    for name, at_ms in marks.items():
        queue.set_mark(name, at_ms)
    return names


def test_a_digest_comes_once_a_week(queue: Queue, utc: None) -> None:
    """The first one at the next moment after the channel is known; one that was missed comes once, as soon as it can."""
    assert due(queue, MONDAY_MS - 3 * DAY_MS) == []
    assert due(queue, MONDAY_MS - 1) == []
    assert due(queue, MONDAY_MS) == ["mail"]
    assert due(queue, MONDAY_MS + 1000) == []
    assert due(queue, MONDAY_MS + 22 * DAY_MS) == ["mail"]
    assert due(queue, MONDAY_MS + 22 * DAY_MS + 1000) == []
    assert due(queue, MONDAY_MS + 28 * DAY_MS) == ["mail"]


def test_a_clock_that_was_ahead_stops_no_digest(queue: Queue, utc: None) -> None:
    """A digest that was noted in a year to come is forgotten, and the next one is due at its moment."""
    due(queue, MONDAY_MS + 400 * DAY_MS)
    assert due(queue, MONDAY_MS - DAY_MS) == []
    assert due(queue, MONDAY_MS) == ["mail"]


def test_no_digest_comes_after_its_last_moment(queue: Queue, utc: None) -> None:
    """An expression may name a single day."""
    once = Notify({"mail": ChannelSettings("mail", "mail", digest="2026-11-30 08:00")})
    assert due(queue, MONDAY_MS - DAY_MS, once) == []
    assert due(queue, MONDAY_MS, once) == ["mail"]
    assert due(queue, MONDAY_MS + DAY_MS, once) == []


def test_a_channel_without_a_digest_has_none(queue: Queue, utc: None) -> None:
    """Neither one that is turned off."""
    off = Notify(
        {
            "desktop": ChannelSettings("desktop", "desktop"),
            "mail": ChannelSettings("mail", "mail", digest="Mon 08:00", enabled=False),
        }
    )
    assert due(queue, MONDAY_MS - DAY_MS, off) == due(queue, MONDAY_MS + 30 * DAY_MS, off) == []
