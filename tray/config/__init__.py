"""The configuration file: TOML in, frozen dataclasses out. `README.md` in this folder lists every key.

This module reads the general settings, `tray.config.jobs` the jobs: a run that starts needs neither jobs nor their faults. Keys
that this version does not know are ignored and survive a rewrite, and so do comments. `backup-tray run` reads only [privacy], if
it is in the file, and `stalled_after` once a run has shown no progress for two seconds.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tray.config.file import Document, Fault, read_text
from tray.core.clock import DAY_MS
from tray.core.dataclass import dataclass, field, replace
from tray.core.errors import ConfigError
from tray.core.paths import Places
from tray.core.redact import Rules

VERSION = 1
TABLES = (
    "version",
    "jobs",
    "notify",
    "channels",
    "watch",
    "observe",
    "repository",
    "runs",
    "audit",
    "metrics",
    "privacy",
)
"""Every key at the top of the file."""
REPOSITORY, JOURNALD, SYSLOG = "repository", "journald", "syslog"
SYSLOG_PORT = 514
_SEGMENT_STEP = 256
MINUTE_MS = 60_000
ASK_EVERY_MS = 360 * MINUTE_MS
LONGEST_MS = 36_500 * DAY_MS
"""No length of time may be longer: the moment at its end must be one that a calendar knows."""
STALLED_AFTER = 600.0
"""Seconds without progress after which a run counts as stalled, unless the configuration says otherwise."""

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ENDLESS = 1e12
"""Seconds that no length of time reaches; larger numbers do not even fit where they are needed."""
_SIZES = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_OPTION = re.compile(r"--?[A-Za-z][\w.-]*")
_PLACES = 'an absolute folder, "repository", "journald" or "syslog"'
_RECEIVERS = '"journald", "syslog" or an address such as "udp://loghost:514"'


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """Settings of the audit log.

    Attributes:
        baselines: Further places for checkpoints: absolute folders, "repository", "journald", "syslog". The copy in the
            configuration's folder is always kept.
        segment: Entries after which a segment of the log is closed; a multiple of 256.
        retention_ms: Age of their newest entry from which closed segments may be pruned; None: everything is kept.
        archive: Folder into which closed segments are copied before they are pruned; None: they are not copied.
        verify_every_ms: Interval of full verifications; None: never by itself.
        forward: Receivers of every new entry: "journald", "syslog", "udp://host:port".
    """

    baselines: tuple[str, ...] = ()
    segment: int = 65_536
    retention_ms: int | None = None
    archive: str | None = None
    verify_every_ms: int | None = 7 * DAY_MS
    forward: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunsConfig:
    """Limits of the folders of ended runs. Entries of the audit log are not affected.

    Attributes:
        keep_ms: Age from which folders are removed; None: no limit.
        most: Bytes that all of them take at most, the oldest go first; None: no limit.
        keep_ms_of: `keep_ms` of single jobs; 0: their logs are always kept, whatever their size.
    """

    keep_ms: int | None = 90 * DAY_MS
    most: int | None = 1 << 30
    keep_ms_of: Mapping[str, int] = field(default_factory=dict)

    def keep_of(self, job: str) -> int | None:
        """Return the age from which logs of *job* are removed, None: never by age, 0: not at all; a check is kept as its job."""
        own = self.keep_ms_of
        return own.get(job, own.get(job.rpartition(" (")[0], self.keep_ms))


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of the configuration file that this version knows.

    Attributes:
        stalled_after: Seconds without progress after which a run counts as stalled, 0: never.
        stalled_after_of: The same for single jobs, also for those that only `backup-tray run --job NAME` knows.
        ask_every_ms: Time for which an engine's answer about a repository is good enough; None: engines are never asked.
        observe: Whether the tracker looks for runs that others started.
        audit: Settings of the audit log.
        runs: Limits of the logs of ended runs.
        privacy: Further parts of command lines that may be shown.
        owners: The job to which runs belong whose own name its `matches` lists, by that name.
        metrics_file: The file into which the figures of the status are written, None for none.
    """

    ask_every_ms: int | None = ASK_EVERY_MS
    stalled_after: float = STALLED_AFTER
    stalled_after_of: Mapping[str, float] = field(default_factory=dict)
    observe: bool = True
    audit: AuditConfig = field(default_factory=AuditConfig)
    runs: RunsConfig = field(default_factory=RunsConfig)
    privacy: Rules = field(default_factory=Rules)
    owners: Mapping[str, str] = field(default_factory=dict)
    metrics_file: str | None = None

    def owner(self, job: str) -> str:
        """Return the job to which a run named *job* belongs, mostly that one; "home (check)" follows "home"."""
        if job in self.owners:
            return self.owners[job]
        base, opening, kind = job.rpartition(" (")
        return self.owners[base] + opening + kind if base in self.owners else job

    def limit(self, job: str) -> float | None:
        """Return after how many seconds without progress a run of *job* counts as stalled, None: never.

        A check or restore of a job, "home (check)", is measured as the job.
        """
        own = self.stalled_after_of
        return own.get(job, own.get(job.rpartition(" (")[0], self.stalled_after)) or None


