import itertools

import pytest

from tray import status
from tray.clock import DAY_MS, local
from tray.errors import StatusFetchError
from tray.model import WORST_FIRST, EndedRun, Instance, JobHistory, LiveRun, Outcome, State

NOW = 1_800_000_000_000


def ended(outcome: Outcome, *, job: str = "home", age_ms: int = 1000, **changes: object) -> EndedRun:
    """Return a run that ended *age_ms* ago."""
    run = EndedRun(f"run-{job}", job, "restic", outcome, NOW - age_ms - 10, NOW - age_ms, entry=1)
    from dataclasses import replace

    return replace(run, **changes)  # type: ignore[arg-type]


def history(
    outcome: Outcome, *, seen_ms: int | None = None, success: EndedRun | None = None, **how: object
) -> JobHistory:
    """Return a job whose last run ended so."""
    last = ended(outcome, **how)  # type: ignore[arg-type]
    if success is None and outcome in (Outcome.SUCCEEDED, Outcome.WARNING):
        success = last
    return JobHistory(last.job, last, success, seen_ms)


def live(job: str = "home") -> LiveRun:
    """Return a live run of *job*."""
    return LiveRun(f"live-{job}", job, "restic", NOW - 5000)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.SUCCEEDED, State.OK),
        (Outcome.WARNING, State.WARNING),
        (Outcome.CANCELLED, State.WARNING),
        (Outcome.UNKNOWN, State.WARNING),
        (Outcome.FAILED, State.FAILED),
        (Outcome.LOST, State.FAILED),
    ],
)
def test_every_outcome_has_its_state(outcome: Outcome, state: State) -> None:
    """Only a success is green."""
    assert status.judge(NOW, (), [history(outcome)]).state is state


def test_the_worst_job_decides_in_every_combination() -> None:
    """One bad job is not hidden by any number of good ones, in whatever order they come."""
    outcomes = [Outcome.SUCCEEDED, Outcome.WARNING, Outcome.FAILED]
    for chosen in itertools.product(outcomes, repeat=3):
        jobs = [history(outcome, job=f"job{number}") for number, outcome in enumerate(chosen)]
        found = status.judge(NOW, (), jobs)
        worst = max(chosen, key=outcomes.index)
        assert found.state is status.judge(NOW, (), [history(worst)]).state
        assert [WORST_FIRST.index(job.state) for job in found.jobs] == sorted(
            WORST_FIRST.index(job.state) for job in found.jobs
        )


def test_nothing_known_is_none_and_never_green() -> None:
    """AF-1: an empty history is not a good one."""
    found = status.judge(NOW, (), [])
    assert (found.state, found.last, found.jobs) == (State.NONE, None, ())


def test_a_live_run_stands_beside_a_bad_state() -> None:
    """A backup that runs now does not make last night's failure go away."""
    found = status.judge(NOW, [live()], [history(Outcome.FAILED)])
    assert found.state is State.FAILED
    assert [run.job for run in found.runs] == ["home"]


def test_a_first_run_is_running_and_a_run_over_a_good_state_too() -> None:
    """Running is shown only where nothing is wrong."""
    assert status.judge(NOW, [live()], []).state is State.RUNNING
    found = status.judge(NOW, [live()], [history(Outcome.SUCCEEDED)])
    assert (found.state, found.jobs[0].state) == (State.RUNNING, State.RUNNING)


def test_an_old_success_is_not_called_fine() -> None:
    """Seven days without a known rhythm: nobody can say that this is fine."""
    fresh = history(Outcome.SUCCEEDED, age_ms=7 * DAY_MS)
    stale = history(Outcome.SUCCEEDED, age_ms=7 * DAY_MS + 1)
    assert status.judge(NOW, (), [fresh]).state is State.OK
    assert status.judge(NOW, (), [stale]).state is State.WARNING


def test_an_error_makes_it_unavailable_whatever_else_is_known() -> None:
    """AF-2: what cannot be read is not shown as current."""
    error = StatusFetchError("The disk is gone.").facts()
    found = status.judge(NOW, [live()], [history(Outcome.SUCCEEDED)], error=error, as_of_ms=NOW - 60_000)
    assert (found.state, found.as_of_ms) == (State.UNAVAILABLE, NOW - 60_000)
    assert found.to_json()["error"]["code"] == "ERROR_STATUS_FETCH"


