"""Judge the jobs for which one check or monitor of another tool stands: it must not be green while one of them is not fine.

The status of the moment says how each job stands; the events of a message are newer where they disagree.
"""

from enum import IntEnum

from tray.config.channels import ChannelSettings
from tray.core.model import CHECK, Instance, JobStatus, State, Status
from tray.core.model.events import EventKind, Message
from tray.core.model.judge import FINE
from tray.wording import messages
from tray.wording.numbers import escape, fit
from tray.wording.runs import join

MOST_NAMES = 5


class Grade(IntEnum):
    """How a job stands."""

    FINE = 0
    WARNING = 1
    BAD = 2


_OF_KIND = {
    EventKind.FAILURE: Grade.BAD,
    EventKind.OVERDUE: Grade.BAD,
    EventKind.WARNING: Grade.WARNING,
    EventKind.RECOVERED: Grade.FINE,
    EventKind.SUCCESS: Grade.FINE,
}
_BAD = (State.FAILED, State.OVERDUE, State.TAMPERED, State.UNAVAILABLE)
_Key = tuple[Instance, str]


class Standing:
    """How the jobs of a channel stand.

    Attributes:
        worst: The worst grade, also if the status cannot be read or the audit log was tampered with.
    """

    def __init__(self, settings: ChannelSettings, message: Message, status: Status) -> None:
        grades = {(job.instance, job.job): _grade(job) for job in status.jobs if _covers(settings, job)}
        for event in message.events:
            if event.job is not None and event.kind in _OF_KIND:
                grades[event.instance, event.job] = _OF_KIND[event.kind]
        for name in {*settings.jobs} - {job for _, job in grades}:
            grades[Instance.USER, name] = Grade.WARNING  # it does not exist, or not any more
        self._grades: dict[_Key, Grade] = grades
        self._told = {(event.instance, event.job) for event in message.events}
        breach = any(event.kind is EventKind.BREACH for event in message.events)
        self._whole = "" if breach else _of_whole(status)
        self.worst = max([*grades.values(), Grade.BAD if breach or self._whole else Grade.FINE])

    def others(self) -> str:
        """Return the jobs that are not fine although the message does not name them: "also not fine: photos"; "" without any."""
        names = [key[1] for key, grade in self._grades.items() if grade and key not in self._told]
        shown = [fit(escape(name), messages.NAME_UNITS) for name in names[:MOST_NAMES]]
        more = [f"{len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
        return join(self._whole or None, f"also not fine: {join(*shown, *more)}" if names else None)


def _covers(settings: ChannelSettings, job: JobStatus) -> bool:
    """Whether *settings* name the job, or the job that it checks; as `notify.rules` has it for events."""
    base = job.job.removesuffix(f" ({CHECK})") if job.kind == CHECK else job.job
    return not settings.jobs or job.job in settings.jobs or base in settings.jobs


def _grade(job: JobStatus) -> Grade:
    if job.state in FINE:
        return Grade.FINE
    return Grade.BAD if job.state in _BAD else Grade.WARNING


def _of_whole(status: Status) -> str:
    """Return why no job can be called fine: the log was tampered with, or the status cannot be read; "" without a reason."""
    if status.audit is not None and status.audit.breach:
        return "the history of your backups was changed"
    return "the status cannot be read" if status.error is not None or status.state is State.UNAVAILABLE else ""
