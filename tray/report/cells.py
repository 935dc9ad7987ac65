"""What the cells of a run's row hold, in PDF and HTML alike."""

from tray import wording
from tray.core import clock
from tray.core.model import EndedRun

NONE = "–"


def when(run: EndedRun) -> str:
    """Return when it ended, in this time zone."""
    return f"{clock.local(run.finished_ms):%Y-%m-%d %H:%M}"


def entry(run: EndedRun) -> str:
    """Return the number of its end in the audit log."""
    return NONE if run.entry is None else wording.count(run.entry)


def figures(run: EndedRun) -> tuple[str, ...]:
    """Return duration, size, what was added, files and the entry's number."""
    return (
        NONE if run.duration_ms is None else wording.duration(run.duration_ms / 1000),
        NONE if run.bytes_processed is None else wording.size(run.bytes_processed),
        wording.added(run, short=True) or NONE,
        NONE if run.files is None else wording.count(run.files),
        entry(run),
    )
