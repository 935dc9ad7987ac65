"""Which event goes to which channel, and when: by kind, job, age, quiet hours, rest, and once a day."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.notify.help import event
from tray.config.channels import DEFAULT_EVENTS, ChannelSettings
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.model import CHECK, Instance, Outcome
from tray.core.model.events import EventKind
from tray.notify.news import Known
from tray.notify.queue import AGE, QUIET, SNOOZE
from tray.notify.rules import Rules, due, in_quiet, usual_morning

HOUR_MS = 3_600_000
NOON = clock.from_text("2026-11-30T12:00:00Z")
MAIL = ChannelSettings("mail", "mail")
DESKTOP = ChannelSettings("desktop", "desktop")
PING = ChannelSettings("ping", "healthchecks")
HOUSE = ChannelSettings("house", "mqtt")
F = EventKind.FAILURE


def channel(**more: Any) -> ChannelSettings:
    """A mail channel with these settings."""
    return ChannelSettings("mail", "mail", **more)


def wants(settings: ChannelSettings, kind: EventKind, *, own: tuple[str, ...] | None = None, **facts: Any) -> bool:
    """Whether a channel tells of an event of the job home, whose own rule is *own*."""
    of_jobs = {} if own is None else {"home": own}
    return Rules({settings.name: settings}, of_jobs).wants(settings, event(kind, **facts))


@pytest.mark.parametrize("kind", [*DEFAULT_EVENTS, "warning", "success"])
def test_by_default_a_channel_tells_of_what_needs_the_user(kind: str) -> None:
    """Failure, overdue, breach and recovered; neither each success nor each warning."""
    assert wants(MAIL, EventKind(kind), facts={"was": ["failure"]}) is (kind in DEFAULT_EVENTS)


@pytest.mark.parametrize(
    ("events", "was", "outcome", "told"),
    [
        (("failure", "recovered"), ["failure"], Outcome.SUCCEEDED, True),
        (("failure", "recovered"), ["warning"], Outcome.SUCCEEDED, False),
        (("failure", "recovered"), ["warning", "failure"], Outcome.SUCCEEDED, True),
        (("overdue", "recovered"), ["overdue", "failure"], Outcome.SUCCEEDED, True),
        (("failure",), ["failure"], Outcome.SUCCEEDED, False),
        (("success",), ["failure"], Outcome.SUCCEEDED, True),
        (("failure", "warning"), ["failure"], Outcome.WARNING, True),
    ],
)
def test_a_recovery_is_told_to_those_that_were_told_of_the_incident(
    events: tuple[str, ...], was: list[str], outcome: Outcome, told: bool
) -> None:
    """And as a success, or as a warning, to those that want to hear of these."""
    assert wants(channel(events=events), EventKind.RECOVERED, facts={"was": was}, outcome=outcome) is told


def test_the_rule_of_a_job_replaces_that_of_the_channel() -> None:
    """Also for its checks; a job of the system with the same name has another owner."""
    assert not wants(MAIL, F, own=())
    assert wants(channel(events=()), F, own=("failure",))
    assert not wants(MAIL, F, own=(), job="home (check)", job_kind=CHECK)
    assert wants(MAIL, F, own=(), job="home (restore)", job_kind="restore")
    assert wants(MAIL, F, own=(), instance=Instance.SYSTEM)


def test_a_channel_may_be_for_some_jobs() -> None:
    """And for their checks; what concerns no job concerns all."""
    some = channel(jobs=("home",))
    assert wants(some, F)
    assert wants(some, F, job="home (check)", job_kind=CHECK)
    assert not wants(some, F, job="photos")
    assert wants(some, EventKind.BREACH, job=None)


def test_a_channel_that_is_turned_off_gets_nothing() -> None:
    """Not even a breach."""
    assert not wants(channel(enabled=False), EventKind.BREACH, job=None)


def test_a_further_failure_is_for_tools_alone() -> None:
    """People know of the incident."""
    assert [wants(each, F, again=True) for each in (MAIL, DESKTOP, PING, HOUSE)] == [False, False, True, True]


def test_the_end_without_a_good_backup_takes_only_the_notice_away() -> None:
    """A mail cannot be taken back; a tool that shows the state shows it."""
    assert [wants(each, EventKind.CLEARED) for each in (MAIL, DESKTOP, PING, HOUSE)] == [False, True, False, True]


def test_a_tool_that_follows_runs_hears_of_each_run() -> None:
    """And of an overdue job; of a warning without a run it can say nothing."""
    assert all(wants(PING, kind) for kind in (F, EventKind.SUCCESS, EventKind.RECOVERED, EventKind.OVERDUE))
    assert not wants(PING, EventKind.WARNING)
    assert wants(PING, EventKind.WARNING, run="r")


def test_an_outage_of_a_channel_is_told_by_the_others() -> None:
    """Not by itself."""
    facts = {"channel": "mail"}
    assert not wants(MAIL, EventKind.CHANNEL, job=None, facts=facts)
    assert wants(DESKTOP, EventKind.CHANNEL, job=None, facts=facts)
    assert not wants(PING, EventKind.CHANNEL, job=None, facts=facts)


def test_a_failure_waits_until_the_last_good_backup_is_old() -> None:
    """Without a good backup, or with one of the future, it is told at once; an overdue job is old by itself."""
    settings = channel(only_if_older_ms=3 * DAY_MS)
    young = event(F, last_good_ms=NOON - DAY_MS)
    assert due(settings, young, NOON) == (NOON + 2 * DAY_MS, AGE)
    for good_ms in (None, NOON - 3 * DAY_MS, NOON + DAY_MS):
        assert due(settings, event(F, last_good_ms=good_ms), NOON) == (NOON, None)
    assert due(settings, event(EventKind.OVERDUE, last_good_ms=NOON - DAY_MS), NOON) == (NOON, None)
    assert due(ChannelSettings("ping", "healthchecks", only_if_older_ms=3 * DAY_MS), young, NOON) == (NOON, None)


def test_quiet_hours_hold_back_all_but_a_breach(utc: None) -> None:
    """Tools never sleep, and a test that the user asked for comes at once."""
    settings = channel(quiet=(11 * 60, 13 * 60))
    assert due(settings, event(F), NOON) == (NOON + HOUR_MS, QUIET)
    for kind in (EventKind.BREACH, EventKind.CLEARED, EventKind.TEST):
        assert due(settings, event(kind, job=None), NOON) == (NOON, None)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is that of Berlin: one hour, in summer two hours before UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("quiet", "now", "end"),
    [
        ((22 * 60, 7 * 60), "2026-11-30T21:00:00Z", "2026-12-01T06:00:00Z"),  # 22:00
        ((22 * 60, 7 * 60), "2026-12-01T05:59:59Z", "2026-12-01T06:00:00Z"),
        ((22 * 60, 7 * 60), "2026-12-01T06:00:00Z", None),
        ((22 * 60, 7 * 60), "2026-11-30T20:59:59Z", None),
        ((22 * 60, 7 * 60), "2026-10-24T21:00:00Z", "2026-10-25T06:00:00Z"),  # the clocks are set back at night
        ((22 * 60, 7 * 60), "2027-03-27T22:00:00Z", "2027-03-28T05:00:00Z"),  # and set ahead
        ((60, 150), "2026-10-25T00:10:00Z", "2026-10-25T01:30:00Z"),  # 02:30 comes twice: the later one
        ((60, 150), "2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"),  # 02:30 does not come: 03:30 does
        ((0, 8 * 60), "2026-11-30T23:00:00Z", "2026-12-01T07:00:00Z"),  # midnight
    ],
)
def test_quiet_hours_end_at_their_local_time(quiet: tuple[int, int], now: str, end: str | None, berlin: None) -> None:
    """Over midnight, and on the days on which the clocks change."""
    assert in_quiet(channel(quiet=quiet), clock.from_text(now)) == (None if end is None else clock.from_text(end))


def test_messages_about_a_job_rest() -> None:
    """A failure is told after the rest, unless it is over by then; only the notice of the desktop goes when the job recovers."""
    rules = Rules({"mail": MAIL, "desktop": DESKTOP, "ping": PING}, snoozed={"job:user:home": NOON + DAY_MS})
    held = {item.channel: (item.due_ms, item.held) for item in rules.deliveries([event(F)], NOON)}
    assert held == {"mail": (NOON + DAY_MS, SNOOZE), "desktop": (NOON + DAY_MS, SNOOZE), "ping": (NOON, None)}
    over = list(rules.deliveries([event(EventKind.RECOVERED, facts={"was": ["failure"]})], NOON))
    assert [(item.channel, item.event.kind) for item in over] == [
        ("desktop", EventKind.CLEARED),
        ("ping", EventKind.RECOVERED),
    ]
    assert over[0].event.id != over[1].event.id
    others = list(rules.deliveries([event(F, job="photos"), event(EventKind.BREACH, job=None)], NOON))
    assert [item.held for item in others] == [None] * len(others)


# -- reminders


def open_since(told_ms: int, kind: EventKind = F, **more: Any) -> dict[str, Known]:
    """The memory of one open incident."""
    return {"job:user:home": Known("r", "i", kind, told_ms, "home", told_ms, (kind,), **more)}


def reminded(
    memory: dict[str, Known], last_ms: int | None, now_ms: int, settings: ChannelSettings = MAIL, **more: Any
) -> bool:
    """Whether a channel reminds of the incident at 9:00 or later."""
    rules = Rules({settings.name: settings}, **more)
    return bool(rules.reminded(settings, memory, last_ms, now_ms, 9 * 60))


def test_a_reminder_comes_once_a_day_from_the_usual_hour_on(utc: None) -> None:
    """Whenever the machine looks: hourly looks over a week bring one a day."""
    memory, last_ms, seen = open_since(NOON), None, []
    for hour in range(24 * 7):
        now_ms = NOON + hour * HOUR_MS
        if reminded(memory, last_ms, now_ms):
            last_ms = now_ms
            seen.append(clock.local(now_ms).strftime("%d %H:%M"))
    assert seen == [f"{day:02} 09:00" for day in range(1, 8)]


def test_no_reminder_comes_soon_after_the_alarm(utc: None) -> None:
    """An alarm of 8:50 is not repeated at 9:00."""
    nine = NOON - 3 * HOUR_MS
    assert not reminded(open_since(nine - HOUR_MS), None, nine)
    assert reminded(open_since(nine - 13 * HOUR_MS), None, nine)


def test_a_clock_that_was_ahead_stops_no_reminder(utc: None) -> None:
    """A reminder that was sent in the future was not sent today."""
    assert reminded(open_since(NOON - 2 * DAY_MS), NOON + 300 * DAY_MS, NOON)


def test_a_reminder_names_only_what_is_down_and_told(utc: None) -> None:
    """Nothing that is over, at rest, held back, or of no interest to the channel."""
    memory = open_since(NOON - 2 * DAY_MS)
    assert not reminded({"job:user:home": Known("r", job="home")}, None, NOON)
    assert not reminded(memory, None, NOON, channel(events=("overdue",)))
    assert not reminded(memory, None, NOON, channel(remind=False))
    assert not reminded(memory, None, NOON, channel(enabled=False))
    assert not reminded(memory, None, NOON, channel(quiet=(11 * 60, 13 * 60)))
    assert not reminded(memory, None, NOON, PING)
    assert not reminded(memory, None, NOON, snoozed={"job:user:home": NOON + 1})
    assert Rules({"mail": MAIL}).reminded(MAIL, memory, None, NOON, 540, held={"i"}) == {}
    assert reminded(memory, None, NOON, snoozed={"job:user:home": NOON})


def test_the_usual_hour_is_that_of_most_days(utc: None) -> None:
    """At least three days are needed, one early start does not count, and no reminder comes before six."""
    days = [NOON - number * DAY_MS for number in range(5)]
    assert usual_morning([day - 4 * HOUR_MS for day in days], NOON) == 8 * 60
    assert usual_morning([days[0] - 11 * HOUR_MS, *(day - 4 * HOUR_MS for day in days[1:])], NOON) == 8 * 60
    assert usual_morning([day - 10 * HOUR_MS for day in days], NOON) == 6 * 60
    assert usual_morning([day - 4 * HOUR_MS for day in days[:2]], NOON) == 9 * 60
    assert usual_morning([], NOON) == 9 * 60
