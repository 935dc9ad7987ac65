"""The channels of the configuration file, by which people and their tools are told, and the rules for all of them.

`README.md` lists every key. A fault in one channel leaves the others working, and is in `Notify.broken`. The channel "desktop" is
there without being named.
"""

import re
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from tray import config
from tray.config import MINUTE_MS
from tray.config.file import Document, Fault
from tray.config.job_table import OFF, RULES, Table, nearest
from tray.core.dataclass import dataclass, field, replace
from tray.core.errors import ConfigError
from tray.core.paths import Places
from tray.core.redact import HIDDEN

DESKTOP = "desktop"
DEFAULT_EVENTS = ("failure", "overdue", "breach", "recovered")
DEFAULT_DIGEST = "Mon 08:00"
"""When a mail channel sends its digest, unless it says otherwise."""
EVENTS, RUNS, STATUS = "events", "runs", "status"
"""For whom a type of channel is: people, who get news; tools that follow each run; tools that show the present state."""

_LINE, _PATH, _FLAG, _WEB, _MAIL_SERVER, _BROKER, _ADDRESSES, _ADDRESS = (
    *("line", "path", "flag", "web", "mail server", "broker", "addresses", "address"),
)
TYPES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    DESKTOP: (EVENTS, {}),
    "mail": (
        EVENTS,
        {"to": _ADDRESSES, "from": _ADDRESS, "server": _MAIL_SERVER, "user": _LINE, "report": _FLAG, "ca_file": _PATH},
    ),
    "ntfy": (EVENTS, {"url": _WEB, "topic": _LINE, "ca_file": _PATH}),
    "webhook": (EVENTS, {"url": _WEB, "ca_file": _PATH}),
    "apprise": (EVENTS, {"url": _LINE}),
    "healthchecks": (RUNS, {"url": _WEB, "alive": _FLAG, "ca_file": _PATH}),
    "kuma": (RUNS, {"url": _WEB, "ca_file": _PATH}),
    "mqtt": (STATUS, {"url": _BROKER, "user": _LINE, "prefix": _LINE, "ca_file": _PATH}),
}
"""By type: for whom it is, and its own keys with the kind of each value."""
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "mail": ("to",),
    "ntfy": ("topic",),
    "webhook": ("url",),
    "healthchecks": ("url",),
    "kuma": ("url",),
    "mqtt": ("url",),
}
"""Keys without which a channel of a type cannot work."""
SECRET_KEYS = ("topic",)
"""Keys whose values let their reader in, as a password does: who knows a topic of ntfy.sh reads all its messages."""
NEEDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "mail": (
        ("user", "server"),
        ("ca_file", "server"),
        ("user", "secret_file"),
        ("secret_file", "user"),
        ("secret_command", "user"),
    )
}
"""Keys of a type that mean something only beside another one."""
_SECRETS = {"secret_file": ("secret_command",)}
GENERAL = ("events", "quiet", "remind", "only_if_older_than", "digest")
"""Keys of [notify], which hold for every channel that has none of its own; `digest` for mail only."""
COMMON = ("type", "enabled", "jobs", "secret_file", "secret_command", *GENERAL)
"""Keys that a channel of any type may have."""
_SCHEMES = {_WEB: ("http", "https"), _MAIL_SERVER: ("smtp", "smtps"), _BROKER: ("mqtt", "mqtts")}
_EXAMPLES = {_WEB: "https://example.com/path", _MAIL_SERVER: "smtp://mail.example.com:587", _BROKER: "mqtt://host:1883"}
_MAIL_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f]{1,64}@[^\W_](?:[\w.-]{0,252}[^\W_])?")
_ADDRESS_IN_TEXT = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>[^\s/?#]*)(?P<rest>.*)", re.DOTALL)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """One channel.

    Attributes:
        name: The name of its table, [channels.NAME].
        type: A key of `TYPES`.
        options: The values of the type's own keys; one that is missing has none.
        enabled: False: nothing is sent.
        jobs: The only jobs that it tells of, by the name that every surface shows; none: all.
        events: Events that it tells of, of `job_table.RULES`.
        quiet: Begin and end of its quiet hours, in minutes of the local day; None without any.
        remind: Tell once a day which incidents are still open.
        only_if_older_ms: Tell of a failure only once the last good backup is so old; None: always.
        digest: When to send how every job is, as OnCalendar; None: never.
        secret_file, secret_command: Source of the channel's one secret: a password, a token, a signing key, an address.
        implied: The desktop, which the configuration does not name.
    """

    name: str
    type: str
    options: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    jobs: tuple[str, ...] = ()
    events: tuple[str, ...] = DEFAULT_EVENTS
    quiet: tuple[int, int] | None = None
    remind: bool = True
    only_if_older_ms: int | None = None
    digest: str | None = None
    secret_file: str | None = None
    secret_command: tuple[str, ...] = ()
    implied: bool = False

    @property
    def takes(self) -> str:
        """For whom the channel is: `EVENTS`, `RUNS` or `STATUS`."""
        return TYPES[self.type][0]


UNNAMED = ChannelSettings(DESKTOP, DESKTOP, implied=True)
"""The desktop of a user who has configured nothing."""


@dataclass(frozen=True, slots=True)
class Notify:
    """The channels of one state of the configuration file.

    Attributes:
        channels: By name; "desktop" among them, unless it has a fault.
        broken: The first fault of each channel that has one, by name; such a channel sends nothing.
        notes: A sentence for each key that has no effect.
        complete: False: the file cannot be followed now, so there may be more.
    """

    channels: Mapping[str, ChannelSettings] = field(default_factory=dict)
    broken: Mapping[str, ConfigError] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    complete: bool = True


def shown(text: str) -> str:
    """Return *text*, the value of a key of a channel, with each address cut behind its host: a token may stand there.

    Addresses of Apprise may hold a token in place of the host, so of them only the kind is left.
    """
    return _ADDRESS_IN_TEXT.sub(_cut_address, text)


def _cut_address(match: re.Match[str]) -> str:
    scheme = match["scheme"].lower()
    if not any(scheme in known for known in _SCHEMES.values()):
        return f"{scheme}://{HIDDEN}"
    host = match["place"].rpartition("@")[2]
    return f"{scheme}://{host}{'' if match['rest'] in ('', '/') else f'/{HIDDEN}'}"


def is_name(text: str) -> bool:
    """Whether *text* can be the name of a channel."""
    return _NAME.fullmatch(text) is not None


def load(places: Places) -> Notify:
    """Return the configured channels; without a file only the desktop.

    Raises:
        ConfigError: The file cannot be read, is no TOML or of another version, or [notify] or [channels] makes no sense.
    """
    document = config.read(places)
    return Notify({DESKTOP: UNNAMED}) if document is None else configured(document)


def configured(document: Document) -> Notify:
    """Return the channels of *document*.

    Raises:
        ConfigError: [notify] makes no sense, or `channels` is no group of tables.
    """
    general = document.read("notify", _general)
    tables = document.tables.get("channels", {})
    if not isinstance(tables, dict):
        raise document.fault(("channels",), "", "`channels` must be a group of tables such as [channels.mail]")
    channels: dict[str, ChannelSettings] = {}
    broken: dict[str, ConfigError] = {}
    notes = [*_unknown("notify", document.tables.get("notify", {}), GENERAL)]
    for name, table in {DESKTOP: {}, **tables}.items():
        try:
            channels[name] = document.checked(
                ("channels", name), table, partial(_channel, name, general, name not in tables)
            )
        except ConfigError as error:
            broken[name] = error
            continue
        notes += _unknown(f"channels.{name}", table, (*COMMON, *TYPES[channels[name].type][1]))
    return Notify(channels, broken, tuple(notes))


def _unknown(where: str, table: object, known: tuple[str, ...]) -> list[str]:
    keys = [key for key in table if key not in known] if isinstance(table, dict) else []
    return [f"[{where}] has an unknown key `{key}`, which has no effect{nearest(key, known)}" for key in keys]


def _channel(
    name: str, general: ChannelSettings, implied: bool, values: Mapping[str, Any], fault: Fault
) -> ChannelSettings:
    if not is_name(name):
        raise fault("", "a channel's name is 1 to 40 letters, digits, _ and -")
    faults: list[ConfigError] = []
    table = Table(values, fault, faults)
    kind = table.text("type") or name
    if kind not in TYPES:
        known = tuple(TYPES)
        raise fault("type", f"`type` {kind!r} is none of {', '.join(known)}{nearest(kind, known)}")
    takes, keys = TYPES[kind]
    if "secret_file" in values and "secret_command" in values:
        raise fault("secret_command", "`secret_file` and `secret_command` exclude each other")
    options = {key: _option(table, key, how) for key, how in keys.items() if key in values}
    for key in REQUIRED.get(kind, ()):
        if key not in values:
            raise fault("", f"a channel of type {kind} needs `{key}`")
    for key in () if takes == EVENTS else GENERAL:
        if key in values:
            raise fault(key, f"`{key}` has no meaning for a channel of type {kind}, which follows every run")
    for key, other in NEEDS.get(kind, ()):
        if key in values and not {other, *_SECRETS.get(other, ())} & values.keys():
            raise fault(key, f"`{key}` has no effect without `{other}`")
    usual = general if kind == "mail" else replace(general, digest=None)
    settings = replace(
        _rules(table, usual),
        implied=implied,
        name=name,
        type=kind,
        options=options,
        enabled=table.switch("enabled"),
        jobs=table.texts("jobs", "home"),
        secret_file=table.file("secret_file"),
        secret_command=table.argv("secret_command"),
    )
    if faults:
        raise faults[0]
    return settings


def _general(values: Mapping[str, Any], fault: Fault) -> ChannelSettings:
    """Return a channel with the rules of [notify], from which all others are made."""
    return _rules(Table(values, fault, []), ChannelSettings("", DESKTOP, digest=DEFAULT_DIGEST))


def _rules(table: Table, usual: ChannelSettings) -> ChannelSettings:
    values = table.table
    return replace(
        usual,
        events=table.words("events", RULES) if "events" in values else usual.events,
        quiet=_quiet(table) if "quiet" in values else usual.quiet,
        remind=table.switch("remind") if "remind" in values else usual.remind,
        only_if_older_ms=table.length("only_if_older_than", MINUTE_MS, "3d")
        if "only_if_older_than" in values
        else usual.only_if_older_ms,
        digest=_digest(table) if "digest" in values else usual.digest,
    )


def _quiet(table: Table) -> tuple[int, int] | None:
    value = table.text("quiet") or ""
    if value == OFF:
        return None
    begin, _, end = value.partition("-")
    times = [match for text in (begin, end) if (match := _CLOCK.fullmatch(text.strip()))]
    if len(times) != 2 or times[0][0] == times[1][0]:
        raise table.fault("quiet", '`quiet` must be a span of the day such as "22:00-07:00", or "off"')
    first, last = (int(match[1]) * 60 + int(match[2]) for match in times)
    return first, last


def _digest(table: Table) -> str | None:
    value = table.line("digest")
    if value == OFF:
        return None
    why = import_module("tray.rhythm.slots").fault(value, None)  # loads a package that few need
    if why is not None:
        raise table.fault("digest", f"`digest`: {why.rstrip('.')}")
    return value


def _option(table: Table, key: str, how: str) -> object:
    if how == _FLAG:
        return table.switch(key)
    if how == _PATH:
        return table.file(key)
    if how == _ADDRESSES:
        addresses = table.texts(key, "ann@example.com")
        if not addresses:
            raise table.fault(key, f"`{key}` must name at least one address")
        return tuple(_mail_address(table, key, text) for text in addresses)
    value = table.line(key)
    if how == _ADDRESS:
        return _mail_address(table, key, value)
    if how in _SCHEMES:
        return _url(table, key, value, how)
    return value


def _mail_address(table: Table, key: str, text: str) -> str:
    if not _MAIL_ADDRESS.fullmatch(text):
        raise table.fault(key, f"{text[:80]!r} in `{key}` is no mail address such as ann@example.com")
    return text


def _url(table: Table, key: str, value: str, how: str) -> str:
    try:
        parts = urlsplit(value)
        fits = parts.scheme in _SCHEMES[how] and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or re.search(r"[\s\\]", value):
        raise table.fault(key, f'`{key}` must be an address such as "{_EXAMPLES[how]}"')
    if parts.username is not None or parts.password is not None:
        raise table.fault(
            key, f"`{key}` must hold no password: put it into a file of mode 0600 and name that in `secret_file`"
        )
    return value
