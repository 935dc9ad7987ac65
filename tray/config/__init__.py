"""The configuration file: TOML in, frozen dataclasses out. `README.md` in this folder lists every key.

A job names either `sources` and `repository`, from which `jobs.configured.command` builds the engine's command line, or a whole
`command`. Keys that this version does not know are ignored and survive a rewrite, and so do comments. `backup-tray run` reads only
[privacy], if it is in the file, and `stalled_after` once a run has shown no progress for two seconds.
"""

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tray.config.file import Document, Fault, read_text
from tray.core.dataclass import dataclass, field
from tray.core.errors import ConfigError
from tray.core.paths import Places
from tray.core.redact import Rules

VERSION = 1
DEFAULT_ENGINE = "restic"
"""The engine of a job without a `command`: the product makes a first backup with restic, so it builds only restic's command."""
REPOSITORY, JOURNALD, SYSLOG = "repository", "journald", "syslog"
SYSLOG_PORT = 514
_SEGMENT_STEP = 256
_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000
ASK_EVERY_MS = 6 * _HOUR_MS
STALLED_AFTER = 600.0
"""Seconds without progress after which a run counts as stalled, unless the configuration says otherwise."""

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_ENDLESS = 1e12
"""Seconds that no length of time reaches; larger numbers do not even fit where they are needed."""
_SIZES = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_OPTION = re.compile(r"--?[A-Za-z][\w.-]*")
_PLACES = 'an absolute folder, "repository", "journald" or "syslog"'
_RECEIVERS = '"journald", "syslog" or an address such as "udp://loghost:514"'


