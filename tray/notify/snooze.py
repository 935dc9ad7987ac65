"""Put the messages about one job to rest for a while; every surface shows its state as before."""

import sqlite3
from contextlib import closing

from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.errors import QueueUnavailableError
from tray.core.model import Instance
from tray.core.paths import Places
from tray.notify import queue_file
from tray.notify.news import JOB
from tray.notify.queue import Queue

_PREFIX = "snoozed:"
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Rest:
    """A rest of the messages about a job: no message about it is sent before `until_ms`."""

    job: str
    instance: Instance
    until_ms: int


def put(places: Places, job: str, until_ms: int | None, instance: Instance = Instance.USER) -> None:
    """Send no message about *job* before *until_ms*, or again with None; either is put on record.

    Raises:
        QueueUnavailableError: It cannot be noted; nothing has changed then.
    """
    try:
        with closing(queue_file.opened(places)) as queue:
            place = f"{JOB}:{instance.value}:{job}"
            queue.set_mark(f"{_PREFIX}{place}", until_ms)
            known = queue.memory().get(place)
            if known is not None and known.incident:
                queue.rest_until(known.incident, clock.now_ms() if until_ms is None else until_ms)
    except (OSError, sqlite3.Error) as error:
        raise QueueUnavailableError(str(error)) from error
    draft = Draft(Action.JOB_SNOOZED, result="ended", job=job)
    if until_ms is not None:
        draft = Draft(Action.JOB_SNOOZED, result="snoozed", job=job, body={"until": clock.to_text(until_ms)})
    spool.record(places, [draft], timeout=_SECONDS)


def until(queue: Queue, now_ms: int) -> dict[str, int]:
    """Return until when messages rest, by key of the memory; those that are over are left out."""
    marks = queue.marks(_PREFIX)
    return {name.removeprefix(_PREFIX): at_ms for name, at_ms in marks.items() if at_ms > now_ms}


def rests(places: Places) -> list[Rest]:
    """Return every rest that is not over, the one that ends first before the others."""
    with queue_file.reading(places) as queue:
        marks = {} if queue is None else until(queue, clock.now_ms())
    listed = []
    for place, until_ms in marks.items():
        _, instance, job = place.split(":", 2)
        listed.append(Rest(job, Instance(instance), until_ms))
    return sorted(listed, key=lambda rest: (rest.until_ms, rest.job))
