"""Tests of a test message, and of the status that a channel for tools gets."""

import pytest

from tray.config.channels import ChannelSettings
from tray.core import paths
from tray.core.model import Status
from tray.core.model.events import Message
from tray.notify import channels, fill, overview


def test_a_test_message_shows_the_present_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that shows the jobs would remove them all if a test came with an empty status."""
    seen: list[Status] = []

    class Channel:
        """A channel that notes the status."""

        def send(self, _: Message, status: Status) -> None:
            seen.append(status)

    present = fill.present(paths.places())
    monkeypatch.setattr(fill, "present", lambda _: present)
    monkeypatch.setattr(channels, "load", lambda *_: Channel())
    overview.test(paths.places(), ChannelSettings("house", "mqtt"))
    assert seen == [present]