@dataclass(frozen=True, slots=True)
class Job:
    """One named, recurring backup.

    Attributes:
        name: Name shown on every surface.
        engine: restic; for a `command` the name that `--engine` takes, None to find out from the command itself.
        sources: Folders and files to back up; absolute, or beginning with `~/`.
        repository: Target: a folder, or an address that the engine understands.
        password_file: File that holds the repository's password, mode 0600; None if the engine finds it by itself.
        options: Further options for the engine's backup command.
        command: The whole command line, instead of sources and repository.
    """

    name: str
    engine: str | None = DEFAULT_ENGINE
    sources: tuple[str, ...] = ()
    repository: str | None = None
    password_file: str | None = None
    options: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


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
    verify_every_ms: int | None = 7 * _DAY_MS
    forward: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunsConfig:
    """Limits of the folders of ended runs. Entries of the audit log are not affected.

    Attributes:
        keep_ms: Age from which folders are removed; None: no limit.
        most: Bytes that all of them take at most, the oldest go first; None: no limit.
    """

    keep_ms: int | None = 90 * _DAY_MS
    most: int | None = 1 << 30


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of the configuration file that this version knows.

    Attributes:
        jobs: Configured jobs by name.
        stalled_after: Seconds without progress after which a run counts as stalled, 0: never.
        stalled_after_of: The same for single jobs, also for those that only `backup-tray run --job NAME` knows.
        ask_every_ms: Time for which an engine's answer about a repository is good enough; None: engines are never asked.
        observe: Whether the tracker looks for runs that others started.
        audit: Settings of the audit log.
        runs: Limits of the logs of ended runs.
        privacy: Further parts of command lines that may be shown.
    """

    jobs: Mapping[str, Job] = field(default_factory=dict)
    ask_every_ms: int | None = ASK_EVERY_MS
    stalled_after: float = STALLED_AFTER
    stalled_after_of: Mapping[str, float] = field(default_factory=dict)
    observe: bool = True
    audit: AuditConfig = field(default_factory=AuditConfig)
    runs: RunsConfig = field(default_factory=RunsConfig)
    privacy: Rules = field(default_factory=Rules)

    def limit(self, job: str) -> float | None:
        """Return after how many seconds without progress a run of *job* counts as stalled, None: never.

        A check or restore of a job, "home (check)", is measured as the job.
        """
        own = self.stalled_after_of
        return own.get(job, own.get(job.rpartition(" (")[0], self.stalled_after)) or None


def load(places: Places) -> Config:
    """Return the configuration; a missing file is an empty one.

    Raises:
        ConfigError: The file cannot be read or does not make sense; the line is named where it is known.
    """
    content = read_text(places.config_file)
    if content is None:
        return Config()
    document = Document(places.config_file, content)
    _check_version(document)
    jobs = document.tables.get("jobs", {})
    if not isinstance(jobs, dict):
        raise document.fault("jobs", "", "`jobs` must be a group of tables such as [jobs.home]")
    own = {
        name: document.checked(f"jobs.{name}", table, _stalled_after)
        for name, table in jobs.items()
        if isinstance(table, dict) and "stalled_after" in table
    }
    return Config(
        {
            name: document.checked(f"jobs.{name}", table, partial(_job, name))
            for name, table in jobs.items()
            if name not in own or len(table) > 1
        },
        ask_every_ms=document.read("repository", _ask_every),
        stalled_after=document.read("watch", _stalled_after),
        stalled_after_of=own,
        observe=document.read("observe", _observe),
        audit=document.read("audit", _audit),
        runs=document.read("runs", _runs),
        privacy=document.read("privacy", _privacy),
    )


def _check_version(document: Document) -> None:
    version, line = document.tables.get("version", VERSION), document.line("", "version")
    if type(version) is not int or version < 1:
        raise ConfigError(document.file, f"`version` must be the number {VERSION}.", line=line)
    if version > VERSION:
        why = f"It is of version {version}, this program knows version {VERSION} at most."
        raise ConfigError(document.file, why, line=line, next="Install the newer Backup Tray that wrote it.")


def _job(name: str, table: Mapping[str, Any], fault: Fault) -> Job:
    """Return the job *name* of its table [jobs.NAME]."""
    if not is_name(name):
        raise fault("", "a job's name is 1 to 80 printable characters and does not begin with a dash")
    for key in ("engine", "repository", "password_file"):
        if key in table and not (isinstance(table[key], str) and table[key]):
            raise fault(key, f"`{key}` must be text that is not empty")
    for key in ("sources", "options", "command"):
        value = table.get(key, [])
        if not (isinstance(value, list) and all(isinstance(item, str) and item for item in value)):
            raise fault(key, f'`{key}` must be a list of texts such as ["/home"]')
    for source in table.get("sources", []):
        if not (os.path.isabs(source) or source.startswith("~/") or source == "~"):
            raise fault(
                "sources", f"the source {source!r} must be absolute or begin with ~/, since cron starts elsewhere"
            )
    engine = table.get("engine", None if table.get("command") else DEFAULT_ENGINE)
    if not table.get("command"):
        if not (table.get("sources") and table.get("repository")):
            raise fault("", "a job needs `sources` and `repository`, or a `command`")
        if engine != DEFAULT_ENGINE:
            raise fault(
                "engine", f"a job of the engine {engine!r} needs a `command`; only restic's is built from sources"
            )
    lists = {key: tuple(table.get(key, ())) for key in ("sources", "options", "command")}
    return Job(name, engine, repository=table.get("repository"), password_file=table.get("password_file"), **lists)


def is_name(name: str) -> bool:
    """Whether *name* can name a job: it must fit on a line, in a menu and behind `backup-tray backup`."""
    return 0 < len(name) <= 80 and name.isprintable() and name == name.strip() and not name.startswith("-")


def _stalled_after(table: Mapping[str, Any], fault: Fault) -> float:
    """Return `stalled_after` of [watch] or of a job, in seconds; 0: never."""
    length = _seconds(table.get("stalled_after", STALLED_AFTER))
    if length is None:
        why = '`stalled_after` must be a length of time such as "90s", "10m" or "2h", or "off"'
        raise fault("stalled_after", why)
    return length


def _observe(table: Mapping[str, Any], fault: Fault) -> bool:
    """Return `enabled` of [observe]."""
    enabled = table.get("enabled", True)
    if not isinstance(enabled, bool):
        raise fault("enabled", "`enabled` must be true or false")
    return enabled


def _ask_every(table: Mapping[str, Any], fault: Fault) -> int | None:
    """Return `ask_every` of [repository] in milliseconds; None: never."""
    return _time(table, "ask_every", ASK_EVERY_MS, _MINUTE_MS, "6h", fault)


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
        retention_ms=_time(table, "retention", usual.retention_ms, _DAY_MS, "365d", fault),
        archive=archive,
        verify_every_ms=_time(table, "verify_every", usual.verify_every_ms, 1, "7d", fault),
        forward=_texts(table, "forward", _is_receiver, _RECEIVERS, fault),
    )


def _runs(table: Mapping[str, Any], fault: Fault) -> RunsConfig:
    """Return the settings of [runs]."""
    keep_ms = _time(table, "keep", 90 * _DAY_MS, _DAY_MS, "90d", fault)
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


def _time(
    table: Mapping[str, Any], key: str, default: int | None, least: int, example: str, fault: Fault
) -> int | None:
    """Return a length of time in milliseconds, None for "off"."""
    value = table.get(key)
    if value is None or value == "off":
        return default if value is None else None
    length = _seconds(value) if isinstance(value, str) else None
    if length is None or length * 1000 < least:
        at_least = {_DAY_MS: " of at least a day", _MINUTE_MS: " of at least a minute"}.get(least, "")
        raise fault(key, f'`{key}` must be a length of time{at_least} such as "{example}", or "off"')
    return int(length * 1000)


def _seconds(value: object) -> float | None:
    """Return the seconds that *value* means ("90s", "10m", "2h", "off", or a number of seconds), None if it means none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _ENDLESS:
        return float(value)
    if value == "off":
        return 0.0
    match = re.fullmatch(r"(\d{1,6}) ?(s|min|m|h|d)", value) if isinstance(value, str) else None
    return None if match is None else float(int(match[1]) * _SECONDS[match[2]])
