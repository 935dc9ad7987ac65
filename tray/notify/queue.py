"""Keep all that was told and all that is still to be sent, in one SQLite file: a broken queue must not touch the records.

The memory of the news and the events that follow from it are stored in one transaction, so a process that is killed at any
moment neither loses an event nor makes it twice. A message is made once, with its id, and tried under that id until it is
acknowledged: a receiver that got it although we did not hear of that can drop the second one.

Each channel gets its events in their order. `notify.db` may be deleted: open incidents are then told once more.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress

from tray.config.channels import EVENTS
from tray.core import clock
from tray.core.clock import DAY_MS, SLACK_MS
from tray.core.dataclass import dataclass
from tray.core.model import Instance
from tray.core.model.events import Event, EventKind, Message
from tray.notify.news import Known
from tray.notify.queue_store import COLUMNS, Store

PACE_MS = 60_000
"""Least time between two messages to one channel; events that come meanwhile go together."""
BACK_OFF_MS = (60_000, 300_000, 1_800_000, 7_200_000, 21_600_000)
"""Pauses after each failed try; the last one goes on until the message is `GIVE_UP_MS` old, and was tried `LEAST_TRIES` times."""
GIVE_UP_MS = 7 * DAY_MS
KEEP_MS = 30 * DAY_MS
MOST_EVENTS = 1000
"""So many events go into one message at most; the rest follow in the next."""
LEAST_TRIES = 8
"""A message is given up after so many tries at the earliest: the machine may have been off for a week, or its clock wrong."""
QUIET, AGE, SNOOZE, FAULT = "quiet", "age", "snooze", "fault"
"""Why an event waits: quiet hours, the last good backup is not old enough yet, the user gave messages about its job a rest, or the
settings of the channel have a fault, so it is not known whether it is to be told."""
_ENDS = (EventKind.RECOVERED, EventKind.CLEARED)
_LATEST = (EventKind.REMINDER, EventKind.DIGEST, EventKind.ALIVE)
"""Events of which only the latest is worth sending."""
_OPEN = (
    "SELECT id, made_ms, next_ms FROM messages WHERE channel = ? AND next_ms IS NOT NULL ORDER BY made_ms, id LIMIT 1"
)
_WAITS = "message IS NULL AND (held IS NULL OR due_ms <= :now OR made_ms > :now + :slack)"
"""Deliveries that are due: of one that was made in the future, by a clock that was ahead, the moment means nothing."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one channel, not before `due_ms`; `held` says why that is later than now, None if it is not."""

    event: Event
    channel: str
    due_ms: int
    held: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelState:
    """The queue of one channel.

    Attributes:
        waiting: Events that are not sent yet.
        held: How many of them wait for the end of quiet hours, or for a backup to become old.
        tries: Failed tries of the message that is being sent; 0 if there is none.
        next_ms: When it is tried again.
        why: Why the last try failed; None if it did not.
        sent_ms: When a message was last acknowledged.
        given_up: Messages of the last days that will not be sent any more.
    """

    waiting: int = 0
    held: int = 0
    tries: int = 0
    next_ms: int | None = None
    why: str | None = None
    sent_ms: int | None = None
    given_up: int = 0