def load(places: Places) -> Config:
    """Return the general settings; a missing file has none. A fault in a job is no fault here: see `tray.config.jobs.load`.

    Raises:
        ConfigError: The file cannot be read or does not make sense; line and column are named where they are known.
    """
    document = read(places)
    return Config() if document is None else settings(document)


def read(places: Places) -> Document | None:
    """Return the parsed file, None if it is missing.

    Raises:
        ConfigError: It cannot be read, is no TOML, or is of a version that this program does not know.
    """
    content = read_text(places.config_file)
    if content is None:
        return None
    document = Document(places.config_file, content)
    _check_version(document)
    return document


def settings(document: Document) -> Config:
    """Return the general settings of *document*.

    Raises:
        ConfigError: They do not make sense.
    """
    return Config(
        ask_every_ms=document.read("repository", _ask_every),
        stalled_after=document.read("watch", stalled_after),
        stalled_after_of=dict(_own_limits(document)),
        observe=document.read("observe", _observe),
        audit=document.read("audit", _audit),
        runs=replace(document.read("runs", _runs), keep_ms_of=dict(_own_keeps(document))),
        privacy=document.read("privacy", _privacy),
        owners=dict(_owners(document)),
        metrics_file=document.read("metrics", _metrics_file),
    )


def _own_limits(document: Document) -> Iterator[tuple[str, float]]:
    """Yield `stalled_after` of each job that has one; `tray.config.jobs` reports one that makes no sense."""
    jobs = document.tables.get("jobs")
    for name, table in jobs.items() if isinstance(jobs, dict) else ():
        limit = seconds(table["stalled_after"]) if isinstance(table, dict) and "stalled_after" in table else None
        if limit is not None:
            yield name, limit


def _own_keeps(document: Document) -> Iterator[tuple[str, int]]:
    """Yield `keep_logs` of each job that has one, in milliseconds; `tray.config.jobs` reports the faults."""
    jobs = document.tables.get("jobs")
    for name, table in jobs.items() if isinstance(jobs, dict) else ():
        keep = seconds(table["keep_logs"]) if isinstance(table, dict) and "keep_logs" in table else None
        if keep is not None and (keep == 0 or keep * 1000 >= DAY_MS):
            yield name, int(keep * 1000)


def _owners(document: Document) -> Iterator[tuple[str, str]]:
    """Yield each name in `matches` with the first job that lists it; `tray.config.jobs` reports the faults."""
    tables, seen = document.tables.get("jobs"), set()
    jobs = tables if isinstance(tables, dict) else {}
    for job, table in jobs.items():
        names = table.get("matches") if isinstance(table, dict) else None
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str) and name not in seen and name not in jobs:
                seen.add(name)
                yield name, job


def _check_version(document: Document) -> None:
    version = document.tables.get("version", VERSION)
    if type(version) is int and version == VERSION:
        return
    line, column = document.place("version")
    if type(version) is int and version > VERSION:
        why, step = (
            f"It is of version {version}, this program knows version {VERSION} at most.",
            "Install the newer Backup Tray that wrote it.",
        )
    else:
        why, step = f"`version` must be the number {VERSION}.", ""
    raise ConfigError(document.file, why, line=line, column=column, next=step)


def stalled_after(table: Mapping[str, Any], fault: Fault) -> float:
    """Return `stalled_after` of [watch] or of a job, in seconds; 0: never."""
    limit = seconds(table.get("stalled_after", STALLED_AFTER))
    if limit is None:
        why = '`stalled_after` must be a length of time such as "90s", "10m" or "2h", or "off"'
        raise fault("stalled_after", why)
    return limit


def _observe(table: Mapping[str, Any], fault: Fault) -> bool:
    """Return `enabled` of [observe]."""
    enabled = table.get("enabled", True)
    if not isinstance(enabled, bool):
        raise fault("enabled", "`enabled` must be true or false")
    return enabled


def _ask_every(table: Mapping[str, Any], fault: Fault) -> int | None:
    """Return `ask_every` of [repository] in milliseconds; None: never."""
    return length(table, "ask_every", ASK_EVERY_MS, MINUTE_MS, "6h", fault)


