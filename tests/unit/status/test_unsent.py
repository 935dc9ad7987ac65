"""The status names the channels by which messages cannot be sent, and those with a fault in config.toml."""

from contextlib import closing

import pytest

from tray.audit.entry import Action
from tray.baselines import unreached
from tray.core import clock
from tray.core.paths import Places, private
from tray.status import StatusSource
from tray.status.kept_files import UNSENT, Unsent

HOOK = 'version = 1\n[channels.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:1/"\n'


def notes(places: Places) -> tuple[str, ...]:
    """Return the notes of the status, asked anew."""
    with closing(StatusSource(places, role="cli", start_tracker=False, system=False)) as source:
        return source.poll().notes


def out(places: Places, **why: str) -> None:
    """Note channels that cannot send, as the sender does."""
    memory = unreached.Memory(places, private(places.state) / UNSENT, Action.NOTIFICATION_FAILED)
    for name, reason in why.items():
        memory.failed(name, reason)
    memory.save()


def test_a_dead_channel_is_a_note_until_it_works_again(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the channel, since when, and why; the same poll notices both changes."""
    private(places.config)
    places.config_file.write_text(HOOK)
    with closing(StatusSource(places, role="cli", start_tracker=False, system=False)) as source:
        assert source.poll().notes == ()
        out(places, hook="The server refused.", gone="It is not configured any more.", desktop="There is none.")
        (note,) = source.poll().notes
        at = f"{clock.local(clock.now_ms()):%H:}"
        assert note.startswith(f"Messages by hook cannot be sent since {at}")
        assert note.endswith(": The server refused")
        memory = unreached.Memory(places, places.state / UNSENT, Action.NOTIFICATION_FAILED)
        memory.worked("hook")
        memory.save()
        assert source.poll().notes == ()


def test_a_reason_is_one_line(places: Places) -> None:
    """Words of a server could steer a terminal."""
    out(places, hook="a\x1b[2Jb\nc")
    unsent = Unsent(places)
    unsent.read()
    (note,) = unsent.notes(None, clock.now_ms())
    assert note.isprintable()


def test_channels_with_a_fault_are_notes(places: Places) -> None:
    """A channel that is not followed sends nothing, and the jobs stay as they are."""
    private(places.config)
    places.config_file.write_text(f'{HOOK}colour = 1\n[channels.house]\ntype = "mqtt"\n')
    fault, unknown = notes(places)
    assert fault.startswith("config.toml is not followed for the channel house: line 6: ")
    assert "unknown key `colour`" in unknown
    places.config_file.write_text(f'{HOOK}[notify]\nevents = ["nonsense"]\n')
    (general,) = notes(places)
    assert general.startswith("config.toml is not followed for messages: ")


def test_every_channel_counts_while_config_toml_cannot_be_read(places: Places) -> None:
    """Which channels there are is not known then."""
    private(places.config)
    places.config_file.write_text("this is = no [toml")
    out(places, hook="The server refused.")
    assert any("Messages by hook" in note for note in notes(places))
