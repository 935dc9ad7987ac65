"""The queue: order, pace, retries under one id, holds and drops, clocks that are set, and rows of a newer version."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.unit.notify.help import event
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.model import Instance
from tray.core.model.events import Event, EventKind
from tray.core.paths import Places
from tray.notify import queue_file
from tray.notify.news import Known
from tray.notify.queue import (
    AGE,
    BACK_OFF_MS,
    GIVE_UP_MS,
    KEEP_MS,
    LEAST_TRIES,
    MOST_EVENTS,
    PACE_MS,
    QUIET,
    SNOOZE,
    Delivery,
    Queue,
    pace_ms,
)

NOW = 1_796_000_000_000
F, R, C = EventKind.FAILURE, EventKind.RECOVERED, EventKind.CLEARED


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time that the clock shows, to be set."""
    shown = [NOW]
    monkeypatch.setattr(clock, "now_ms", lambda: shown[0])
    return shown


@pytest.fixture
def queue(places: Places, now: list[int]) -> Iterator[Queue]:
    """An empty queue."""
    with closing(queue_file.opened(places)) as made:
        yield made


def put(
    queue: Queue, *events: Event, channel: str = "mail", due_ms: int | None = None, held: str | None = None
) -> None:
    """Store events for one channel."""
    due = clock.now_ms() if due_ms is None else due_ms
    queue.tell(queue.memory(), events, [Delivery(each, channel, due, held) for each in events])


def taken(queue: Queue, now_ms: int, channel: str = "mail") -> list[str]:
    """Return the jobs of the message that is due, and acknowledge it."""
    message = queue.take(channel, now_ms)
    if message is None:
        return []
    queue.sent(message, now_ms)
    return [str(each.job) for each in message.events]


def of(name: str, kind: EventKind = F, **facts: Any) -> Event:
    """An event about the job *name*, in an incident of its own."""
    return event(kind, name, id=f"{kind}-{name}", incident=f"of {name}", **facts)


def test_the_first_event_goes_at_once_and_those_of_the_next_minute_together(queue: Queue) -> None:
    """In the order in which they came; each channel has a pace of its own."""
    put(queue, of("a"))
    put(queue, of("a"), channel="desktop")
    assert taken(queue, NOW) == ["a"]
    put(queue, of("c"))
    put(queue, of("b"))
    assert taken(queue, NOW + PACE_MS - 1) == []
    assert queue.next_ms("mail", NOW + 1) == NOW + PACE_MS
    assert taken(queue, NOW, "desktop") == ["a"]
    assert taken(queue, NOW + PACE_MS) == ["c", "b"]
    assert queue.next_ms("mail", NOW + PACE_MS) is None
    assert pace_ms("events") == PACE_MS > pace_ms("runs") > 0


def test_a_message_that_is_not_acknowledged_is_tried_again_under_its_id(queue: Queue, places: Places) -> None:
    """With the same events, also by another process; events that come meanwhile wait for the next one."""
    put(queue, of("a"))
    first = queue.take("mail", NOW)
    put(queue, of("b"))
    with closing(Queue(queue.file)) as other:
        assert first is not None
        assert other.take("mail", NOW) == first


def test_pauses_grow_after_each_failed_try(queue: Queue) -> None:
    """A minute, five, half an hour, two hours, then every six; the receiver may ask for more, up to six hours."""
    put(queue, of("a"))
    now_ms, pauses = NOW, []
    for _ in range(7):
        message = queue.take("mail", now_ms)
        assert message is not None
        next_ms = queue.failed(message, "It is out.", now_ms)
        assert next_ms is not None
        assert queue.take("mail", next_ms - 1) is None
        assert queue.next_ms("mail", now_ms) == next_ms
        pauses.append(next_ms - now_ms)
        now_ms = next_ms
    assert tuple(pauses) == (*BACK_OFF_MS, BACK_OFF_MS[-1], BACK_OFF_MS[-1])
    message = queue.take("mail", now_ms)
    assert message is not None
    assert queue.failed(message, "It is out.", now_ms, after_ms=10 * DAY_MS) == now_ms + BACK_OFF_MS[-1]
    state = queue.state("mail", now_ms)
    assert (state.waiting, state.tries, state.why) == (1, 8, "It is out.")


