import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.core.clock import DAY_MS, SLACK_MS, local
from tray.core.dataclass import replace
from tray.core.errors import StatusFetchError
from tray.core.model import (
    WORST_FIRST,
    EndedRun,
    Expectation,
    Expected,
    Instance,
    JobHistory,
    LiveRun,
    Outcome,
    State,
    Word,
    judge,
)

NOW = 1_800_000_000_000


def ended(outcome: Outcome, *, job: str = "home", age_ms: int = 1000, **changes: object) -> EndedRun:
    """Return a run that ended *age_ms* ago."""
    run = EndedRun(f"run-{job}", job, "restic", outcome, NOW - age_ms - 10, NOW - age_ms, entry=1)
    return replace(run, **changes)  # type: ignore[arg-type]


def history(outcome: Outcome, *, seen: bool = False, success: EndedRun | None = None, **how: object) -> JobHistory:
    """Return a job whose last run ended so."""
    last = ended(outcome, **how)  # type: ignore[arg-type]
    if success is None and outcome in (Outcome.SUCCEEDED, Outcome.WARNING):
        success = last
    return JobHistory(last.job, last, success, last.kind, seen=seen)


def after(*runs: EndedRun) -> JobHistory:
    """Return what is known of a job after *runs*, in the order of their entries."""
    known: JobHistory | None = None
    for run in runs:
        known = judge.with_run(known, run)
    assert known is not None
    return known


def live(job: str = "home") -> LiveRun:
    """Return a live run of *job*."""
    return LiveRun(f"live-{job}", job, "restic", NOW - 5000)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.SUCCEEDED, State.OK),
        (Outcome.WARNING, State.WARNING),
        (Outcome.CANCELLED, State.NONE),
        (Outcome.UNKNOWN, State.WARNING),
        (Outcome.FAILED, State.FAILED),
        (Outcome.LOST, State.FAILED),
    ],
)
def test_every_outcome_has_its_state(outcome: Outcome, state: State) -> None:
    """Only a success is green."""
    assert judge.judge(NOW, (), [history(outcome)]).state is state


def test_the_worst_job_decides_in_every_combination() -> None:
    """One bad job is not hidden by any number of good ones, in whatever order they come."""
    outcomes = [Outcome.SUCCEEDED, Outcome.WARNING, Outcome.FAILED]
    for chosen in itertools.product(outcomes, repeat=3):
        jobs = [history(outcome, job=f"job{number}") for number, outcome in enumerate(chosen)]
        found = judge.judge(NOW, (), jobs)
        worst = max(chosen, key=outcomes.index)
        assert found.state is judge.judge(NOW, (), [history(worst)]).state
        assert [WORST_FIRST.index(job.state) for job in found.jobs] == sorted(
            WORST_FIRST.index(job.state) for job in found.jobs
        )


def test_nothing_known_is_none_and_never_green() -> None:
    """AF-1: an empty history is not a good one."""
    found = judge.judge(NOW, (), [])
    assert (found.state, found.last, found.jobs) == (State.NONE, None, ())


def test_a_live_run_stands_beside_a_bad_state() -> None:
    """A backup that runs now does not make last night's failure go away."""
    found = judge.judge(NOW, [live()], [history(Outcome.FAILED)])
    assert found.state is State.FAILED
    assert [run.job for run in found.runs] == ["home"]


def test_a_first_run_is_running_and_a_run_over_a_good_state_too() -> None:
    """Running is shown only where nothing is wrong."""
    assert judge.judge(NOW, [live()], []).state is State.RUNNING
    found = judge.judge(NOW, [live()], [history(Outcome.SUCCEEDED)])
    assert (found.state, found.jobs[0].state) == (State.RUNNING, State.RUNNING)


