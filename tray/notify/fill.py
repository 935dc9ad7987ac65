"""Turn the present status into events and put them into the queue, for every channel that is to be told."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial

from tray import config
from tray.audit import checkpoint, spool
from tray.audit.entry import ENDS, Action, Draft, Severity
from tray.audit.store import AuditLog
from tray.baselines import all_copies
from tray.config import channels, jobs
from tray.config.channels import ChannelSettings, Notify
from tray.config.jobs import Configured
from tray.core import clock, paths
from tray.core.errors import BackupTrayError, ConfigError
from tray.core.model import EndedRun, Instance, Status
from tray.core.model.events import Event, EventKind
from tray.core.model.judge import FINE
from tray.core.paths import Places
from tray.core.sender import LOGIN
from tray.notify import alive, digest, present_state, snooze, wakes
from tray.notify.news import STATUS, Known, News, breach, key, unknown
from tray.notify.queue import Delivery, Queue
from tray.notify.rules import Rules, due, kept
from tray.rhythm import zones
from tray.rhythm.slots import calendar
from tray.status import StatusSource

_SECONDS = 2.0
PATIENCE_SECONDS, _AGAIN_SECONDS = 10.0, 0.5
"""So long the status must be unreadable before people are told, and how often it is tried meanwhile."""
SETTINGS = "settings:"
"""Begin of the names of the marks of the queue that tell which settings a channel had, each with the channel's name behind it."""


def settings(places: Places) -> Notify:
    """Return the channels; while config.toml is broken, the desktop alone, so that alarms reach the user all the same."""
    try:
        return channels.load(places)
    except ConfigError:
        return Notify({channels.DESKTOP: channels.UNNAMED}, complete=False)


def present(places: Places) -> Status:
    """Return the status of this moment."""
    with closing(StatusSource(places, role="cli", start_tracker=False)) as source:
        return source.poll()


def _settled(places: Places, *, patient: bool) -> Status:
    """Return the present status; one that cannot be read is asked for again for a while, if *patient*: it may be a lock."""
    until = clock.monotonic() + (PATIENCE_SECONDS if patient else 0.0)
    while (status := present(places)).error is not None and clock.monotonic() < until:
        time.sleep(_AGAIN_SECONDS)
    return status


def now(places: Places, queue: Queue, known: Notify) -> Status:
    """Put the news of this moment into *queue*, and return the status that brought them.

    Where a session of the user has begun, its desktop shows a breach anew, and at once the messages that waited for a desktop.
    """
    begun_ms = clock.now_ms()
    if watched := alive.is_due(queue, known, begun_ms):
        alive.verify(places)
    memory = queue.memory()
    status = _settled(places, patient=STATUS not in memory)
    now_ms = clock.now_ms()
    calm, morning = wakes.look(places)
    base = Event("", EventKind.TEST, now_ms, log=_log_id(places), host=host())
    footer = partial(_footer, places)
    of_jobs, doubt = _of_jobs(places)
    with closing(EntryIds(places)) as ids:
        news = News(
            memory,
            status,
            looked_ms=queue.mark("looked") or now_ms,
            calm=calm,
            doubt=doubt,
            hidden=_hidden(status),
            find_id=ids.of,
            base=base,
            footer=footer,
        )
    rules = Rules(known.channels, of_jobs, snooze.until(queue, now_ms))
    _judge(queue, rules, now_ms)
    _tell_faults(queue, known, now_ms)
    marks, more = {"looked": now_ms}, list[Delivery]()
    if not calm:
        more += _of_the_day(places, queue, rules, news, status, morning, marks)
    login = queue.mark(LOGIN) is not None
    if login:
        more += _at_login(news, status, rules, footer)
    if watched and (at_work := alive.event(base, status, begun_ms)) is not None:
        more += rules.deliveries([at_work], now_ms)
        marks[alive.MARK] = now_ms
    deliveries = [*rules.deliveries(news.events, now_ms), *kept(_at_fault(queue, known), news.events), *more]
    busy = {delivery.channel for delivery in deliveries}
    deliveries += present_state.deliveries(known.channels, status, base, queue.marks(present_state.MARK), busy, marks)
    queue.tell(news.memory, [*news.events, *(delivery.event for delivery in deliveries)], deliveries, marks)
    if login:
        _greet(queue, known, now_ms)
    record(places, queue)
    return status


def _at_fault(queue: Queue, known: Notify) -> list[str]:
    """Return the channels whose settings have a fault: of a file that cannot be followed, all that it ever described."""
    described = () if known.complete else (name.removeprefix(SETTINGS) for name in queue.marks(SETTINGS))
    return [*known.broken, *(name for name in described if name not in known.channels)]


def tell_outage(
    queue: Queue, known: Mapping[str, ChannelSettings], channel: str, why: str, now_ms: int, *, log: str | None = None
) -> None:
    """Let the other channels of *known* say, once an outage, that *channel* sends nothing."""
    facts = {"channel": channel}
    event = Event(clock.new_id(), EventKind.CHANNEL, now_ms, concern=why, log=log, host=host(), facts=facts)
    others = {name: settings for name, settings in known.items() if name != channel}
    queue.add(event, Rules(others).deliveries([event], now_ms), f"outage:{channel}", now_ms)


def _tell_faults(queue: Queue, known: Notify, now_ms: int) -> None:
    """Tell of channels whose settings have a fault now, and had none before."""
    for name, error in known.broken.items():
        if queue.mark(f"{SETTINGS}{name}") is not None:
            tell_outage(queue, known.channels, name, error.why, now_ms)


