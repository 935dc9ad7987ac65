"""Read systemd's unit files (systemd.unit(5), systemd.service(5), systemd.timer(5), systemd.exec(5)); nothing is run.

`Unit` holds the settings of a unit with its drop-ins; `timer` and `service` read those of timers and services.
"""

import re
import shlex
from collections.abc import Mapping, Sequence

from tray.core import regex
from tray.core.dataclass import dataclass, field
from tray.takeover.schedule import DAY_MS, HOUR_MS, MINUTE_MS, Schedule
from tray.takeover.shell import UNKNOWN

_SPANS = {
    "usec": 0.001, "us": 0.001, "msec": 1, "ms": 1, "seconds": 1000, "second": 1000, "sec": 1000, "s": 1000, "": 1000,
    "minutes": MINUTE_MS, "minute": MINUTE_MS, "min": MINUTE_MS, "m": MINUTE_MS,
    "hours": HOUR_MS, "hour": HOUR_MS, "hr": HOUR_MS, "h": HOUR_MS,
    "days": DAY_MS, "day": DAY_MS, "d": DAY_MS, "weeks": 7 * DAY_MS, "week": 7 * DAY_MS, "w": 7 * DAY_MS,
    "months": 30.44 * DAY_MS, "month": 30.44 * DAY_MS, "M": 30.44 * DAY_MS,
    "years": 365.25 * DAY_MS, "year": 365.25 * DAY_MS, "y": 365.25 * DAY_MS,
}  # fmt: skip
"""The units of systemd.time(7) in milliseconds."""
_SPAN = regex.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*([a-zA-Z]*)")
_VARIABLE = regex.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*)|(\$))")
_ZONE = regex.compile(r"\s(UTC|[A-Z][\w+-]*(?:/[\w+-]+)+)\s*$")
_MOST_LINES = 5000
_AFTER = ("OnActiveSec", "OnBootSec", "OnStartupSec")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit's settings.

    Attributes:
        settings: By section and key, the values in their order; an empty value takes back those before it.
    """

    settings: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def all(self, section: str, key: str) -> tuple[str, ...]:
        """Return every value of a key."""
        return self.settings.get((section, key), ())

    def last(self, section: str, key: str) -> str:
        """Return the value of a key that counts, "" without one."""
        return (self.all(section, key) or ("",))[-1]


def unit(texts: Sequence[str]) -> Unit:
    """Return the unit that a unit file and its drop-ins make."""
    grown: dict[tuple[str, str], tuple[str, ...]] = {}
    for text in texts:
        section, waiting = "", ""
        for raw in text.split("\n")[:_MOST_LINES]:
            line = waiting + raw.strip()
            waiting = ""
            if raw.lstrip().startswith(("#", ";")) or not line:
                continue
            if line.endswith("\\"):
                waiting = line[:-1] + " "
            elif line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
            elif "=" in line:
                key, _, value = line.partition("=")
                at = (section, key.strip())
                grown[at] = (*grown.get(at, ()), value.strip()) if value.strip() else ()
    return Unit(grown)


def span(text: str) -> int | None:
    """Return a span of time such as `1h 30min` in milliseconds; None if it is none."""
    total, at = 0.0, 0
    while at < len(text.rstrip()):
        match = _SPAN.match(text, at)
        if match is None or match[2] not in _SPANS:
            return None
        total += float(match[1]) * _SPANS[match[2]]
        at = match.end()
    return int(total) if at else None


def timer(unit: Unit) -> Schedule:
    """Return the schedule of a timer."""
    calendars = unit.all("Timer", "OnCalendar")
    repeats = [*unit.all("Timer", "OnUnitActiveSec"), *unit.all("Timer", "OnUnitInactiveSec")]
    firsts = [f"{key}={value}" for key in _AFTER for value in unit.all("Timer", key)]
    delay_ms = span(unit.last("Timer", "RandomizedDelaySec") or "0") or 0
    text = ", ".join(
        [*(f"OnCalendar={value}" for value in calendars), *firsts, *(f"again after {value}" for value in repeats)]
    )
    if calendars:
        zones = {match[1] if (match := _ZONE.search(value)) else "" for value in calendars}
        if len(zones) > 1:
            return Schedule(text, why="its times are in several time zones")
        on = "\n".join(_ZONE.sub("", value) for value in calendars)
        return Schedule(text, on=on, zone=zones.pop() or None, delay_ms=delay_ms)
    every = [ms for ms in map(span, repeats) if ms]
    if every:
        return Schedule(text, every_ms=min(every), delay_ms=delay_ms)
    if firsts:
        return Schedule(text, why="it starts after the machine or the session starts, so no clock says when it is due")
    return Schedule(text or "a timer without a time", why="no time in it could be read")


@dataclass(frozen=True, slots=True)
class Specifiers:
    """The values of systemd's specifiers, by letter."""

    values: Mapping[str, str]

    def expand(self, text: str) -> str:
        """Return *text* with its specifiers replaced; one that is not known becomes `UNKNOWN`."""
        return re.sub(r"%(.)", lambda match: "%" if match[1] == "%" else self.values.get(match[1], UNKNOWN), text)


