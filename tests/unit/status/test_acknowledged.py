"""A job that the user has acknowledged comes back once it misses the next backup: silence is no news only once."""

from collections.abc import Iterator

import pytest

from tests.world import World
from tray.audit.entry import Action, Draft
from tray.core import clock
from tray.core.model import Outcome, State
from tray.core.paths import Places, private
from tray.status import StatusSource

CONFIG = """version = 1
[jobs.stated]
command = ["true"]
every = "1d"
[jobs.hourly]
command = ["true"]
every = "2h"
[jobs.failing]
command = ["true"]
every = "1d"
[jobs.healthy]
command = ["true"]
every = "1d"
"""
DEAD = 15
"""The day from which only one job runs."""


@pytest.fixture
def world(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return a laptop with four stated jobs, one learnt job, and one that the user has run by hand once."""
    private(places.config)
    places.config_file.write_text(CONFIG)
    made = World(places, monkeypatch)
    for day in range(DEAD):
        for hour in (9, 11, 13):
            made.go(day, hour)
            made.run("hourly")
        for job in ("stated", "learnt", "healthy", *(["once"] if day == 0 else [])):
            made.run(job)
        made.run("failing", Outcome.FAILED)
        made.sleep(day + 1)
    yield made
    made.log.close()


class Look:
    """The states of all jobs, as one process that keeps looking sees them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._source = StatusSource(world.places, role="cli", start_tracker=False, system=False)

    def states(self, day: int, hour: float) -> dict[str, State]:
        """Return them at that time; the healthy job ran just before."""
        self._world.go(day, hour)
        self._world.run("healthy")
        return {job.job: job.state for job in self._source.poll().jobs}

    def close(self) -> None:
        """Close it."""
        self._source.close()


def _acknowledge(world: World, time_ms: int | None = None) -> None:
    names = ("stated", "learnt", "hourly", "failing", "once")
    at = world.now if time_ms is None else time_ms
    world.log.append([Draft(Action.JOB_SEEN, job=job, time_ms=at, result="seen") for job in names])


def _stays_dead(world: World, days: range) -> None:
    for day in days:
        world.sleep(day)


def test_a_job_that_misses_its_next_backup_after_the_acknowledgement_alarms_again(world: World) -> None:
    """The icon would be green for ever beside a dead job, because the user had looked at it once."""
    look = Look(world)
    _stays_dead(world, range(DEAD, DEAD + 5))
    before = look.states(DEAD + 5, 20)
    assert [before[job] for job in ("stated", "learnt", "hourly")] == [State.OVERDUE] * 3
    assert (before["failing"], before["once"]) == (State.FAILED, State.WARNING)
    _acknowledge(world)
    seen = look.states(DEAD + 5, 20.2)
    assert {job: state for job, state in seen.items() if job != "healthy"} == dict.fromkeys(
        before.keys() - {"healthy"}, State.NONE
    )
    _stays_dead(world, range(DEAD + 6, DEAD + 10))
    after = look.states(DEAD + 10, 20)
    assert [after[job] for job in ("stated", "learnt", "hourly", "failing")] == [State.OVERDUE] * 4
    assert after["once"] is State.NONE
    _stays_dead(world, range(DEAD + 11, DEAD + 14))
    assert look.states(DEAD + 14, 20)["once"] is State.WARNING
    look.close()


def test_an_acknowledgement_with_a_time_to_come_silences_nothing(world: World) -> None:
    """A clock that was ahead by a year must not make a dead job calm for a year."""
    look = Look(world)
    _stays_dead(world, range(DEAD, DEAD + 5))
    look.states(DEAD + 5, 20)
    _acknowledge(world, world.now + 365 * clock.DAY_MS)
    states = look.states(DEAD + 5, 20.2)
    assert [states[job] for job in ("stated", "hourly", "failing")] == [State.OVERDUE] * 3
    look.close()
