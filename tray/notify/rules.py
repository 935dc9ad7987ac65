"""Decide which event goes to which channel, and not before when. Pure: the settings and the present moment are given."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from tray.config.channels import DESKTOP, EVENTS, RUNS, STATUS, ChannelSettings
from tray.config.job_table import RULES
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.dataclass import dataclass, field
from tray.core.model import Instance, Outcome
from tray.core.model.events import Event, EventKind
from tray.notify.news import Known, job_of
from tray.notify.queue import AGE, QUIET, Delivery

REMIND_AFTER_MS = 20 * 3_600_000
"""An incident is reminded of once it is so old, and so long after the last reminder: at most once a day at the same hour."""
USUAL_MORNING = 9 * 60
"""The minute of the day from which reminders come where the user's own first hour is not known."""
DIRECT = (EventKind.TEST, EventKind.CHANNEL)
"""Events that every channel for people gets."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one moment.

    Attributes:
        channels: The channels that can be used, by name.
        of_jobs: By job of config.toml that has a `notify` of its own: the events of which it tells.
        snoozed: By key of the memory: the end of the rest that the user gave to the messages about the job.
    """

    channels: Mapping[str, ChannelSettings]
    of_jobs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    snoozed: Mapping[str, int] = field(default_factory=dict)

    def deliveries(self, events: Iterable[Event], now_ms: int) -> Iterator[Delivery]:
        """Yield who is to get each of *events*, and when."""
        for event in events:
            for name, channel in self.channels.items():
                if self.wants(channel, event, now_ms):
                    due_ms, held = due(channel, event, now_ms)
                    yield Delivery(event, name, due_ms, held)

    def wants(self, channel: ChannelSettings, event: Event, now_ms: int) -> bool:
        """Whether *channel* tells of *event*."""
        if not channel.enabled or not _is_of(channel, event):
            return False
        if channel.takes == STATUS:
            return True
        if channel.takes == RUNS:
            return _concerns_tools(channel, event)
        if event.again or event.kind is EventKind.ALIVE:
            return False
        if event.kind in DIRECT:
            return event.facts.get("channel") != channel.name
        if event.kind is EventKind.CLEARED:
            return channel.type == DESKTOP  # its notice goes; a mail cannot be taken back
        if event.kind not in RULES:
            return False  # reminders and digests are made for one channel
        return not self._is_snoozed(event, now_ms) and self._is_told(channel, event)

    def _is_told(self, channel: ChannelSettings, event: Event) -> bool:
        name = job_of(event)
        own = self.of_jobs.get(name) if name is not None and event.instance is Instance.USER else None
        events = channel.events if own is None else own
        if event.kind is EventKind.RECOVERED:
            return "success" in events or ("recovered" in events and event.facts.get("was") in events)
        return event.kind in events

    def _is_snoozed(self, event: Event, now_ms: int) -> bool:
        return now_ms < self.snoozed.get(f"job:{event.instance.value}:{event.job}", 0)

    def reminded(
        self, channel: ChannelSettings, memory: Mapping[str, Known], last_ms: int | None, now_ms: int, morning: int
    ) -> dict[str, Known]:
        """Return the open incidents of which *channel* is to remind now, by key of the memory; none if it is not due.

        Args:
            last_ms: When it last reminded, None if never.
            morning: Minute of the local day at which the user usually begins.
        """
        if (
            not channel.remind
            or not channel.enabled
            or channel.takes != EVENTS
            or in_quiet(channel, now_ms) is not None
        ):
            return {}
        if (last_ms is not None and 0 <= now_ms - last_ms < REMIND_AFTER_MS) or _minute(now_ms) < morning:
            return {}
        openly = {
            place: known
            for place, known in memory.items()
            if known.kind is not None and self.wants(channel, _as_event(place, known, now_ms), now_ms)
        }
        return openly if any(_is_old(known, now_ms) for known in openly.values()) else {}


def due(channel: ChannelSettings, event: Event, now_ms: int) -> tuple[int, str | None]:
    """Return the moment before which *channel* must not tell of *event*, and why that is later than now."""
    if channel.takes != EVENTS or event.kind in (EventKind.BREACH, EventKind.CLEARED, EventKind.TEST):
        return now_ms, None
    age = channel.only_if_older_ms
    if age is not None and event.kind in (EventKind.FAILURE, EventKind.WARNING) and event.last_good_ms is not None:
        old_ms = event.last_good_ms + age
        if old_ms > now_ms:
            return old_ms, AGE
    end_ms = in_quiet(channel, now_ms)
    return (now_ms, None) if end_ms is None else (end_ms, QUIET)


def in_quiet(channel: ChannelSettings, now_ms: int) -> int | None:
    """Return when the quiet hours of *channel* end, None if they are not now."""
    if channel.quiet is None:
        return None
    begin, end = channel.quiet
    minute = _minute(now_ms)
    inside = begin <= minute < end if begin < end else minute >= begin or minute < end
    if not inside:
        return None
    now = clock.local(now_ms)
    day = now.date() + timedelta(days=1 if minute >= end else 0)
    then = datetime(day.year, day.month, day.day, end // 60, end % 60, tzinfo=now.tzinfo)
    until_ms = int(then.timestamp() * 1000)
    return until_ms if until_ms > now_ms else None


def _minute(now_ms: int) -> int:
    now = clock.local(now_ms)
    return now.hour * 60 + now.minute


def _is_of(channel: ChannelSettings, event: Event) -> bool:
    """Whether *event* concerns a job of which *channel* tells, or all of them."""
    return not channel.jobs or event.job is None or event.job in channel.jobs or job_of(event) in channel.jobs


def _concerns_tools(channel: ChannelSettings, event: Event) -> bool:
    """Whether a tool that follows each run is to hear of *event*."""
    if event.kind is EventKind.ALIVE:
        return bool(channel.options.get("alive"))
    if event.kind is EventKind.BREACH:
        return bool(channel.options.get("alive"))
    if event.job is None or event.kind not in RULES:
        return event.kind is EventKind.TEST
    return event.run is not None or event.kind is EventKind.OVERDUE


def _is_old(known: Known, now_ms: int) -> bool:
    """Whether people were told of an open incident so long ago that they may be reminded."""
    return now_ms - (known.told_ms or known.since_ms or 0) >= REMIND_AFTER_MS


def _as_event(place: str, known: Known, now_ms: int) -> Event:
    """Return an open incident as the event that began it, to ask who was told."""
    _, instance, job = [*place.split(":", 2), ""][:3]
    return Event(
        known.incident,
        known.kind or EventKind.WARNING,
        known.since_ms or now_ms,
        job=job or None,
        instance=Instance(instance),
        outcome=Outcome.FAILED,
    )


MORNINGS = 14
"""Days whose first awake moment says when the user usually begins."""


def usual_morning(starts_ms: Iterable[int], now_ms: int) -> int:
    """Return the minute of the day at which the machine usually begins to be awake, at least 06:00; 09:00 if that is not known.

    Args:
        starts_ms: Moments at which it woke up or was started.
    """
    firsts: dict[object, int] = {}
    for start_ms in sorted(start_ms for start_ms in starts_ms if 0 <= now_ms - start_ms < MORNINGS * DAY_MS):
        moment = clock.local(start_ms)
        firsts.setdefault(moment.date(), moment.hour * 60 + moment.minute)
    minutes = sorted(firsts.values())
    return max(minutes[len(minutes) // 2], 6 * 60) if len(minutes) >= 3 else USUAL_MORNING
