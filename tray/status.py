"""One pure function from what is known to what everybody shows.

Icon, tooltip, menu, window and command line all draw the `Status` that `judge` returns, so they cannot disagree. The worst job
decides; a live run is shown beside a bad state, never instead of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tray.clock import DAY_MS, local
from tray.model import (
    WORST_FIRST,
    AuditStanding,
    EndedRun,
    JobHistory,
    JobStatus,
    LiveRun,
    Outcome,
    RepositoryState,
    State,
    Status,
)

BACKUP = "backup"
DRY_RUN = "dry-run"
"""A kind of run that makes no backup, so that nothing about it is green or red."""

STALE_AFTER_MS = 7 * DAY_MS
"""A success older than this is not called fine while nobody knows the job's rhythm."""

NOT_OURS = "Another user's; not counted here."
"""Why a job of another user is neither green nor red: any user can start a program called restic, and end it as they like."""

_STATE_OF_OUTCOME = {
    Outcome.SUCCEEDED: State.OK,
    Outcome.WARNING: State.WARNING,
    Outcome.CANCELLED: State.WARNING,
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
    repositories: Sequence[RepositoryState] = (),
    audit: AuditStanding | None = None,
) -> Status:
    """Return the one status.

    Args:
        now_ms: The time to judge ages by.
        live: Runs going on now, in any order.
        jobs: What log and spool know of each job.
        error: Why the status could not be fetched, if so; the rest is then what was known at *as_of_ms*.
        as_of_ms: When the data was read, *now_ms* by default.
        notes: Passed through.
        doubt: What is known is not all that was: nothing is then called fine.
        concerns: By job, one sentence why it is not fine although its last run says so.
        repositories: Passed through.
        audit: What the last verification of the audit log came to; a breach that nobody acknowledged decides over every job.
    """
    concerns = concerns or {}
    theirs = [JobStatus(job.job, State.NONE, job.last, NOT_OURS) for job in jobs if job.last.user is not None]
    jobs = [job for job in jobs if job.last.user is None]
    running = {run.job for run in live if run.user is None}
    judged = [
        JobStatus(
            job.job, _state(job, job.job in running, now_ms, job.job in concerns), job.last, concerns.get(job.job)
        )
        for job in jobs
    ]
    known = {job.job for job in jobs}
    judged += [JobStatus(name, State.RUNNING, None) for name in sorted(running - known)]
    judged = _with_stalled(judged, [run for run in live if run.stalled and run.user is None]) + theirs
    states = {_weight(job) for job in judged}
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
        jobs=tuple(sorted(judged, key=lambda job: (WORST_FIRST.index(job.state), job.job))),
        last=newest(job.last for job in jobs if job.last.kind != DRY_RUN),
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
    together: dict[tuple[str, str | None, str], LiveRun] = {}
    for run in sorted(live, key=lambda run: (run.started_ms, run.run)):
        before = together.get((run.instance, run.user, run.job))
        if before is not None:
            at, of = (local(one.started_ms).strftime("%H:%M") for one in (run, before))
            notes.append(f"{run.job}: a run began at {at} while that of {of} was still going")
        together[run.instance, run.user, run.job] = run
    return notes


def newest(runs: Iterable[EndedRun]) -> EndedRun | None:
    """Return the run that ended last: greatest finish time, then entry number; a spooled record is newer than any entry."""
    return max(runs, key=order, default=None)


def order(run: EndedRun) -> tuple[int, float]:
    """The sort key of "last"."""
    return run.finished_ms, float("inf") if run.entry is None else run.entry


def _weight(job: JobStatus) -> State:
    """What a job says about the whole: a check that succeeded does not mean that there is a backup."""
    if job.state is State.OK and job.last is not None and job.last.kind != BACKUP:
        return State.NONE
    return job.state


def _with_stalled(jobs: list[JobStatus], stalled: Sequence[LiveRun]) -> list[JobStatus]:
    """Mark the jobs of runs that stand still, unless they are worse already."""
    waits = {run.job: run for run in stalled}
    return [
        replace(job, state=State.STALLED, concern=_no_progress(waits[job.job]))
        if job.job in waits and WORST_FIRST.index(job.state) > WORST_FIRST.index(State.STALLED)
        else job
        for job in jobs
    ]


def _no_progress(run: LiveRun) -> str:
    minutes = (run.since_progress_seconds or 0) // 60
    return f"No progress for {minutes} min." if minutes else "No progress."


def _state(job: JobHistory, running: bool, now_ms: int, doubted: bool) -> State:
    state = State.NONE if job.last.kind == DRY_RUN else _STATE_OF_OUTCOME[job.last.outcome]
    if job.seen_ms is not None and job.seen_ms >= job.last.finished_ms:
        recent = job.last_success is not None and _age(job.last_success, now_ms) <= STALE_AFTER_MS
        state = State.OK if recent else State.NONE
    elif state is State.OK and (doubted or _age(job.last, now_ms) > STALE_AFTER_MS):
        state = State.WARNING
    if running and state in (State.OK, State.NONE):
        return State.RUNNING
    return state


def _age(run: EndedRun, now_ms: int) -> int:
    return now_ms - run.finished_ms