class Queue(Store):
    """The open queue; each method is a transaction of its own, and safe beside other processes."""

    # -- fill

    def memory(self) -> dict[str, Known]:
        """Return the memory of the news, by key; empty at the first look."""
        memory = {}
        for key, value in self.db.execute("SELECT key, value FROM known"):
            with suppress(ValueError):  # of a newer version: that incident is told once more
                memory[key] = Known.from_json(json.loads(value))
        return memory

    def add(self, event: Event, deliveries: Iterable[Delivery], mark: str, now_ms: int) -> None:
        """Store an event that is none of a job, and when *mark* was done; nothing if another process has done it."""
        with self.changing():
            if self.mark(mark) is None:
                self._add([event], deliveries, now_ms)
                self.set_mark(mark, now_ms)

    def tell(
        self,
        memory: dict[str, Known],
        events: Sequence[Event],
        deliveries: Iterable[Delivery],
        marks: dict[str, int] | None = None,
    ) -> None:
        """Store all that is known now, together with the events and the channels that are to get them."""
        with self.changing():
            before = dict(self.db.execute("SELECT key, value FROM known"))
            after = {key: json.dumps(known.to_json()) for key, known in memory.items()}
            changed = [(key, value) for key, value in after.items() if before.get(key) != value]
            self.db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?)", changed)
            self.db.executemany("DELETE FROM known WHERE key = ?", [(key,) for key in before.keys() - after.keys()])
            self._add(events, deliveries, clock.now_ms())
            for name, at_ms in (marks or {}).items():
                self.set_mark(name, at_ms)

    def _add(self, events: Sequence[Event], deliveries: Iterable[Delivery], now_ms: int) -> None:
        untold = {event.incident: self._end(event) for event in events if event.kind in _ENDS}
        for event in events:
            self._add_event(event)
        for delivery in deliveries:
            event, channel = delivery.event, delivery.channel
            if event.kind in _ENDS and channel in untold.get(event.incident, ()):
                continue
            if event.kind in _LATEST:
                about = (channel, event.kind.value)
                self.db.execute("DELETE FROM deliveries WHERE channel = ? AND incident = ? AND message IS NULL", about)
            self._add_event(event)
            self.db.execute(
                f"INSERT OR IGNORE INTO deliveries ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (event.id, channel, event.incident or event.kind.value, now_ms, delivery.due_ms, delivery.held),
            )

    def _add_event(self, event: Event) -> None:
        recorded = event.kind is not EventKind.OVERDUE or event.instance is not Instance.USER  # root's log is root's
        row = (event.id, event.at_ms, recorded, json.dumps(event.to_json()))
        self.db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", row)

    def _end(self, event: Event) -> set[str]:
        """Drop deliveries of an incident that is over before they were due; return the channels that know nothing of it.

        The events of quiet hours are told after them, unless the user has acknowledged them.
        """
        held = (AGE, SNOOZE, FAULT, *((QUIET,) if event.kind is EventKind.CLEARED else ()))
        where = f"incident = ? AND message IS NULL AND held IN ({', '.join('?' * len(held))})"
        values = (event.incident, *held)
        dropped = self.db.execute(f"SELECT DISTINCT channel FROM deliveries WHERE {where}", values).fetchall()
        self.db.execute(f"DELETE FROM deliveries WHERE {where}", values)
        rest = self.db.execute("SELECT DISTINCT channel FROM deliveries WHERE incident = ?", (event.incident,))
        return {channel for (channel,) in dropped} - {channel for (channel,) in rest}

    def rest_until(self, incident: str, until_ms: int) -> None:
        """Let the events of *incident* that rest since the user wants so be due at another moment."""
        values = (until_ms, incident, SNOOZE)
        self.db.execute("UPDATE deliveries SET due_ms = ? WHERE incident = ? AND held = ? AND message IS NULL", values)

    def held(self, channel: str, now_ms: int) -> set[str]:
        """Return the ids of the incidents of which *channel* is not to tell yet."""
        rows = self.db.execute(
            f"SELECT DISTINCT incident FROM deliveries WHERE channel = :channel AND message IS NULL AND NOT ({_WAITS})",
            {"channel": channel, "now": now_ms, "slack": SLACK_MS},
        )
        return {incident for (incident,) in rows}

    def unjudged(self, channel: str) -> list[Event]:
        """Return the events that waited for the settings of *channel* to be mended, in their order; see `judge`."""
        rows = self.db.execute(
            "SELECT body FROM deliveries JOIN events ON events.id = event WHERE channel = ? AND held = ? ORDER BY seq",
            (channel, FAULT),
        )
        return [event for (body,) in rows if (event := _event(body)) is not None]

    def judge(self, channel: str, deliveries: Iterable[Delivery]) -> None:
        """Let the events that `unjudged` returned wait as *deliveries* say; *channel* does not want the others."""
        with self.changing():
            rows = [(each.due_ms, each.held, each.event.id, channel) for each in deliveries]
            self.db.executemany("UPDATE deliveries SET due_ms = ?, held = ? WHERE event = ? AND channel = ?", rows)
            self.db.execute("DELETE FROM deliveries WHERE channel = ? AND held = ?", (channel, FAULT))

    def unrecorded(self) -> list[Event]:
        """Return the events that are to be put on record in the audit log; see `recorded`."""
        rows = self.db.execute("SELECT body FROM events WHERE recorded = 0 ORDER BY at_ms")
        return [event for (body,) in rows if (event := _event(body)) is not None]

    def recorded(self, event: Event) -> None:
        """Note that *event* is on record."""
        self.db.execute("UPDATE events SET recorded = 1 WHERE id = ?", (event.id,))

    # -- empty

    def take(self, channel: str, now_ms: int, pace_ms: int = PACE_MS) -> Message | None:
        """Return the message that is to be sent by *channel* now, None if there is none.

        The message stays in the queue until `sent` or `failed` is called.
        """
        with self.changing():
            if self._pace_ends_ms(channel, now_ms, pace_ms) > now_ms:
                return None
            row = self.db.execute(_OPEN, (channel,)).fetchone()
            if row is not None:
                return None if _lies_ahead(row[2], now_ms, BACK_OFF_MS[-1]) else self._message(row[0], channel, row[1])
            waiting = self.db.execute(
                f"SELECT seq FROM deliveries WHERE channel = :channel AND {_WAITS} ORDER BY seq LIMIT {MOST_EVENTS}",
                {"channel": channel, "now": now_ms, "slack": SLACK_MS},
            )
            seqs = waiting.fetchall()
            if not seqs:
                return None
            fresh = clock.new_id()
            self.db.executemany("UPDATE deliveries SET message = ? WHERE seq = ?", [(fresh, seq) for (seq,) in seqs])
            self.db.execute("INSERT INTO messages VALUES (?, ?, ?, 0, ?, NULL, NULL)", (fresh, channel, now_ms, now_ms))
            return self._message(fresh, channel, now_ms)

    def _pace_ends_ms(self, channel: str, now_ms: int, pace_ms: int) -> int:
        """Return the moment before which *channel* gets no message, since it has got one; it may be past."""
        last = self.mark(f"sent:{channel}")
        return last + pace_ms if last is not None and _lies_ahead(last + pace_ms, now_ms, pace_ms) else 0

    def _message(self, message: str, channel: str, made_ms: int) -> Message | None:
        rows = self.db.execute(
            "SELECT body FROM deliveries JOIN events ON events.id = event WHERE message = ? ORDER BY seq", (message,)
        )
        events = tuple(event for (body,) in rows if (event := _event(body)) is not None)
        if not events:  # all of a newer version
            self.db.execute("UPDATE messages SET next_ms = NULL, why = 'unreadable' WHERE id = ?", (message,))
            return None
        return Message(message, channel, made_ms, events)

    def sent(self, message: Message, now_ms: int) -> None:
        """Note that the channel has acknowledged *message*."""
        with self.changing():
            self.db.execute(
                "UPDATE messages SET next_ms = NULL, sent_ms = ?, why = NULL WHERE id = ?", (now_ms, message.id)
            )
            self.set_mark(f"sent:{message.channel}", now_ms)

    def failed(
        self,
        message: Message,
        why: str,
        now_ms: int,
        *,
        final: bool = False,
        after_ms: int | None = None,
        most_ms: int = BACK_OFF_MS[-1],
    ) -> int | None:
        """Note that a try failed, and return when the next one is due; None if the message is given up.

        Args:
            after_ms: How long the receiver asks to wait.
            most_ms: The longest pause.
        """
        with self.changing():
            row = self.db.execute("SELECT tries FROM messages WHERE id = ?", (message.id,)).fetchone()
            tries = 0 if row is None else int(row[0])  # None: its channel is not configured any more
            usual_ms = BACK_OFF_MS[min(tries, len(BACK_OFF_MS) - 1)]
            pause = min(max(usual_ms, min(after_ms or 0, BACK_OFF_MS[-1])), most_ms)
            over = final or (tries + 1 >= LEAST_TRIES and now_ms - message.made_ms > GIVE_UP_MS)
            next_ms = None if over else now_ms + pause
            self.db.execute(
                "UPDATE messages SET tries = ?, next_ms = ?, why = ? WHERE id = ?",
                (tries + 1, next_ms, why, message.id),
            )
            self.set_mark(f"sent:{message.channel}", now_ms)
            return next_ms

    def next_ms(self, channel: str, now_ms: int, pace_ms: int = PACE_MS) -> int | None:
        """Return when the next message of *channel* is due, which may be past; None if nothing waits."""
        row = self.db.execute(_OPEN, (channel,)).fetchone()
        if row is not None:
            due_ms = int(row[2]) if _lies_ahead(row[2], now_ms, BACK_OFF_MS[-1]) else now_ms
        else:
            (least,) = self.db.execute(
                f"SELECT min(iif({_WAITS}, :now, due_ms)) FROM deliveries WHERE channel = :channel AND message IS NULL",
                {"channel": channel, "now": now_ms, "slack": SLACK_MS},
            ).fetchone()
            if least is None:
                return None
            due_ms = int(least)
        return max(due_ms, self._pace_ends_ms(channel, now_ms, pace_ms))

    def retry_now(self, channel: str, now_ms: int) -> None:
        """Let the messages of *channel* that were not sent be tried at once, also those given up: its settings have changed."""
        self.db.execute(
            "UPDATE messages SET next_ms = ?, tries = 0 WHERE channel = ? AND sent_ms IS NULL"
            " AND (next_ms IS NOT NULL OR made_ms > ?)",
            (now_ms, channel, now_ms - GIVE_UP_MS),
        )

    def begun(self) -> list[str]:
        """Return the channels that have a message which a process may be sending."""
        return [name for (name,) in self.db.execute("SELECT DISTINCT channel FROM messages WHERE next_ms IS NOT NULL")]

    def clear(self) -> None:
        """Forget all that waits: another queue has taken it over."""
        with self.changing():
            self.db.execute("DELETE FROM deliveries")
            self.db.execute("DELETE FROM messages")

    def channels(self) -> list[str]:
        """Return the channels for which something waits."""
        rows = self.db.execute(
            "SELECT channel FROM deliveries WHERE message IS NULL UNION SELECT channel FROM messages WHERE next_ms IS NOT NULL"
        )
        return sorted(channel for (channel,) in rows)

    def state(self, channel: str, now_ms: int) -> ChannelState:
        """Return the queue of *channel*."""
        waiting, held = self.db.execute(
            "SELECT count(*), count(CASE WHEN held IS NOT NULL AND due_ms > ? THEN 1 END) FROM deliveries"
            " LEFT JOIN messages ON messages.id = message"
            " WHERE deliveries.channel = ? AND (message IS NULL OR next_ms IS NOT NULL)",
            (now_ms, channel),
        ).fetchone()
        row = self.db.execute(
            "SELECT tries, next_ms, why FROM messages WHERE channel = ? AND next_ms IS NOT NULL ORDER BY made_ms, id",
            (channel,),
        ).fetchone()
        newest = self.db.execute(
            "SELECT why FROM messages WHERE channel = ? ORDER BY made_ms DESC LIMIT 1", (channel,)
        ).fetchone()
        (given_up,) = self.db.execute(
            "SELECT count(*) FROM messages WHERE channel = ? AND next_ms IS NULL AND sent_ms IS NULL", (channel,)
        ).fetchone()
        tries, next_ms, why = row or (0, None, newest[0] if newest else None)
        return ChannelState(waiting, held, tries, next_ms, why, self._last_sent(channel), given_up)

    def _last_sent(self, channel: str) -> int | None:
        row = self.db.execute("SELECT max(sent_ms) FROM messages WHERE channel = ?", (channel,)).fetchone()
        return None if row[0] is None else int(row[0])

    def tidy(self, now_ms: int, channels: Iterable[str]) -> None:
        """Forget messages of long ago, and all of channels that are not among *channels*: they were turned off or removed."""
        with self.changing():
            known = (json.dumps(list(channels)),)
            self.db.execute("DELETE FROM deliveries WHERE channel NOT IN (SELECT value FROM json_each(?))", known)
            self.db.execute("DELETE FROM messages WHERE channel NOT IN (SELECT value FROM json_each(?))", known)
            self.db.execute("DELETE FROM messages WHERE next_ms IS NULL AND made_ms < ?", (now_ms - KEEP_MS,))
            self.db.execute(
                "DELETE FROM deliveries WHERE message IS NOT NULL AND message NOT IN (SELECT id FROM messages)"
            )
            self.db.execute(
                "DELETE FROM events WHERE recorded AND at_ms < ? AND id NOT IN (SELECT event FROM deliveries)",
                (now_ms - KEEP_MS,),
            )

    def drop_old(self, channel: str, now_ms: int) -> None:
        """Drop the events that have waited for *channel* since long ago without a try: there is no session to show them in."""
        where = "channel = ? AND message IS NULL AND made_ms < ?"
        self.db.execute(f"DELETE FROM deliveries WHERE {where}", (channel, now_ms - GIVE_UP_MS))


def pace_ms(takes: str) -> int:
    """Return the least time between two messages to a channel: a minute for people, for tools a fifth of it."""
    return PACE_MS if takes == EVENTS else PACE_MS // 5


def _event(body: str) -> Event | None:
    try:
        return Event.from_json(json.loads(body))
    except ValueError:  # of a newer version
        return None


def _lies_ahead(moment_ms: int, now_ms: int, longest_ms: int) -> bool:
    """Whether *moment_ms* is still to come; one that is further away than any pause is of a clock that was ahead."""
    return 0 < moment_ms - now_ms <= longest_ms
