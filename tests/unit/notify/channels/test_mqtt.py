"""Tests of the settings of a channel for Home Assistant, without a broker."""

import pytest

from tray.config.channels import ChannelSettings
from tray.core import paths
from tray.core.model import State, Status
from tray.core.model.events import Event, EventKind, Message
from tray.notify.channels import NotSentError
from tray.notify.channels.mqtt import Channel

NOW = 1_790_000_000_000
LOG = "backup-tray/019384aa-0000-7000-8000-000000000001"


def sent(*, log: str | None = LOG, **options: str) -> NotSentError:
    """Send by a channel that cannot work, and return why it does not."""
    settings = ChannelSettings("house", "mqtt", options={"url": "mqtts://127.0.0.1:1", **options})
    message = Message("id", "house", NOW, (Event("id", EventKind.TEST, NOW, log=log),))
    with pytest.raises(NotSentError) as caught:
        Channel(settings, paths.places()).send(message, Status(State.OK, NOW))
    return caught.value


def test_without_an_audit_log_the_device_has_no_name_yet() -> None:
    """The first backup makes the log; until then another try makes sense."""
    error = sent(log=None)
    assert "no audit log yet" in str(error)
    assert not error.final


@pytest.mark.parametrize("prefix", ["house/#", "+/x", "a\tb", "p" * 201])
def test_a_prefix_that_is_no_topic_is_refused(prefix: str) -> None:
    """Wildcards in a topic would make a broker close the connection without a word."""
    error = sent(prefix=prefix)
    assert "`prefix`" in str(error)
    assert error.final


@pytest.mark.parametrize("file", ["/nowhere/ca.pem", "/etc/hostname"])
def test_a_file_of_authorities_must_be_one(file: str) -> None:
    """Without it no certificate could be checked, so nothing is sent."""
    error = sent(ca_file=file)
    assert f"`ca_file` {file} cannot be read" in str(error)
    assert error.final
