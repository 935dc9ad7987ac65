"""A breach of the audit log is told when it is found, at every begin of a session, and daily until the user acknowledges it."""

from collections.abc import Iterator

import pytest

from tests.unit.audit.help import filled
from tests.unit.wording.test_audit import BREACH
from tray.audit.store import AuditLog
from tray.config.channels import ChannelSettings, Notify
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.model import Instance, State, Status
from tray.core.model.events import Event, EventKind
from tray.core.paths import Places
from tray.core.sender import LOGIN
from tray.notify import fill, queue_file, wakes
from tray.notify.desktop import notices
from tray.notify.queue import Queue
from tray.wording import messages

BEGIN = clock.from_text("2026-11-30T10:00:00Z")
FOUND = replace(BREACH, checked_ms=BEGIN, since_ms=BEGIN)
KNOWN = Notify({"desktop": ChannelSettings("desktop", "desktop"), "mail": ChannelSettings("mail", "mail")})


class World:
    """A log, a queue, a clock, and the status that each look sees."""

    def __init__(self, places: Places, queue: Queue) -> None:
        self.places, self.queue = places, queue
        self.now_ms, self.audit = BEGIN, FOUND

    def poll(self) -> Status:
        """Return the status of this moment."""
        return Status(State.TAMPERED, self.now_ms, audit=self.audit)

    def close(self) -> None:
        """Close nothing."""

    def look(self, after_ms: int = 0, *, login: bool = False) -> dict[str, list[Event]]:
        """Look for news as the sender does, and return the events that each channel sends."""
        self.now_ms += after_ms
        if login:
            self.queue.set_mark(LOGIN, self.now_ms)
        fill.now(self.places, self.queue, KNOWN)
        told = {}
        for name in KNOWN.channels:
            message = self.queue.take(name, self.now_ms, 0)
            if message is not None:
                self.queue.sent(message, self.now_ms)
                told[name] = list(message.events)
        return told


@pytest.fixture
def world(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A log with a breach that was just found."""
    filled(places, 3)
    queue = queue_file.opened(places)
    made = World(places, queue)
    monkeypatch.setattr(fill, "StatusSource", lambda *_args, **_options: made)
    monkeypatch.setattr(clock, "now_ms", lambda: made.now_ms)
    monkeypatch.setattr(wakes, "look", lambda _places: (False, 0))
    yield made
    queue.close()


def kinds(told: dict[str, list[Event]]) -> dict[str, list[EventKind]]:
    """The kinds of the events by channel."""
    return {name: [event.kind for event in events] for name, events in told.items()}


def test_it_is_told_at_once_and_daily_until_it_is_acknowledged(world: World) -> None:
    """By every channel for people, as one incident; then its notice goes."""
    first = world.look()
    assert kinds(first) == {"desktop": [EventKind.BREACH], "mail": [EventKind.BREACH]}
    assert world.look(3_600_000) == {}
    second = world.look(DAY_MS)
    assert kinds(second) == kinds(first)
    assert first["mail"][0].incident == second["mail"][0].incident
    assert first["mail"][0].id != second["mail"][0].id
    assert kinds(world.look(DAY_MS)) == kinds(first)
    world.audit = replace(FOUND, breach=False)
    assert kinds(world.look(60_000)) == {"desktop": [EventKind.CLEARED]}
    assert world.look(DAY_MS) == {}


def test_another_finding_is_told_at_once(world: World) -> None:
    """The user hears of a second manipulation."""
    world.look()
    world.audit = replace(FOUND, first_bad=3)
    assert kinds(world.look(60_000))["desktop"] == [EventKind.BREACH]


def test_each_new_session_of_the_user_shows_it(world: World) -> None:
    """The desktop alone, and only what is not acknowledged."""
    world.look(login=True)
    assert world.look(60_000) == {}
    assert kinds(world.look(60_000, login=True)) == {"desktop": [EventKind.BREACH]}
    assert world.look(60_000) == {}
    world.audit = replace(FOUND, breach=False)
    assert kinds(world.look(60_000, login=True)) == {"desktop": [EventKind.CLEARED]}


def test_a_new_session_gets_at_once_the_messages_that_waited_for_a_desktop(world: World) -> None:
    """At night there was no session; the next try would be in hours."""
    fill.now(world.places, world.queue, KNOWN)
    message = world.queue.take("desktop", world.now_ms, 0)
    assert message is not None
    for _ in range(4):
        world.queue.failed(message, "no session", world.now_ms)
    assert world.look(60_000).keys() == {"mail"}
    (event,) = world.look(60_000, login=True)["desktop"]
    assert event == message.events[0]


def test_the_notice_is_plain_and_ends_with_the_mark_of_the_log(world: World, places: Places) -> None:
    """Without jargon, with the line by which the log can be compared later; of root's log the user cannot know it."""
    (event,) = world.look()["desktop"]
    ((notice,), _) = notices.of(notices.Message("1", "desktop", BEGIN, (event,)), BEGIN, lambda _event: ())
    with AuditLog.read(places.audit_db) as log:
        mark = log.entry(0).data["log"].split("/")[1][:8]
    assert notice.title == "The history of your backups was changed"
    assert notice.body.split("\n")[:3] == [
        "Entry 17 was altered.",
        "The backups themselves are not touched by this.",
        "Keep a copy of the audit log's folder before you acknowledge it.",
    ]
    assert notice.body.split("\n")[3].startswith(f"audit log {mark}, ")
    assert len(notice.body.split("\n")) == 4
    world.audit = replace(FOUND, instance=Instance.SYSTEM)
    (event,) = world.look(60_000)["mail"]
    assert "audit log" not in "".join(messages.details(event, BEGIN)[3:])


def test_a_log_that_cannot_be_read_costs_the_notice_no_word_but_its_mark(world: World, places: Places) -> None:
    """It may have been destroyed, and that is the breach."""
    places.audit_db.unlink()
    (event,) = world.look()["desktop"]
    assert (event.concern, event.facts["footer"]) == (FOUND.why, "")
