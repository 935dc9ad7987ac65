"""Every key of every kind of channel: its good value, each fault with its place, and faults that stay with their channel."""

from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from tray.config import channels
from tray.config.channels import COMMON, DESKTOP, EVENTS, GENERAL, REQUIRED, TYPES, Notify
from tray.config.file import Document
from tray.core.clock import DAY_MS
from tray.core.errors import ConfigError

GOOD: dict[str, Any] = {
    "to": ["ann@example.com"],
    "from": "backup@example.com",
    "server": "smtps://mail.example.com",
    "user": "ann",
    "report": True,
    "ca_file": "/etc/ca.pem",
    "topic": "backups",
    "alive": True,
    "prefix": "homeassistant",
    "enabled": False,
    "jobs": ["home"],
    "secret_file": "~/secret",
    "events": ["failure"],
    "quiet": "22:00-7:30",
    "remind": False,
    "only_if_older_than": "3d",
    "digest": "Mon 08:00",
}
"""A value for every key but `url` and `secret_command`, whose values depend on the type or exclude another key."""
URLS = {"mqtt": "mqtts://broker:8883", "apprise": "json://example.com"}
MANY = [kind for kind in TYPES if kind != DESKTOP]


def full(kind: str) -> dict[str, Any]:
    """Return a table of this type with every key that it may have."""
    takes, own = TYPES[kind]
    general = [key for key in GENERAL if takes == EVENTS and (key != "digest" or kind == "mail")]
    keys = [*own, "enabled", "jobs", "secret_file", *general]
    return {"type": kind} | {key: URLS.get(kind, "https://example.com") if key == "url" else GOOD[key] for key in keys}


def known(**tables: Any) -> Notify:
    """Return the channels of a file with these tables [channels.NAME]."""
    return channels.configured(Document(Path("config.toml"), tomlkit.dumps({"version": 1, "channels": tables})))


def fault(kind: str, **values: Any) -> ConfigError:
    """Return the fault of a channel of this type whose table has these *values*; another channel goes on."""
    table = {key: value for key, value in {**full(kind), **values}.items() if value is not None}
    read = known(mine=table, other=full("webhook"))
    assert [*read.channels] == [DESKTOP, "other"]
    return read.broken["mine"]


@pytest.mark.parametrize("kind", TYPES)
def test_every_key_has_a_value_that_is_taken(kind: str) -> None:
    """And nothing is noted."""
    read = known(mine=full(kind))
    assert (read.broken, read.notes) == ({}, ())
    mine = read.channels["mine"]
    assert (mine.name, mine.type, mine.enabled, mine.jobs, mine.secret_file) == (
        "mine",
        kind,
        False,
        ("home",),
        "~/secret",
    )
    assert mine.options.keys() == TYPES[kind][1].keys()
    if mine.takes == EVENTS:
        assert (mine.events, mine.quiet, mine.remind) == (("failure",), (22 * 60, 7 * 60 + 30), False)
        assert mine.only_if_older_ms == 3 * DAY_MS


WRONG = [
    *((kind, "url", value) for kind in MANY if "url" in TYPES[kind][1] for value in (3, "", " ", ["x"])),
    *((kind, "url", "ftp://example.com") for kind in MANY if "url" in TYPES[kind][1] and kind != "apprise"),
    *(
        ("webhook", "url", value)
        for value in ("https://", "https://x:99999", "https://a b", "https://ann:pw@x", "x\\y")
    ),
    *(
        ("mail", "to", value)
        for value in ("ann@example.com", [], [3], ["ann"], ["ann@x", "a b@x"], ["a@x\r\nBcc: b@x"])
    ),
    *(("mail", "from", value) for value in ("ann", 3, "Ann <ann@x>")),
    *(("mail", "server", value) for value in ("mail.example.com", "http://x", "smtp://u:p@x", "smtp://")),
    *(("mail", "report", value) for value in ("yes", 1)),
    *((kind, "ca_file", value) for kind in ("mail", "ntfy", "mqtt") for value in ("ca.pem", 3, "")),
    *(("ntfy", "topic", value) for value in ("", 3, "a\nb", "x" * 1001)),
    *((kind, key, value) for kind in ("desktop", "kuma") for key in ("enabled",) for value in ("yes", 0)),
    *((kind, "jobs", value) for kind in ("desktop", "kuma") for value in ("home", [3])),
    *(("webhook", "secret_file", value) for value in ("secret", 3)),
    *(("desktop", "events", value) for value in ("failure", ["failed"], [3])),
    *(("desktop", "quiet", value) for value in ("22-7", "22:00", "24:00-07:00", "07:00-07:00", 3, "22:00-07:00-08:00")),
    *(("desktop", "remind", value) for value in ("daily", 1)),
    *(("desktop", "only_if_older_than", value) for value in ("3", 3, "3 days", "-3d", "1s")),
    *(("mail", "digest", value) for value in ("weekly please", 3, "99:00")),
    *(("kuma", key, GOOD[key]) for key in GENERAL),
    *(("mqtt", key, GOOD[key]) for key in GENERAL),
    *((kind, "type", value) for kind in ("webhook",) for value in ("webhok", 3, "")),
]


