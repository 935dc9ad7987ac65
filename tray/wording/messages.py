"""Say an event in a message: one title, a few lines, and the page of the window that shows more.

Every channel takes its words from here, so the desktop and a mail never disagree. Names and reasons come out escaped and cut.
"""

import shlex
from collections import Counter
from collections.abc import Collection
from urllib.parse import quote

from tray.core.clock import local, new_id
from tray.core.dataclass import replace
from tray.core.model import BACKUP, CHECK, Instance, Outcome, Status
from tray.core.model.events import Event, EventKind, Message
from tray.wording.numbers import ago, count, duration, escape, fit, plural, size
from tray.wording.runs import join, why

TITLE_UNITS = 120
NAME_UNITS = 60
REASON_UNITS = 500
MOST_LINES = 20
"""So many events of one message are named; of the rest it says how many."""

INFO, WARNING, ERROR, CRITICAL = "info", "warning", "error", "critical"
_SEVERITIES = {
    EventKind.BREACH: CRITICAL,
    EventKind.FAILURE: ERROR,
    EventKind.OVERDUE: ERROR,
    EventKind.REMINDER: ERROR,
    EventKind.WARNING: WARNING,
    EventKind.CHANNEL: WARNING,
}
_RANKS = (CRITICAL, ERROR, WARNING, INFO)
_TITLES = {
    EventKind.FAILURE: "It is not known whether your backups are fine",
    EventKind.RECOVERED: "The status of your backups can be read again",
    EventKind.OVERDUE: "overdue",
    EventKind.CLEARED: "no longer open",
    EventKind.ALIVE: "Backup Tray is at work, and its audit log is intact",
    EventKind.TEST: "Test message of Backup Tray",
    EventKind.STATE: "The state of the backups has changed",
}
_OF_STATUS = (EventKind.FAILURE, EventKind.RECOVERED)
"""Without a job they tell that the status itself cannot be read, and can again."""
_UNTOUCHED = "The backups themselves are not touched by this."
_KEEP_A_COPY = "Keep a copy of the audit log's folder before you acknowledge it."


def severity(message: Message) -> str:
    """Return the worst severity of the events: "critical", "error", "warning" or "info"."""
    return min((_SEVERITIES.get(event.kind, INFO) for event in message.events), key=_RANKS.index)


def title(message: Message) -> str:
    """Return the message in one line: "home: backup failed", or "3 backups failed, 1 is overdue" for many."""
    events = message.events
    text = _title(events[0]) if len(events) == 1 else _summary(events)
    return fit(text, TITLE_UNITS)


def text(message: Message, now_ms: int) -> str:
    """Return the lines under the title; names, reasons and times, and the command that shows more."""
    events = message.events
    if len(events) == 1:
        return "\n".join(details(events[0], now_ms))
    named = [line(event, now_ms) for event in events[:MOST_LINES]]
    more = [f"… and {count(len(events) - MOST_LINES)} more"] if len(events) > MOST_LINES else []
    return "\n".join([*named, *more])


def line(event: Event, now_ms: int) -> str:
    """Return one event in one line, for a message about several: "home: backup failed, 5 minutes ago"."""
    return f"{_title(event)}, {ago(now_ms, event.at_ms)}"


def details(event: Event, now_ms: int) -> list[str]:
    """Return the facts of one event, a sentence a line, the most important first."""
    if event.kind in (EventKind.REMINDER, EventKind.DIGEST):
        return [str(line) for line in event.facts.get("lines", ())]
    lines = [_sentence(part) for part in (event.reason, _capital(event.concern), event.why, event.advice) if part]
    if event.kind in (EventKind.RECOVERED, EventKind.SUCCESS):
        lines = [_figures(event), *(lines if event.outcome is not Outcome.SUCCEEDED else [])]
        if event.kind is EventKind.RECOVERED and event.since_ms is not None:
            was = "was not fine" if event.job is not None else "could not be read"
            lines.append(f"It {was} since {moment(event.since_ms)}.")
    elif event.kind is EventKind.BREACH:
        lines += [_UNTOUCHED, _KEEP_A_COPY, str(event.facts.get("footer", ""))]
    elif event.job is not None and event.job_kind == BACKUP and (event.kind is not EventKind.OVERDUE or not event.why):
        lines.append(_last_good(event, now_ms))  # the arithmetic of an overdue job begins with it
    if event.streak > 1:
        lines.append(f"It ended badly {count(event.streak)} times in a row.")
    return [line for line in dict.fromkeys(lines) if line]


def moment(ms: int) -> str:
    """Return a moment in the user's time zone, to be read at any later time: "2026-11-30 14:05"."""
    return f"{local(ms):%Y-%m-%d %H:%M}"


def reminder(base: Event, status: Status, down: Collection[str | None], now_ms: int) -> Event:
    """Return the event that reminds of the incidents that are open: only of the jobs *down*, the worst first."""
    jobs = [job for job in status.jobs if job.job in down]
    lines = [f"{fit(escape(job.job), NAME_UNITS)}: {why(job, now_ms)}" for job in jobs]
    number = len(lines)
    title = f"{plural(number, 'backup')} still {'needs' if number == 1 else 'need'} a look"
    facts = {"title": title, "lines": lines[:MOST_LINES], "jobs": [job.job for job in jobs[:MOST_LINES]]}
    return replace(base, id=new_id(), kind=EventKind.REMINDER, at_ms=now_ms, facts=facts)


def page(message: Message) -> str:
    """Return the page of the window that shows the message: "report/RUN", "job/NAME", "audit" or "dashboard"."""
    return page_of(message.events[0]) if len(message.events) == 1 else "dashboard"


