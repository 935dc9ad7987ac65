"""Decide the content of a mail: title, cause, next step, figures. Both forms of the mail draw this one letter.

Every text is escaped and cut already, but holds no markup; backticks stand around commands.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from tray import wording
from tray.core import clock
from tray.core.dataclass import dataclass, replace
from tray.core.model import Outcome, State
from tray.core.model.events import Event, EventKind, Message
from tray.wording import messages

OK, INFO, WARNING, ERROR, CRITICAL = "ok", messages.INFO, messages.WARNING, messages.ERROR, messages.CRITICAL
TONES = (CRITICAL, ERROR, WARNING, INFO, OK)
"""The tone of a mail or a part of it, the worst first; each has a colour and a sign."""
MOST_CARDS = 10
"""So many events of a mail are told in full, the worst first; up to `messages.MOST_LINES` of the rest in a line each."""
_WORD_UNITS = 100
_MOST_LINES = 40
_OK_KINDS = (EventKind.RECOVERED, EventKind.SUCCESS, EventKind.CLEARED, EventKind.ALIVE)
_COMMAND = re.compile(r"`([^`]+ [^`]+)`")
_STATE_TONES: Mapping[str, str] = {
    State.OK: OK,
    State.RUNNING: OK,
    State.NONE: INFO,
    State.WARNING: WARNING,
    State.STALLED: WARNING,
    State.FAILED: ERROR,
    State.OVERDUE: ERROR,
    State.UNAVAILABLE: ERROR,
    State.TAMPERED: CRITICAL,
}
"""By state; its value is the key as well. An unknown one is a warning."""


@dataclass(frozen=True, slots=True)
class Card:
    """One event in full.

    Attributes:
        title: Empty where the mail's own title says it.
        at: When it happened, in words.
        lines: The event and its cause, a sentence each.
        advice: The next step; commands in backticks.
        commands: Commands to copy: those of the advice, and the one that shows more.
        figures: Label and value, in the order in which they are shown.
    """

    title: str
    tone: str
    at: str
    lines: tuple[str, ...] = ()
    advice: str = ""
    commands: tuple[str, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One job in a table: its state as a badge, and three figures; `label` says whether `next` is still to come."""

    job: str
    word: str
    tone: str
    last_good: str
    label: str
    next: str
    size: str


@dataclass(frozen=True, slots=True)
class Week:
    """The calendar of one job: how each day was, the oldest first."""

    job: str
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """The content of a mail.

    Attributes:
        tone: The worst of its parts.
        title: The subject, and the headline.
        preview: The line that a mail program shows beside the subject.
        at: When it was written, in words.
        lines: Sentences under the headline.
        cards: Events in full.
        rest: Events in a line each.
        rows: Jobs in a table.
        first_day, calendar: The first day of the calendar, and each job's days; empty without one.
        commands: Commands that show more.
        footer: Lines about the sender: machine, log, how to change or mute.
    """

    tone: str
    title: str
    preview: str
    at: str
    lines: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    rest: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    first_day: str = ""
    calendar: tuple[Week, ...] = ()
    commands: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()


def letter(message: Message, host: str) -> Letter:
    """Return the letter of *message*; *host* is this machine."""
    ranked = sorted(message.events, key=lambda event: TONES.index(tone_of(event)))
    first, title = ranked[0], _title(message)
    single = len(ranked) == 1
    cards = tuple(_card(message, event, alone=single) for event in ranked[:MOST_CARDS] if not _is_list(event))
    lists = [event for event in ranked if _is_list(event)]
    lines = tuple(_line(line) for event in lists for line in messages.details(event, message.made_ms)[:_MOST_LINES])
    rows = tuple(_row(row, message.made_ms) for event in lists for row in _objects(event.facts.get("rows")))
    preview = [
        *(lines or cards[0].lines if cards or lines else ()),
        *(() if single else (card.title for card in cards)),
    ]
    calendar = tuple(_week(row) for event in lists for row in _objects(event.facts.get("rows")) if row.get("days"))
    first_day = next(filter(None, (_day(event.facts.get("first_day")) for event in lists)), "")
    return Letter(
        tone_of(first),
        title,
        wording.fit(" ".join(text.replace("`", "") for text in preview), 140),
        _at(message.made_ms),
        lines,
        cards,
        _rest(message, ranked[MOST_CARDS:]),
        rows,
        first_day,
        calendar if first_day else (),
        () if single and cards else (wording.escape(messages.command(message)),),
        _footer(message, host),
    )


def tone_of(event: Event) -> str:
    """Return the tone of one event."""
    if event.kind is EventKind.DIGEST:
        return _STATE_TONES.get(str(event.facts.get("state")), WARNING)
    if event.kind in _OK_KINDS:
        return WARNING if event.outcome is Outcome.WARNING else OK
    return messages.severity(Message("", "", event.at_ms, (event,)))


def _is_list(event: Event) -> bool:
    return event.kind in (EventKind.DIGEST, EventKind.REMINDER)


