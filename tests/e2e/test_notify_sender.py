"""The sender as a process: a thousand failures at once, its end, and a channel that never answers."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest

from tests.e2e import notify_kills
from tests.e2e.notification_servers import end, ours
from tests.e2e.program import tray
from tests.receivers import Receiver, Webhook
from tests.unit.audit.help import end as ended
from tests.unit.audit.help import start as began
from tests.waiting import wait_for
from tray.audit.store import AuditLog
from tray.core import sender
from tray.core.locks import FileLock
from tray.core.model import Outcome
from tray.core.paths import Places, private
from tray.core.sender import PART
from tray.notify import queue_file

JOBS = 1000


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """There is no desktop, and no sender is left."""
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    yield
    end(PART)


def record(places: Places, names: list[str]) -> None:
    """Put a failed run of each job on record."""
    drafts = [(began(f"run of {name}", name), ended(f"run of {name}", name, Outcome.FAILED)) for name in names]
    with AuditLog.open(places.audit_db, places.audit_key, copies=places.baselines) as log:
        log.append([draft for pair in drafts for draft in pair])


def told(hook: Receiver) -> list[str]:
    """The jobs of which the receiver was told, in order."""
    return [str(each["job"]) for seen in hook.seen for each in seen["data"]["events"]]


def test_a_thousand_failures_come_in_few_messages_by_few_processes(places: Places) -> None:
    """Each run asks for a sender, as a wrapper without a tracker does; one at a time waits for its turn to look."""
    private(places.state.parent)
    private(places.state)
    names = [f"job {number:03}" for number in range(JOBS)]
    with Webhook() as hook:
        notify_kills.configure(places, hook.url)
        started: list[subprocess.Popen[bytes]] = []
        most = total = 0
        for place in range(0, JOBS, 10):
            record(places, names[place : place + 10])
            more = [process for _ in range(10) if (process := sender.start(places)) is not None]
            total += len(more)
            started = [process for process in (*started, *more) if process.poll() is None]
            most = max(most, len(ours(PART)))
        for process in started:
            process.wait(60)
        wait_for(lambda: hook.seen, what="the first message")
        wait_for(lambda: _waiting(places) + len(told(hook)) == JOBS, what="all events in the queue")
        with closing(queue_file.opened(places)) as queue:
            queue.set_mark("sent:hook", None)  # a minute passes
        wait_for(lambda: len(told(hook)) >= JOBS, what="all failures")
        print(f"{len(hook.seen)} requests, {total} processes, at most {most} at the same time")
        assert sorted(told(hook)) == names
        assert len({event["id"] for seen in hook.seen for event in seen["data"]["events"]}) == JOBS
        assert len({seen["data"]["message"] for seen in hook.seen}) == 2
        wait_for(lambda: not ours(PART), what="the end of all senders")


def _waiting(places: Places) -> int:
    with closing(queue_file.opened(places)) as queue:
        return queue.state("hook", 0).waiting


def test_a_sender_leaves_its_starter_nothing_to_wait_for(places: Places) -> None:
    """Its first process ends at once, the second is no child of the starter, and both are gone when nothing waits."""
    private(places.state.parent)
    notify_kills.configure(places, "http://127.0.0.1:9")
    process = sender.start(places)
    assert process is not None
    assert process.wait(60) == 0
    wait_for(lambda: not ours(PART), what="the end of the sender")
    assert not [child for child in psutil.Process().children() if PART in str(child.cmdline())]


def test_a_sender_that_waits_for_its_turn_is_the_only_one(places: Places) -> None:
    """Its starter has taken the turn for it, so no further one is started until it looks, however long it takes to begin."""
    private(places.state.parent)
    notify_kills.configure(places, "http://127.0.0.1:9")
    with FileLock(private(places.state / "notify") / sender.LOOK) as looks:
        assert looks.acquire()
        first = sender.start(places)
        assert first is not None
        assert [sender.start(places) for _ in range(20)] == [None] * 20
        first.wait(60)
        assert sender.start(places) is None, "its first process has ended, the second one waits"
    wait_for(lambda: not ours(PART), what="the end of the sender")
    with closing(queue_file.opened(places)) as queue:
        assert queue.mark("looked") is not None
    second = sender.start(places)
    assert second is not None
    second.wait(60)
    wait_for(lambda: not ours(PART), what="the end of the second one")


def test_a_channel_that_never_answers_delays_neither_run_nor_other_channel(places: Places) -> None:
    """The first one accepts the connection and is silent; the second one has the message long before its time is up."""
    private(places.state.parent)
    with Webhook() as hook:
        notify_kills.configure(places, hook.url)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            lines = ["[channels.silent]", 'type = "webhook"', f'url = "{address}"']
            places.config_file.write_text(places.config_file.read_text() + "\n".join(lines) + "\n")
            assert tray("run", "--job", "home", "--", "false").returncode == 1
            wait_for(lambda: hook.seen, what="the message")
            assert ours(PART), "the silent channel is still being tried"