def test_a_receiver_that_asks_to_wait_is_not_asked_before(queue: Queue) -> None:
    """Retry-After."""
    put(queue, of("a"))
    message = queue.take("mail", NOW)
    assert message is not None
    assert queue.failed(message, "Too many.", NOW, after_ms=600_000) == NOW + 600_000


def test_a_message_is_given_up_after_a_week_and_the_next_goes_on(queue: Queue) -> None:
    """Events that came meanwhile are not lost with it."""
    put(queue, of("a"))
    now_ms: int | None = NOW
    last = tries = 0
    while now_ms is not None:
        message = queue.take("mail", now_ms)
        assert message is not None
        last, tries = now_ms, tries + 1
        now_ms = queue.failed(message, "It is out.", now_ms)
    assert last - NOW > GIVE_UP_MS
    assert tries > 20
    assert queue.state("mail", last).given_up == 1
    put(queue, of("b"))
    assert taken(queue, last + PACE_MS) == ["b"]


def test_a_machine_that_was_off_for_a_month_still_sends(queue: Queue, now: list[int]) -> None:
    """Neither what waited nor what was tried once is given up because of its age alone."""
    put(queue, of("a"))
    message = queue.take("mail", NOW)
    assert message is not None
    queue.failed(message, "It is out.", NOW)
    put(queue, of("b"))
    now[0] = later = NOW + 30 * DAY_MS
    queue.tidy(later, ["mail"])
    message = queue.take("mail", later)
    assert message is not None
    assert queue.failed(message, "It is out.", later) == later + BACK_OFF_MS[1]
    assert taken(queue, later + BACK_OFF_MS[1]) == ["a"]
    assert taken(queue, later + BACK_OFF_MS[1] + PACE_MS) == ["b"]
    assert LEAST_TRIES > 2


def test_a_message_that_is_refused_for_good_stops_no_other(queue: Queue) -> None:
    """Its reason stays visible."""
    put(queue, of("a"))
    message = queue.take("mail", NOW)
    assert message is not None
    assert queue.failed(message, "No such address.", NOW, final=True) is None
    state = queue.state("mail", NOW)
    assert (state.waiting, state.given_up, state.why) == (0, 1, "No such address.")
    put(queue, of("b"))
    assert taken(queue, NOW + PACE_MS) == ["b"]


def test_changed_settings_bring_back_what_was_refused(queue: Queue) -> None:
    """The user mends the password: the messages of the last days go, in their order and at the pace of the channel."""
    now_ms = NOW
    for name in ("a", "b"):
        put(queue, of(name))
        message = queue.take("mail", now_ms)
        assert message is not None
        queue.failed(message, "Wrong password.", now_ms, final=name == "a")
        now_ms += PACE_MS
    queue.retry_now("mail", now_ms)
    assert taken(queue, now_ms) == ["a"]
    assert taken(queue, now_ms) == []
    assert taken(queue, now_ms + PACE_MS) == ["b"]
    queue.retry_now("mail", now_ms + GIVE_UP_MS)
    assert queue.next_ms("mail", now_ms + GIVE_UP_MS) is None


def test_very_many_events_go_in_several_messages(queue: Queue) -> None:
    """None is lost or sent twice."""
    names = [f"{number:04}" for number in range(MOST_EVENTS + 5)]
    put(queue, *(of(name) for name in names))
    assert taken(queue, NOW) == names[:MOST_EVENTS]
    assert taken(queue, NOW + PACE_MS) == names[MOST_EVENTS:]


def test_an_event_is_stored_once(queue: Queue) -> None:
    """Whichever process finds it again."""
    put(queue, of("a"))
    put(queue, of("a"))
    assert taken(queue, NOW) == ["a"]
    put(queue, of("a"))
    assert taken(queue, NOW + PACE_MS) == []


