"""The figures of a status as performance data of monitoring plugins, which Nagios and Icinga read behind the first line. No I/O.

https://www.monitoring-plugins.org/doc/guidelines.html: `'label'=value[unit]`, separated by spaces. A figure that is not known is
left out. Without a status that can be read there is none.
"""

from collections.abc import Iterator

from tray.core.model import BACKUP, JobStatus, Status
from tray.wording import escape

BAR = "|"
"""The sign between the text and the figures."""


def beside(text: str, status: Status, now_ms: int) -> str:
    """Return *text* with the figures of *status* behind its first line; a bar in the text itself is shown as another sign."""
    first, newline, rest = text.replace(BAR, "¦").partition("\n")
    figures = " ".join(_figures(status, now_ms))
    return f"{first} {BAR} {figures}{newline}{rest}" if figures else f"{first}{newline}{rest}"


def _figures(status: Status, now_ms: int) -> Iterator[str]:
    if status.error is not None:
        return
    for job in status.jobs:
        name = f"{job.instance.value} {job.job}" if any(_twin(job, other) for other in status.jobs) else job.job
        for figure, value in _of(job, now_ms):
            yield f"'{_label(f'{name} {figure}')}'={value}"


def _twin(job: JobStatus, other: JobStatus) -> bool:
    """Whether *other* is a job of the same name in the other instance."""
    return (job.job, job.instance) != (other.job, other.instance) and job.job == other.job


def _of(job: JobStatus, now_ms: int) -> Iterator[tuple[str, str]]:
    """Yield the known figures of *job*: age of the last good backup, length and size of the last run."""
    good, last = job.last_good, job.last
    if good is not None and job.kind == BACKUP and good.finished_ms <= now_ms:
        yield "age", f"{(now_ms - good.finished_ms) // 1000}s;;;0"
    if last is None:
        return
    if last.duration_ms is not None:
        yield "duration", f"{last.duration_ms / 1000:g}s;;;0"
    if last.bytes_processed is not None:
        yield "size", f"{last.bytes_processed}B;;;0"


def _label(text: str) -> str:
    """Return a label without the signs that have a meaning there."""
    return escape(text).replace("'", "''").replace("=", "-").replace(BAR, "¦")
