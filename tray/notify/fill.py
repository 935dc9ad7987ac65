"""Turn the present status into events and put them into the queue, for every channel that is to be told."""

import os
from collections.abc import Iterable
from contextlib import closing, suppress

from tray import config
from tray.audit import spool
from tray.audit.entry import ENDS, Action, Draft, Severity
from tray.audit.store import AuditLog
from tray.config import channels, jobs
from tray.config.channels import ChannelSettings, Notify
from tray.core import clock
from tray.core.errors import BackupTrayError, ConfigError
from tray.core.model import EndedRun, Status
from tray.core.model.events import Event, EventKind
from tray.core.paths import Places
from tray.notify import digest, snooze, wakes
from tray.notify.news import News
from tray.notify.queue import Delivery, Queue
from tray.notify.rules import Rules, due
from tray.rhythm import zones
from tray.rhythm.slots import calendar
from tray.status import StatusSource
from tray.wording import messages

_SECONDS = 2.0


def settings(places: Places) -> Notify:
    """Return the channels; while config.toml is broken, the desktop alone, so that alarms reach the user all the same."""
    try:
        return channels.load(places)
    except ConfigError:
        return Notify({channels.DESKTOP: ChannelSettings(channels.DESKTOP, channels.DESKTOP)})


def present(places: Places) -> Status:
    """Return the status of this moment."""
    with closing(StatusSource(places, role="cli", start_tracker=False)) as source:
        return source.poll()


def now(places: Places, queue: Queue, known: Notify) -> Status:
    """Put the news of this moment into *queue*, and return the status that brought them."""
    status = present(places)
    now_ms, memory = clock.now_ms(), queue.memory()
    calm, morning = wakes.look(places)
    base = Event("", EventKind.TEST, now_ms, log=_log_id(places), host=host())
    news = News(
        memory,
        status,
        first=queue.mark("looked") is None,
        calm=calm,
        find_id=lambda run: _entry_id(places, run),
        base=base,
    )
    rules = Rules(known.channels, _of_jobs(places), snooze.until(queue, now_ms))
    marks = {"looked": now_ms}
    events, deliveries = list(news.events), list(rules.deliveries(news.events, now_ms))
    if not calm:
        for name, channel in known.channels.items():
            mark = f"reminded:{name}"
            down = rules.reminded(channel, news.memory, queue.mark(mark), now_ms, morning)
            if down:
                event = reminder(base, status, [known_job.job for known_job in down.values()], now_ms)
                events.append(event)
                deliveries.append(Delivery(event, name, now_ms))
                marks[mark] = now_ms
        for name in digests_due(known, queue, now_ms, marks):
            event = digest.digest(places, base, status, now_ms)
            events.append(event)
            deliveries.append(Delivery(event, name, *due(known.channels[name], event, now_ms)))
    queue.tell(news.memory, events, deliveries, marks)
    record(places, queue)
    return status


def reminder(base: Event, status: Status, down: Iterable[str | None], now_ms: int) -> Event:
    """Return the event that reminds of the jobs *down*: only of them, and the worst first."""
    return messages.reminder(base, status, set(down), now_ms)


def digests_due(known: Notify, queue: Queue, now_ms: int, marks: dict[str, int]) -> list[str]:
    """Return the channels whose digest is due, and note in *marks* that it was sent; the first is due at its next moment."""
    names = []
    for name, channel in known.channels.items():
        if channel.enabled and channel.digest is not None:
            mark = f"digest:{name}"
            last_ms = queue.mark(mark)
            if last_ms is None or last_ms > now_ms:  # new, or the clock was ahead
                marks[mark] = now_ms
            elif any(slot_ms <= now_ms for slot_ms in calendar(channel.digest, zones.zone(None)).after(last_ms)):
                marks[mark] = now_ms
                names.append(name)
    return names


def record(places: Places, queue: Queue) -> None:
    """Put events that no other entry holds on record under their own ids, each once also after a kill."""
    for event in queue.unrecorded():
        body = {"why": event.why, "concern": event.concern, "since": clock.to_text(event.since_ms or event.at_ms)}
        draft = Draft(
            Action.JOB_OVERDUE,
            id=event.id,
            time_ms=event.at_ms,
            result="overdue",
            severity=Severity.WARNING,
            job=event.job,
            kind=event.job_kind,
            body=body,
        )
        if not places.audit_db.exists() or not spool.keep(places, [draft]):
            return
        queue.recorded(event)
    with suppress(BackupTrayError):
        spool.drain(places, timeout=_SECONDS)


def host() -> str:
    """Return the name of this machine."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "this computer")


def _entry_id(places: Places, run: EndedRun) -> str | None:
    """Return the id of the entry about the end of *run*, or of the record that waits to become one."""
    with suppress(BackupTrayError, OSError):
        if run.entry is None:
            ends = (draft for draft in spool.pending(places) if draft.run == run.run and draft.action in ENDS)
            return next((draft.id for draft in ends), None)
        with AuditLog.read(places.audit_db) as log:
            entry = log.entry(run.entry)
            return str(entry.data["id"]) if entry.data["run"] == run.run else None  # else it is another log's
    return None


def _log_id(places: Places) -> str | None:
    with suppress(BackupTrayError, OSError):
        if places.audit_db.exists():
            with AuditLog.read(places.audit_db) as log:
                return str(log.first().data["log"])
    return None


def _of_jobs(places: Places) -> dict[str, tuple[str, ...]]:
    """Return by job the events of which its own `notify` tells."""
    with suppress(ConfigError):
        document = config.read(places)
        if document is not None:
            return {name: job.notify for name, job in jobs.configured(document).jobs.items() if job.notify is not None}
    return {}
