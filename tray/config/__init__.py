"""The configuration: TOML in, frozen dataclasses out.

```toml
version = 1

[jobs.home]
engine = "restic"
sources = ["/home/ann"]
repository = "/media/disk/backup"
password_file = "/home/ann/.config/backup-tray/home.password"
options = ["--exclude-caches"]

[jobs.database]
command = ["pg_backup", "--all"]
stalled_after = "off"

[watch]
stalled_after = "10m"

[repository]
ask_every = "6h"

[observe]
enabled = true

[audit]
baselines = ["/media/stick/backup-tray", "repository"]

[privacy]
show = ["--customer"]
```

A job names either `sources` and `repository`, from which `jobs.first_backup.command` builds the engine's command line, or a whole
`command`.
Keys that this version does not know are ignored and survive a rewrite, and so do comments. Nothing here is read on the way of
`backup-tray run`, except [privacy] where it stands in the file, and `stalled_after` ("90s", "10m", "2h", "off") once a run has
shown no progress for two seconds.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tray.config import audit as audit_table
from tray.config import privacy as privacy_table
from tray.config import runs as runs_table
from tray.config import toml
from tray.config.audit import AuditConfig
from tray.config.runs import RunsConfig
from tray.core.errors import ConfigError
from tray.core.paths import Places, private, sync_folder
from tray.core.redact import Rules

VERSION = 1
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
DEFAULT_ENGINE = "restic"
"""The engine of a job without a `command`: the product makes a first backup with restic, so only its command is built here."""
ASK_EVERY_MS = 6 * 3_600_000
STALLED_AFTER = 600.0
"""Seconds without progress after which a run stands still, unless the configuration says otherwise."""
HEADER = "# Backup Tray. Comments, and keys that this version does not know, stay when the program saves this file.\n"


_ENDLESS = 1e12
"""Seconds that no length of time reaches; larger numbers do not even fit where they are needed."""


@dataclass(frozen=True, slots=True)
class Job:
    """One named, recurring backup.

    Attributes:
        name: What every surface calls it.
        engine: restic; for a `command` the name that `--engine` takes, None to find out from the command itself.
        sources: Folders and files to back up; absolute, or beginning with `~/`.
        repository: Where to: a folder, or an address that the engine understands.
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
class Config:
    """Everything that the configuration file says and that this version knows.

    Attributes:
        jobs: By name.
        stalled_after: Seconds without progress after which a run stands still, 0: never.
        stalled_after_of: The same for single jobs, also for those that only `backup-tray run --job NAME` knows.
        ask_every_ms: How long an engine's answer about a repository is good enough; None: engines are never asked.
        observe: Whether runs that others started are looked for.
        audit: How the audit log is kept.
        privacy: What else of command lines may be shown.
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
        """Return after how many seconds without progress a run of *job* stands still, None: never.

        A check or restore of a job, "home (check)", is measured as the job.
        """
        own = self.stalled_after_of
        return own.get(job, own.get(job.rpartition(" (")[0], self.stalled_after)) or None


def load(places: Places) -> Config:
    """Return the configuration; a missing file is an empty one.

    Raises:
        ConfigError: The file cannot be read or does not make sense; the line is named where it is known.
    """
    file = places.config_file
    text = toml.text(file)
    if text is None:
        return Config()
    data = toml.parse(file, text)
    _check_version(file, text, data)
    jobs = data.get("jobs", {})
    if not isinstance(jobs, dict):
        raise ConfigError(file, "`jobs` must be a group of tables such as [jobs.home].", line=_line(text, None, "jobs"))
    own = {name: _stalled_after(file, text, name, table) for name, table in jobs.items() if _says_when(table)}
    return Config(
        {name: _job(file, text, name, table) for name, table in jobs.items() if name not in own or len(table) > 1},
        ask_every_ms=_ask_every(file, text, data.get("repository", {})),
        stalled_after=_stalled_after(file, text, None, data["watch"])
        if _says_when(data.get("watch"))
        else STALLED_AFTER,
        stalled_after_of=own,
        observe=_observe(file, text, data.get("observe", {})),
        audit=audit_table.parse(data.get("audit", {}), partial(_table_fault, "audit", file, text)),
        privacy=privacy_table.parse(data.get("privacy", {}), partial(_table_fault, "privacy", file, text)),
        runs=runs_table.parse(data.get("runs", {}), partial(_table_fault, "runs", file, text)),
    )


def save_job(places: Places, job: Job) -> None:
    """Add *job* to the file, or replace the job of that name; everything else in the file stays as it is.

    The new text goes to a file beside it, is synced, and takes its place in one step, so nobody ever sees half of it. A symbolic
    link is followed. Two writers at once wait for each other.

    Raises:
        ConfigError: The present file does not make sense; it is left alone.
        OSError: The folder or the file cannot be written.
    """
    import tomlkit
    from tomlkit.items import Table

    folder = private(places.config)
    with _locked(folder):
        load(places)
        document = tomlkit.parse(toml.text(places.config_file) or f"{HEADER}version = {VERSION}\n")
        jobs = document.setdefault("jobs", tomlkit.table(is_super_table=True))
        table = jobs.get(job.name)
        if not isinstance(table, Table):
            table = tomlkit.table()
            jobs[job.name] = table
        for key, value in _values(job).items():
            table[key] = value
        for key in ("engine", "sources", "repository", "password_file", "options", "command"):
            if key in table and key not in _values(job):
                del table[key]
        _replace(places.config_file.resolve(), tomlkit.dumps(document))


def _values(job: Job) -> dict[str, Any]:
    """The keys to write; those that say nothing are left out."""
    values: dict[str, Any] = {}
    if job.engine is not None:
        values["engine"] = job.engine
    if job.sources:
        values["sources"] = list(job.sources)
    if job.repository is not None:
        values["repository"] = job.repository
    if job.password_file is not None:
        values["password_file"] = job.password_file
    if job.options:
        values["options"] = list(job.options)
    if job.command:
        values["command"] = list(job.command)
    return values


def _check_version(file: Path, text: str, data: Mapping[str, Any]) -> None:
    version = data.get("version", VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ConfigError(file, f"`version` must be the number {VERSION}.", line=_line(text, None, "version"))
    if version > VERSION:
        raise ConfigError(
            file,
            f"It is of version {version}, this program knows version {VERSION} at most.",
            line=_line(text, None, "version"),
            next="Install the newer Backup Tray that wrote it.",
        )


def _observe(file: Path, text: str, table: object) -> bool:
    """Return what [observe] says."""
    enabled = table.get("enabled", True) if isinstance(table, dict) else None
    if not isinstance(enabled, bool):
        line = _line(text, "[observe]", "enabled") or _line(text, None, "observe")
        raise ConfigError(file, "In [observe]: `enabled` must be true or false.", line=line)
    return enabled


def _table_fault(table: str, file: Path, text: str, key: str, why: str) -> ConfigError:
    """Return the error of a key of a table ("" for the table itself)."""
    line = _line(text, f"[{table}]", key) or _line(text, None, table)
    return ConfigError(file, f"In [{table}]: {why}.", line=line)


def _says_when(table: object) -> bool:
    return isinstance(table, dict) and "stalled_after" in table


def _stalled_after(file: Path, text: str, job: str | None, table: Mapping[str, Any]) -> float:
    """Return the `stalled_after` of a job, or of [watch], in seconds."""
    found = seconds(table["stalled_after"])
    if found is None:
        where = "[watch]" if job is None else f"[jobs.{job}]"
        why = f'In {where}: `stalled_after` must be a length of time such as "90s", "10m" or "2h", or "off".'
        raise ConfigError(file, why, line=_line(text, "[watch]" if job is None else job, "stalled_after"))
    return found


def seconds(value: object) -> float | None:
    """Return the length of time that *value* means ("90s", "10m", "2h", "off", or a number of seconds), None if it means none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _ENDLESS:
        return float(value)
    if value == "off":
        return 0.0
    found = re.fullmatch(r"(\d{1,6}) ?(s|min|m|h|d)", value) if isinstance(value, str) else None
    return None if found is None else float(int(found[1]) * _UNITS[found[2]])


