"""Keep all that was told and all that is still to be sent, in one SQLite file: a broken queue must not touch the records.

The memory of the news and the events that follow from it are stored in one transaction, so a process that is killed at any
moment neither loses an event nor makes it twice. A message is made once, with its id, and tried under that id until it is
acknowledged: a receiver that got it although we did not hear of that can drop the second one.

Each channel gets its events in their order. `notify.db` may be deleted: open incidents are then told once more.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tray.config.channels import EVENTS
from tray.core import clock
from tray.core.clock import DAY_MS
from tray.core.dataclass import dataclass
from tray.core.model.events import Event, EventKind, Message
from tray.notify.news import Known

PACE_MS = 60_000
"""Least time between two messages to one channel; events that come meanwhile go together."""
BACK_OFF_MS = (60_000, 300_000, 1_800_000, 7_200_000, 21_600_000)
"""Pauses after each failed try; the last one goes on until the message is `GIVE_UP_MS` old."""
GIVE_UP_MS = 7 * DAY_MS
KEEP_MS = 30 * DAY_MS
MOST_EVENTS = 1000
"""So many events go into one message at most; the rest follow in the next."""
QUIET, AGE = "quiet", "age"
"""Why an event waits: quiet hours, or the last good backup is not old enough yet."""
_SECONDS = 10.0
_VERSION = 1
_SCHEMA = """
CREATE TABLE known (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, recorded INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, channel TEXT NOT NULL, incident TEXT NOT NULL,
    due_ms INTEGER NOT NULL, held TEXT, message TEXT, UNIQUE (event, channel)
);
CREATE INDEX waiting ON deliveries (channel, due_ms) WHERE message IS NULL;
CREATE INDEX carried ON deliveries (message) WHERE message IS NOT NULL;
CREATE TABLE messages (
    id TEXT PRIMARY KEY, channel TEXT NOT NULL, made_ms INTEGER NOT NULL, tries INTEGER NOT NULL, next_ms INTEGER,
    sent_ms INTEGER, why TEXT
) WITHOUT ROWID;
CREATE INDEX open_messages ON messages (channel) WHERE next_ms IS NOT NULL;
CREATE TABLE marks (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
"""


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


class Queue:
    """The open queue; each method is a transaction of its own, and safe beside other processes."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, timeout=_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def _prepare(self) -> None:
        if self._db.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            return
        with self._changing():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError(f"made by a newer version ({version})")
            if version == 0:
                for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={_VERSION}")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- fill

    def memory(self) -> dict[str, Known]:
        """Return the memory of the news, by key; empty at the first look."""
        rows = self._db.execute("SELECT key, value FROM known")
        return {key: Known.from_json(json.loads(value)) for key, value in rows}

    def mark(self, name: str) -> int | None:
        """Return when *name* was last done, in milliseconds; None if never."""
        row = self._db.execute("SELECT at_ms FROM marks WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def marks(self, prefix: str) -> dict[str, int]:
        """Return the marks whose names begin with *prefix*."""
        rows = self._db.execute("SELECT name, at_ms FROM marks WHERE substr(name, 1, ?) = ?", (len(prefix), prefix))
        return dict(rows.fetchall())

    def set_mark(self, name: str, at_ms: int | None) -> None:
        """Note when *name* was done, or will be over; None forgets it."""
        if at_ms is None:
            self._db.execute("DELETE FROM marks WHERE name = ?", (name,))
        else:
            self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, at_ms))

    def add(self, event: Event, deliveries: Iterable[Delivery], mark: str, now_ms: int) -> None:
        """Store an event that is none of a job, and when *mark* was done."""
        with self._changing():
            self._add([event], deliveries)
            self.set_mark(mark, now_ms)

    def tell(
        self,
        memory: dict[str, Known],
        events: Sequence[Event],
        deliveries: Iterable[Delivery],
        marks: dict[str, int] | None = None,
    ) -> None:
        """Store all that is known now, together with the events and the channels that are to get them."""
        with self._changing():
            before = dict(self._db.execute("SELECT key, value FROM known"))
            after = {key: json.dumps(known.to_json()) for key, known in memory.items()}
            changed = [(key, value) for key, value in after.items() if before.get(key) != value]
            self._db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?)", changed)
            self._db.executemany("DELETE FROM known WHERE key = ?", [(key,) for key in before.keys() - after.keys()])
            self._add(events, deliveries)
            for name, at_ms in (marks or {}).items():
                self.set_mark(name, at_ms)

    def _add(self, events: Sequence[Event], deliveries: Iterable[Delivery]) -> None:
        for event in events:
            recorded = event.kind is not EventKind.OVERDUE
            row = (event.id, event.at_ms, recorded, json.dumps(event.to_json()))
            self._db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", row)
        for delivery in deliveries:
            event = delivery.event
            if event.kind in (EventKind.RECOVERED, EventKind.CLEARED) and self._was_not_told(event, delivery.channel):
                continue
            values = (event.id, delivery.channel, event.incident, delivery.due_ms, delivery.held)
            self._db.execute(
                "INSERT OR IGNORE INTO deliveries (event, channel, incident, due_ms, held) VALUES (?, ?, ?, ?, ?)",
                values,
            )

    def _was_not_told(self, event: Event, channel: str) -> bool:
        """Whether the whole incident of *event* still waits in *channel* for a backup to become old; it is told no more then."""
        about = (channel, event.incident)
        rows = self._db.execute("SELECT held, message FROM deliveries WHERE channel = ? AND incident = ?", about)
        states = rows.fetchall()
        if not states or any(held != AGE or message is not None for held, message in states):
            return False
        self._db.execute("DELETE FROM deliveries WHERE channel = ? AND incident = ?", about)
        return True

    def unrecorded(self) -> list[Event]:
        """Return the events that are to be put on record in the audit log; see `recorded`."""
        return [
            _event(body) for (body,) in self._db.execute("SELECT body FROM events WHERE recorded = 0 ORDER BY at_ms")
        ]

    def recorded(self, event: Event) -> None:
        """Note that *event* is on record."""
        self._db.execute("UPDATE events SET recorded = 1 WHERE id = ?", (event.id,))

    # -- empty

    def take(self, channel: str, now_ms: int, pace_ms: int = PACE_MS) -> Message | None:
        """Return the message that is to be sent by *channel* now, None if there is none.

        The message stays in the queue until `sent` or `failed` is called.
        """
        with self._changing():
            row = self._db.execute(
                "SELECT id, made_ms, next_ms FROM messages WHERE channel = ? AND next_ms IS NOT NULL", (channel,)
            ).fetchone()
            if row is not None:
                return None if _lies_ahead(row[2], now_ms, BACK_OFF_MS[-1]) else self._message(row[0], channel, row[1])
            last = self.mark(f"sent:{channel}")
            if last is not None and _lies_ahead(last + pace_ms, now_ms, pace_ms):
                return None
            seqs = [
                seq
                for (seq,) in self._db.execute(
                    "SELECT seq FROM deliveries WHERE channel = ? AND message IS NULL AND due_ms <= ? ORDER BY seq LIMIT ?",
                    (channel, now_ms, MOST_EVENTS),
                )
            ]
            if not seqs:
                return None
            fresh = clock.new_id()
            self._db.executemany("UPDATE deliveries SET message = ? WHERE seq = ?", [(fresh, seq) for seq in seqs])
            self._db.execute(
                "INSERT INTO messages VALUES (?, ?, ?, 0, ?, NULL, NULL)", (fresh, channel, now_ms, now_ms)
            )
            return self._message(fresh, channel, now_ms)

    def _message(self, message: str, channel: str, made_ms: int) -> Message:
        rows = self._db.execute(
            "SELECT body FROM deliveries JOIN events ON events.id = event WHERE message = ? ORDER BY seq", (message,)
        )
        return Message(message, channel, made_ms, tuple(_event(body) for (body,) in rows))

    def sent(self, message: Message, now_ms: int) -> None:
        """Note that the channel has acknowledged *message*."""
        with self._changing():
            self._db.execute(
                "UPDATE messages SET next_ms = NULL, sent_ms = ?, why = NULL WHERE id = ?", (now_ms, message.id)
            )
            self.set_mark(f"sent:{message.channel}", now_ms)

    def failed(
        self, message: Message, why: str, now_ms: int, *, final: bool = False, after_ms: int | None = None
    ) -> int | None:
        """Note that a try failed, and return when the next one is due; None if the message is given up.

        Args:
            after_ms: How long the receiver asks to wait.
        """
        with self._changing():
            row = self._db.execute("SELECT tries FROM messages WHERE id = ?", (message.id,)).fetchone()
            tries = 0 if row is None else int(row[0])  # None: its channel is not configured any more
            pause = max(BACK_OFF_MS[min(tries, len(BACK_OFF_MS) - 1)], min(after_ms or 0, BACK_OFF_MS[-1]))
            over = final or now_ms - message.made_ms > GIVE_UP_MS
            next_ms = None if over else now_ms + pause
            self._db.execute(
                "UPDATE messages SET tries = ?, next_ms = ?, why = ? WHERE id = ?",
                (tries + 1, next_ms, why, message.id),
            )
            self.set_mark(f"sent:{message.channel}", now_ms)
            return next_ms

    def next_ms(self, channel: str, pace_ms: int = PACE_MS) -> int | None:
        """Return when the next message of *channel* is due, which may be past; None if nothing waits."""
        row = self._db.execute(
            "SELECT min(next_ms) FROM messages WHERE channel = ? AND next_ms IS NOT NULL", (channel,)
        ).fetchone()
        if row[0] is not None:
            return int(row[0])
        row = self._db.execute(
            "SELECT min(due_ms) FROM deliveries WHERE channel = ? AND message IS NULL", (channel,)
        ).fetchone()
        if row[0] is None:
            return None
        last = self.mark(f"sent:{channel}")
        return int(row[0]) if last is None else max(int(row[0]), last + pace_ms)

    def retry_now(self, channel: str, now_ms: int) -> None:
        """Let the message of *channel* that waits for its next try be tried at once: its settings have changed."""
        self._db.execute("UPDATE messages SET next_ms = ? WHERE channel = ? AND next_ms IS NOT NULL", (now_ms, channel))

    def channels(self) -> list[str]:
        """Return the channels for which something waits."""
        rows = self._db.execute(
            "SELECT channel FROM deliveries WHERE message IS NULL UNION SELECT channel FROM messages WHERE next_ms IS NOT NULL"
        )
        return sorted(channel for (channel,) in rows)

    def state(self, channel: str, now_ms: int) -> ChannelState:
        """Return the queue of *channel*."""
        waiting, held = self._db.execute(
            "SELECT count(*), count(CASE WHEN held IS NOT NULL AND due_ms > ? THEN 1 END) FROM deliveries"
            " LEFT JOIN messages ON messages.id = message"
            " WHERE deliveries.channel = ? AND (message IS NULL OR next_ms IS NOT NULL)",
            (now_ms, channel),
        ).fetchone()
        row = self._db.execute(
            "SELECT tries, next_ms, why FROM messages WHERE channel = ? AND next_ms IS NOT NULL", (channel,)
        ).fetchone()
        newest = self._db.execute(
            "SELECT why FROM messages WHERE channel = ? ORDER BY made_ms DESC LIMIT 1", (channel,)
        ).fetchone()
        (given_up,) = self._db.execute(
            "SELECT count(*) FROM messages WHERE channel = ? AND next_ms IS NULL AND sent_ms IS NULL", (channel,)
        ).fetchone()
        tries, next_ms, why = row or (0, None, newest[0] if newest else None)
        return ChannelState(waiting, held, tries, next_ms, why, self._last_sent(channel), given_up)

    def _last_sent(self, channel: str) -> int | None:
        row = self._db.execute("SELECT max(sent_ms) FROM messages WHERE channel = ?", (channel,)).fetchone()
        return None if row[0] is None else int(row[0])

    def tidy(self, now_ms: int, channels: Iterable[str]) -> None:
        """Forget messages of long ago, and those that wait for a channel that is not configured any more."""
        with self._changing():
            known = (json.dumps(list(channels)),)
            self._db.execute("DELETE FROM deliveries WHERE channel NOT IN (SELECT value FROM json_each(?))", known)
            self._db.execute("DELETE FROM messages WHERE channel NOT IN (SELECT value FROM json_each(?))", known)
            self._db.execute("DELETE FROM messages WHERE next_ms IS NULL AND made_ms < ?", (now_ms - KEEP_MS,))
            self._db.execute("DELETE FROM deliveries WHERE message IS NULL AND due_ms < ?", (now_ms - GIVE_UP_MS,))
            self._db.execute(
                "DELETE FROM deliveries WHERE message IS NOT NULL AND message NOT IN (SELECT id FROM messages)"
            )
            self._db.execute(
                "DELETE FROM events WHERE recorded AND at_ms < ? AND id NOT IN (SELECT event FROM deliveries)",
                (now_ms - KEEP_MS,),
            )


def pace_ms(takes: str) -> int:
    """Return the least time between two messages to a channel: a minute for people, for tools a fifth of it."""
    return PACE_MS if takes == EVENTS else PACE_MS // 5


def _event(body: str) -> Event:
    return Event.from_json(json.loads(body))


def _lies_ahead(moment_ms: int, now_ms: int, longest_ms: int) -> bool:
    """Whether *moment_ms* is still to come; one that is further away than any pause is of a clock that was ahead."""
    return 0 < moment_ms - now_ms <= longest_ms
