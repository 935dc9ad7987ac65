"""The last proof that a backup can be restored, beside the job on every surface; and the rhythm of checks."""

import os
from collections.abc import Iterator

import pytest

from tests.world import World
from tray import wording
from tray.audit.entry import SEVERITY_OF, Action, Draft
from tray.cli import status as cli_status
from tray.core import clock
from tray.core.model import JobStatus, Outcome, State, Status
from tray.core.paths import Places, private
from tray.status import StatusSource
from tray.window import view

CHECK = "home (check)"


@pytest.fixture
def world(places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return a machine that is awake all day."""
    with monkeypatch.context() as patch:
        made = World(places, patch)
        yield made
        made.log.close()


@pytest.fixture
def source(places: Places, world: World) -> Iterator[StatusSource]:
    """Return the source that `backup-tray status` asks."""
    made = StatusSource(places, role="cli", start_tracker=False, system=False)
    yield made
    made.close()


def configure(places: Places, check: str) -> None:
    """Let the job `home` have this check."""
    private(places.config)
    places.config_file.write_text(f'version = 1\n[jobs.home]\nrhythm = "off"\ncheck = {check}\n')


def of(status: Status, name: str) -> JobStatus:
    """Return the job of this name."""
    return next(item for item in status.jobs if item.job == name)


def check(world: World, proof: object, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    """Put a check on record, with this `proof` in its body."""
    how = {"job": CHECK, "run": clock.new_id(), "engine": "restic", "kind": "check", "source": "wrapped"}
    body = {"reason": "so"} | ({} if proof is None else {"proof": proof})
    end = Draft(
        Action.RUN_FINISHED,
        time_ms=world.now,
        result=outcome.value,
        severity=SEVERITY_OF[outcome],
        duration_ms=60_000,
        body=body,
        **how,
    )
    world.log.append([Draft(Action.RUN_STARTED, time_ms=world.now - 60_000, result="started", **how), end])


PROOF = {"files": 3, "bytes": 1500, "snapshot": "4f3c" * 16, "how": "3 with the source"}


def test_the_last_proof_stands_beside_the_job(world: World, source: StatusSource) -> None:
    """In text, JSON and the window; later checks without a proof do not take it away."""
    world.run("home")
    check(world, PROOF)
    world.go(12, 8)
    world.run("home")
    for proof, outcome in (
        (None, Outcome.SUCCEEDED),
        (None, Outcome.WARNING),
        (PROOF, Outcome.FAILED),
        ({}, Outcome.SUCCEEDED),
    ):
        check(world, proof, outcome)
    status = source.poll()
    home = of(status, "home")
    assert home.proven is not None
    assert (home.proven.files, home.proven.bytes, home.proven.snapshot) == (3, 1500, "4f3c" * 16)
    assert JobStatus.from_json(home.to_json()).proven == home.proven
    assert home.to_json()["proven"]["at"] == clock.to_text(home.proven.at_ms)
    assert wording.job_line(home, world.now).endswith("last proven restorable 12 days ago")
    assert "last proven restorable 12 days ago" in cli_status.text(status)
    assert view.job(home, world.now)["proven"] == "last proven restorable 12 days ago"
    assert view.job(home, world.now)["proof"] == "3 files, 1.5 kB, of snapshot 4f3c4f3c4f3c4f3c"


def test_a_job_that_was_never_proven_says_nothing(world: World, source: StatusSource) -> None:
    """No check is none of a backup's faults."""
    world.run("home")
    assert of(source.poll(), "home").proven is None
    assert "restorable" not in cli_status.text(source.poll())


def test_a_failed_check_is_loud_and_a_proof_makes_nothing_green(world: World, source: StatusSource) -> None:
    """The backup failed, whatever the check of an older snapshot says."""
    world.run("home", Outcome.FAILED)
    check(world, PROOF)
    assert (of(source.poll(), "home").state, of(source.poll(), CHECK).state) == (State.FAILED, State.NONE)
    check(world, None, Outcome.FAILED)
    assert of(source.poll(), CHECK).state is State.FAILED


@pytest.mark.parametrize(("proof", "state"), [(PROOF, State.NONE), (None, State.OVERDUE)])
def test_only_a_proof_keeps_an_expected_check_from_being_overdue(
    places: Places, world: World, source: StatusSource, proof: object, state: State
) -> None:
    """`restic check` alone, or a check that compared nothing, does not put off the next one."""
    configure(places, '{ every = "10d" }')
    world.run("home")
    check(world, PROOF)
    world.go(10, 8)
    check(world, proof)
    for day in range(10, 15):
        world.go(day, 9)
        world.keeper.beat()
    status = source.poll()
    assert of(status, CHECK).state is state
    assert of(status, CHECK).rhythm == "every 10 days"
    assert len(status.jobs) == 2


def test_a_check_that_never_came_becomes_overdue(places: Places, world: World, source: StatusSource) -> None:
    """And is named as what it is."""
    configure(places, '{ every = "2d" }')
    os.utime(places.config_file, (world.now / 1000, world.now / 1000))
    world.run("home")
    assert of(source.poll(), CHECK).state is State.NONE
    for day in range(8):
        world.go(day, 20)
        world.keeper.beat()
    assert of(source.poll(), CHECK).state is State.OVERDUE
    assert "home (check)" in cli_status.text(source.poll()).partition("\n")[0]
    why = of(source.poll(), CHECK).why
    assert why is not None
    assert why.startswith("It was never proven that a backup can be restored.")
    assert "3 checks were missed" in why


def test_a_check_without_a_rhythm_is_not_expected(places: Places, world: World, source: StatusSource) -> None:
    """Its table may only say how thorough it is."""
    configure(places, '{ read_data = "5%" }')
    world.run("home")
    assert [job.job for job in source.poll().jobs] == ["home"]