def _ask_every(file: Path, text: str, table: object) -> int | None:
    """Return how often engines may be asked about their repositories, in milliseconds; None: never."""
    value = table.get("ask_every", "6h") if isinstance(table, dict) else ""
    if value == "off":
        return None
    found = re.fullmatch(r"([1-9]\d{0,3})([mhd])", value) if isinstance(value, str) else None
    if found is None:
        line = next((number for number, line in enumerate(text.split("\n"), 1) if "ask_every" in line), None)
        raise ConfigError(file, '`ask_every` in [repository] must be a time such as "6h", or "off".', line=line)
    return int(found[1]) * {"m": 60_000, "h": 3_600_000, "d": 86_400_000}[found[2]]


def _job(file: Path, text: str, name: str, table: object) -> Job:
    """Build the job *name*, or say which key on which line is wrong."""
    if not isinstance(table, dict):
        raise ConfigError(file, f"`jobs.{name}` must be a table.", line=_line(text, "", name))
    if found := _fault(name, table):
        key, why = found
        raise ConfigError(file, f"In [jobs.{name}]: {why}.", line=_line(text, name, key))
    return Job(
        name=name,
        engine=table.get("engine", None if table.get("command") else DEFAULT_ENGINE),
        sources=tuple(table.get("sources", ())),
        repository=table.get("repository"),
        password_file=table.get("password_file"),
        options=tuple(table.get("options", ())),
        command=tuple(table.get("command", ())),
    )


