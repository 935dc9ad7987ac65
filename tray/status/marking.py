"""Record that the user has seen a job's failure, or that a job is over and to be forgotten. Each is an entry."""

import shlex
from collections.abc import Sequence

from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.core import sender
from tray.core.errors import JobNotFoundError, StatusFetchError, SystemOwnedError
from tray.core.model import Instance, JobStatus, Status, Word, judge
from tray.core.paths import Places
from tray.status import StatusSource, past_runs
from tray.wording.near_names import known_jobs

RECORD_SECONDS = 5.0


def acknowledge(places: Places, job: str) -> JobStatus:
    """Record that the user has seen how the last run of *job* ended, or that it should have run and never did; return the job.

    Raises:
        JobNotFoundError: There is no such job, or it never ran and need not have run yet.
        SystemOwnedError: It is root's job, which is only shown here.
        StatusFetchError: It is not known now which jobs there are.
    """
    known = _known(places)
    if job not in known or (known[job].last is None and not _is_awaited(known[job])):
        raise _unknown(places, job, known, f"sudo backup-tray seen {shlex.quote(job)}")
    _record(places, [known[job]], Action.JOB_SEEN, "seen")
    return known[job]


def named(places: Places, job: str) -> JobStatus:
    """Return the job of this name, which may never have run.

    Raises:
        JobNotFoundError: There is no such job.
        StatusFetchError: It is not known now which jobs there are.
    """
    known = _known(places)
    if job not in known:
        raise JobNotFoundError(job, known_jobs(job, known, "No job has run yet"))
    return known[job]


def _is_awaited(job: JobStatus) -> bool:
    """Whether *job* should have run, and never did."""
    return job.word == Word.NEVER_RAN and job.state not in judge.FINE


def forget(places: Places, jobs: Sequence[str]) -> list[str]:
    """Record that *jobs* are over: they are neither judged nor shown until their next run. Nothing is done if one is not known.

    Returns:
        The names of those that had been forgotten before.

    Raises:
        JobNotFoundError, SystemOwnedError, StatusFetchError: As `acknowledge`.
    """
    known = _ended(places)
    missing = [job for job in dict.fromkeys(jobs) if job not in known]
    before = [job for job in missing if job in past_runs.names(places)["job"]] if missing else []
    for job in missing:
        if job not in before:
            error = _unknown(places, job, known, f"sudo backup-tray forget {shlex.quote(job)}")
            error.next = f"{error.next} Nothing was forgotten."
            raise error
    _record(places, [known[job] for job in dict.fromkeys(jobs) if job in known], Action.JOB_FORGOTTEN, "forgotten")
    return before


def forget_of(places: Places, run: str) -> None:
    """Forget the job whose last run is *run*: the window names a job so.

    Raises:
        JobNotFoundError: There is no such job any more, or it has run again.
        StatusFetchError: It is not known now which jobs there are.
    """
    known = _ended(places)
    job = next((name for name, item in known.items() if item.last is not None and item.last.run == run), None)
    if job is None:
        raise JobNotFoundError(run, known_jobs(run, known, "No job has run yet"))
    forget(places, [job])


def _record(places: Places, items: Sequence[JobStatus], action: Action, result: str) -> None:
    """Put one entry for each job on record, under the name and kind of its runs; of a job with several names one for each."""
    with past_runs.reading(places) as log:
        names = past_runs.present_names(places, log)
    named = [(item, item.job if item.last is None else item.last.job) for item in items]
    marked = [(item, job) for item, name in named for job in names.recorded(name)]
    if drafts := [Draft(action=action, job=job, kind=item.kind, result=result) for item, job in marked]:
        spool.record(places, drafts, timeout=RECORD_SECONDS)
        sender.start(places)


def _ended(places: Places) -> dict[str, JobStatus]:
    """Return the user's own jobs that have an ended run, by the name that is shown."""
    return {name: item for name, item in _known(places).items() if item.last is not None}


def _known(places: Places) -> dict[str, JobStatus]:
    """Return the user's own jobs by the name that is shown."""
    status = _status(places, system=False)
    if status.error is not None:
        raise StatusFetchError(status.error["why"], status.error["next"])
    return {item.job: item for item in status.jobs}


def _unknown(
    places: Places, job: str, known: dict[str, JobStatus], command: str
) -> JobNotFoundError | SystemOwnedError:
    for item in _status(places, system=True).jobs:
        if item.job == job and item.instance is Instance.SYSTEM:
            return SystemOwnedError(f"The job {job!r}", command)
        if item.job == job:
            return JobNotFoundError(job, "It is configured, but it has never run.", ran=False)
    return JobNotFoundError(job, known_jobs(job, known, "No job has run yet"))


def _status(places: Places, *, system: bool) -> Status:
    source = StatusSource(places, role="cli", start_tracker=False, system=system)
    try:
        return source.poll()
    finally:
        source.close()
