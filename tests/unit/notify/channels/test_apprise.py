"""Tests of the channel of Apprise without Apprise."""

import shlex
import sys

import pytest

from tray.config.channels import ChannelSettings
from tray.core import paths
from tray.core.model import State, Status
from tray.core.model.events import Event, EventKind, Message
from tray.notify.channels import NotSentError, apprise

NOW = 1_790_000_000_000


def refused(settings: ChannelSettings) -> NotSentError:
    """Send a message in vain."""
    message = Message("m1", "pager", NOW, (Event("one", EventKind.TEST, NOW),))
    with pytest.raises(NotSentError) as caught:
        apprise.Channel(settings, paths.places()).send(message, Status(State.OK, NOW))
    return caught.value


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It works in this installation, whichever Python that has."""
    monkeypatch.setattr(apprise, "find_spec", lambda _: None)
    error = refused(ChannelSettings("pager", "apprise", options={"url": "json://127.0.0.1:1"}))
    assert f"{shlex.quote(sys.executable)} -m pip install 'apprise>=1.9'" in str(error)
    assert error.final


def test_a_channel_without_an_address_says_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is a secret, so its place is the file."""
    monkeypatch.setattr(apprise, "find_spec", lambda _: object())
    error = refused(ChannelSettings("pager", "apprise"))
    assert "`secret_file`" in str(error)
    assert error.final