def _fault(name: str, table: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key that is wrong ("" for the whole job) and why, or None."""
    if not is_name(name):
        return "", "a job's name is 1 to 80 printable characters and does not begin with a dash"
    for key in ("engine", "repository", "password_file"):
        if key in table and not (isinstance(table[key], str) and table[key]):
            return key, f"`{key}` must be text that is not empty"
    for key in ("sources", "options", "command"):
        value = table.get(key, [])
        if not (isinstance(value, list) and all(isinstance(item, str) and item for item in value)):
            return key, f'`{key}` must be a list of texts such as ["/home"]'
    for source in table.get("sources", []):
        if not (os.path.isabs(source) or source.startswith("~/") or source == "~"):
            return "sources", f"the source {source!r} must be absolute or begin with ~/, since cron starts elsewhere"
    return None if table.get("command") else _fault_without_command(table)


def _fault_without_command(table: Mapping[str, Any]) -> tuple[str, str] | None:
    if not (table.get("sources") and table.get("repository")):
        return "", "a job needs `sources` and `repository`, or a `command`"
    if table.get("engine", DEFAULT_ENGINE) != DEFAULT_ENGINE:
        return (
            "engine",
            f"a job of the engine {table['engine']!r} needs a `command`; only restic's is built from sources",
        )
    return None


def is_name(name: str) -> bool:
    """Whether *name* can name a job: it must fit on a line, in a menu and behind `backup-tray backup`."""
    return 0 < len(name) <= 80 and name.isprintable() and name == name.strip() and not name.startswith("-")


def _line(text: str, job: str | None, key: str) -> int | None:
    """Return the line of *key* in the table of *job* (None: the top; or a table "[watch]"), of its header if *key* is empty."""
    inside = job is None
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(r"\s*\[+\s*(.*?)\s*\]", line):
            names = (
                (job[1:-1],)
                if job in ("[watch]", "[observe]", "[audit]", "[privacy]", "[runs]")
                else (f"jobs.{job}", f'jobs."{job}"', "jobs" if not job else "")
            )
            inside = job is not None and header.group(1) in names
            if inside and not key:
                return number
        elif inside and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return number
    return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two writers do not lose each other's job."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(file: Path, text: str) -> None:
    """Put *text* in the place of *file*, mode 0600, whole or not at all, and durable."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode("utf-8"))
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
    sync_folder(file.parent)
