"""A tool that watches the watcher hears once an hour that Backup Tray is at work, and only while the audit log verifies."""

from collections.abc import Callable, Iterator

import pytest

from tests.unit.audit.help import end, start, tamper
from tray.audit import spool
from tray.config.channels import ChannelSettings, Notify
from tray.core import clock
from tray.core.model.events import EventKind
from tray.core.paths import Places
from tray.notify import alive, fill, queue_file
from tray.notify.queue import Queue

HOUR_MS = 3_600_000
WATCH = ChannelSettings("watch", "healthchecks", options={"url": "https://hc-ping.com", "alive": True})
CHECKS = ChannelSettings("checks", "healthchecks", options={"url": "https://hc-ping.com"})
Look = Callable[..., dict[str, list[EventKind]]]


@pytest.fixture
def queue(places: Places) -> Iterator[Queue]:
    """An empty queue."""
    made = queue_file.opened(places)
    yield made
    made.close()


def recorded(places: Places) -> None:
    """Put a run of yesterday on record as the wrapper does: the checkpoint is copied beside the configuration."""
    at_ms = clock.now_ms() - clock.DAY_MS
    spool.record(places, [start("run-9", time_ms=at_ms), end("run-9", time_ms=at_ms)])


@pytest.fixture
def look(places: Places, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Look:
    """A function that lets some time pass and looks for news as the sender does; gives the events that each channel sends."""
    now = [clock.now_ms()]
    monkeypatch.setattr(clock, "now_ms", lambda: now[0])

    def look(after_ms: int = 0, channels: tuple[ChannelSettings, ...] = (WATCH, CHECKS)) -> dict[str, list[EventKind]]:
        now[0] += after_ms
        fill.now(places, queue, Notify({channel.name: channel for channel in channels}))
        told = {}
        for channel in channels:
            message = queue.take(channel.name, now[0], 0)
            if message is not None:
                queue.sent(message, now[0])
                told[channel.name] = [event.kind for event in message.events]
        return told

    return look


def test_a_channel_that_asks_for_it_hears_once_an_hour(places: Places, look: Look) -> None:
    """However often the sender starts; other channels hear nothing of it."""
    recorded(places)
    assert look() == {"watch": [EventKind.ALIVE]}
    assert look(60_000) == {}
    assert look(HOUR_MS) == {"watch": [EventKind.ALIVE]}
    assert look(HOUR_MS) == {"watch": [EventKind.ALIVE]}


def test_only_the_latest_sign_waits_for_a_server_that_is_down(places: Places, queue: Queue, look: Look) -> None:
    """After a day without it one is worth sending, not twenty-four."""
    recorded(places)
    known = Notify({"watch": WATCH})
    for _ in range(3):
        look(HOUR_MS, channels=())
        fill.now(places, queue, known)
    message = queue.take("watch", clock.now_ms(), 0)
    assert message is not None
    assert [event.at_ms for event in message.events] == [clock.now_ms()]


def test_the_event_names_machine_and_log(places: Places, queue: Queue, look: Look) -> None:
    """The check is that of this machine."""
    recorded(places)
    fill.now(places, queue, Notify({"watch": WATCH}))
    message = queue.take("watch", clock.now_ms())
    assert message is not None
    (event,) = message.events
    assert (event.host, event.job, event.run) == (fill.host(), None, None)
    assert (event.log or "").startswith("backup-tray/")


def test_a_log_that_was_tampered_with_fails_instead(places: Places, look: Look) -> None:
    """The hour's verification itself finds it; nothing says after that that all is well."""
    recorded(places)
    assert look() == {"watch": [EventKind.ALIVE]}
    spool.record(places, [start("run-7"), end("run-7")])
    tamper(places, "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'run-7', 'run-8') AS BLOB)")
    assert look(HOUR_MS)["watch"] == [EventKind.SUCCESS, EventKind.BREACH]
    assert look(HOUR_MS) == {}


def test_without_a_log_there_is_no_sign_of_life(look: Look) -> None:
    """Nothing was verified."""
    assert look() == {}


def test_a_log_that_cannot_be_read_gives_no_sign_of_life(places: Places, look: Look) -> None:
    """The tool hears nothing for longer than usual, and alarms."""
    recorded(places)
    assert look() == {"watch": [EventKind.ALIVE]}
    places.audit_db.rename(places.audit_db.with_suffix(".away"))
    assert EventKind.ALIVE not in look(HOUR_MS).get("watch", [])


def test_a_clock_that_was_ahead_stops_no_sign_of_life(places: Places, look: Look) -> None:
    """A sign that was noted in a year to come is forgotten."""
    recorded(places)
    look(400 * clock.DAY_MS)
    assert look(-400 * clock.DAY_MS) == {"watch": [EventKind.ALIVE]}


def test_nothing_is_verified_where_no_channel_asks(places: Places, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender stays as quick as it is."""
    recorded(places)
    monkeypatch.setattr(alive, "verify", lambda _: pytest.fail("it was verified"))
    assert look(channels=(CHECKS,)) == {}
