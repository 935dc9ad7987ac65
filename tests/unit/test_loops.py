"""Every loop goes on and tells the truth, whichever function of ours fails in it: each one is made to fail once."""

import gc
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from types import CodeType
from typing import Any

import pytest

from tests.unit import injected
from tests.unit.icon.test_app import FakeIcon, FakeSource, play, shown
from tests.unit.runs.test_runs import info
from tests.unit.status.test_source import record
from tests.unit.wording.test_audit import BREACH
from tests.unit.wording.test_wording import NOW, RUN, ended, settled
from tray import runs
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import Outcome, State, Status
from tray.core.paths import Places
from tray.icon import app
from tray.icon.render import Look
from tray.recording import close_lost
from tray.status import StatusSource
from tray.tracker import helpers
from tray.window import status_feed

# A fault in the middle of opening something leaves that to the collector, which Python 3.13 tells of.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

FINE = settled(ended())
BUSY = settled(live=(RUN,))
ALARMED = replace(settled(ended()), state=State.TAMPERED, audit=BREACH)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Leave nothing that a later test would be blamed for."""
    yield
    gc.collect()


# -- the tray

_GUARDS = {"App._watch", "App._attempt"}
"""Functions that catch the failures themselves."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll often, at a fixed time."""
    monkeypatch.setattr(app, "POLL_SECONDS", 0.005)
    monkeypatch.setattr(clock, "now_ms", lambda: NOW)


def _last_look(icon: FakeIcon) -> object:
    looks = shown(icon, "icon")
    return looks[-1] if looks else None


def test_the_icon_is_never_green_after_a_failure_and_always_recovers(quick: None) -> None:
    """Whatever fails in a poll, be it in the words or in the alarm, the thread goes on: nothing is known, then all is again."""

    def watch() -> None:
        for status in (FINE, BUSY, ALARMED):
            source = FakeSource(status)
            play(source, lambda *_: source.polls > 2)  # noqa: B023 - called before the next one

    found = [code for code in injected.callees(watch, of="_watch") if code.co_qualname not in _GUARDS]
    assert len(found) > 40
    for code in found:
        for status in (FINE, BUSY, ALARMED):
            _fails_once(code, status)


def _fails_once(code: CodeType, status: Status) -> None:
    source = FakeSource(status)
    want = Look.of(status)
    with injected.failing(code) as hit:
        icon, _ = play(source, lambda icon, _: _last_look(icon) == want and source.polls > 3)
    looks = shown(icon, "icon")
    assert looks[-1] == want, injected.name(code)
    if hit:
        assert looks[0] == Look(State.UNAVAILABLE), injected.name(code)