def test_an_old_success_is_not_called_fine() -> None:
    """After seven days without a known rhythm no surface can say that this is fine."""
    fresh = history(Outcome.SUCCEEDED, age_ms=7 * DAY_MS)
    stale = history(Outcome.SUCCEEDED, age_ms=7 * DAY_MS + 1)
    assert judge.judge(NOW, (), [fresh]).state is State.OK
    assert judge.judge(NOW, (), [stale]).state is State.WARNING


def test_an_error_makes_it_unavailable_whatever_else_is_known() -> None:
    """AF-2: what cannot be read is not shown as current."""
    error = StatusFetchError("The disk is gone.").facts()
    found = judge.judge(NOW, [live()], [history(Outcome.SUCCEEDED)], error=error, as_of_ms=NOW - 60_000)
    assert (found.state, found.as_of_ms) == (State.UNAVAILABLE, NOW - 60_000)
    assert found.to_json()["error"]["code"] == "ERROR_STATUS_FETCH"


def test_seen_clears_a_failure_only_to_what_is_known_to_be_good() -> None:
    """Acknowledging makes an alarm quiet; it makes no backup."""
    recent = ended(Outcome.SUCCEEDED, age_ms=DAY_MS)
    old = ended(Outcome.SUCCEEDED, age_ms=8 * DAY_MS)
    for success, state in ((recent, State.OK), (old, State.NONE), (None, State.NONE)):
        assert judge.judge(NOW, (), [history(Outcome.FAILED, seen=True, success=success)]).state is state


def test_a_check_that_succeeded_is_no_backup() -> None:
    """`restic check` alone does not make the icon green; a check that failed makes it red."""
    assert judge.judge(NOW, (), [history(Outcome.SUCCEEDED, kind="check")]).state is State.NONE
    assert judge.judge(NOW, (), [history(Outcome.FAILED, kind="check")]).state is State.FAILED
    both = [history(Outcome.SUCCEEDED, kind="check", job="check"), history(Outcome.SUCCEEDED)]
    assert judge.judge(NOW, (), both).state is State.OK


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_dry_run_is_neither_green_nor_red(outcome: Outcome) -> None:
    """A rehearsal says nothing about whether there is a backup."""
    assert judge.judge(NOW, (), [history(outcome, kind="dry-run")]).state is State.NONE


def test_last_is_what_was_recorded_last_whatever_the_clock_said() -> None:
    """A clock that was ahead or behind does not confuse the order, and a record that still waits is the newest."""
    runs = [ended(Outcome.SUCCEEDED, entry=number, age_ms=age) for number, age in ((3, -9), (9, 10**11), (5, 0))]
    assert judge.newest(runs) == runs[1]
    waiting = ended(Outcome.FAILED, entry=None, age_ms=DAY_MS)
    assert judge.newest([*runs, waiting]) == waiting
    concluded = ended(Outcome.LOST, entry=11, place=4)
    assert judge.newest([*runs, concluded]) == runs[1]


def test_the_runs_of_two_logs_are_woven_in_their_own_orders() -> None:
    """Numbers of entries of different logs say nothing about each other; each log's own order stays."""
    own = [ended(Outcome.FAILED, run=f"o{age}", age_ms=age) for age in (50, 10, 70)]
    roots = [ended(Outcome.FAILED, run=f"r{age}", age_ms=age) for age in (5, 60)]
    found = [run.run for run in judge.woven(own, roots)]
    assert [run for run in found if run[0] == "o"] == ["o50", "o10", "o70"]
    assert found[0] == "r5"
    assert sorted(found) == sorted(run.run for run in (*own, *roots))


@pytest.mark.parametrize("age_ms", [-400 * DAY_MS, -DAY_MS, -SLACK_MS - 1, NOW - 1000])
def test_a_success_under_a_wrong_clock_is_not_fine(age_ms: int) -> None:
    """Its age is unknown: ahead of this clock, or in 1970. The next success is green again."""
    odd = ended(Outcome.SUCCEEDED, age_ms=age_ms)
    found = judge.judge(NOW, (), [after(odd)])
    assert found.state is State.WARNING
    assert "clock" in (found.jobs[0].concern or "")
    assert judge.judge(NOW, (), [after(odd, ended(Outcome.SUCCEEDED, entry=2))]).state is State.OK
    assert judge.judge(NOW, (), [after(odd, ended(Outcome.CANCELLED, entry=2))]).state is State.WARNING
    acknowledged = replace(after(odd), seen=True)
    assert judge.judge(NOW, (), [acknowledged]).state is State.NONE


