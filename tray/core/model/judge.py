"""Judge all jobs: one pure function from the known runs and their rhythms to the status that every surface shows.

Icon, tooltip, menu, window and command line all draw the `Status` that `judge` returns, so they cannot disagree. The worst job
decides; a live run is shown beside a bad state, never instead of it. Only backups make anything green: a check, a restore or a dry
run is a job of its own that can alarm and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tray.core.clock import DAY_MS, EARLIEST_MS, SLACK_MS, local
from tray.core.dataclass import replace
from tray.core.model import (
    BACKUP,
    CHECK,
    DRY_RUN,
    WORST_FIRST,
    AuditStanding,
    EndedRun,
    Expected,
    JobHistory,
    JobStatus,
    LiveRun,
    Outcome,
    Proof,
    RepositoryState,
    State,
    Status,
    Word,
    shown_name,
)

STALE_AFTER_MS = 7 * DAY_MS
"""A success older than this is not called fine where nothing is known about the job's rhythm."""

NOT_OURS = "Another user's."
"""Why a job of another user is neither green nor red: any user can start a program called restic, and end it as they like."""

_RANKS = {state: rank for rank, state in enumerate(WORST_FIRST)}

FINE = (State.OK, State.RUNNING, State.NONE)
"""The states in which nothing is wrong with a job."""

_UNDATED = (
    "The age of its last good backup is not known, because the clock of this computer was wrong when it was made."
)

_STATE_OF_OUTCOME = {
    Outcome.SUCCEEDED: State.OK,
    Outcome.WARNING: State.WARNING,
    Outcome.CANCELLED: State.NONE,
    Outcome.UNKNOWN: State.WARNING,
    Outcome.FAILED: State.FAILED,
    Outcome.LOST: State.FAILED,
}


def judge(
    now_ms: int,
    live: Sequence[LiveRun],
    jobs: Sequence[JobHistory],
    *,
    error: Mapping[str, str] | None = None,
    as_of_ms: int | None = None,
    notes: Sequence[str] = (),
    doubt: bool = False,
    concerns: Mapping[str, str] | None = None,
    expected: Mapping[tuple[str, str], Expected] | None = None,
    repositories: Sequence[RepositoryState] = (),
    audit: AuditStanding | None = None,
) -> Status:
    """Return the one status.

    Args:
        now_ms: The time to judge ages by.
        live: Runs going on now, in any order.
        jobs: History of each job from log and spool.
        error: Reason why the status could not be fetched; the rest is then as of *as_of_ms*.
        as_of_ms: When the data was read, *now_ms* by default.
        notes: Passed through.
        doubt: Some of the past is missing, so nothing is called fine.
        concerns: By job, one sentence why it is not fine although its last run says so.
        expected: By job and kind, when it should be backed up again. A job without a run is here too if it is configured.
        repositories: Passed through.
        audit: Result of the last verification of the audit log; a breach that was not acknowledged decides over every job.
    """
    concerns, expected = concerns or {}, expected or {}
    theirs = [
        JobStatus(shown_name(job.job, job.kind), State.NONE, job.last, NOT_OURS, kind=job.kind)
        for job in jobs
        if job.last.user is not None
    ]
    jobs = [job for job in jobs if job.last.user is None]
    running = {(run.job, run.kind) for run in live if run.user is None}
    judged = [
        _judged(job, (key := (job.job, job.kind)) in running, now_ms, concerns.get(job.job), expected.get(key))
        for job in jobs
    ]
    new = (running | expected.keys()) - {(job.job, job.kind) for job in jobs}
    judged += [_without_runs(key, key in running, expected.get(key)) for key in sorted(new)]
    judged = _with_proofs(judged, jobs)
    judged = _with_stalled(judged, [run for run in live if run.stalled and run.user is None]) + theirs
    states = {job.state for job in judged}
    if error is not None:
        states.add(State.UNAVAILABLE)
    if doubt:
        states.add(State.WARNING)
    if audit is not None and audit.breach:
        states.add(State.TAMPERED)
    return Status(
        state=next((state for state in WORST_FIRST if state in states), State.NONE),
        as_of_ms=now_ms if as_of_ms is None else as_of_ms,
        error=error,
        runs=tuple(sorted(live, key=lambda run: (run.started_ms, run.run))),
        jobs=tuple(sorted(judged, key=rank)),
        last=newest(job.last for job in jobs if job.last.kind != DRY_RUN and job.last.proven is None),
        notes=(*notes, *_overlaps(live)),
        repositories=tuple(repositories),
        audit=audit,
    )


def unavailable(
    error: Mapping[str, str], now_ms: int, known: Status | None = None, audit: AuditStanding | None = None
) -> Status:
    """Return the status when it cannot be had: *known* is what was last good and is old now; None if nothing ever was.

    It calls nothing that could fail, since it is the answer to every failure.
    """
    if known is None:
        known = Status(State.UNAVAILABLE, now_ms)
    return replace(known, state=State.UNAVAILABLE, error=error, runs=(), notes=(), audit=audit or known.audit)