def _judge(queue: Queue, rules: Rules, now_ms: int) -> None:
    """Let channels whose settings are mended tell of the events that waited for that."""
    for name in rules.channels:
        if events := queue.unjudged(name):
            queue.judge(name, rules.judged(name, events, now_ms))


def _of_the_day(
    places: Places, queue: Queue, rules: Rules, news: News, status: Status, morning: int, marks: dict[str, int]
) -> Iterator[Delivery]:
    """Yield the reminders and digests that are due, and note in *marks* that they were sent."""
    now_ms = news.base.at_ms
    bad = {key(job) for job in status.jobs if job.state not in FINE}
    memory = {place: known for place, known in news.memory.items() if known.job is None or place in bad}
    for name, channel in rules.channels.items():
        mark = f"reminded:{name}"
        held = queue.held(name, now_ms)
        down = rules.reminded(channel, memory, queue.mark(mark), now_ms, morning, held)
        if down:
            marks[mark] = now_ms
            for event in reminding(places, news.base, status, down, now_ms):
                yield Delivery(event, name, now_ms)
    for name in digests_due(rules.channels, queue, now_ms, marks):
        event = digest.digest(places, news.base, status, now_ms, rules.channels[name].jobs)
        yield Delivery(event, name, *due(rules.channels[name], event, now_ms))


def reminding(places: Places, base: Event, status: Status, down: Mapping[str, Known], now_ms: int) -> Iterator[Event]:
    """Yield the events that remind of the incidents *down*: a breach and an unknown status by themselves, all jobs together."""
    for known in down.values():
        if known.kind is EventKind.BREACH and status.audit is not None:
            yield breach(base, status.audit, known, _footer(places))
        elif known.job is None and status.error is not None:
            yield unknown(base, status.error, known)
    jobs = [known.job for known in down.values() if known.job is not None]
    if jobs:
        yield digest.reminder(places, base, status, set(jobs), now_ms)


def _at_login(news: News, status: Status, rules: Rules, footer: Callable[[], str]) -> Iterator[Delivery]:
    """Yield the breach that is not acknowledged, for the desktop of a session that has not shown it."""
    for place, known in news.memory.items():
        if known.kind is EventKind.BREACH and status.audit is not None and place.endswith(status.audit.instance):
            if any(event.kind is EventKind.BREACH for event in news.events):
                return  # the news of this very moment
            event = breach(news.base, status.audit, known, footer())
            for name, channel in rules.channels.items():
                if channel.type == channels.DESKTOP and rules.wants(channel, event):
                    yield Delivery(event, name, news.base.at_ms)


def _greet(queue: Queue, known: Notify, now_ms: int) -> None:
    """Let the messages that waited for a desktop go to the one of the new session."""
    for name, channel in known.channels.items():
        if channel.type == channels.DESKTOP:
            queue.retry_now(name, now_ms)
    queue.set_mark(LOGIN, None)


def _footer(places: Places) -> str:
    """Return a line that identifies the audit log as it is now; "" where it cannot be read."""
    with suppress(BackupTrayError, OSError, ValueError), AuditLog.read(places.audit_db) as log:
        return all_copies.footer(checkpoint.parse(log.head()[2]))
    return ""


def digests_due(known: Mapping[str, ChannelSettings], queue: Queue, now_ms: int, marks: dict[str, int]) -> list[str]:
    """Return the channels whose digest is due, and note in *marks* that it was sent; the first is due at its next moment."""
    names = []
    for name, channel in known.items():
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


class EntryIds:
    """The ids of the entries about the ends of runs; a thousand runs are looked up in one log."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._log: AuditLog | None = None
        self._waiting: dict[str, str] | None = None

    def of(self, run: EndedRun) -> str | None:
        """Return the id of the entry about the end of *run*, or of the record that waits to become one; None without either."""
        with suppress(BackupTrayError, OSError):
            if run.entry is None:
                return self._pending().get(run.run)
            if self._log is None:
                self._log = AuditLog.read(self._places.audit_db)
            data = self._log.entry(run.entry).data
            return str(data["id"]) if data.get("run") == run.run else None  # else it is another log's
        return None

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def _pending(self) -> dict[str, str]:
        if self._waiting is None:
            ends = (draft for draft in spool.pending(self._places) if draft.action in ENDS)
            self._waiting = {draft.run: draft.id for draft in ends if draft.run is not None}
        return self._waiting


def _log_id(places: Places) -> str | None:
    with suppress(BackupTrayError, OSError):
        if places.audit_db.exists():
            with AuditLog.read(places.audit_db) as log:
                return str(log.first().data["log"])
    return None


def _of_jobs(places: Places) -> tuple[dict[str, tuple[str, ...]], bool]:
    """Return by job the events of which its own `notify` tells, and whether the file has a fault, so that there may be more."""
    try:
        document = config.read(places)
        known = Configured() if document is None else jobs.configured(document)
    except ConfigError:
        return {}, True
    return {name: job.notify for name, job in known.jobs.items() if job.notify is not None}, bool(known.broken)


def _hidden(status: Status) -> tuple[Instance, ...]:
    """Return the instances whose jobs cannot be seen: the system's, where it is set up and shows none."""
    if paths.system_view() is None or any(job.instance is Instance.SYSTEM for job in status.jobs):
        return ()
    return (Instance.SYSTEM,)