def test_a_success_that_later_entries_prove_to_be_misdated_is_not_fine() -> None:
    """Its time is no longer ahead of the clock, but the log shows that the clock was."""
    found = judge.judge(NOW, (), [replace(after(ended(Outcome.SUCCEEDED)), dated=False)])
    assert (found.state, "clock" in (found.jobs[0].concern or "")) == (State.WARNING, True)


@pytest.mark.parametrize(
    ("before", "state"),
    [
        ([], State.NONE),
        ([ended(Outcome.SUCCEEDED)], State.OK),
        ([ended(Outcome.SUCCEEDED, age_ms=8 * DAY_MS)], State.WARNING),
        ([ended(Outcome.WARNING)], State.WARNING),
        ([ended(Outcome.SUCCEEDED), ended(Outcome.FAILED)], State.FAILED),
        ([ended(Outcome.FAILED)], State.FAILED),
    ],
)
def test_a_run_that_the_user_cancelled_is_neutral(before: list[EndedRun], state: State) -> None:
    """The job is what it was before: it neither alarms, nor silences a failure, nor is a backup."""
    for number in (1, 2, 3):
        runs = [*before, *[ended(Outcome.CANCELLED)] * number]
        known = after(*(replace(run, entry=place, run=f"r{place}") for place, run in enumerate(runs)))
        found = judge.judge(NOW, (), [known]).jobs[0]
        assert found.state is state
        assert found.last is not None
        assert found.last.outcome is Outcome.CANCELLED
        assert found.about is not None
        assert (found.about.outcome is Outcome.CANCELLED) == (not before)


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=12), st.randoms())
def test_what_is_known_of_a_job_does_not_depend_on_the_order_of_reading(
    outcomes: list[Outcome], chance: Random
) -> None:
    """Log and spool are read one after the other: last, last good and streak are those of the order of recording."""
    runs = [ended(outcome, entry=place, run=f"r{place}") for place, outcome in enumerate(outcomes)]
    known = after(*runs)
    counting = [run for run in runs if run.outcome is not Outcome.CANCELLED]
    good = next((run for run in reversed(runs) if judge.is_good(run)), None)
    assert known.last == runs[-1]
    assert known.last_good == good
    assert (known.about == counting[-1]) if counting else (known.about == runs[-1])
    expected = [run for run in counting if good is None or judge.order(run) > judge.order(good)]
    assert known.streak == len(expected)
    found = judge.judge(NOW, (), [known]).jobs[0]
    if found.state is State.OK:
        assert counting[-1].outcome is Outcome.SUCCEEDED
    mixed = list(runs)
    chance.shuffle(mixed)
    again = after(*mixed)
    assert (again.last, again.last_good, again.about) == (known.last, known.last_good, known.about)


@pytest.mark.parametrize("kind", ["check", "restore", "prune", "compact", "other", "dry-run"])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_is_no_backup_never_makes_anything_green(kind: str, outcome: Outcome) -> None:
    """A check, a restore, a `forget` is a job of its own: it may alarm, but stands for no backup, however old or new it is."""
    for age in (1000, 90 * DAY_MS, -DAY_MS):
        task = after(ended(outcome, kind=kind, age_ms=age))
        found = judge.judge(NOW, (), [task])
        assert found.state not in (State.OK, State.RUNNING)
        if outcome in (Outcome.SUCCEEDED, Outcome.CANCELLED) or kind == "dry-run":
            assert found.state is State.NONE
        else:
            assert found.state in (State.FAILED, State.WARNING)
        assert found.jobs[0].job == f"home ({kind})"
        beside = judge.judge(NOW, (), [task, after(ended(Outcome.FAILED))])
        assert beside.state is State.FAILED