@pytest.mark.parametrize(("held", "end"), [(AGE, R), (AGE, C), (SNOOZE, R), (SNOOZE, C), (QUIET, C)])
def test_an_incident_that_ends_before_it_was_to_be_told_is_never_told(queue: Queue, held: str, end: EventKind) -> None:
    """Neither its begin nor its end; a channel that was told of it hears of its end, and so do others."""
    put(queue, of("a"), due_ms=NOW + DAY_MS, held=held)
    put(queue, of("a"), channel="told")
    put(queue, of("b"), due_ms=NOW + DAY_MS, held=held)
    assert queue.held("mail", NOW) == {"of a", "of b"}
    assert taken(queue, NOW, "told") == ["a"]
    over = of("a", end)
    queue.tell({}, [over], [Delivery(over, name, NOW) for name in ("mail", "told", "tool")])
    assert taken(queue, NOW + PACE_MS, "told") == taken(queue, NOW, "tool") == ["a"]
    assert taken(queue, NOW) == []
    assert taken(queue, NOW + DAY_MS) == ["b"]
    assert queue.held("mail", NOW + DAY_MS) == set()


def test_a_rest_may_end_earlier_or_later(queue: Queue) -> None:
    """The user ends it: the failure meanwhile is told at once; quiet hours go on."""
    put(queue, of("a"), due_ms=NOW + DAY_MS, held=SNOOZE)
    put(queue, of("b"), due_ms=NOW + DAY_MS, held=QUIET)
    queue.rest_until("of a", NOW + 2 * DAY_MS)
    queue.rest_until("of b", NOW)
    assert queue.next_ms("mail", NOW) == NOW + DAY_MS
    queue.rest_until("of a", NOW)
    assert taken(queue, NOW) == ["a"]


def test_a_held_incident_is_dropped_also_where_its_end_is_not_told(queue: Queue) -> None:
    """A mail channel hears of no acknowledgement, and yet must not tell of the failure afterwards."""
    put(queue, of("a"), due_ms=NOW + DAY_MS, held=AGE)
    queue.tell({}, [of("a", C)], [])
    assert queue.next_ms("mail", NOW) is None


def test_what_happened_in_quiet_hours_is_told_after_them(queue: Queue) -> None:
    """The failure and the recovery, in one message."""
    put(queue, of("a"), due_ms=NOW + 1000, held=QUIET)
    put(queue, of("a", R), due_ms=NOW + 1000, held=QUIET)
    assert taken(queue, NOW + 999) == []
    message = queue.take("mail", NOW + 1000)
    assert message is not None
    assert [each.kind for each in message.events] == [F, R]


def test_of_reminders_only_the_latest_is_sent(queue: Queue) -> None:
    """A channel that was out for three days is not sent three lists."""
    for number in range(3):
        put(queue, Event(f"r{number}", EventKind.REMINDER, NOW + number))
        put(queue, Event(f"d{number}", EventKind.DIGEST, NOW + number))
    message = queue.take("mail", NOW)
    assert message is not None
    assert [each.id for each in message.events] == ["r2", "d2"]


# -- clocks


def test_a_clock_that_was_ahead_holds_nothing_back(queue: Queue, now: list[int]) -> None:
    """An event, a retry, a pace and a hold that were noted in a year to come are due once the clock is right."""
    now[0] = ahead = NOW + 365 * DAY_MS
    put(queue, of("a"))
    message = queue.take("mail", ahead)
    assert message is not None
    queue.failed(message, "It is out.", ahead)
    put(queue, of("b"), channel="desktop")
    put(queue, of("c"), channel="ntfy", due_ms=ahead + DAY_MS, held=QUIET)
    now[0] = NOW
    assert [queue.next_ms(name, NOW) for name in ("mail", "desktop", "ntfy")] == [NOW] * 3
    assert [taken(queue, NOW, name) for name in ("mail", "desktop", "ntfy")] == [["a"], ["b"], ["c"]]


def test_a_clock_that_jumps_ahead_gives_nothing_up(queue: Queue, now: list[int]) -> None:
    """A single try years later does not use up the patience of a week."""
    put(queue, of("a"))
    now[0] = later = NOW + 3650 * DAY_MS
    queue.tidy(later, ["mail"])
    message = queue.take("mail", later)
    assert message is not None
    assert queue.failed(message, "It is out.", later) is not None


# -- channels that go