@pytest.mark.parametrize(("kind", "key", "value"), WRONG)
def test_a_wrong_value_is_named_with_its_place_and_stays_with_its_channel(kind: str, key: str, value: object) -> None:
    """The line of the key, the key, and no Python."""
    error = fault(kind, **{key: value})
    assert "[channels.mine]" in error.why
    assert f"`{key}`" in error.why
    assert ", line " in error.what
    assert "Error" not in error.why


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in REQUIRED.items() for key in keys])
def test_a_channel_without_a_key_that_it_needs_is_at_fault(kind: str, key: str) -> None:
    """It could not send anything."""
    assert f"`{key}`" in fault(kind, **{key: None}).why


def test_two_sources_of_a_secret_exclude_each_other() -> None:
    """It would be unclear which one counts."""
    assert "exclude each other" in fault("webhook", secret_command=["secret-tool", "lookup"]).why


@pytest.mark.parametrize("name", ["a b", "", "ä", "-x", "x" * 41, "a.b"])
def test_a_name_that_is_none_is_at_fault(name: str) -> None:
    """Names stand in commands, files and topics."""
    read = known(**{name: full("webhook")})
    assert "name" in read.broken[name].why


def test_a_table_that_is_none_is_at_fault() -> None:
    """As `channels.mail = 3`."""
    read = known(mail=3, hook=full("webhook"))
    assert [*read.channels] == [DESKTOP, "hook"]
    assert "mail" in read.broken


@pytest.mark.parametrize(
    "text", ["channels = 3", "notify = 3", '[notify]\nquiet = "always"', '[notify]\nevents = ["x"]']
)
def test_a_fault_of_the_whole_is_an_error(text: str) -> None:
    """Without the general rules no channel can be followed."""
    with pytest.raises(ConfigError):
        channels.configured(Document(Path("config.toml"), text))


def test_an_unknown_key_is_noted_with_the_nearest_one() -> None:
    """A newer version may know it: it is kept, and has no effect."""
    text = (
        '[notify]\nquite = "22:00-07:00"\n[channels.hook]\ntype = "webhook"\nurl = "https://x.example"\nevnets = []\n'
    )
    read = channels.configured(Document(Path("config.toml"), text))
    assert read.broken == {}
    (general, own) = read.notes
    assert "[notify]" in general
    assert "'quiet'" in general
    assert "[channels.hook]" in own
    assert "'events'" in own


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False),
    st.text(max_size=30),
    st.lists(st.text(max_size=10), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@given(st.dictionaries(st.sampled_from([*COMMON, *{key for _, own in TYPES.values() for key in own}]), VALUES))
def test_no_table_breaks_the_others(table: dict[str, Any]) -> None:
    """Whatever stands in it, it is a channel or a fault."""
    document = Document(Path("config.toml"), "")
    document.tables.update({"channels": {"mine": table, "hook": full("webhook")}})
    read = channels.configured(document)
    assert {*read.channels, *read.broken} == {DESKTOP, "mine", "hook"}
    assert "hook" in read.channels