def _overlaps(live: Sequence[LiveRun]) -> list[str]:
    """Say of each job whose run began while an earlier one still went on that it did."""
    notes = []
    together: dict[tuple[str, str], LiveRun] = {}
    for run in sorted((run for run in live if run.user is None), key=lambda run: (run.started_ms, run.run)):
        before = together.get((run.instance, run.job))
        if before is not None:
            at, of = (local(each.started_ms).strftime("%H:%M") for each in (run, before))
            notes.append(f"{run.job}: a run began at {at} while that of {of} was still going")
        together[run.instance, run.job] = run
    return notes


def newest(runs: Iterable[EndedRun]) -> EndedRun | None:
    """Return the run that is last; see `order`."""
    return max(runs, key=order, default=None)


def order(run: EndedRun) -> float:
    """The sort key of "last": what was recorded last is last, and what waits to be recorded comes after that.

    No clock has a say in it: one that was ahead would keep an old success in front of every later failure. A run whose end was
    concluded afterwards stands where it began (`EndedRun.place`).
    """
    if run.place is not None:
        return run.place
    return float("inf") if run.entry is None else run.entry


def recorded(run: EndedRun) -> float:
    """The sort key of a list of runs: the order in which their ends were recorded."""
    return float("inf") if run.entry is None else run.entry


def woven(own: Sequence[EndedRun], system: Sequence[EndedRun]) -> list[EndedRun]:
    """Return the runs of two logs as one list, the newest first; each log's own order stays."""
    merged, left, right = [], list(own), list(system)
    while left and right:
        merged.append((left if left[0].finished_ms >= right[0].finished_ms else right).pop(0))
    return merged + left + right


def with_run(known: JobHistory | None, run: EndedRun) -> JobHistory:
    """Return the history of a job with one more run, which may have been recorded before or after those in it."""
    if known is None:
        good = run if is_good(run) else None
        return JobHistory(run.job, run, good, run.kind, streak=int(good is None and decides(run)), proven=run.proven)
    last = run if order(run) >= order(known.last) else known.last
    about = known.about
    if not decides(run):
        return replace(known, last=last, decides=about if about is not last and decides(about) else None)
    later = not decides(about) or order(run) >= order(about)
    about = run if later else about
    history = replace(known, last=last, decides=None if about is last else about, seen=known.seen and not later)
    if run.proven is not None:
        history = replace(history, proven=run.proven)
    if is_good(run) and (known.last_good is None or order(run) >= order(known.last_good)):
        return replace(history, last_good=run, streak=0 if later else known.streak, dated=True)
    return history if is_good(run) else replace(history, streak=known.streak + 1)


def is_good(run: EndedRun) -> bool:
    """Whether the run did what it was to do, if with warnings."""
    return run.outcome in (Outcome.SUCCEEDED, Outcome.WARNING)


def rank(job: JobStatus) -> tuple[int, bool, float, str]:
    """The sort key of jobs: the worst first, backups before checks, and of those not fine the one that was good longest ago."""
    fine = job.state in FINE
    good = 0 if fine or job.last_good is None else job.last_good.finished_ms
    return _RANKS[job.state], job.kind != BACKUP, good, job.job


def decides(run: EndedRun) -> bool:
    """Whether *run* says something about its job: the user did not cancel it."""
    return run.outcome is not Outcome.CANCELLED


def _with_stalled(jobs: list[JobStatus], stalled: Sequence[LiveRun]) -> list[JobStatus]:
    """Mark the jobs of runs that stand still, unless they are worse already."""
    waits = {shown_name(run.job, run.kind): run for run in stalled}
    return [
        replace(job, state=State.STALLED, concern=_no_progress(waits[job.job]))
        if job.job in waits and _RANKS[job.state] > _RANKS[State.STALLED]
        else job
        for job in jobs
    ]


def _with_proofs(statuses: list[JobStatus], jobs: Iterable[JobHistory]) -> list[JobStatus]:
    """Put the last proof of each job's checks beside the job, and beside the checks."""
    proofs: dict[tuple[str, str], Proof] = {}
    for job in jobs:
        if job.proven is not None:
            proofs[shown_name(job.job, job.kind), job.kind] = job.proven
            proofs[job.job.removesuffix(f" ({CHECK})"), BACKUP] = job.proven
    return [
        replace(status, proven=proof) if (proof := proofs.get((status.job, status.kind))) else status
        for status in statuses
    ]


def _no_progress(run: LiveRun) -> str:
    minutes = (run.since_progress_seconds or 0) // 60
    return f"No progress for {minutes} min." if minutes else "No progress."


