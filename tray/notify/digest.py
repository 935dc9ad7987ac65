"""Make the digest: how every job is, once a week, so that silence never has to mean that all is well."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tray import wording
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import BACKUP, CHECK, WORST_FIRST, Instance, JobStatus, State, Status
from tray.core.model.events import Event, EventKind
from tray.core.paths import Places
from tray.notify import four_weeks
from tray.wording import jobs as of_jobs
from tray.wording import messages

MOST_ROWS = 40
"""So many jobs are listed, the worst first: some mail programs cut a mail at 102 kB."""
MOST_CALENDARS = 12
"""So many of them have a calendar."""
_ORDER = (State.OVERDUE, *(state for state in WORST_FIRST if state is not State.OVERDUE))
_MOST_LINES = 20
_NAME_UNITS = 60


def digest(places: Places, base: Event, status: Status, now_ms: int, names: Collection[str] = ()) -> Event:
    """Return the digest of *status*.

    Args:
        base: An event with the log and the host.
        names: The only jobs to tell of, their checks included; none: all.

    Returns:
        An event whose facts are `title`, `state` (of everything), `lines` (sentences: jobs that are not fine, the audit log,
        notes), and those of `_table`.
    """
    settled = replace(_only(status, names) if names else status, runs=())
    jobs = [job for job in settled.jobs if job.last is None or job.last.user is None]
    facts = {
        "title": wording.lines(settled, now_ms)[0],
        "state": settled.state.value,
        "lines": _lines(settled, sorted(jobs, key=_by_need), now_ms),
        **_table(places, jobs, now_ms),
    }
    return replace(base, id=clock.new_id(), kind=EventKind.DIGEST, at_ms=now_ms, facts=facts)


def reminder(places: Places, base: Event, status: Status, names: Collection[str], now_ms: int) -> Event:
    """Return the event that reminds of the jobs *names*, which are not fine, with the facts of `_table`."""
    event = messages.reminder(base, status, names, now_ms)
    jobs = [job for job in status.jobs if job.job in names]
    return replace(event, facts={**event.facts, **_table(places, jobs, now_ms)})


def _only(status: Status, names: Collection[str]) -> Status:
    """Return *status* with the jobs *names* alone; a state that no job explains stays."""
    jobs = tuple(job for job in status.jobs if job.job in names or job.job.removesuffix(f" ({CHECK})") in names)
    if status.state in (State.UNAVAILABLE, State.TAMPERED) or status.state not in {job.state for job in status.jobs}:
        return replace(status, jobs=jobs)
    state = min((job.state for job in jobs), key=WORST_FIRST.index, default=State.NONE)
    return replace(status, jobs=jobs, state=state)


def _table(places: Places, jobs: Iterable[JobStatus], now_ms: int) -> dict[str, Any]:
    """Return the facts about each job.

    `rows`, those that are overdue first, each with `job`, `instance`, `kind`, `state`, `word`, `last_good` and `next` as RFC 3339
    or null, `bytes` or null, and `days` where they are known; `first_day` of those.
    """
    shown = sorted(jobs, key=_by_need)[:MOST_ROWS]
    own = [job.job for job in shown if job.kind == BACKUP and job.instance is Instance.USER][:MOST_CALENDARS]
    days = four_weeks.of_jobs(places, own, now_ms)
    return {"first_day": four_weeks.first_day(now_ms).isoformat(), "rows": [_row(job, days) for job in shown]}


def _by_need(job: JobStatus) -> tuple[int, bool, str]:
    return _ORDER.index(job.state), job.kind != BACKUP, job.job


def _lines(status: Status, jobs: list[JobStatus], now_ms: int) -> list[str]:
    """Return the sentences of the digest: first the jobs that need a look, then the audit log."""
    bad = [job for job in jobs if job.state not in of_jobs.FINE]
    lines = [f"{_name(job)}: {wording.why(job, now_ms)}" for job in bad[:_MOST_LINES]]
    if more := len(bad) - len(lines):
        lines.append(f"… and {wording.count(more)} more")
    if status.error is not None or not bad:
        lines.append(wording.lines(status, now_ms)[1])
    if status.audit is not None:
        lines.append(wording.audit_line(status.audit, now_ms))
    if (more := len(jobs) - MOST_ROWS) > 0:
        lines += [
            f"{wording.plural(more, 'job')} of {wording.count(len(jobs))} {'is' if more == 1 else 'are'} not listed below"
        ]
    lines += [wording.fit(wording.escape(note), 300) for note in status.notes[:5]]
    return [f"{line.rstrip('.')}." for line in lines if line]


def _row(job: JobStatus, days: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    good = job.last_good
    row: dict[str, Any] = {
        "job": _name(job),
        "instance": job.instance.value,
        "kind": job.kind,
        "state": job.state.value,
        "word": wording.job_word(job),
        "last_good": None if good is None else clock.to_text(good.finished_ms),
        "next": None if job.next_ms is None else clock.to_text(job.next_ms),
        "bytes": None if good is None else good.bytes_processed,
    }
    if job.kind == BACKUP and job.instance is Instance.USER and any(days.get(job.job, ())):
        row["days"] = list(days[job.job])
    return row


def _name(job: JobStatus) -> str:
    of = " (system)" if job.instance is Instance.SYSTEM else ""
    return wording.fit(wording.escape(job.job), _NAME_UNITS) + of
