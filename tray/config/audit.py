"""The table [audit] of the configuration.

```toml
[audit]
baselines = ["/media/stick/backup-tray", "repository", "journald"]
segment = 65536
retention = "off"
archive = "/media/archive/backup-tray"
verify_every = "7d"
forward = ["journald", "udp://loghost:514"]
```
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

REPOSITORY, JOURNALD, SYSLOG = "repository", "journald", "syslog"
TILE = 256
SYSLOG_PORT = 514
_DAY_MS = 86_400_000

Fault = Callable[[str, str], Exception]
"""Makes the error of a key ("" for the whole table) and a reason; it knows the file and finds the line."""


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """How the audit log is kept.

    Attributes:
        baselines: Further places for checkpoints: absolute folders, "repository", "journald", "syslog". The copy in the
            configuration's folder is always kept.
        segment: Entries after which a segment of the log is closed; a multiple of 256.
        retention_ms: Closed segments whose newest entry is older may be pruned; None: everything is kept.
        archive: Folder into which closed segments are copied before they are pruned; None: they are not.
        verify_every_ms: How often the whole log is verified; None: never by itself.
        forward: Where every new entry is sent: "journald", "syslog", "udp://host:port".
    """

    baselines: tuple[str, ...] = ()
    segment: int = 65_536
    retention_ms: int | None = None
    archive: str | None = None
    verify_every_ms: int | None = 7 * _DAY_MS
    forward: tuple[str, ...] = ()


def parse(table: object, fault: Fault) -> AuditConfig:
    """Return what [audit] says.

    Raises:
        Exception: What *fault* makes of the first key that does not make sense.
    """
    if not isinstance(table, dict):
        raise fault("", "it must be a table")
    known = AuditConfig()
    return AuditConfig(
        baselines=_texts(table, "baselines", _is_place, _PLACES, fault),
        segment=_segment(table, known.segment, fault),
        retention_ms=_time(table, "retention", known.retention_ms, _DAY_MS, '"365d"', fault),
        archive=_archive(table, fault),
        verify_every_ms=_time(table, "verify_every", known.verify_every_ms, 1, '"7d"', fault),
        forward=_texts(table, "forward", _is_receiver, _RECEIVERS, fault),
    )


def address(receiver: str) -> tuple[str, int] | None:
    """Return host and port of "udp://host:port", None if it is none; without a port it is syslog's, 514."""
    found = re.fullmatch(r"udp://(\[[0-9A-Fa-f:.%a-z]+\]|[^\s:/@\[\]]+)(?::(\d{1,5}))?/?", receiver)
    if found is None or not 0 < int(found[2] or SYSLOG_PORT) < 65_536:
        return None
    return found[1].strip("[]"), int(found[2] or SYSLOG_PORT)


_PLACES = 'an absolute folder, "repository", "journald" or "syslog"'
_RECEIVERS = '"journald", "syslog" or an address such as "udp://loghost:514"'


def _is_place(text: str) -> bool:
    return text in (REPOSITORY, JOURNALD, SYSLOG) or _is_folder(text)


def _is_receiver(text: str) -> bool:
    return text in (JOURNALD, SYSLOG) or address(text) is not None


def _is_folder(text: object) -> bool:
    return isinstance(text, str) and os.path.isabs(text) and "\0" not in text


def _texts(
    table: Mapping[str, Any], key: str, fits: Callable[[str], bool], words: str, fault: Fault
) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise fault(key, f"`{key}` must be a list; each item is {words}")
    for item in value:
        if not fits(item):
            raise fault(key, f"{item!r} in `{key}` is not {words}")
    return tuple(dict.fromkeys(value))


def _segment(table: Mapping[str, Any], default: int, fault: Fault) -> int:
    value = table.get("segment", default)
    if isinstance(value, bool) or not isinstance(value, int) or value < TILE or value % TILE:
        raise fault("segment", f"`segment` must be a multiple of {TILE}, at least {TILE}")
    return value


def _time(table: Mapping[str, Any], key: str, default: int | None, least: int, like: str, fault: Fault) -> int | None:
    """Return a length of time in milliseconds, None for "off"."""
    if key not in table:
        return default
    if table[key] == "off":
        return None
    from tray.config import seconds

    found = seconds(table[key]) if isinstance(table[key], str) else None
    if found is None or found * 1000 < least:
        at_least = " of at least a day" if least == _DAY_MS else ""
        raise fault(key, f'`{key}` must be a length of time{at_least} such as {like}, or "off"')
    return int(found * 1000)


def _archive(table: Mapping[str, Any], fault: Fault) -> str | None:
    value = table.get("archive")
    if value is not None and not _is_folder(value):
        raise fault("archive", "`archive` must be an absolute folder")
    return value
