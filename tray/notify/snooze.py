"""Put the messages about one job to rest for a while; every surface shows its state as before."""

from tray.audit import spool
from tray.audit.entry import Action, Draft
from tray.core import clock
from tray.core.model import Instance
from tray.core.paths import Places
from tray.notify.queue import Queue

_PREFIX = "snoozed:"
_SECONDS = 5.0


def put(places: Places, queue: Queue, job: str, until_ms: int, instance: Instance = Instance.USER) -> None:
    """Send no message about *job* before *until_ms*, and put that on record; a moment that is past ends a rest."""
    queue.set_mark(f"{_PREFIX}job:{instance.value}:{job}", until_ms)
    body = {"until": clock.to_text(until_ms)}
    spool.record(places, [Draft(Action.JOB_SNOOZED, result="snoozed", job=job, body=body)], timeout=_SECONDS)


def until(queue: Queue, now_ms: int) -> dict[str, int]:
    """Return until when messages rest, by key of the memory; those that are over are left out."""
    marks = queue.marks(_PREFIX)
    return {name.removeprefix(_PREFIX): at_ms for name, at_ms in marks.items() if at_ms > now_ms}