def test_a_failure_that_stays_keeps_the_icon_unavailable(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that fail for good must not leave the last green picture, nor the last green words."""
    source = FakeSource(FINE)

    def broken(*_: object) -> str:
        raise injected.InjectedError("no words")

    def until(icon: FakeIcon, _: app.App) -> object:
        if _last_look(icon) == Look(State.OK):
            monkeypatch.setattr("tray.wording.tooltip", broken)
        return (
            source.polls > 3 and _last_look(icon) == Look(State.UNAVAILABLE) and Look(State.OK) in shown(icon, "icon")
        )

    icon, made = play(source, until)
    assert icon.title == "Backup status unavailable"  # type: ignore[attr-defined]
    assert made.menu.lines[0] == "Backup status unavailable"


# -- the window


def test_the_window_never_keeps_an_old_picture_for_a_current_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A picture that cannot be drawn is shown as unknown, not as the one before."""
    monkeypatch.setattr(status_feed, "GAP_SECONDS", 0.0)

    class Source:
        def __init__(self, status: Status) -> None:
            self.status = status

        def follow(self, stop: threading.Event) -> Iterator[Status]:
            yield self.status
            stop.wait(60)

        def close(self) -> None: ...

    def pictures(status: Status) -> list[dict[str, Any]]:
        pushed: list[dict[str, Any]] = []
        came = threading.Event()

        def push(picture: dict[str, Any]) -> None:
            pushed.append(picture)
            came.set()

        made = status_feed.Feed(Source(status))
        made.push_to(push)
        made.start()
        assert came.wait(60)
        made.stop()
        return pushed

    found = injected.callees(lambda: pictures(BUSY), of="_drawn")
    assert len(found) > 15
    for code in found:
        with injected.failing(code) as hit:
            picture = pictures(BUSY)[0]
        assert not hit or picture["state"] == "unavailable", injected.name(code)


# -- the one source of the status


def test_a_poll_never_raises_and_never_turns_a_failure_into_anything_better(places: Places) -> None:
    """A job has failed: whichever function fails while that is read, the user is told no less than that."""
    record(places, "home", Outcome.FAILED)
    record(places, "mail", Outcome.SUCCEEDED)
    folder, _ = runs.create(places, info(job="live"))
    assert folder is not None

    def ask(code: CodeType | None = None) -> Status:
        source = StatusSource(places, role="cli", start_tracker=False)
        try:
            with injected.failing(code) if code else nullcontext():
                return source.poll()
        finally:
            source.close()

    assert ask().state is State.FAILED
    found = [code for code in injected.callees(ask, of="poll") if code.co_name not in ("_now", "_unavailable")]
    assert len(found) > 60
    for code in found:
        status = ask(code)
        assert status.state in (State.FAILED, State.UNAVAILABLE), injected.name(code)
        assert status.state is State.FAILED or status.error is not None
        json.dumps(status.to_json())


# -- runs that no process closed


def _dead(places: Places, job: str, said: bytes) -> str:
    """Leave a run of restic behind whose wrapper died after the engine had *said* this."""
    about = info(job=job)
    folder, _ = runs.create(places, about)
    assert folder is not None
    folder.spool("out").write_bytes(said)
    folder.save(runs.with_child(about, 2**22 + 1))
    folder.lock.release()
    return about.run


SUMMARY = (
    b'{"message_type":"summary","files_new":1,"total_files_processed":1,"total_bytes_processed":4,"data_added":4,'
    b'"total_duration":0.1,"snapshot_id":"0123abcd"}\n'
)


def test_a_run_whose_adapter_fails_is_closed_as_unknown_and_blocks_no_other(places: Places) -> None:
    """An exception of the adapter's own ends that run as unknown: it neither lives for ever nor keeps others from their end."""
    first = _dead(places, "first", SUMMARY)
    second = _dead(places, "second", SUMMARY)
    assert {run.outcome for run in close_lost.ended(places)} == {Outcome.SUCCEEDED}
    feeds = [code for code in injected.callees(lambda: close_lost.ended(places)) if code.co_name == "feed"]
    assert feeds
    with injected.failing(feeds[0]):
        found = {run.run: run for run in close_lost.ended(places)}
    assert sorted(run.outcome for run in found.values()) == [Outcome.SUCCEEDED, Outcome.UNKNOWN]
    with injected.failing(feeds[0]):
        assert close_lost.close(places) == 2
    assert not list(runs.live(places))
    source = StatusSource(places, role="cli", start_tracker=False)
    by_job = {job.job: job.last for job in source.poll().jobs}
    source.close()
    assert {by_job["first"].run, by_job["second"].run} == {first, second}
    assert sorted(last.outcome for last in by_job.values() if last) == [Outcome.SUCCEEDED, Outcome.UNKNOWN]
    assert "mistake of its own" in "".join(last.reason or "" for last in by_job.values() if last)


def test_closing_goes_on_whatever_fails_in_it(places: Places) -> None:
    """Each function on the way fails once: the next look closes the run all the same."""
    _dead(places, "sample", SUMMARY)
    found = injected.callees(lambda: close_lost.close(places), of="_closed")
    assert len(found) > 40
    for number, code in enumerate(found):
        _dead(places, f"job{number}", SUMMARY)
        with injected.failing(code), suppress(injected.InjectedError):  # it may fail before it comes to the first run
            close_lost.close(places)
        close_lost.close(places)
        assert not list(runs.live(places)), injected.name(code)


# -- the tracker's timers


class _NoHelper:
    """Nothing, in the place of a process of its own."""

    def __init__(self, *task: str) -> None:
        pass

    def poll(self) -> int:
        """Be over."""
        return 0


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("spools", lambda helpers: helpers.check_spools()),
        ("repositories", lambda helpers: helpers.check_repositories()),
        ("care", lambda helpers: helpers._care_hourly()),
    ],
)
def test_a_timer_that_fails_once_comes_again(
    places: Places, monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[Any], None]
) -> None:
    """An hourly task that failed once comes again."""
    record(places, "home", Outcome.SUCCEEDED)
    monkeypatch.setattr(helpers, "_started", _NoHelper)
    waits: list[str] = []
    wanted = helpers.Helpers(places, lambda name, _seconds, _act: waits.append(name))
    codes = injected.callees(lambda: act(helpers.Helpers(places, lambda *_: None)), of=act.__code__.co_names[0])
    assert codes
    for code in codes:
        waits.clear()
        with injected.failing(code) as hit:
            try:
                act(wanted)
            except injected.InjectedError:
                assert name in waits, injected.name(code)
        assert hit or name in waits


def test_an_injected_fault_is_one() -> None:
    """The trace function raises where the function is entered."""
    code = injected.callees(clock.monotonic)[0]
    with injected.failing(code) as hit, pytest.raises(injected.InjectedError):
        clock.monotonic()
    assert hit