def test_a_jobs_checks_do_not_stand_for_its_backups() -> None:
    """One name, two jobs: the check after a failed backup clears nothing, and a failed check is said beside a good backup."""
    good, check = after(ended(Outcome.SUCCEEDED, entry=1)), after(ended(Outcome.FAILED, kind="check", entry=2))
    found = judge.judge(NOW, (), [good, check])
    assert {job.job: job.state for job in found.jobs} == {"home": State.OK, "home (check)": State.FAILED}
    found = judge.judge(NOW, [live().with_changes(kind="check")], [good])
    assert {job.job: job.state for job in found.jobs} == {"home": State.OK, "home (check)": State.RUNNING}


def test_the_worst_is_the_one_that_was_good_longest_ago() -> None:
    """Of several failures the one that left the data unprotected longest is named first."""
    jobs = [
        after(
            ended(Outcome.SUCCEEDED, job=name, entry=1, age_ms=age * DAY_MS), ended(Outcome.FAILED, job=name, entry=2)
        )
        for name, age in (("a", 1), ("b", 9), ("c", 3))
    ]
    jobs.append(after(ended(Outcome.FAILED, job="never")))
    assert [job.job for job in judge.judge(NOW, (), jobs).jobs] == ["never", "b", "c", "a"]


def test_the_json_form_has_the_fixed_keys() -> None:
    """Monitoring scripts rely on these names."""
    data = judge.judge(NOW, [live()], [history(Outcome.WARNING)]).to_json()
    assert {"state", "as_of", "error", "runs", "jobs", "last"} <= data.keys()
    fixed = "run job engine repository source started_at phase files_done files_total bytes_done bytes_total bytes_per_second"
    assert {*fixed.split(), "eta_seconds", "eta_is_estimate", "current", "errors"} <= data["runs"][0].keys()
    fixed = "run job outcome inferred finished_at duration_seconds bytes_processed bytes_added entry"
    assert set(fixed.split()) <= data["last"].keys()
    assert data["jobs"][0].keys() >= {"job", "state", "last"}


def test_a_run_that_begins_beside_an_earlier_one_of_its_job_is_noted() -> None:
    """Other jobs at the same time are nothing special, and neither is the same name in root's record."""
    first, second = live(), live().with_changes(run="second", started_ms=NOW - 1000)
    found = judge.judge(NOW, [second, live("photos"), first], (), notes=["before"])
    begun, earlier = (local(run.started_ms).strftime("%H:%M") for run in (second, first))
    assert found.notes == ("before", f"home: a run began at {begun} while that of {earlier} was still going")
    roots = second.with_changes(instance=Instance.SYSTEM)
    assert judge.judge(NOW, [first, roots], ()).notes == ()


def test_a_run_that_stands_still_makes_its_job_stalled_but_not_better_than_it_was() -> None:
    """Stalled is worse than a warning, and hides no failure."""
    still = live().with_changes(stalled=True, since_progress_seconds=720)
    for outcome, state in (
        (Outcome.SUCCEEDED, State.STALLED),
        (Outcome.CANCELLED, State.STALLED),
        (Outcome.FAILED, State.FAILED),
    ):
        assert judge.judge(NOW, [still], [history(outcome)]).state is state
    found = judge.judge(NOW, [still], ())
    assert (found.state, found.jobs[0].concern) == (State.STALLED, "No progress for 12 min.")
    assert judge.judge(NOW, [live()], ()).state is State.RUNNING


def expects(word: Word, *, late: bool = False, overdue: bool = False, concern: str | None = None) -> Expected:
    """Return how the job `home` stands against its rhythm."""
    known = Expectation(word, late_since_ms=NOW - 5 if late else None, overdue_since_ms=NOW - 5 if overdue else None)
    return Expected(known, "every day", concern, "Because.")


