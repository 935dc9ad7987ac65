"""The thread of one channel: outages and their ends, locks, settings that change, and events that come at the last moment."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.audit.help import filled
from tests.unit.notify.help import FINE, event
from tray.audit.store import AuditLog
from tray.config.channels import UNNAMED, ChannelSettings
from tray.core import clock
from tray.core.locks import FileLock
from tray.core.model import Status
from tray.core.model.events import EventKind, Message
from tray.core.paths import Places, private
from tray.notify import channels, outages, present_state, queue, queue_file
from tray.notify.channels import NotSentError
from tray.notify.queue import Delivery, Queue
from tray.notify.worker import Worker

HOOK = ChannelSettings("hook", "webhook", {"url": "http://127.0.0.1:9"})
CONFIG = 'version = 1\n[channels.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:9"\n'


class Channel:
    """Sends as *act* does, and notes the messages."""

    def __init__(self, act: Callable[[Message], None] = lambda _: None) -> None:
        self.sent: list[Message] = []
        self.closed = 0
        self.act = act

    def send(self, message: Message, _: Status) -> None:
        """Send or raise."""
        self.act(message)
        self.sent.append(message)

    def close(self) -> None:
        """Note it."""
        self.closed += 1


def refuse(why: str = "It is out.", *, final: bool = False) -> Callable[[Message], None]:
    """Return the behaviour of a channel that sends nothing."""

    def act(_: Message) -> None:
        raise NotSentError(why, final=final)

    return act


@pytest.fixture
def waiting(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """A queue without pauses between messages, one channel, and a log."""
    monkeypatch.setattr(queue, "PACE_MS", 0)
    filled(places, 1)
    private(places.config)
    places.config_file.write_text(CONFIG)
    with closing(queue_file.opened(places)) as made:
        yield made


def put(waiting: Queue, *jobs: str, channel: str = "hook") -> None:
    """Queue a failure of each job."""
    events = [event(job=job, id=f"{channel} {job}", incident=job) for job in jobs]
    waiting.tell({}, events, [Delivery(each, channel, 0) for each in events])


def work(places: Places, waiting: Queue, channel: Channel, settings: ChannelSettings = HOOK) -> Worker:
    """Let a worker send all that is due by *channel*."""
    worker = Worker(places, waiting.file, locks(places), settings, FINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels, "load", lambda *_: channel)
        patch.setattr("tray.notify.worker.STAY_SECONDS", 0)
        worker.run()
    return worker


def locks(places: Places) -> Path:
    """The folder of the locks."""
    return private(places.state / "notify")


def failures(places: Places) -> list[str]:
    """The reasons of the entries about channels that send nothing."""
    with AuditLog.read(places.audit_db) as log:
        entries = log.entries(0, 100)
    return [str((each.body or {})["why"]) for each in entries if each.data["action"] == "notification.failed"]


def test_all_that_waits_is_sent_and_the_connection_given_back(places: Places, waiting: Queue) -> None:
    """Together, in one message."""
    channel = Channel()
    put(waiting, "a", "b")
    assert work(places, waiting, channel).idle
    assert [[each.job for each in message.events] for message in channel.sent] == [["a", "b"]]
    assert channel.closed == 1


def test_an_outage_is_one_entry_and_ends_with_the_first_message(places: Places, waiting: Queue) -> None:
    """However many tries fail; the next outage is a new entry."""
    put(waiting, "a")
    for why in ("It is out.", "It is out.", "It is still out."):
        waiting.retry_now("hook", 0)
        work(places, waiting, Channel(refuse(why)))
    assert outages.failing(places) == {"hook": "It is out."}
    assert failures(places) == ["It is out."]
    waiting.retry_now("hook", 0)
    work(places, waiting, Channel())
    assert outages.failing(places) == {}
    put(waiting, "b")
    work(places, waiting, Channel(refuse("Again.")))
    assert failures(places) == ["It is out.", "Again."]


def test_a_mistake_of_ours_in_a_channel_tells_nothing_secret(places: Places, waiting: Queue) -> None:
    """The message is tried again, and the address with its token is kept nowhere."""
    put(waiting, "a")

    def err(_: Message) -> None:
        raise RuntimeError("https://example.com/token")

    work(places, waiting, Channel(err))
    state = waiting.state("hook", 0)
    assert (state.waiting, state.tries) == (1, 1)
    assert "token" not in str(state) + str(outages.failing(places)) + str(failures(places))
    assert "RuntimeError" in str(state.why)


def test_an_event_that_comes_as_the_lock_is_given_back_is_sent(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own sender has seen the lock taken and has ended."""
    channel, release, late = Channel(), FileLock.release, ["b"]

    def interrupted(lock: FileLock) -> None:
        if lock.path.name == "channel-hook" and late:
            put(waiting, late.pop())
            other = Channel()
            assert not work(places, waiting, other).idle
            assert other.sent == []
        release(lock)

    monkeypatch.setattr(FileLock, "release", interrupted)
    put(waiting, "a")
    assert work(places, waiting, channel).idle
    assert [message.events[0].job for message in channel.sent] == ["a", "b"]


