"""The words about channels: the lines that add them, how they stand, and their rules."""

from pathlib import Path

import pytest

from tray.config import channels as settings
from tray.config.channels import ChannelSettings, configured
from tray.config.file import Document
from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.paths import Places
from tray.notify.queue import ChannelState
from tray.wording import channel_lines, channels

NOW = 1_796_000_000_000
MAIL = ChannelSettings("mail", "mail")


@pytest.mark.parametrize("kind", channel_lines.ALL, ids=lambda kind: kind.type)
def test_the_lines_that_add_a_channel_are_understood(kind: channel_lines.ChannelLines, places: Places) -> None:
    """A user who copies them gets a channel of that kind, and no word about a fault."""
    known = configured(Document(places.config_file, kind.lines))
    assert known.channels[kind.type].type == kind.type
    assert (known.broken, known.notes) == ({}, ())


def test_all_lines_together_are_understood(places: Places) -> None:
    """A user may copy every one of them, one below the other."""
    known = configured(Document(places.config_file, "\n\n".join(kind.lines for kind in channel_lines.ALL)))
    assert set(known.channels) == set(settings.TYPES)


def test_every_kind_of_channel_has_lines_and_a_use() -> None:
    """A kind that is built and that no page names would stay unknown."""
    assert set(channel_lines.TITLES) == set(settings.TYPES)
    assert {takes for takes, _ in settings.TYPES.values()} == set(channels.FOR_WHOM)


def test_a_channel_of_which_nothing_is_known_is_not_called_ready() -> None:
    """Ready is only one that has sent something, and has no fault."""
    assert channels.state(enabled=True, fault=False, sent_ms=None, tested_ms=None) == channels.UNTRIED
    assert channels.state(enabled=True, fault=False, sent_ms=None, tested_ms=NOW) == channels.READY
    assert channels.state(enabled=True, fault=False, sent_ms=NOW, tested_ms=None) == channels.READY
    assert channels.state(enabled=True, fault=True, sent_ms=NOW, tested_ms=NOW) == channels.DEAD
    assert channels.state(enabled=False, fault=True, sent_ms=NOW, tested_ms=None) == channels.OFF


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        (ChannelState(), ""),
        (ChannelState(waiting=1), "1 event waits"),
        (ChannelState(waiting=1, held=1), "1 event waits until later"),
        (ChannelState(waiting=3, held=1), "3 events wait, 1 of them until later"),
        (ChannelState(waiting=2, given_up=1), "2 events wait; 1 message was given up"),
        (ChannelState(given_up=1200), "1,200 messages were given up"),
    ],
)
def test_all_that_is_not_sent_is_said(queue: ChannelState, words: str) -> None:
    """Nothing that waits, is held or was given up is left out."""
    assert channels.waits(queue) == words


def test_the_next_try_is_named_only_where_one_failed() -> None:
    """A message that was not tried yet needs no word about tries."""
    assert channels.next_try(ChannelState(waiting=1, next_ms=NOW + 60_000), NOW) == ""
    assert channels.next_try(ChannelState(tries=1, next_ms=NOW), NOW) == "at once, after 1 failed try"
    assert channels.next_try(ChannelState(tries=3, next_ms=NOW + 60_000), NOW).endswith(", after 3 failed tries")


def test_the_rules_of_a_channel_are_sentences() -> None:
    """Each rule that holds is said, and none that does not."""
    assert channels.rules(MAIL) == [
        "Tells of failures, overdue backups, a tampered audit log and recoveries.",
        "Reminds once a day of all that is still open.",
    ]
    full = replace(
        MAIL,
        events=("failure",),
        jobs=("home", "a\nb"),
        quiet=(22 * 60, 7 * 60 + 30),
        remind=False,
        only_if_older_ms=3 * DAY_MS,
        digest="Mon 08:00",
    )
    assert channels.rules(full) == [
        "Tells of failures.",
        "Only about the jobs home and a\\nb.",
        "A failure counts only once the last good backup is 3 days old.",
        "Quiet from 22:00 to 07:30: only a tampered audit log is told at once, other messages wait.",
        "Sends no reminders.",
        "Sends a digest of all jobs: Mon 08:00.",
    ]
    many = replace(MAIL, jobs=tuple("abcdefgh"))
    assert "Only about the jobs a, b, c, d, e and 3 more." in channels.rules(many)
    assert len(channels.rules(ChannelSettings("kuma", "kuma", jobs=("home",)))) == 2
    assert channels.rules(ChannelSettings("mqtt", "mqtt")) == ["Shows how every job stands, anew at each change."]


def test_the_first_page_shows_the_same_lines() -> None:
    """README, terminal and window name each channel that needs a line with the same one."""
    text = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    assert [kind.type for kind in channel_lines.ALL if kind.type != "desktop" and kind.inline not in text] == []


@pytest.mark.parametrize(
    ("states", "kind", "words"),
    [
        ({"desktop": "Ready", "mail": "Cannot send", "a": "Cannot send"}, "fail", "mail and a cannot send."),
        ({"desktop": "Turned off"}, "warn", "no message reaches you"),
        ({"desktop": "Ready", "mail": "Not tried yet"}, "unknown", "Not tried yet: mail."),
        ({"desktop": "Ready", "mail": "Turned off"}, "ok", "Every channel that is turned on"),
    ],
)
def test_the_worst_channel_decides_the_sentence(states: dict[str, str], kind: str, words: str) -> None:
    """Green is shown only if each channel that is on has shown that it works."""
    shown, sentence = channels.summary(states)
    assert shown == kind
    assert words in sentence
