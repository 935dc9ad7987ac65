"""When the tracker has something done by a process of its own, and when not."""

from collections.abc import Callable

import pytest

from tests.unit.audit.help import filled, start
from tray.audit import spool
from tray.core import clock
from tray.core.paths import Places
from tray.tracker import helpers


class World:
    """Processes that are only counted, and timers that fire when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, places: Places) -> None:
        self.started: list[list[str]] = []
        self.working = False
        self.timers: dict[str, tuple[float, Callable[[], None]]] = {}
        world = self

        class Process:
            def __init__(self, argv: list[str], **_: object) -> None:
                world.started.append(argv[4:])
                world.working = True

            def poll(self) -> int | None:
                return None if world.working else 0

        monkeypatch.setattr(helpers.subprocess, "Popen", Process)
        self.helpers = helpers.Helpers(places, self.later)

    def later(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        """Keep a timer, unless one of that name waits."""
        self.timers.setdefault(name, (seconds, act))

    def fire(self, name: str) -> None:
        """Let a timer end."""
        self.timers.pop(name)[1]()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, places: Places) -> World:
    """A tracker's helpers where nothing really happens."""
    return World(monkeypatch, places)


def begun(world: World) -> list[str]:
    """The words of the process that begins the housekeeping and tells since when the tracker lives."""
    return ["--care", "--begun", f"{world.helpers._begun_ms}"]


def test_without_a_log_no_process_is_started(world: World) -> None:
    """On a machine where nothing was ever recorded the tracker costs nothing, and it is not said to have begun."""
    world.helpers.begin()
    world.helpers.care_soon()
    world.fire("care soon")
    world.fire("care")
    assert world.started == []
    assert not world.helpers.on_record
    assert world.timers["care"][0] == helpers.CARE_SECONDS


def test_the_start_is_one_process_also_where_records_wait(world: World, places: Places) -> None:
    """The housekeeping appends them too: a second process beside it would have nothing to do."""
    filled(places, 1)
    spool.keep(places, [start()])
    world.helpers.begin()
    assert world.started == [begun(world)]
    assert world.helpers.on_record


def test_the_log_is_cared_for_every_hour_and_the_beginning_is_told_once(world: World, places: Places) -> None:
    """The tracker begins once, however often there is something to do."""
    filled(places, 1)
    world.helpers.begin()
    for _ in range(2):
        world.working = False
        world.fire("care")
    assert world.started == [begun(world), ["--care"], ["--care"]]


def test_many_runs_that_end_together_are_cared_for_once(world: World, places: Places) -> None:
    """A hundred ends in two seconds are one process, after the one that still works, never beside it."""
    filled(places, 1)
    world.helpers.begin()
    for _ in range(100):
        world.helpers.care_soon()
    world.fire("care soon")
    assert len(world.started) == 1
    world.working = False
    world.fire("care soon")
    assert len(world.started) == 2
    assert "care soon" not in world.timers


def test_a_log_that_comes_later_learns_since_when_somebody_watched(world: World, places: Places) -> None:
    """The first backup makes the log; the tracker was there before it."""
    world.helpers.begin()
    filled(places, 1)
    world.helpers.care_soon()
    world.fire("care soon")
    assert world.started == [begun(world)]


def test_a_clock_that_was_set_is_looked_at_soon_and_once(
    world: World, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two readings beside a check that happens anyway; an hour later the time of the change would be unknown."""
    filled(places, 1)
    world.helpers.check_spools()
    assert "care soon" not in world.timers
    real = clock.now_ms
    monkeypatch.setattr(clock, "now_ms", lambda: real() + 2 * clock.JUMP_MS)
    world.fire("spools")
    world.fire("care soon")
    assert world.started[-1][0] == "--care"
    world.fire("spools")
    assert "care soon" not in world.timers


def test_a_helper_that_has_ended_is_reaped_at_once(world: World, places: Places) -> None:
    """It does not stand in the process list as a zombie until the next one is due, which may be an hour."""
    filled(places, 1)
    world.helpers.begin()
    world.fire("reap")
    assert "reap" in world.timers, "it works still"
    world.working = False
    world.fire("reap")
    assert "reap" not in world.timers
    assert world.helpers._working == {}


def test_records_that_wait_are_appended_by_a_process_of_their_own(world: World, places: Places) -> None:
    """Between two rounds no record waits for an hour."""
    spool.keep(places, [start()])
    world.helpers.check_spools()
    assert world.started == [["--close-lost"]]
