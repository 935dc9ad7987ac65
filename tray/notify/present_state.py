"""Bring tools that show the present state up to date also where no event tells of a change: a job is new, or was forgotten.

Pure: the marks of the queue tell which state a channel was given last.
"""

import json
import zlib
from collections.abc import Collection, Iterator, Mapping, MutableMapping

from tray.config.channels import STATUS, ChannelSettings
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.model import JobStatus, Status
from tray.core.model.events import Event, EventKind
from tray.notify.queue import Delivery

MARK = "shown:"
"""Begin of the names of the marks, each with a channel's name behind it."""
_MINUTE_MS = 60_000


def deliveries(
    channels: Mapping[str, ChannelSettings],
    status: Status,
    base: Event,
    known: Mapping[str, int],
    busy: Collection[str],
    marks: MutableMapping[str, int],
) -> Iterator[Delivery]:
    """Yield an event for each channel that shows another state than *status*, and note in *marks* that it will show this one.

    Args:
        known: The marks of the queue.
        busy: Channels that get an event anyway, and the present status with it.
    """
    now = fingerprint(status)
    for name, channel in channels.items():
        mark = f"{MARK}{name}"
        if channel.takes != STATUS or not channel.enabled or known.get(mark) == now:
            continue
        marks[mark] = now
        if name not in busy:
            yield Delivery(replace(base, id=clock.new_id(), kind=EventKind.STATE), name, base.at_ms)


def fingerprint(status: Status) -> int:
    """Return a number that is another one once a tool would show something else."""
    audit = None if status.audit is None else [status.audit.result, status.audit.breach]
    facts = [status.state, status.error is None, audit, [_of_job(job) for job in status.jobs]]
    return zlib.crc32(json.dumps(facts).encode())


def _of_job(job: JobStatus) -> list[str | int | None]:
    last, good, due_ms = job.last, job.last_good, job.expected_by_ms
    return [
        *(job.job, job.instance, job.kind, job.state, job.word),
        *(None if last is None else last.run, None if good is None else good.run),
        None if due_ms is None else due_ms // _MINUTE_MS,
    ]
