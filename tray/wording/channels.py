"""Say how a channel of messages stands, and which rules hold for it: window and terminal show the same words."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tray.core.clock import DAY_MS
from tray.wording.expectations import moment
from tray.wording.numbers import ago, count, escape, fit, plural

FOR_WHOM = {
    "events": "for people",
    "runs": "for a tool that follows each run",
    "status": "for a tool that shows the present state",
}
"""Whom a kind of channel serves."""
_EVENTS = {
    "failure": "failures",
    "warning": "warnings",
    "overdue": "overdue backups",
    "breach": "a tampered audit log",
    "recovered": "recoveries",
    "success": "every success",
}
_NAME_UNITS, _MOST_JOBS = 60, 5
READY, DEAD, OFF, UNTRIED, ABSENT = "Ready", "Cannot send", "Turned off", "Not tried yet", "No desktop session"
"""The states of a channel."""


class Rules(Protocol):
    """The rules of a channel, as `config.channels.ChannelSettings` has them."""

    @property
    def takes(self) -> str:
        """A key of `FOR_WHOM`."""

    @property
    def jobs(self) -> tuple[str, ...]:
        """The only jobs that it tells of; none: all."""

    @property
    def events(self) -> tuple[str, ...]:
        """Events that it tells of."""

    @property
    def quiet(self) -> tuple[int, int] | None:
        """Begin and end of its quiet hours, in minutes of the day."""

    @property
    def remind(self) -> bool:
        """Whether it reminds of open incidents."""

    @property
    def only_if_older_ms(self) -> int | None:
        """The age of the last good backup from which it tells of a failure."""

    @property
    def digest(self) -> str | None:
        """When it says how every job is, as OnCalendar."""


class Waiting(Protocol):
    """The queue of a channel, as `notify.queue.ChannelState` has it."""

    @property
    def waiting(self) -> int:
        """Events that are not sent yet."""

    @property
    def held(self) -> int:
        """How many of them are held until later."""

    @property
    def given_up(self) -> int:
        """Messages that will not be sent any more."""

    @property
    def tries(self) -> int:
        """Failed tries of the message that is being sent."""

    @property
    def next_ms(self) -> int | None:
        """When it is tried again."""


def state(*, enabled: bool, fault: bool, sent_ms: int | None, tested_ms: int | None, absent: bool = False) -> str:
    """Return `OFF`, `DEAD`, `READY`, or `UNTRIED` for a channel of which nothing shows that it works.

    Args:
        absent: The user has no desktop session now, and its messages wait for one: `ABSENT`.
    """
    if not enabled:
        return OFF
    if fault:
        return DEAD
    if absent:
        return ABSENT
    return UNTRIED if sent_ms is None and tested_ms is None else READY


def summary(states: Mapping[str, str]) -> tuple[str, str]:
    """Return how all channels stand, by name, as a kind of sign ("ok", "warn", "fail", "unknown") and a sentence."""
    by_state = {word: [_cut(name) for name in states if states[name] == word] for word in (DEAD, OFF, UNTRIED)}
    if dead := by_state[DEAD]:
        return "fail", f"{_listed(dead)} cannot send."
    if len(by_state[OFF]) == len(states):
        return "warn", "Every channel is turned off, so no message reaches you."
    if untried := by_state[UNTRIED]:
        return "unknown", f"Not tried yet: {_listed(untried)}. Send a test message to see whether it arrives."
    return "ok", "Every channel that is turned on has sent something, and none has a fault."


def last(sent_ms: int | None, tested_ms: int | None, now_ms: int) -> str:
    """Return when the last message went out, or the last test if there was none: "last message 5 min ago"; "" if neither."""
    if sent_ms is not None:
        return f"last message {ago(now_ms, sent_ms)}"
    return "" if tested_ms is None else f"tested {ago(now_ms, tested_ms)}, no message yet"


def waits(queue: Waiting) -> str:
    """Return how much is not sent: "3 events wait, 1 of them until later; 1 message was given up"; "" if nothing."""
    number = queue.waiting
    held = f", {count(queue.held)} of them until later" if 0 < queue.held < number else ""
    held = " until later" if number and queue.held == number else held
    wait = f"{plural(number, 'event')} {'waits' if number == 1 else 'wait'}{held}" if number else ""
    gone = f"{plural(queue.given_up, 'message')} {'was' if queue.given_up == 1 else 'were'} given up"
    return "; ".join(filter(None, (wait, gone if queue.given_up else "")))


def next_try(queue: Waiting, now_ms: int) -> str:
    """Return when a message that failed is tried again: "Tue 02:00, after 3 failed tries"; "" if none waits for that."""
    if queue.next_ms is None or not queue.tries:
        return ""
    when = "at once" if queue.next_ms <= now_ms else moment(queue.next_ms, now_ms)
    return f"{when}, after {'1 failed try' if queue.tries == 1 else f'{count(queue.tries)} failed tries'}"


def events(words: Sequence[str]) -> str:
    """Return events as in a sentence: "failures, overdue backups and recoveries"."""
    return _listed([_EVENTS.get(word, word) for word in words]) or "nothing"


def rules(channel: Rules) -> list[str]:
    """Return the rules of a channel, a sentence each."""
    lines = [_of_tools(channel) if channel.takes != "events" else f"Tells of {events(channel.events)}."]
    if channel.jobs:
        named = [_cut(job) for job in channel.jobs[:_MOST_JOBS]]
        more = len(channel.jobs) - len(named)
        named += [f"{count(more)} more"] if more else []
        lines.append(f"Only about the {'job' if len(channel.jobs) == 1 else 'jobs'} {_listed(named)}.")
    if channel.takes != "events":
        return lines
    if channel.only_if_older_ms is not None:
        lines.append(f"A failure counts only once the last good backup is {_length(channel.only_if_older_ms)} old.")
    if channel.quiet is not None:
        begin, end = map(_clock, channel.quiet)
        lines.append(f"Quiet from {begin} to {end}: only a tampered audit log is told at once, other messages wait.")
    lines.append("Reminds once a day of all that is still open." if channel.remind else "Sends no reminders.")
    if channel.digest is not None:
        lines.append(f"Sends a digest of all jobs: {escape(channel.digest)}.")
    return lines


def resting(job: str, until_ms: int, now_ms: int, *, system: bool = False) -> str:
    """Return that the messages about *job* rest, and until when; *system*: it is a job of root."""
    of = " (system)" if system else ""
    return f"Messages about {_cut(job)}{of} rest until {moment(until_ms, now_ms)}."


def _of_tools(channel: Rules) -> str:
    if channel.takes == "status":
        return "Shows how every job stands, anew at each change."
    return "Hears of the end of every run, good or bad, and of overdue backups."


def _cut(name: str) -> str:
    return fit(escape(name), _NAME_UNITS)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _length(ms: int) -> str:
    days, rest = divmod(ms, DAY_MS)
    return plural(days, "day") if days and not rest else plural(max(1, round(ms / 3_600_000)), "hour")