def _audit(table: Mapping[str, Any], fault: Fault) -> AuditConfig:
    """Return the settings of [audit]."""
    usual = AuditConfig()
    segment, archive = table.get("segment", usual.segment), table.get("archive")
    if type(segment) is not int or segment < _SEGMENT_STEP or segment % _SEGMENT_STEP:
        raise fault("segment", f"`segment` must be a multiple of {_SEGMENT_STEP}, at least {_SEGMENT_STEP}")
    if archive is not None and not _is_folder(archive):
        raise fault("archive", "`archive` must be an absolute folder")
    return AuditConfig(
        baselines=_texts(table, "baselines", _is_place, _PLACES, fault),
        segment=segment,
        retention_ms=length(table, "retention", usual.retention_ms, DAY_MS, "365d", fault),
        archive=archive,
        verify_every_ms=length(table, "verify_every", usual.verify_every_ms, 1, "7d", fault),
        forward=_texts(table, "forward", _is_receiver, _RECEIVERS, fault),
    )


def _metrics_file(table: Mapping[str, Any], fault: Fault) -> str | None:
    """Return `textfile` of [metrics]."""
    file = table.get("textfile")
    if file is not None and not (_is_folder(file) and file.endswith(".prom")):
        why = '`textfile` must be an absolute file that ends with ".prom", since node-exporter reads no other'
        raise fault("textfile", why)
    return None if file is None else str(file)


def _runs(table: Mapping[str, Any], fault: Fault) -> RunsConfig:
    """Return the settings of [runs]."""
    keep_ms = length(table, "keep", 90 * DAY_MS, DAY_MS, "90d", fault)
    most = table.get("most", "1GiB")
    if most == "off":
        return RunsConfig(keep_ms, None)
    size = re.fullmatch(r"([1-9]\d{0,5}) ?([MGT]i?B)", most) if isinstance(most, str) else None
    if size is None:
        raise fault("most", '`most` must be a size such as "500MiB" or "1GiB", or "off"')
    return RunsConfig(keep_ms, int(size[1]) * _SIZES[size[2]])


def _privacy(table: Mapping[str, Any], fault: Fault) -> Rules:
    """Return the rules of [privacy].

    `show` names options whose values are shown whatever they look like. `commands = "all"` also shows words of unknown meaning;
    passwords by name and place stay hidden.
    """
    show, commands = table.get("show", []), table.get("commands", "known")
    if not isinstance(show, list) or not all(isinstance(name, str) and _OPTION.fullmatch(name) for name in show):
        raise fault("show", '`show` must be a list of options such as ["--customer", "-x"]')
    if commands not in ("known", "all"):
        raise fault("commands", '`commands` must be "known" or "all"')
    return Rules(frozenset(show), everything=commands == "all")


def address(receiver: str) -> tuple[str, int] | None:
    """Return host and port of "udp://host:port", None for anything else; without a port it is syslog's, 514."""
    match = re.fullmatch(r"udp://(\[[0-9A-Fa-f:.%a-z]+\]|[^\s:/@\[\]]+)(?::(\d{1,5}))?/?", receiver)
    if match is None or not 0 < int(match[2] or SYSLOG_PORT) < 65_536:
        return None
    return match[1].strip("[]"), int(match[2] or SYSLOG_PORT)


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


def length(
    table: Mapping[str, Any], key: str, default: int | None, least: int, example: str, fault: Fault
) -> int | None:
    """Return a length of time in milliseconds, None for "off"."""
    value = table.get(key)
    if value is None or value == "off":
        return default if value is None else None
    time = seconds(value) if isinstance(value, str) else None
    check_longest(key, time, fault)
    if time is None or time * 1000 < least:
        at_least = {DAY_MS: " of at least a day", MINUTE_MS: " of at least a minute"}.get(least, "")
        raise fault(key, f'`{key}` must be a length of time{at_least} such as "{example}", or "off"')
    return int(time * 1000)


def check_longest(key: str, time: float | None, fault: Fault) -> None:
    """Raise the fault of a length of time, in seconds, that is longer than `LONGEST_MS`."""
    if time is not None and time * 1000 > LONGEST_MS:
        raise fault(key, f"`{key}` must be at most {LONGEST_MS // DAY_MS:,} days")


def seconds(value: object) -> float | None:
    """Return the seconds that *value* means ("90s", "10m", "2h", "off", or a number of seconds), None if it means none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _ENDLESS:
        return float(value)
    if value == "off":
        return 0.0
    match = re.fullmatch(r"(\d{1,6}) ?(s|min|m|h|d|w)", value) if isinstance(value, str) else None
    return None if match is None else float(int(match[1]) * _SECONDS[match[2]])


def length_text(length_ms: int) -> str:
    """Return a length of time of whole seconds as the file writes it, in the greatest unit that fits: "90s", "7d"."""
    whole = length_ms // 1000
    unit = next(unit for unit in ("d", "h", "m", "s") if whole % _SECONDS[unit] == 0)
    return f"{whole // _SECONDS[unit]}{unit}"
