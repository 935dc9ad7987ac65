"""The messages that the feed pushes into the page."""

import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest

from tests.e2e import statuses
from tests.waiting import wait_for
from tray.core import clock
from tray.core.model import Status
from tray.window import status_feed as module
from tray.window.status_feed import Feed


class Source:
    """Statuses from a queue; None ends it."""

    def __init__(self) -> None:
        self.queue: Queue[Status | Exception | None] = Queue()
        self.closed = threading.Event()

    def follow(self, stop: threading.Event) -> Iterator[Status]:
        """Yield what is put into the queue."""
        while (status := self.queue.get()) is not None and not stop.is_set():
            if isinstance(status, Exception):
                raise status
            yield status

    def close(self) -> None:
        """Remember it."""
        self.closed.set()


@pytest.fixture
def source() -> Source:
    """Where the statuses come from."""
    return Source()


@pytest.fixture
def feed(source: Source) -> Iterator[Feed]:
    """A feed that follows the source."""
    made = Feed(source)
    made.start()
    yield made
    made.stop()
    source.queue.put(None)
    assert source.closed.wait(60)


def test_a_status_is_pushed_as_soon_as_it_comes(feed: Feed, source: Source) -> None:
    """Subscribed, not polled: a change is in the page at once."""
    pushed: Queue[dict[str, Any]] = Queue()
    feed.push_to(pushed.put)
    source.queue.put(statuses.judged(running=(statuses.live(),)))
    assert pushed.get(timeout=60)["runs"][0]["percent"] == 41


def test_a_slow_page_skips_pictures_and_never_falls_behind(feed: Feed, source: Source) -> None:
    """While one push is under way newer statuses replace those that wait."""
    pushed: list[int] = []
    busy, go_on = threading.Event(), threading.Event()

    def push(picture: dict[str, Any]) -> None:
        pushed.append(picture["runs"][0]["percent"])
        busy.set()
        go_on.wait(60)

    feed.push_to(push)
    for percent in (10, 20, 30, 40, 50):
        source.queue.put(statuses.judged(running=(statuses.live(bytes_done=percent, bytes_total=100),)))
        assert busy.wait(60)
    last = statuses.judged(running=(statuses.live(bytes_done=60, bytes_total=100),))
    source.queue.put(last)
    wait_for(lambda: feed.status is last, what="the last status")
    go_on.set()
    wait_for(lambda: pushed[-1] == 60, what="the last picture")
    assert pushed == [10, 60]


def test_the_same_picture_is_not_pushed_twice(feed: Feed, source: Source) -> None:
    """Nothing new costs nothing."""
    pushed: Queue[dict[str, Any]] = Queue()
    feed.push_to(pushed.put)
    status = statuses.judged(statuses.ended("home"))
    source.queue.put(status)
    pushed.get(timeout=60)
    source.queue.put(statuses.judged(statuses.ended("home")))
    source.queue.put(statuses.empty())
    assert pushed.get(timeout=60)["empty"]


def test_ages_stay_fresh_while_nothing_happens(feed: Feed, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says "3 hours ago" an hour after it said "2 hours ago", by itself."""
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.05)
    now = [statuses.NOW]
    monkeypatch.setattr(clock, "now_ms", lambda: now[0])
    pushed: Queue[dict[str, Any]] = Queue()
    feed.push_to(pushed.put)
    source.queue.put(statuses.judged(statuses.ended("home", hours=2, now=statuses.NOW)))
    assert pushed.get(timeout=60)["last"]["ago"] == "2 hours ago"
    now[0] += statuses.HOUR
    assert pushed.get(timeout=60)["last"]["ago"] == "3 hours ago"


def test_a_push_that_fails_does_not_end_the_feed(feed: Feed, source: Source, caplog: pytest.LogCaptureFixture) -> None:
    """A page that is just being built misses a picture, not all of them."""
    pushed: Queue[dict[str, Any]] = Queue()
    failing = [True]

    def push(picture: dict[str, Any]) -> None:
        if failing.pop() if failing else False:
            raise RuntimeError("the page is not there")
        pushed.put(picture)

    feed.push_to(push)
    source.queue.put(statuses.empty())
    wait_for(lambda: not failing, what="the first push")
    source.queue.put(statuses.judged(statuses.ended("home")))
    assert pushed.get(timeout=60)["last"]["job"] == "home"


def test_a_source_that_breaks_makes_the_page_old_and_is_asked_again(
    feed: Feed, source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake of ours is no reason to show what was true a while ago as if it were true now."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    pushed: Queue[dict[str, Any]] = Queue()
    feed.push_to(pushed.put)
    source.queue.put(statuses.judged(statuses.ended("home"), running=(statuses.live(),)))
    assert pushed.get(timeout=60)["error"] is None
    source.queue.put(ImportError("a new version"))
    broken = pushed.get(timeout=60)
    assert (broken["state"], broken["runs"]) == ("unavailable", [])
    assert "a new version" in broken["error"]["why"]
    assert "could not be followed" in caplog.text
    source.queue.put(statuses.judged(statuses.ended("home")))
    assert pushed.get(timeout=60)["state"] == "ok"


@pytest.mark.parametrize("ask", [lambda feed: feed.first(0.01), lambda feed: feed.again()])
def test_before_the_first_status_there_is_none(ask: Callable[[Feed], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page then says that it reads, and waits no longer than it must."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    assert ask(Feed(Source())) is None


def test_the_first_status_is_waited_for(feed: Feed, source: Source) -> None:
    """Where the status is quick, the page opens with it."""
    status = statuses.empty()
    source.queue.put(status)
    assert feed.first(5) is status


def test_try_again_gives_the_newest(feed: Feed, source: Source) -> None:
    """The button shows what was read after it was pressed."""
    source.queue.put(statuses.broken())
    wait_for(lambda: feed.status, what="the first status")
    answers: Queue[dict[str, Any] | None] = Queue()
    asking = threading.Thread(target=lambda: answers.put(feed.again()))
    asking.start()
    source.queue.put(statuses.judged(statuses.ended("home")))
    asking.join(5)
    picture = answers.get(timeout=60)
    assert picture is not None
    assert picture["error"] is None
