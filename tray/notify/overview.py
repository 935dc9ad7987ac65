"""How every channel stands: for `backup-tray notify status`, doctor and the window."""

from typing import Any

from tray.baselines import unreached
from tray.config import channels as configured
from tray.config.channels import ChannelSettings
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.model.events import Event, EventKind, Message
from tray.core.paths import Places
from tray.notify import channels, fill, queue_file, sender, snooze
from tray.notify.queue import ChannelState


@dataclass(frozen=True, slots=True)
class Standing:
    """How one channel stands.

    Attributes:
        settings: Its settings; None if they have a fault.
        fault: Why it sends nothing, as far as that is known: a fault of the settings, or why the last try failed.
        state: The messages that wait for it.
    """

    name: str
    settings: ChannelSettings | None
    fault: str | None
    state: ChannelState

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
            "given_up": state.given_up,
        }


def standings(places: Places) -> list[Standing]:
    """Return every channel of config.toml, and the desktop; raises ConfigError as `channels.load`."""
    known = configured.load(places)
    out = unreached.failing(places.state / sender.FAILING)
    now_ms, rows = clock.now_ms(), []
    with queue_file.reading(places) as waiting:
        for name in (*known.channels, *known.broken):
            settings = known.channels.get(name)
            state = ChannelState() if waiting is None else waiting.state(name, now_ms)
            fault = known.broken[name].why if name in known.broken else out.get(name)
            rows.append(Standing(name, settings, fault, state))
    return rows


def snoozed(places: Places) -> dict[str, int]:
    """Return until when the messages about a job rest, by the name of the job."""
    with queue_file.reading(places) as waiting:
        resting = {} if waiting is None else snooze.until(waiting, clock.now_ms())
    return {place.split(":", 2)[-1]: until_ms for place, until_ms in resting.items()}


def test(places: Places, settings: ChannelSettings) -> None:
    """Send a test message by a channel at once, past the queue; raises channels.NotSentError."""
    now_ms = clock.now_ms()
    concern = "You asked for it. If you can read it, this channel works"
    event = Event(clock.new_id(), EventKind.TEST, now_ms, concern=concern, host=fill.host())
    message = Message(clock.new_id(), settings.name, now_ms, (event,))
    channels.load(settings, places).send(message, fill.present(places))
