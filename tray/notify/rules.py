"""Decide which event goes to which channel, and not before when. Pure: the settings and the present moment are given."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta

from tray.config.channels import DESKTOP, EVENTS, RUNS, STATUS, ChannelSettings
from tray.config.job_table import RULES
from tray.core import clock
from tray.core.clock import DAY_MS, SLACK_MS
from tray.core.dataclass import dataclass, field, replace
from tray.core.model import Instance, Outcome
from tray.core.model.events import Event, EventKind
from tray.notify.news import JOB, Known, job_of
from tray.notify.queue import AGE, FAULT, QUIET, SNOOZE, Delivery

REMIND_AFTER_MS = 12 * 3_600_000
"""An incident is reminded of so long after people were told, and after the last reminder, at the earliest."""
USUAL_MORNING = 9 * 60
"""The minute of the day from which reminders come where the user's own first hour is not known."""
DIRECT = (EventKind.TEST, EventKind.CHANNEL)
"""Events that every channel for people gets."""
_BEGINS = (EventKind.FAILURE, EventKind.WARNING, EventKind.OVERDUE)
"""Events that are still worth a message once the rest of their job's messages is over."""
_KEPT = (*_BEGINS, EventKind.BREACH, EventKind.RECOVERED, EventKind.CLEARED)
"""Events that a channel whose settings have a fault is told of once they are mended."""
NEVER_MS = 1 << 53
"""A moment that does not come."""


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
                if self.wants(channel, event):
                    due_ms, held = due(channel, event, now_ms, self._rests_until(event))
                    if held == SNOOZE and event.kind not in _BEGINS:
                        if channel.type == DESKTOP:  # its notice is not true any more
                            yield Delivery(replace(event, id=clock.new_id(), kind=EventKind.CLEARED), name, now_ms)
                    else:
                        yield Delivery(event, name, due_ms, held)

    def judged(self, name: str, events: Iterable[Event], now_ms: int) -> list[Delivery]:
        """Return which of *events* the channel *name* is to get, now that its settings have no fault any more, and when."""
        alone = replace(self, channels={name: self.channels[name]})
        return [
            delivery for event in events for delivery in alone.deliveries([event], now_ms) if delivery.event is event
        ]

    def wants(self, channel: ChannelSettings, event: Event) -> bool:
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
        return self._is_told(channel, event)

    def _is_told(self, channel: ChannelSettings, event: Event) -> bool:
        name = job_of(event)
        own = self.of_jobs.get(name) if name is not None and event.instance is Instance.USER else None
        events = channel.events if own is None else own
        if event.kind is EventKind.RECOVERED:
            was: Iterable[str] = event.facts.get("was", ())
            warned = event.outcome is Outcome.WARNING and EventKind.WARNING in events
            return "success" in events or warned or ("recovered" in events and any(kind in events for kind in was))
        return event.kind in events

    def _rests_until(self, event: Event) -> int:
        """Return until when the messages about the job of *event* rest; a moment that is past if they do not."""
        return 0 if event.job is None else self.snoozed.get(f"{JOB}:{event.instance.value}:{event.job}", 0)

    def reminded(
        self,
        channel: ChannelSettings,
        memory: Mapping[str, Known],
        last_ms: int | None,
        now_ms: int,
        morning: int,
        held: Collection[str] = (),
    ) -> dict[str, Known]:
        """Return the open incidents of which *channel* is to remind now, by key of the memory; none if it is not due.

        A reminder is due once a day, from the user's usual first hour on, if people were told of an incident before that hour.

        Args:
            last_ms: When it last reminded, None if never.
            morning: Minute of the local day at which the user usually begins.
            held: Ids of incidents of which the channel is not to tell yet.
        """
        if (
            not (channel.remind and channel.enabled and channel.takes == EVENTS)
            or in_quiet(channel, now_ms) is not None
        ):
            return {}
        begin_ms = _morning_ms(now_ms, morning)
        if now_ms < begin_ms or (last_ms is not None and last_ms <= now_ms and not _is_old(last_ms, begin_ms, now_ms)):
            return {}
        openly = {
            place: known
            for place, known in memory.items()
            if known.kind is not None and known.incident not in held and self._reminds(channel, place, known, now_ms)
        }
        moments = (known.told_ms or known.since_ms or 0 for known in openly.values())
        return openly if any(_is_old(told_ms, begin_ms, now_ms) for told_ms in moments) else {}

    def _reminds(self, channel: ChannelSettings, place: str, known: Known, now_ms: int) -> bool:
        """Whether *channel* was told of an open incident, and the messages about its job do not rest."""
        events = [_as_event(place, known, kind, now_ms) for kind in known.kinds or (known.kind,) if kind is not None]
        return any(self.wants(channel, event) and self._rests_until(event) <= now_ms for event in events)


def kept(names: Iterable[str], events: Iterable[Event]) -> Iterator[Delivery]:
    """Yield deliveries that wait until the settings of the channels *names*, which have a fault, are mended."""
    news = [event for event in events if event.kind in _KEPT and not event.again]
    yield from (Delivery(event, name, NEVER_MS, FAULT) for name in names for event in news)


def due(channel: ChannelSettings, event: Event, now_ms: int, rests_until_ms: int = 0) -> tuple[int, str | None]:
    """Return the moment before which *channel* must not tell of *event*, and why that is later than now.

    Args:
        rests_until_ms: The end of the rest that the user gave to the messages about its job.
    """
    if channel.takes != EVENTS or event.kind in (EventKind.BREACH, EventKind.CLEARED, EventKind.TEST):
        return now_ms, None
    if rests_until_ms > now_ms:
        return rests_until_ms, SNOOZE
    age, good_ms = channel.only_if_older_ms, event.last_good_ms
    if age is not None and event.kind in (EventKind.FAILURE, EventKind.WARNING) and good_ms is not None:
        if now_ms < good_ms + age and good_ms <= now_ms + SLACK_MS:  # else a clock was wrong, and the age is not known
            return good_ms + age, AGE
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
    day = clock.local(now_ms).date() + timedelta(days=1 if minute >= end else 0)
    until_ms = _moment_ms(day, end)
    return until_ms if until_ms > now_ms else None


def _moment_ms(day: date, minute: int) -> int:
    """Return the moment of a minute of a local day; of an hour that comes twice, or not at all, the later meaning."""
    hour, rest = divmod(minute, 60)
    naive = [datetime(day.year, day.month, day.day, hour, rest, fold=fold) for fold in (0, 1)]  # noqa: DTZ001 - in local time
    return int(max(moment.timestamp() for moment in naive) * 1000)


def _morning_ms(now_ms: int, morning: int) -> int:
    return _moment_ms(clock.local(now_ms).date(), morning)


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


def _is_old(told_ms: int, begin_ms: int, now_ms: int) -> bool:
    """Whether people were told at *told_ms*, which is before this day's first hour, and long enough ago."""
    return told_ms < begin_ms and now_ms - told_ms >= REMIND_AFTER_MS


def _as_event(place: str, known: Known, kind: EventKind, now_ms: int) -> Event:
    """Return an open incident as an event of *kind*, to ask whether a channel was told."""
    _, instance, job = [*place.split(":", 2), ""][:3]
    return Event(known.incident, kind, known.since_ms or now_ms, job=job or None, instance=Instance(instance))


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
