"""The sender: who looks, who waits, and the threads of the channels."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.unit.notify.help import FINE, event
from tests.unit.notify.test_worker import Channel, refuse
from tray.config.channels import ChannelSettings
from tray.core import clock
from tray.core import sender as start
from tray.core.locks import FileLock
from tray.core.model import EndedRun, JobStatus, Outcome, State, Status
from tray.core.model.events import EventKind, Message
from tray.core.paths import Places, private
from tray.notify import channels, fill, queue, queue_file, sender, worker
from tray.notify.queue import Delivery, Queue

CONFIG = """
version = 1
[channels.desktop]
enabled = false
[channels.hook]
type = "webhook"
url = "http://127.0.0.1:9"
[channels.other]
type = "webhook"
url = "http://127.0.0.1:10"
"""


@pytest.fixture
def waiting(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """A queue without pauses, and two channels."""
    monkeypatch.setattr(queue, "PACE_MS", 0)
    monkeypatch.setattr("tray.notify.worker.STAY_SECONDS", 0)
    monkeypatch.setattr(sender, "STAY_SECONDS", 0)
    monkeypatch.setattr(fill, "present", lambda _: FINE)
    private(places.config)
    places.config_file.write_text(CONFIG)
    with closing(queue_file.opened(places)) as made:
        yield made


def put(waiting: Queue, job: str, *names: str) -> None:
    """Queue a failure for channels."""
    told = event(job=job, id=f"failure of {job}", incident=job)
    waiting.tell({}, [told], [Delivery(told, name, 0) for name in names])


def use(monkeypatch: pytest.MonkeyPatch, **by_name: Channel) -> None:
    """Let each channel be one of these."""
    monkeypatch.setattr(channels, "load", lambda settings, _: by_name[settings.name])


def jobs(channel: Channel) -> list[str | None]:
    """The jobs of which a channel has told; None of an event about none."""
    return [each.job for message in channel.sent for each in message.events]


def test_a_channel_that_hangs_does_not_delay_another(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that hangs goes on only once the other one has sent."""
    sent = threading.Event()

    def hang(_: Message) -> None:
        if not sent.wait(60):
            raise NotImplementedError

    hook, other = Channel(hang), Channel(lambda _: sent.set())
    use(monkeypatch, hook=hook, other=other)
    put(waiting, "a", "hook", "other")
    assert sender.run(places, waiting) == 0
    assert (jobs(hook), jobs(other)) == (["a"], ["a"])


