"""How every channel stands: for `backup-tray notify status`, doctor and the window."""

import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from typing import Any

from tray.config import channels as configured
from tray.config.channels import DESKTOP, ChannelSettings
from tray.core import clock, ourselves
from tray.core.dataclass import dataclass
from tray.core.model.events import Event, EventKind, Message
from tray.core.paths import Places, session_bus
from tray.core.sender import start as start_sender
from tray.notify import channels, fill, outages, queue_file
from tray.notify.queue import ChannelState
from tray.wording import channels as words

_TESTED = "tested:"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one channel stands.

    Attributes:
        settings: Its settings; None if they have a fault.
        fault: Why it sends nothing, as far as that is known: a fault of the settings, or why the last try failed.
        state: The messages that wait for it.
        tested_ms: When a test message was last sent by it; None if never.
        mend: The step that mends a fault of the settings; None if they have none.
    """

    name: str
    settings: ChannelSettings | None
    fault: str | None
    state: ChannelState
    tested_ms: int | None = None
    mend: str | None = None

    @property
    def word(self) -> str:
        """The state in a word or two, by `wording.channels.state`."""
        enabled = self.settings is None or self.settings.enabled
        return words.state(
            enabled=enabled,
            fault=self.fault is not None,
            sent_ms=self.state.sent_ms,
            tested_ms=self.tested_ms,
            absent=self.settings is not None and self.settings.type == DESKTOP and _no_session(),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the form of `notify status --json`."""
        state = self.state
        return {
            "channel": self.name,
            "type": None if self.settings is None else self.settings.type,
            "enabled": self.settings is not None and self.settings.enabled,
            "fault": self.fault,
            "waiting": state.waiting,
            "held": state.held,
            "tries": state.tries,
            "next_try_at": None if state.next_ms is None else clock.to_text(state.next_ms),
            "last_sent_at": None if state.sent_ms is None else clock.to_text(state.sent_ms),
            "last_test_at": None if self.tested_ms is None else clock.to_text(self.tested_ms),
            "given_up": state.given_up,
        }


def _no_session() -> bool:
    """Whether the user has no desktop session now, so that nothing can be shown."""
    return sys.platform == "linux" and session_bus() is None


def standings(places: Places) -> list[Standing]:
    """Return every channel of config.toml, and the desktop; raises ConfigError as `channels.load`."""
    known = configured.load(places)
    out = outages.failing(places)
    now_ms, rows = clock.now_ms(), []
    with queue_file.reading(places) as waiting:
        for name in (*known.channels, *known.broken):
            settings = known.channels.get(name)
            state = ChannelState() if waiting is None else waiting.state(name, now_ms)
            fault = known.broken[name].why if name in known.broken else out.get(name)
            fault = None if settings is not None and not settings.enabled else fault
            tested_ms = None if waiting is None else waiting.mark(f"{_TESTED}{name}")
            mend = known.broken[name].next if name in known.broken else None
            rows.append(Standing(name, settings, fault, state, tested_ms, mend))
    return rows


def test(places: Places, settings: ChannelSettings) -> None:
    """Send a test message by a channel at once, past the queue, and note whether it works.

    Raises:
        channels.NotSentError: It was not sent.
    """
    try:
        if settings.type == DESKTOP:
            _show()
        else:
            channels.load(settings, places).send(test_message(settings.name), fill.present(places))
    except channels.NotSentError as error:
        if settings.type != DESKTOP:  # a terminal without the desktop's session says nothing of the desktop
            outages.remember(places, settings.name, error.why)
        raise
    _worked(places, settings.name)


def test_message(channel: str) -> Message:
    """Return a test message to *channel*."""
    now_ms = clock.now_ms()
    concern = "You asked for it. If you can read it, this channel works"
    event = Event(clock.new_id(), EventKind.TEST, now_ms, concern=concern, host=fill.host())
    return Message(clock.new_id(), channel, now_ms, (event,))


def _show() -> None:
    """Have a process show the desktop's test message that stays behind it (`desktop.trial`); raises NotSentError."""
    process = ourselves.start("tray.notify.desktop.trial", stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.readline().decode("utf-8", "replace").strip()
    process.wait()
    if said != "sent":
        raise channels.NotSentError(said or "The process of the test ended and said nothing.")


def _worked(places: Places, channel: str) -> None:
    """Note that *channel* works: an outage is over, and messages that wait for their next try are due."""
    outages.remember(places, channel, None)
    with suppress(OSError, sqlite3.Error), closing(queue_file.opened(places)) as waiting:
        now_ms = clock.now_ms()
        waiting.set_mark(f"{_TESTED}{channel}", now_ms)
        waiting.retry_now(channel, now_ms)
        waiting.set_mark(f"outage:{channel}", None)
        if waiting.next_ms(channel, now_ms) is not None:
            start_sender(places)