HOME = ("home", "backup")


@pytest.mark.parametrize(
    ("outcome", "demand", "state"),
    [
        (Outcome.SUCCEEDED, expects(Word.FINE), State.OK),
        (Outcome.SUCCEEDED, expects(Word.DUE), State.OK),
        (Outcome.SUCCEEDED, expects(Word.LATE, late=True), State.WARNING),
        (Outcome.SUCCEEDED, expects(Word.OLD, late=True), State.WARNING),
        (Outcome.SUCCEEDED, expects(Word.OVERDUE, overdue=True), State.OVERDUE),
        (Outcome.SUCCEEDED, expects(Word.UNKNOWN), State.OK),
        (Outcome.SUCCEEDED, expects(Word.OFF), State.NONE),
        (Outcome.WARNING, expects(Word.OVERDUE, overdue=True), State.OVERDUE),
        (Outcome.UNKNOWN, expects(Word.OVERDUE, overdue=True), State.OVERDUE),
        (Outcome.CANCELLED, expects(Word.LATE, late=True), State.WARNING),
        (Outcome.FAILED, expects(Word.OVERDUE, overdue=True), State.FAILED),
        (Outcome.FAILED, expects(Word.FINE), State.FAILED),
        (Outcome.FAILED, expects(Word.OFF), State.FAILED),
    ],
)
def test_the_worse_of_the_last_run_and_of_the_rhythm_decides(outcome: Outcome, demand: Expected, state: State) -> None:
    """A failure stays one, and a success does not stay green for ever."""
    old = history(outcome, age_ms=60 * DAY_MS)
    assert judge.judge(NOW, (), [old], expected={HOME: demand}).state is state


def test_a_known_rhythm_takes_the_place_of_the_seven_days() -> None:
    """A monthly job is fine for a month."""
    old = history(Outcome.SUCCEEDED, age_ms=25 * DAY_MS)
    assert judge.judge(NOW, (), [old], expected={HOME: expects(Word.FINE)}).state is State.OK
    assert judge.judge(NOW, (), [old]).state is State.WARNING


def test_the_concern_of_the_rhythm_is_told_where_the_rhythm_decides() -> None:
    """A failure is told by its own words."""
    late = expects(Word.OVERDUE, overdue=True, concern="Expected by noon.")
    for outcome, concern in ((Outcome.SUCCEEDED, "Expected by noon."), (Outcome.FAILED, None)):
        (job,) = judge.judge(NOW, (), [history(outcome)], expected={HOME: late}).jobs
        assert (job.concern, job.why, job.rhythm, job.word) == (concern, "Because.", "every day", "overdue")


def test_a_job_without_a_run_is_shown_by_its_expectation() -> None:
    """It is configured, or its first run goes on."""
    for running, demand, state in (
        ([], expects(Word.NEVER_RAN), State.NONE),
        ([live()], expects(Word.NEVER_RAN), State.RUNNING),
        ([], expects(Word.NEVER_RAN, overdue=True), State.OVERDUE),
        ([], expects(Word.OFF), State.NONE),
    ):
        found = judge.judge(NOW, running, [], expected={HOME: demand})
        assert (found.state, found.jobs[0].state, found.jobs[0].last) == (state, state, None)


def test_a_doubt_outweighs_a_rhythm_that_is_fine() -> None:
    """The repository says otherwise, or the clock was wrong."""
    good = history(Outcome.SUCCEEDED)
    for doubted in ({"concerns": {"home": "It is not in the repository."}}, {"jobs": [replace(good, dated=False)]}):
        given = {"jobs": [good], "expected": {HOME: expects(Word.FINE)}, **doubted}
        found = judge.judge(NOW, (), **given)  # type: ignore[arg-type]
        assert found.state is State.WARNING
        assert found.jobs[0].concern