def test_a_channel_that_is_gone_keeps_nothing(queue: Queue) -> None:
    """Its waiting events are dropped, and its message that is on its way does no harm."""
    put(queue, of("a"))
    put(queue, of("a"), channel="desktop")
    message = queue.take("mail", NOW)
    queue.tidy(NOW, ["desktop"])
    assert queue.channels() == ["desktop"]
    assert message is not None
    assert queue.failed(message, "It is out.", NOW) is not None
    assert queue.channels() == ["desktop"]
    assert taken(queue, NOW, "desktop") == ["a"]


def test_old_messages_are_forgotten(queue: Queue, now: list[int]) -> None:
    """A month later nothing of them is left; what still waits stays."""
    put(queue, of("a"))
    assert taken(queue, NOW) == ["a"]
    put(queue, of("b"), channel="desktop")
    now[0] = NOW + KEEP_MS + 1
    queue.tidy(now[0], ["mail", "desktop"])
    assert queue.db.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    assert [each for (each,) in queue.db.execute("SELECT id FROM events")] == ["failure-b"]
    queue.drop_old("desktop", now[0])
    assert queue.channels() == []


# -- memory, records and rows of others


def test_memory_and_events_are_stored_together(queue: Queue) -> None:
    """A fault in one of them stores neither: the next look finds the same news."""
    broken = Delivery(of("a"), "mail", 0, held=object())  # type: ignore[arg-type] # what no database stores
    with pytest.raises(Exception, match="type"):
        queue.tell({"job:user:home": Known("r")}, [of("a")], [broken])
    assert queue.memory() == {}
    assert queue.channels() == []


def test_the_memory_is_what_was_told_last(queue: Queue) -> None:
    """A job that is gone is gone from it."""
    known = Known("r", "i", F, NOW, "home", NOW, (EventKind.WARNING, F), seen=True)
    queue.tell({"job:user:home": known, "job:user:x": Known("x")}, [], [])
    assert queue.memory() == {"job:user:home": known, "job:user:x": Known("x")}
    queue.tell({"job:user:home": known}, [], [])
    assert queue.memory() == {"job:user:home": known}


def test_an_overdue_job_is_to_be_put_on_record_once(queue: Queue) -> None:
    """No other entry tells of it; the end of a run has an entry of its own, and a job of root is in root's log."""
    put(queue, of("a", EventKind.OVERDUE), of("b"), of("c", EventKind.OVERDUE, instance=Instance.SYSTEM))
    (waiting,) = queue.unrecorded()
    assert waiting.job == "a"
    queue.recorded(waiting)
    assert queue.unrecorded() == []


def test_rows_that_cannot_be_read_hold_up_nothing(queue: Queue) -> None:
    """A newer version may have queued kinds of events that this one does not know."""
    put(queue, of("a"), of("b"))
    put(queue, of("c"), channel="desktop")
    change = "UPDATE events SET body = json_set(body, '$.kind', 'unheard of') WHERE id IN ('failure-a', 'failure-c')"
    queue.db.execute(change)
    queue.db.execute("INSERT INTO known VALUES ('job:user:x', '{\"kind\": \"unheard of\"}'), ('job:user:y', '3')")
    assert queue.memory() == {}
    assert taken(queue, NOW) == ["b"]
    assert taken(queue, NOW, "desktop") == []
    assert queue.next_ms("desktop", NOW) is None


def test_a_mark_is_set_with_the_first_event_alone(queue: Queue) -> None:
    """Two threads that tell of the same outage tell once."""
    for name in ("a", "b"):
        told = Event(name, EventKind.CHANNEL, NOW)
        queue.add(told, [Delivery(told, "mail", NOW)], "outage:ntfy", NOW)
    message = queue.take("mail", NOW)
    assert message is not None
    assert [each.id for each in message.events] == ["a"]
    assert queue.marks("outage:") == {"outage:ntfy": NOW}


def test_two_that_take_at_once_take_the_same_message(queue: Queue) -> None:
    """No event ends up in two messages, whatever locks there are beside the queue."""
    put(queue, *(of(f"{number}") for number in range(50)))
    got: list[str] = []

    def take(file: Path) -> None:
        with closing(Queue(file)) as mine:
            message = mine.take("mail", NOW)
            assert message is not None
            got.append(message.id)

    threads = [threading.Thread(target=take, args=(queue.file,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got)) == 1