def page_of(event: Event) -> str:
    """Return the page of the window about one event."""
    if event.kind is EventKind.BREACH:
        return "audit"
    if event.run is not None:
        return f"report/{event.run}"
    return job_page(event) or "dashboard"


def job_page(event: Event) -> str | None:
    """Return the page about the job of one event; None of an event without one, and where its name makes no address."""
    if event.job is None or event.instance is not Instance.USER:
        return None
    try:
        address = quote(event.job, safe=_SAFE)
    except UnicodeEncodeError:  # bytes that are no UTF-8 (PEP 383)
        return None
    return f"job/{address}" if len(address) <= _LONGEST_ADDRESS else None


def command(message: Message) -> str:
    """Return the command that shows more about the message."""
    event = message.events[0]
    if len(message.events) > 1:
        return "backup-tray status"
    if event.kind is EventKind.BREACH:
        return "backup-tray audit verify"
    if event.kind in (EventKind.CHANNEL, EventKind.TEST):
        return "backup-tray notify"
    if event.kind in (EventKind.REMINDER, EventKind.DIGEST):
        return "backup-tray status"
    if event.run is not None:
        return f"backup-tray report {escape(event.run)}"
    if event.job is None:
        return "backup-tray status"
    return _why_command(event)


def _why_command(event: Event) -> str:
    """Return the command that explains the state of the event's job; of all jobs where the name cannot be typed."""
    job = event.job or ""
    if not job or event.instance is not Instance.USER or escape(job) != job or len(job) > NAME_UNITS:
        return "backup-tray status --why"
    return f"backup-tray status --why {shlex.quote(job)}"


def more(message: Message) -> str:
    """Return where more about the message is, in one line: "Entry 12 of the audit log; more: backup-tray report RUN"."""
    first, *others = message.events
    if others or first.entry is None:
        return f"More: {command(message)}"
    return f"Entry {first.entry} of the audit log; more: {command(message)}"


_SAFE = "!*'()"
_LONGEST_ADDRESS = 600
"""A longer one fits into no request to the window (`window.instance`)."""


def name(event: Event) -> str:
    """Return the job's name, escaped and cut."""
    of = " (system)" if event.instance is Instance.SYSTEM else ""
    return fit(escape(event.job or ""), NAME_UNITS) + of


def _title(event: Event) -> str:
    if event.kind in (EventKind.REMINDER, EventKind.DIGEST):
        return str(event.facts.get("title", ""))
    if event.kind is EventKind.BREACH:
        return "The history of your backups was changed" + (" (system)" if event.instance is Instance.SYSTEM else "")
    if event.kind is EventKind.CHANNEL:
        return f"Messages by {escape(str(event.facts.get('channel', '')))} cannot be sent"
    return f"{name(event)}: {_verb(event)}" if event.job is not None else _TITLES.get(event.kind, event.kind.value)


_WARNINGS: dict[Outcome | None, str] = {
    None: "a warning",
    Outcome.SUCCEEDED: "a warning",
    Outcome.CANCELLED: "a warning",
    Outcome.UNKNOWN: "{} ended in a way that is not known",
}


def _verb(event: Event) -> str:
    task = {BACKUP: "backup", CHECK: "check"}.get(event.job_kind, fit(escape(event.job_kind), 20))
    match event.kind:
        case EventKind.FAILURE:
            return f"{task} ended without a result" if event.outcome is Outcome.LOST else f"{task} failed"
        case EventKind.WARNING:
            return _WARNINGS.get(event.outcome, "{} finished with warnings").format(task)
        case EventKind.OVERDUE:
            return f"{task} overdue"
        case EventKind.RECOVERED | EventKind.SUCCESS:
            again = " again" if event.kind is EventKind.RECOVERED else ""
            warnings = ", with warnings" if event.outcome is Outcome.WARNING else ""
            return f"{task} succeeded{again}{warnings}"
        case _:
            return _TITLES.get(event.kind, event.kind.value)


def _summary(events: tuple[Event, ...]) -> str:
    """Return how many jobs had which news: the worst first."""
    numbers = Counter(event.kind for event in events if event.job is not None or event.kind not in _OF_STATUS)
    of_status = {event.kind for event in events if event.job is None}
    said = [
        f"{plural(number, thing)} {verb}"
        for kind, thing, verb in (
            (EventKind.BREACH, "audit log", "tampered with"),
            (EventKind.FAILURE, "backup", "failed"),
            (EventKind.OVERDUE, "backup", "overdue"),
            (EventKind.WARNING, "backup", "with warnings"),
            (EventKind.RECOVERED, "backup", "succeeded again"),
            (EventKind.SUCCESS, "backup", "succeeded"),
        )
        if (number := numbers.pop(kind, 0))
    ]
    other = sum(numbers.values()) + (EventKind.RECOVERED in of_status)
    unknown = "status unknown" if EventKind.FAILURE in of_status else None
    return join(*said, unknown, plural(other, "more message") if other else None)


def _capital(text: str | None) -> str:
    return f"{text[0].upper()}{text[1:]}" if text else ""


def _sentence(text: str) -> str:
    plain = fit(escape(text.strip()), REASON_UNITS).rstrip(".")
    return f"{plain}." if plain and plain[-1] not in "!?…" else plain


def _last_good(event: Event, now_ms: int) -> str:
    if event.last_good_ms is None:
        return "There is no good backup of it yet."
    return f"The last good backup ended {moment(event.last_good_ms)}, {ago(now_ms, event.last_good_ms)}."


def _figures(event: Event) -> str:
    took = None if event.duration_ms is None else f"took {duration(event.duration_ms / 1000)}"
    files = None if event.files is None else plural(event.files, "file")
    read = None if event.bytes_processed is None else size(event.bytes_processed)
    words = join(read, files, took)
    return f"{words[0].upper()}{words[1:]}." if words else ""
