"""Make the digest: how every job is, once a week, so that silence never has to mean that all is well."""

from collections.abc import Mapping
from typing import Any

from tray import wording
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import BACKUP, WORST_FIRST, Instance, JobStatus, State, Status
from tray.core.model.events import Event, EventKind
from tray.core.paths import Places
from tray.notify import four_weeks
from tray.wording import jobs as of_jobs

MOST_ROWS = 40
"""So many jobs are listed, the worst first: some mail programs cut a mail at 102 kB."""
MOST_CALENDARS = 12
"""So many of them have a calendar."""
_ORDER = (State.OVERDUE, *(state for state in WORST_FIRST if state is not State.OVERDUE))
_MOST_LINES = 20
_NAME_UNITS = 60


def digest(places: Places, base: Event, status: Status, now_ms: int) -> Event:
    """Return the digest of *status*.

    Args:
        base: An event with the log and the host.

    Returns:
        An event whose facts are `title`, `state` (of everything), `lines` (sentences: jobs that are not fine, the audit log,
        notes), `rows` (a job each, those that are overdue first: `job`, `instance`, `kind`, `state`, `word`, `last_good` and `next`
        as RFC 3339 or null, `bytes` or null, `days` where they are known), and `first_day` of those days.
    """
    ranked = sorted(
        (job for job in status.jobs if job.last is None or job.last.user is None),
        key=lambda job: (_ORDER.index(job.state), job.kind != BACKUP, job.job),
    )
    jobs = ranked[:MOST_ROWS]
    own = [job.job for job in jobs if job.kind == BACKUP and job.instance is Instance.USER][:MOST_CALENDARS]
    days = four_weeks.of_jobs(places, own, now_ms)
    settled = replace(status, runs=())
    facts = {
        "title": wording.lines(settled, now_ms)[0],
        "state": status.state.value,
        "lines": _lines(settled, ranked, now_ms),
        "first_day": four_weeks.first_day(now_ms).isoformat(),
        "rows": [_row(job, days) for job in jobs],
    }
    return replace(base, id=clock.new_id(), kind=EventKind.DIGEST, at_ms=now_ms, facts=facts)


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
    if job.kind == BACKUP and job.instance is Instance.USER and job.job in days:
        row["days"] = list(days[job.job])
    return row


def _name(job: JobStatus) -> str:
    of = " (system)" if job.instance is Instance.SYSTEM else ""
    return wording.fit(wording.escape(job.job), _NAME_UNITS) + of