def specifiers(name: str, *, home: str | None, user: str, host: str, system: bool) -> Specifiers:
    """Return the specifiers of the unit *name* (systemd.unit(5)).

    Args:
        name: Its full name, such as `backup@home.service`.
        home: The home folder of the manager's user; root's for the system's.
        user: The manager's user.
        host: The machine's name.
        system: Whether it is a unit of the system.
    """
    stem = name.rpartition(".")[0]
    prefix, _, instance = stem.partition("@")
    values = {
        "n": name, "N": stem, "p": prefix, "i": instance, "H": host, "l": host.partition(".")[0], "u": user,
        "I": _unescaped(instance), "P": _unescaped(prefix), "f": "/" + _unescaped(instance or prefix),
    }  # fmt: skip
    if home is not None:
        values |= {
            "h": home,
            "E": "/etc" if system else f"{home}/.config",
            "S": "/var/lib" if system else f"{home}/.local/state",
        }
        values |= {"C": "/var/cache" if system else f"{home}/.cache"}
    return Specifiers(values)


def _unescaped(text: str) -> str:
    r"""Return the name that systemd-escape(1) escaped: `-` is a slash, `\x2d` a dash."""
    text = text.replace("-", "/")
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text)


def commands(unit: Unit, specifiers: Specifiers, environ: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return the words of each command in ExecStart; one that cannot be split is left out."""
    argvs: list[tuple[str, ...]] = []
    for value in unit.all("Service", "ExecStart"):
        try:
            words = shlex.split(value.lstrip("@-:+!"), posix=True)
        except ValueError:
            continue
        argv = [piece for word in words for piece in _variables(specifiers.expand(word), environ)]
        if value.lstrip("-:+!").startswith("@"):
            del argv[1:2]  # the name that the program is told to have
        if argv:
            argvs.append(tuple(argv))
    return argvs


def _variables(word: str, environ: Mapping[str, str]) -> list[str]:
    """Return a word with its variables; `$NAME` alone may become several words, `$$` is a plain dollar sign."""
    whole = _VARIABLE.fullmatch(word)
    if whole is not None and whole[2]:
        return environ.get(whole[2], UNKNOWN).split()
    return [_VARIABLE.sub(lambda match: "$" if match[3] else environ.get(match[1] or match[2], UNKNOWN), word)]


def environment(unit: Unit, specifiers: Specifiers) -> dict[str, str]:
    """Return the variables that `Environment=` sets."""
    grown: dict[str, str] = {}
    for value in unit.all("Service", "Environment"):
        try:
            words = shlex.split(value, posix=True)
        except ValueError:
            continue
        grown |= dict(specifiers.expand(word).partition("=")[::2] for word in words if "=" in word)
    return grown


def environment_files(unit: Unit, specifiers: Specifiers) -> list[str]:
    """Return the files that `EnvironmentFile=` names."""
    paths = [specifiers.expand(value.removeprefix("-")) for value in unit.all("Service", "EnvironmentFile")]
    return [path for path in paths if path.startswith("/") and UNKNOWN not in path and "*" not in path]


def settings_in(text: str) -> dict[str, str]:
    """Return the variables of a file such as `EnvironmentFile=` names: NAME=VALUE lines, with quotes or without."""
    grown: dict[str, str] = {}
    for line in text.split("\n")[:_MOST_LINES]:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and re.fullmatch(r"[A-Za-z_]\w*", name.strip()):
            value = value.strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            grown[name.strip()] = value[1:-1] if quoted else value
    return grown