def test_seen_clears_a_failure_only_to_what_is_known_to_be_good() -> None:
    """Acknowledging makes an alarm quiet; it makes no backup."""
    recent = ended(Outcome.SUCCEEDED, age_ms=DAY_MS)
    old = ended(Outcome.SUCCEEDED, age_ms=8 * DAY_MS)
    for success, state in ((recent, State.OK), (old, State.NONE), (None, State.NONE)):
        assert status.judge(NOW, (), [history(Outcome.FAILED, seen_ms=NOW, success=success)]).state is state
    assert status.judge(NOW, (), [history(Outcome.FAILED, seen_ms=NOW - 2000)]).state is State.FAILED


def test_a_check_that_succeeded_is_no_backup() -> None:
    """`restic check` alone does not make the icon green; a check that failed makes it red."""
    assert status.judge(NOW, (), [history(Outcome.SUCCEEDED, kind="check")]).state is State.NONE
    assert status.judge(NOW, (), [history(Outcome.FAILED, kind="check")]).state is State.FAILED
    both = [history(Outcome.SUCCEEDED, kind="check", job="check"), history(Outcome.SUCCEEDED)]
    assert status.judge(NOW, (), both).state is State.OK


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_dry_run_is_neither_green_nor_red(outcome: Outcome) -> None:
    """A rehearsal says nothing about whether there is a backup."""
    assert status.judge(NOW, (), [history(outcome, kind="dry-run")]).state is State.NONE


def test_last_is_the_greatest_time_then_the_greatest_number() -> None:
    """A clock that stood still does not confuse the order, and a record that still waits is the newest."""
    same = [ended(Outcome.SUCCEEDED, entry=number, run=f"r{number}") for number in (3, 9, 5)]
    assert status.newest(same) == same[1]
    waiting = ended(Outcome.FAILED, entry=None, run="spooled")
    assert status.newest([*same, waiting]) == waiting
    assert status.newest([waiting, ended(Outcome.SUCCEEDED, age_ms=1)]) != waiting


def test_the_json_form_has_the_fixed_keys() -> None:
    """Monitoring scripts rely on these names."""
    data = status.judge(NOW, [live()], [history(Outcome.WARNING)]).to_json()
    assert {"state", "as_of", "error", "runs", "jobs", "last"} <= data.keys()
    fixed = "run job engine repository source started_at phase files_done files_total bytes_done bytes_total bytes_per_second"
    assert {*fixed.split(), "eta_seconds", "eta_is_estimate", "current", "errors"} <= data["runs"][0].keys()
    fixed = "run job outcome inferred finished_at duration_seconds bytes_processed bytes_added entry"
    assert set(fixed.split()) <= data["last"].keys()
    assert data["jobs"][0].keys() >= {"job", "state", "last"}


def test_a_run_that_begins_beside_an_earlier_one_of_its_job_is_noted() -> None:
    """Other jobs at the same time are nothing special, and neither is the same name in root's record."""
    first, second = live(), live().with_changes(run="second", started_ms=NOW - 1000)
    found = status.judge(NOW, [second, live("photos"), first], (), notes=["before"])
    begun, earlier = (local(run.started_ms).strftime("%H:%M") for run in (second, first))
    assert found.notes == ("before", f"home: a run began at {begun} while that of {earlier} was still going")
    roots = second.with_changes(instance=Instance.SYSTEM)
    assert status.judge(NOW, [first, roots], ()).notes == ()


def test_a_run_that_stands_still_makes_its_job_stalled_but_not_better_than_it_was() -> None:
    """Stalled is worse than a warning, and hides no failure."""
    still = live().with_changes(stalled=True, since_progress_seconds=720)
    for outcome, state in (
        (Outcome.SUCCEEDED, State.STALLED),
        (Outcome.CANCELLED, State.STALLED),
        (Outcome.FAILED, State.FAILED),
    ):
        assert status.judge(NOW, [still], [history(outcome)]).state is state
    found = status.judge(NOW, [still], ())
    assert (found.state, found.jobs[0].concern) == (State.STALLED, "No progress for 12 min.")
    assert status.judge(NOW, [live()], ()).state is State.RUNNING