def _card(message: Message, event: Event, *, alone: bool) -> Card:
    own = replace(message, events=(event,))
    lines = messages.details(replace(event, advice=None), message.made_ms)
    advice = " ".join(line for line in messages.details(event, message.made_ms) if line not in lines)
    commands = [
        *(command for command in _COMMAND.findall(advice) if "…" not in command),
        wording.escape(messages.command(own)),
    ]
    return Card(
        "" if alone else _title(own),
        tone_of(event),
        _at(event.at_ms),
        tuple(lines),
        advice,
        tuple(dict.fromkeys(commands)),
        tuple((label, value) for label, value in _figures(event) if value),
    )


def _figures(event: Event) -> Iterable[tuple[str, str | None]]:
    yield "Job", None if event.job is None else messages.name(event)
    yield "Program", None if event.engine is None else _cut(event.engine)
    yield (
        "Outcome",
        None if event.outcome is None else wording.outcome_word(event.outcome).partition(":")[0].capitalize(),
    )
    yield "Started", None if event.started_ms is None else messages.moment(event.started_ms)
    yield "Took", None if event.duration_ms is None else wording.elapsed(event.duration_ms)
    yield "Read", None if event.bytes_processed is None else wording.size(event.bytes_processed)
    yield "Added", None if event.bytes_added is None else wording.size(event.bytes_added)
    yield "Files", None if event.files is None else wording.count(event.files)
    yield "Problems", None if not event.errors else wording.count(event.errors)
    yield "Last good", None if event.last_good_ms is None else messages.moment(event.last_good_ms)
    yield "Expected by", None if event.expected_by_ms is None else messages.moment(event.expected_by_ms)
    yield "Not fine since", None if event.since_ms is None else messages.moment(event.since_ms)
    yield "Run", None if event.run is None else _cut(event.run)
    yield "Entry", None if event.entry is None else f"{event.entry} of the audit log"


def _rest(message: Message, events: list[Event]) -> tuple[str, ...]:
    named = events[: messages.MOST_LINES]
    lines = [f"{_title(replace(message, events=(event,)))} ({_at(event.at_ms)})" for event in named]
    if more := len(events) - len(named):
        lines.append(f"… and {wording.count(more)} more")
    return tuple(lines)


def _footer(message: Message, host: str) -> tuple[str, ...]:
    logs = dict.fromkeys(_cut(event.log) for event in message.events if event.log)
    channel = message.channel
    return (
        f"Backup Tray on {_cut(host)} sent this mail. Times are those of that machine ({_zone(message.made_ms)}).",
        *(f"Audit log: {log.removeprefix('backup-tray/')}" for log in logs),
        f"Message: {_cut(message.id)}",
        f'Change or mute these mails under `[channels.{channel}]` in config.toml: `quiet = "22:00-07:00"`, `digest = "off"`.',
    )


def _zone(ms: int) -> str:
    """Return the machine's time zone: "UTC", or "CET, UTC+01:00"."""
    name, offset = f"{clock.local(ms):%Z}", f"{clock.local(ms):%z}"
    return "UTC" if not int(offset) else f"{_cut(name)}, UTC{offset[:3]}:{offset[3:5]}"


def _row(row: Mapping[str, Any], made_ms: int) -> Row:
    """Return a row of a digest, as `Event.facts` holds it."""
    expected = _time(row.get("next"))
    has_passed = expected != "–" and clock.from_text(str(row["next"])) < made_ms
    return Row(
        _cut(row.get("job")),
        _cut(row.get("word")),
        _STATE_TONES.get(str(row.get("state")), WARNING),
        "never" if row.get("last_good") is None else _time(row["last_good"]),
        "Due since" if has_passed else "Next",
        expected,
        wording.size(size) if isinstance(size := row.get("bytes"), int) else "–",
    )


def _week(row: Mapping[str, Any]) -> Week:
    days = row.get("days")
    return Week(_cut(row.get("job")), tuple(map(str, days)) if isinstance(days, list | tuple) else ())


def _objects(rows: object) -> list[Mapping[str, Any]]:
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list | tuple) else []


def _time(text: object) -> str:
    try:
        return messages.moment(clock.from_text(str(text)))
    except ValueError:
        return "–"


def _day(text: object) -> str:
    try:
        return date.fromisoformat(str(text)).isoformat()
    except ValueError:
        return ""


def _title(message: Message) -> str:
    return wording.escape(messages.title(message)) or "Message of Backup Tray"


def _line(text: str) -> str:
    """Return a sentence of a digest or a reminder, which was escaped when it was made, unless a damaged queue gave it."""
    line = wording.fit(wording.escape(text), messages.REASON_UNITS)
    return line if not line or line[-1] in ".!?…:" else f"{line}."


def _at(ms: int) -> str:
    return f"{clock.local(ms):%a %d %b %Y, %H:%M}"


def _cut(text: object) -> str:
    return wording.fit(wording.escape(str(text or "")), _WORD_UNITS)
