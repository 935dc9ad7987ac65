"""Send the messages of one channel, in a thread of the sender; no other process sends to that channel meanwhile."""

import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from tray.config.channels import DESKTOP, EVENTS, STATUS, ChannelSettings
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.locks import FileLock
from tray.core.model import Status
from tray.core.model.events import EventKind, Message
from tray.core.paths import Places
from tray.notify import channels, fill, outages, present_state, queue, queue_file
from tray.notify.channels import NotSentError
from tray.notify.queue import Queue

STAY_SECONDS = 360.0
"""A sender stays for a message that is due so soon: the next one within the pace, or one of the first retries."""
ENDING = threading.Event()
"""Set when the system asks the sender to end (SIGTERM): it sends the messages that are due now, and does not stay for others."""
LOOK_SECONDS = 0.25
"""How often a sender that stays looks whether another process has queued something."""
SHOW_AGAIN_MS = 30 * 60_000
"""The longest pause after a failed try of a channel that shows the state: it shows an older one meanwhile."""
TELL_OTHERS_MS = 30 * 60_000
"""A channel that has been out for so long is told of by the others; one that refuses for good at once."""


class Worker:
    """Sends the messages of one channel, as the only process that does.

    Attributes:
        idle: It has ended because nothing is due soon; else another process works for the channel, or a fault ended it.
    """

    def __init__(self, places: Places, file: Path, locks: Path, settings: ChannelSettings, status: Status) -> None:
        self.idle = False
        self._places, self._file, self._settings, self._status = places, file, settings, status
        self._lock = FileLock(locks / queue_file.lock_name(settings.name))
        self._name = settings.name
        self._pace_ms = queue.pace_ms(settings.takes)
        self._channel: channels.Channel | None = None

    def run(self) -> None:
        """Send all that is due, and stay while more is due soon."""
        try:
            with suppress(OSError, sqlite3.Error), closing(Queue(self._file)) as self._waiting:
                while self._is_due_soon():  # once more after the lock is given back: an event may have come in between
                    if not self._lock.acquire():
                        return
                    try:
                        self._work()
                    finally:
                        self._lock.release()
                self.idle = True
        finally:
            self._leave()

    def _is_due_soon(self) -> bool:
        """Whether a message is due now, or will be while this process stays; False once the channel is turned off."""
        now_ms = clock.now_ms()
        next_ms = self._waiting.next_ms(self._name, now_ms, self._pace_ms)
        stays_ms = 0 if ENDING.is_set() else STAY_SECONDS * 1000
        return next_ms is not None and next_ms - now_ms <= stays_ms and self._settings.enabled

    def _work(self) -> None:
        while self._settings.enabled:
            message = self._waiting.take(self._name, clock.now_ms(), self._pace_ms)
            if message is not None:
                self._follow_settings()
                if self._settings.enabled:
                    self._send(message)
            elif not self._stays():
                return

    def _follow_settings(self) -> None:
        """Read the settings of the channel again: this process may be minutes old. One that is not there any more is off."""
        now = fill.settings(self._places).channels.get(self._name)
        if now is None:
            self._settings = replace(self._settings, enabled=False)
        elif now != self._settings:
            self._settings = now
            self._leave()

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
            if self._waiting.mark(f"outage:{self._name}") is not None:
                self._waiting.set_mark(f"outage:{self._name}", None)
            outages.remember(self._places, self._name, None)

    def _failed(self, message: Message, error: NotSentError) -> None:
        if self._settings.type != DESKTOP:  # its open notices would go with it on GNOME
            self._leave()
        now_ms = clock.now_ms()
        after_ms = None if error.after_seconds is None else int(error.after_seconds * 1000)
        shows_state = self._settings.takes == STATUS
        most_ms = SHOW_AGAIN_MS if shows_state else queue.BACK_OFF_MS[-1]
        self._waiting.failed(message, error.why, now_ms, final=error.final, after_ms=after_ms, most_ms=most_ms)
        if shows_state and error.final:  # it shows an older state, also once the user has mended its settings
            self._waiting.set_mark(f"{present_state.MARK}{self._name}", None)
        outages.remember(self._places, self._name, error.why)
        if error.final or now_ms - message.made_ms >= TELL_OTHERS_MS:
            self._tell_others(error.why, message, now_ms)

    def _tell_others(self, why: str, message: Message, now_ms: int) -> None:
        """Let the other channels say, once an outage, that this one sends nothing, if the user has configured it."""
        if self._settings.implied or any(event.kind is EventKind.CHANNEL for event in message.events):
            return
        known = fill.settings(self._places).channels
        fill.tell_outage(self._waiting, known, self._name, why, now_ms, log=message.events[0].log)

    def _stays(self) -> bool:
        """Wait a moment and return True while there is more to do soon."""
        if self._settings.type == DESKTOP and not ENDING.is_set() and self._serve():
            return True
        if not self._is_due_soon():
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

    def _leave(self) -> None:
        """Let the channel give back its connection, if it keeps any."""
        channel, self._channel = self._channel, None
        close = getattr(channel, "close", None)
        if close is not None:
            with suppress(Exception):
                close()
