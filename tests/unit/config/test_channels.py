from pathlib import Path

import pytest

from tray.config import channels
from tray.config.channels import DEFAULT_DIGEST, DEFAULT_EVENTS, DESKTOP, UNNAMED, Notify
from tray.config.file import Document

MAIL = '[channels.mail]\nto = ["ann@example.com"]\n'


def known(text: str) -> Notify:
    """Return the channels of a config.toml."""
    return channels.configured(Document(Path("config.toml"), text))


def test_without_a_line_the_desktop_tells_of_all_that_matters() -> None:
    """These defaults suit most users."""
    assert known("").channels == {DESKTOP: UNNAMED}
    assert known("").channels[DESKTOP].events == DEFAULT_EVENTS == ("failure", "overdue", "breach", "recovered")


def test_a_digest_comes_by_mail_until_it_is_turned_off() -> None:
    """In general or for the channel; another kind of channel sends none unless it is asked to."""
    assert known(MAIL).channels["mail"].digest == DEFAULT_DIGEST
    assert known(f'[notify]\ndigest = "off"\n{MAIL}').channels["mail"].digest is None
    assert known(f'[notify]\ndigest = "Sun 09:00"\n{MAIL}').channels["mail"].digest == "Sun 09:00"
    assert known(f'{MAIL}digest = "off"\n').channels["mail"].digest is None
    ntfy = '[channels.ntfy]\ntopic = "x"\n'
    assert known(f'[notify]\ndigest = "Sun 09:00"\n{ntfy}').channels["ntfy"].digest is None
    assert known(f'{ntfy}digest = "daily"\n').channels["ntfy"].digest == "daily"


def test_a_rule_of_its_own_goes_before_the_general_one() -> None:
    """And a channel without one has the general one."""
    text = f'[notify]\nquiet = "22:00-07:00"\nremind = false\nevents = ["breach"]\n{MAIL}quiet = "off"\nremind = true\n'
    mail, desktop = known(text).channels["mail"], known(text).channels[DESKTOP]
    assert (mail.quiet, mail.remind, mail.events) == (None, True, ("breach",))
    assert (desktop.quiet, desktop.remind) == ((22 * 60, 7 * 60), False)


@pytest.mark.parametrize(
    ("lines", "key", "why"),
    [
        ('to = ["ann"]', "to", "no mail address"),
        ('to = ["ann@example.com\\nBcc: eve@example.com"]', "to", "no mail address"),
        ("to = []", "to", "at least one"),
        ('to = ["a@b.c"]\nserver = "https://mail.example.com"', "server", "must be an address"),
        ('to = ["a@b.c"]\nserver = "smtps://ann:sesame@mail.example.com"', "server", "no password"),
        ('to = ["a@b.c"]\nuser = "ann"\nsecret_file = "/s"', "user", "without `server`"),
        ('to = ["a@b.c"]\nserver = "smtp://m"\nuser = "ann"', "user", "without `secret_file`"),
        ('to = ["a@b.c"]\nserver = "smtp://m"\nsecret_file = "/s"', "secret_file", "without `user`"),
        ('to = ["a@b.c"]\nca_file = "/ca"', "ca_file", "without `server`"),
        ('to = ["a@b.c"]\ndigest = "whenever"', "digest", "`digest`"),
        ('to = ["a@b.c"]\nquiet = "22-7"', "quiet", "span of the day"),
    ],
)
def test_a_fault_of_a_mail_channel_is_named_and_leaves_the_others(lines: str, key: str, why: str) -> None:
    """The user reads which key is wrong, and the desktop goes on telling."""
    read = known(f"[channels.mail]\n{lines}\n")
    assert [*read.channels] == [DESKTOP]
    assert why in read.broken["mail"].why
    assert key in read.broken["mail"].why


def test_an_address_may_have_any_script() -> None:
    """On both sides of the @."""
    text = '[channels.mail]\nto = ["änn@müller.example", "bob@例え.jp"]\n'
    assert known(text).channels["mail"].options["to"] == ("änn@müller.example", "bob@例え.jp")


def test_a_secret_may_come_from_a_command() -> None:
    """A keyring gives it."""
    text = f'{MAIL}server = "smtp://m"\nuser = "ann"\nsecret_command = ["secret-tool", "lookup", "a", "b"]\n'
    assert known(text).channels["mail"].secret_command == ("secret-tool", "lookup", "a", "b")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ntfy.sh", "https://ntfy.sh"),
        ("https://ntfy.sh/", "https://ntfy.sh"),
        ("smtp://mail.example.com:587", "smtp://mail.example.com:587"),
        ("https://hc-ping.com/sesame", "https://hc-ping.com/***"),
        ("https://hooks.example?key=sesame", "https://hooks.example/***"),
        ("HTTPS://ann:sesame@hooks.example:8/sesame#sesame", "https://hooks.example:8/***"),
        ("tgram://sesame/sesame", "tgram://***"),
        ("json://ann:sesame@hooks.example", "json://***"),
        ("see https://hooks.example/sesame\nsesame", "see https://hooks.example/***"),
        ("ann@example.com", "ann@example.com"),
        ("22:00-07:00", "22:00-07:00"),
    ],
)
def test_an_address_is_shown_up_to_its_host(text: str, shown: str) -> None:
    """A token may stand behind it; an address of Apprise may have one in place of the host."""
    assert channels.shown(text) == shown
