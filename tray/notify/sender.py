"""The short-lived process that fills the queue and empties it: `core.ourselves.PARTS`. Nothing waits for it.

It is started after each run, when the icon sees a job change its state, and in each round of housekeeping. One process at a time
looks for news; one more waits, and any further one ends at once, as the one that waits will see the same. Each channel has a
thread and a lock of its own, so one that hangs keeps no other from being told. The process stays while a retry is due within
`STAY_SECONDS`, or while a notice of ours is open on the desktop; later retries are for the next one.
"""

import os
import sqlite3
import sys
import threading
import time
from contextlib import closing, suppress

from tray.audit.entry import Action
from tray.baselines import unreached
from tray.config.channels import DESKTOP, EVENTS, ChannelSettings, Notify
from tray.core import clock, paths
from tray.core.errors import BackupTrayError
from tray.core.locks import FileLock
from tray.core.model import Status
from tray.core.model.events import Event, EventKind, Message
from tray.core.paths import Places, private
from tray.core.sender import LOGIN
from tray.notify import channels, fill, queue, queue_file
from tray.notify.channels import NotSentError
from tray.notify.queue import Queue
from tray.notify.rules import Rules
from tray.status.kept_files import UNSENT

STAY_SECONDS = 360.0
LOOK_SECONDS = 0.25
"""How often a sender that stays looks whether another process has queued something."""
TELL_OTHERS_MS = 30 * 60_000
"""A channel that has been out for so long is told of by the others; one that refuses for good at once."""
_TURN_SECONDS = 10.0
_memory_lock = threading.Lock()


def main() -> int:
    """Look for news, and send all that is due; in a process that its starter need not reap, however long it stays."""
    if hasattr(os, "fork") and os.fork():
        os._exit(0)
    places = paths.places()
    try:
        with closing(queue_file.opened(places)) as waiting:
            if LOGIN in sys.argv[1:]:
                waiting.set_mark(LOGIN, clock.now_ms())  # whichever sender looks next takes note of it
            return _run(places, waiting)
    except (OSError, sqlite3.Error, BackupTrayError):
        return 1


def _run(places: Places, waiting: Queue) -> int:
    looked = _look(places, waiting)
    if looked is None:
        return 0
    known, status = looked
    workers = [
        threading.Thread(target=Worker(places, settings, status).run, name=name)
        for name, settings in known.channels.items()
        if settings.enabled and waiting.next_ms(name) is not None
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return 0


def _look(places: Places, waiting: Queue) -> tuple[Notify, Status] | None:
    """Look for news as the only process that does; None if another one waits already, and will see the same."""
    folder = private(places.state) / "notify"
    private(folder)
    with FileLock(folder / "next") as turn, FileLock(folder / "look") as mine:
        if not turn.acquire():
            return None
        until = clock.monotonic() + _TURN_SECONDS
        while not mine.acquire():
            if clock.monotonic() >= until:
                return None
            time.sleep(0.02)
        turn.release()
        known = fill.settings(places)
        status = fill.now(places, waiting, known)
        waiting.tidy(clock.now_ms(), known.channels)
        return known, status


def remember(places: Places, channel: str, why: str | None) -> None:
    """Keep for status and doctor whether *channel* works, and why not; the beginning of an outage is put on record."""
    private(places.state)
    with _memory_lock, unreached.alone(places.state / UNSENT):
        memory = unreached.Memory(places, places.state / UNSENT, Action.NOTIFICATION_FAILED)
        if why is None:
            memory.worked(channel)
        else:
            memory.failed(channel, why)
        memory.save()


class Worker:
    """Sends the messages of one channel, as the only process that does."""

    _waiting: Queue

    def __init__(self, places: Places, settings: ChannelSettings, status: Status) -> None:
        self._places, self._settings, self._status = places, settings, status
        self._name = settings.name
        self._pace_ms = queue.pace_ms(settings.takes)
        self._until = clock.monotonic() + STAY_SECONDS
        self._channel: channels.Channel | None = None

    def run(self) -> None:
        """Send all that is due, and stay while more is due soon."""
        lock = FileLock(self._places.state / "notify" / f"channel-{self._name}")
        with suppress(OSError, sqlite3.Error), closing(queue_file.opened(self._places)) as self._waiting:
            while self._is_due_soon():  # once more after the lock is given back: an event may have come in between
                if not lock.acquire():
                    return
                try:
                    self._work()
                finally:
                    lock.release()

    def _is_due_soon(self) -> bool:
        """Whether a message is due now, or will be while this process stays: two events within the pace, or a retry."""
        next_ms = self._waiting.next_ms(self._name, self._pace_ms)
        if next_ms is None:
            return False
        return next_ms - clock.now_ms() <= max(0.0, self._until - clock.monotonic()) * 1000

    def _work(self) -> None:
        while True:
            message = self._waiting.take(self._name, clock.now_ms(), self._pace_ms)
            if message is not None:
                self._send(message)
            elif not self._stays():
                return

    def _send(self, message: Message) -> None:
        try:
            if self._channel is None:
                self._channel = channels.load(self._settings, self._places)
            # A sender that stays also sends events that other processes queued; a tool that shows a state needs the present one.
            shows_state = self._settings.takes != EVENTS
            self._channel.send(message, fill.present(self._places) if shows_state else self._status)
        except NotSentError as error:
            self._failed(message, error)
        except Exception as error:  # a mistake of ours in one channel; its words may hold an address with a token
            self._failed(message, NotSentError(f"Backup Tray made a mistake in this channel: {type(error).__name__}."))
        else:
            self._waiting.sent(message, clock.now_ms())
            self._waiting.set_mark(f"outage:{self._name}", None)
            remember(self._places, self._name, None)

    def _failed(self, message: Message, error: NotSentError) -> None:
        if self._settings.type != DESKTOP:  # its open notices would go with it on GNOME
            self._channel = None
        now = clock.now_ms()
        after = None if error.after_seconds is None else int(error.after_seconds * 1000)
        self._waiting.failed(message, error.why, now, final=error.final, after_ms=after)
        remember(self._places, self._name, error.why)
        if error.final or now - message.made_ms >= TELL_OTHERS_MS:
            self._tell_others(error.why, message, now)

    def _tell_others(self, why: str, message: Message, now_ms: int) -> None:
        """Let the other channels say, once an outage, that this one sends nothing."""
        if self._waiting.mark(f"outage:{self._name}") is not None or any(
            event.kind is EventKind.CHANNEL for event in message.events
        ):
            return
        first, facts = message.events[0], {"channel": self._name}
        event = Event(
            clock.new_id(), EventKind.CHANNEL, now_ms, concern=why, log=first.log, host=first.host, facts=facts
        )
        others = Rules(
            {name: each for name, each in fill.settings(self._places).channels.items() if name != self._name}
        )
        self._waiting.add(event, others.deliveries([event], now_ms), f"outage:{self._name}", now_ms)

    def _stays(self) -> bool:
        """Wait a moment and return True while there is more to do soon."""
        if self._settings.type == DESKTOP and (served := self._serve()):
            return served
        if clock.monotonic() > self._until or not self._is_due_soon():
            return False
        time.sleep(LOOK_SECONDS)
        return True

    def _serve(self) -> bool:
        """Hear for a moment of clicks on open notices; False if none is open."""
        serve = getattr(self._channel, "serve", None)
        if serve is None or not self._channel.open_notices():  # type: ignore[union-attr] # the desktop's channel alone
            return False
        serve(LOOK_SECONDS)
        return True