def test_settings_that_change_meanwhile_are_followed(places: Places, waiting: Queue) -> None:
    """A sender may be minutes old: a channel that was turned off gets nothing from it, one with a new address is opened anew."""
    channel = Channel()
    put(waiting, "a")
    places.config_file.write_text(CONFIG.replace(":9", ":10"))
    work(places, waiting, channel)
    assert len(channel.sent) == 1
    places.config_file.write_text(CONFIG + "enabled = false\n")
    put(waiting, "b")
    work(places, waiting, channel)
    places.config_file.write_text("version = 1\n")
    work(places, waiting, channel)
    assert len(channel.sent) == 1
    assert waiting.channels() == ["hook"]


def told_elsewhere(waiting: Queue) -> list[str]:
    """The reasons of which the desktop is to tell."""
    message = waiting.take("desktop", 0, 0)
    if message is None:
        return []
    waiting.sent(message, 0)
    return [str(each.concern) for each in message.events if each.kind is EventKind.CHANNEL]


def test_a_channel_that_refuses_for_good_is_told_by_another_one_once(places: Places, waiting: Queue) -> None:
    """Once an outage; the channel itself does not try to tell of it."""
    for job in ("a", "b"):
        put(waiting, job)
        work(places, waiting, Channel(refuse("Wrong token.", final=True)))
    assert told_elsewhere(waiting) == ["Wrong token."]
    assert waiting.next_ms("hook", 0) is None
    put(waiting, "c")
    work(places, waiting, Channel())
    put(waiting, "d")
    work(places, waiting, Channel(refuse("Gone.", final=True)))
    assert told_elsewhere(waiting) == ["Gone."]


def test_a_channel_that_is_out_for_a_moment_is_told_by_no_other(places: Places, waiting: Queue) -> None:
    """Most outages end by themselves; after half an hour it is told."""
    put(waiting, "a")
    work(places, waiting, Channel(refuse()))
    assert told_elsewhere(waiting) == []
    waiting.db.execute("UPDATE messages SET made_ms = made_ms - 1800000, next_ms = 0")
    work(places, waiting, Channel(refuse()))
    assert told_elsewhere(waiting) == ["It is out."]


def test_a_desktop_that_the_user_has_not_configured_makes_no_noise(places: Places, waiting: Queue) -> None:
    """Most servers have none: other channels do not tell of it."""
    put(waiting, "a", channel="desktop")
    work(places, waiting, Channel(refuse("There is no desktop.", final=True)), UNNAMED)
    assert waiting.next_ms("hook", 0) is None
    assert failures(places) == ["There is no desktop."]


def test_two_channels_that_are_out_do_not_tell_of_each_other_for_ever(places: Places, waiting: Queue) -> None:
    """A message about an outage that cannot be sent is no news."""
    told = event(EventKind.CHANNEL, None, facts={"channel": "mail"})
    waiting.tell({}, [told], [Delivery(told, "hook", 0)])
    work(places, waiting, Channel(refuse("No.", final=True)))
    assert told_elsewhere(waiting) == []


@pytest.mark.parametrize("final", [False, True])
def test_a_tool_that_shows_an_older_state_is_tried_again_soon(places: Places, waiting: Queue, final: bool) -> None:
    """A pause of hours suits a mail; a house would show yesterday's state after the broker is back, or its password mended."""
    house = ChannelSettings("house", "mqtt", {"url": "mqtt://127.0.0.1:9"})
    places.config_file.write_text('[channels.house]\ntype = "mqtt"\nurl = "mqtt://127.0.0.1:9"\n')
    shown = f"{present_state.MARK}house"
    waiting.set_mark(shown, 7)
    put(waiting, "home", channel="house")
    for _ in range(1 if final else 6):
        waiting.retry_now("house", clock.now_ms())
        work(places, waiting, Channel(refuse(final=final)), house)
    next_ms = waiting.next_ms("house", clock.now_ms(), 0)
    if final:
        assert (next_ms, waiting.mark(shown)) == (None, None)
    else:
        assert next_ms is not None
        assert next_ms <= clock.now_ms() + 30 * 60_000
        assert waiting.mark(shown) == 7