def _judged(job: JobHistory, running: bool, now_ms: int, concern: str | None, expected: Expected | None) -> JobStatus:
    good = job.last_good or (job.about if is_good(job.about) else None)
    concern = concern if job.kind == BACKUP and (is_good(job.about) or job.seen) else None
    undated = good is not None and not _dated(job, good, now_ms)
    doubted, demand = undated or concern is not None, _demand(job, good, now_ms, expected)
    if job.kind == BACKUP and _is(expected, Word.DISABLED):
        state = State.NONE if concern is None else State.WARNING  # how its last run ended is said, and alarms no more
    elif job.kind == BACKUP:
        is_off = _is_off(expected)
        fine = not doubted and not is_off and good is not None and not _silent(good, now_ms, expected)
        state = _state_of_backup(job, doubted, demand, is_off=is_off, fine=fine)
    else:
        state = _worse(_state_of_task(job), demand)
    if expected is not None and demand is state and (demand is State.OVERDUE or job.seen or is_good(job.about)):
        concern = expected.concern or concern
    if undated and state is State.WARNING and job.about.outcome in (Outcome.SUCCEEDED, Outcome.CANCELLED):
        concern = concern or _UNDATED
    if running and state in (State.OK, State.NONE):
        state = State.RUNNING
    return JobStatus(
        shown_name(job.job, job.kind),
        state,
        job.last,
        concern,
        kind=job.kind,
        decides=job.decides,
        last_good=good,
        streak=job.streak,
        seen=job.seen,
        **_facts(expected),
    )


def _without_runs(key: tuple[str, str], running: bool, expected: Expected | None) -> JobStatus:
    """Return the state of a job of which no run is on record: it is configured, or its first run goes on."""
    seen = expected is not None and expected.seen
    demand = None if expected is None else expected.expectation.anew if seen else expected.expectation.state
    state = _worse(State.RUNNING if running else State.NONE, demand)
    concern = None if expected is None or demand is None else expected.concern
    return JobStatus(shown_name(*key), state, None, concern, kind=key[1], seen=seen, **_facts(expected))


def _facts(expected: Expected | None) -> dict[str, Any]:
    """Return the facts of an expectation that surfaces show, by their names in `JobStatus`."""
    if expected is None:
        return {}
    known = expected.expectation
    return {
        "word": known.word.value,
        "rhythm": expected.rhythm,
        "why": expected.why,
        "expected_by_ms": known.expected_by_ms,
        "next_ms": known.next_ms,
        "overdue_since_ms": known.overdue_since_ms,
        "awake_ms": known.awake_ms,
        "off_until_ms": known.off_until_ms,
    }


def _demand(job: JobHistory, good: EndedRun | None, now_ms: int, expected: Expected | None) -> State | None:
    """Return the state that the silence since the last good run demands: WARNING, OVERDUE, or None.

    The user who acknowledged the job knows of all that was so at that time: only the silence since then counts.
    """
    if expected is None:
        is_known = job.kind != BACKUP or job.seen or job.about.outcome is not Outcome.SUCCEEDED
        return State.WARNING if not is_known and good is not None and _silent(good, now_ms, None) else None
    return expected.expectation.anew if job.seen else expected.expectation.state


def _silent(good: EndedRun, now_ms: int, expected: Expected | None) -> bool:
    """Whether the last good backup is too long ago to call the job fine, acknowledged or not."""
    if expected is None:
        return now_ms - good.finished_ms > STALE_AFTER_MS
    return expected.expectation.state is not None


def _is_off(expected: Expected | None) -> bool:
    """Whether no run is expected, or the job was off and has made no backup since."""
    return _is(expected, Word.OFF) or (expected is not None and expected.expectation.off_until_ms is not None)


def _is(expected: Expected | None, word: Word) -> bool:
    return expected is not None and expected.expectation.word is word


def _state_of_backup(job: JobHistory, doubted: bool, demand: State | None, *, is_off: bool, fine: bool) -> State:
    state = _STATE_OF_OUTCOME[job.about.outcome]
    if job.seen:
        return demand or (State.OK if fine else State.NONE)
    if state is State.OK and is_off:
        state = State.NONE  # the next one is not expected, so the job is not known to be fine
    if doubted and state in (State.OK, State.NONE) and job.about.outcome is Outcome.SUCCEEDED:
        state = State.WARNING
    return _worse(state, demand)


def _worse(state: State, demand: State | None) -> State:
    return state if demand is None else min(state, demand, key=_RANKS.__getitem__)


def _state_of_task(job: JobHistory) -> State:
    """The state of what is no backup: it may alarm until it goes well again, and is never green."""
    if job.kind == DRY_RUN or job.seen or job.about.outcome is Outcome.SUCCEEDED:
        return State.NONE
    return _STATE_OF_OUTCOME[job.about.outcome]


def _dated(job: JobHistory, good: EndedRun, now_ms: int) -> bool:
    """Whether anybody can say how old the last good backup is."""
    return job.dated and EARLIEST_MS <= good.finished_ms <= now_ms + SLACK_MS