def test_a_channel_that_is_out_is_told_by_the_other_in_the_same_process(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although nothing waited for the other one at first."""
    hook, other = Channel(refuse("Wrong token.", final=True)), Channel()
    use(monkeypatch, hook=hook, other=other)
    put(waiting, "a", "hook")
    sender.run(places, waiting)
    assert [each.kind for message in other.sent for each in message.events] == [EventKind.CHANNEL]


def test_a_process_that_finds_another_one_waiting_ends(places: Places, waiting: Queue) -> None:
    """That one has not looked yet, and will see the same; the program does not even start a further one."""
    folder = sender.lock_folder(places)
    with FileLock(folder / start.NEXT) as turn:
        assert turn.acquire()
        assert sender.run(places, waiting) == 0
        assert waiting.mark("looked") is None
        assert start.start(places) is None


def test_a_lock_that_is_only_asked_about_ends_no_sender(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To ask who holds a lock takes it for a moment; a sender that ended for that would leave its event untold."""
    asks = FileLock(sender.lock_folder(places) / start.NEXT)
    assert asks.acquire()
    monkeypatch.setattr("tray.notify.sender.time.sleep", lambda _: asks.release())
    assert sender.run(places, waiting) == 0
    assert waiting.mark("looked") is not None


def test_a_process_waits_for_its_turn(places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another one looks, it holds the place of the next one; then it looks itself."""
    use(monkeypatch, hook=Channel(), other=Channel())
    folder = sender.lock_folder(places)
    turns = []
    with FileLock(folder / start.LOOK) as looks:
        assert looks.acquire()

        def pause(_: float) -> None:
            with FileLock(folder / start.NEXT) as turn:
                turns.append(turn.acquire())
            looks.release()

        monkeypatch.setattr("tray.notify.sender.time.sleep", pause)
        assert sender.run(places, waiting) == 0
    assert turns == [False]
    assert waiting.mark("looked") is not None


def test_a_configuration_that_is_broken_drops_no_message(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file that is no TOML, nor one fault in the channel; once it is mended the message goes."""
    hook = Channel()
    use(monkeypatch, hook=hook, other=Channel())
    put(waiting, "a", "hook")
    for fault in ("=", CONFIG.replace("http://127.0.0.1:9", "ftp://x")):
        places.config_file.write_text(fault)
        sender.run(places, waiting)
        assert (waiting.channels(), hook.sent) == (["hook"], [])
    places.config_file.write_text(CONFIG)
    sender.run(places, waiting)
    assert jobs(hook) == ["a"]


def test_a_channel_that_is_turned_off_or_removed_gets_nothing_later(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its old messages would be no news when it is turned on again."""
    hook, other = Channel(), Channel()
    use(monkeypatch, hook=hook, other=other)
    put(waiting, "a", "hook", "other")
    places.config_file.write_text(
        CONFIG.replace('type = "webhook"', 'type = "webhook"\nenabled = false', 1).split("[channels.other]")[0]
    )
    sender.run(places, waiting)
    assert waiting.channels() == []
    places.config_file.write_text(CONFIG)
    sender.run(places, waiting)
    assert (hook.sent, other.sent) == ([], [])


@pytest.mark.parametrize("change", ["address", "secret"])
def test_changed_settings_let_a_refused_message_go(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The user mends the address, or the file of the password, and need not know of the queue."""
    secret = places.config / "secret"
    secret.write_text("whsec_wrong")
    config = CONFIG.replace('url = "http://127.0.0.1:9"', f'url = "http://127.0.0.1:9"\nsecret_file = "{secret}"')
    places.config_file.write_text(config)
    hook = Channel(refuse("No such address.", final=True))
    use(monkeypatch, hook=hook, other=Channel())
    put(waiting, "a", "hook")
    sender.run(places, waiting)
    hook.act = lambda _: None
    sender.run(places, waiting)
    assert hook.sent == []
    if change == "address":
        places.config_file.write_text(config.replace(":9", ":11"))
    else:
        secret.unlink()
        secret.write_text("whsec_right")
    sender.run(places, waiting)
    assert jobs(hook) == ["a"]


def test_a_desktop_is_tried_only_where_a_session_is(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its messages wait for the login, a week at most, and no outage is told."""
    places.config_file.unlink()
    desktop = Channel()
    use(monkeypatch, desktop=desktop)
    monkeypatch.setattr(sender, "session_bus", lambda: None)
    put(waiting, "a", "desktop")
    sender.run(places, waiting)
    assert (desktop.sent, waiting.channels()) == ([], ["desktop"])
    monkeypatch.setattr(sender, "session_bus", lambda: "unix:path=/bus")
    sender.run(places, waiting)
    assert jobs(desktop) == ["a"]
    monkeypatch.setattr(sender, "session_bus", lambda: None)
    put(waiting, "b", "desktop")
    waiting.db.execute("UPDATE deliveries SET made_ms = made_ms - ? WHERE message IS NULL", (queue.GIVE_UP_MS + 1,))
    sender.run(places, waiting)
    assert waiting.channels() == []


def test_a_worker_that_fails_is_not_started_again_and_again(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends; the next one tries again."""
    started: list[ChannelSettings] = []

    class Worker:
        """Ends with a fault."""

        idle = False

        def __init__(self, *values: object) -> None:
            assert isinstance(values[3], ChannelSettings)
            started.append(values[3])

        def run(self) -> None:
            """Do nothing."""

    monkeypatch.setattr(sender, "Worker", Worker)
    put(waiting, "a", "hook")
    assert sender.run(places, waiting) == 0
    assert [settings.name for settings in started] == ["hook"]


def test_a_sender_that_is_asked_to_end_sends_all_that_is_due_and_does_not_stay(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry in a minute is for the next sender; otherwise systemd would kill this one in the middle of it."""
    ending = threading.Event()
    ending.set()
    for module in (sender, worker):
        monkeypatch.setattr(module, "STAY_SECONDS", 10_000)
        monkeypatch.setattr(module, "ENDING", ending)
    hook, other = Channel(refuse("It is busy.")), Channel()
    use(monkeypatch, hook=hook, other=other)
    put(waiting, "a", "hook", "other")
    assert sender.run(places, waiting) == 0
    assert jobs(other) == ["a"]
    assert waiting.next_ms("hook", clock.now_ms()) is not None


@pytest.mark.parametrize("fault", ["=", CONFIG.replace("http://127.0.0.1:9", "ftp://x")])
def test_news_of_the_time_in_which_the_settings_had_a_fault_are_told_once_they_are_mended(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """By the rules that the mended file has; an incident that is over by then is told by no message."""
    hook, other = Channel(), Channel()
    use(monkeypatch, hook=hook, other=other)

    def failing(*names: str) -> Callable[[Places], Status]:
        ended = [EndedRun(f"run of {name}", name, "restic", Outcome.FAILED, 0, 1) for name in names]
        jobs = tuple(JobStatus(run.job or "", State.FAILED, run) for run in ended)
        return lambda _: Status(State.FAILED, clock.now_ms(), jobs=jobs)

    sender.run(places, waiting)
    places.config_file.write_text(fault)
    monkeypatch.setattr(fill, "present", failing("a", "b", "c"))
    sender.run(places, waiting)
    monkeypatch.setattr(fill, "present", failing("a", "b"))
    sender.run(places, waiting)
    assert hook.sent == []
    places.config_file.write_text(CONFIG.replace(':9"', ':9"\njobs = ["a"]'))
    sender.run(places, waiting)
    sender.run(places, waiting)
    assert jobs(hook) == ["a"]
    assert jobs(other) == (["a", "b"] if fault == "=" else [None, "a", "b", "c"])  # None: of the fault itself


def test_a_fault_in_the_settings_of_a_channel_that_had_none_is_told_by_the_others(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, as a user who relies on that channel may not look at any other place; one that is still being set up is no news."""
    other = Channel()
    use(monkeypatch, hook=Channel(), other=other)
    places.config_file.write_text(f"{CONFIG}\n[channels.mail]\n")
    sender.run(places, waiting)
    assert other.sent == []
    places.config_file.write_text(CONFIG.replace("http://127.0.0.1:9", "ftp://x"))
    sender.run(places, waiting)
    sender.run(places, waiting)
    (outage,) = [each for message in other.sent for each in message.events]
    assert (outage.kind, outage.facts) == (EventKind.CHANNEL, {"channel": "hook"})
    assert "`url` must be an address" in (outage.concern or "")


def test_a_status_that_cannot_be_read_for_a_moment_is_no_news(
    places: Places, waiting: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log may be locked; one that stays unreadable is told at once, and asked for once a look from then on."""
    hook, asked = Channel(), list[int]()
    use(monkeypatch, hook=hook, other=Channel())
    monkeypatch.setattr(fill, "PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr("tray.notify.fill.time.sleep", asked.append)
    out = Status(State.UNAVAILABLE, clock.now_ms(), error={"code": "X", "why": "It is locked.", "next": ""})
    monkeypatch.setattr(fill, "present", lambda _: FINE if asked else out)
    sender.run(places, waiting)
    assert (hook.sent, len(asked)) == ([], 1)
    monkeypatch.setattr(fill, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(fill, "present", lambda _: out)
    sender.run(places, waiting)
    sender.run(places, waiting)
    (message,) = hook.sent
    assert [(each.kind, each.job, each.concern) for each in message.events] == [
        (EventKind.FAILURE, None, "It is locked.")
    ]


def test_a_queue_that_was_taken_over_gets_no_news(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be sent from two queues, or be lost with the file; the caller opens another one."""
    monkeypatch.setattr(fill, "present", lambda _: FINE)
    with closing(queue_file.elsewhere(places)) as other:
        queue_file.opened(places).close()
        with pytest.raises(FileNotFoundError):
            sender.run(places, other)
        assert other.mark("looked") is None
