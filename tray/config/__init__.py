"""The configuration file: TOML in, frozen dataclasses out. `README.md` in this folder lists every key.

A job names either `sources` and `repository`, from which `jobs.configured.command` builds the engine's command line, or a whole
`command`. Keys that this version does not know are ignored and survive a rewrite, and so do comments. `backup-tray run` reads only
[privacy], if it is in the file, and `stalled_after` once a run has shown no progress for two seconds.
"""

from collections.abc import Mapping
from functools import partial

from tray.config import file, tables
from tray.config.tables import (
    ASK_EVERY_MS,
    DEFAULT_ENGINE,
    JOURNALD,
    REPOSITORY,
    STALLED_AFTER,
    SYSLOG,
    AuditConfig,
    Job,
    RunsConfig,
    address,
    is_name,
)
from tray.core.dataclass import dataclass, field
from tray.core.errors import ConfigError
from tray.core.paths import Places
from tray.core.redact import Rules

__all__ = [
    "DEFAULT_ENGINE",
    "JOURNALD",
    "REPOSITORY",
    "STALLED_AFTER",
    "SYSLOG",
    "AuditConfig",
    "Config",
    "Job",
    "RunsConfig",
    "address",
    "is_name",
    "load",
]

VERSION = 1


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
    text = file.text(places.config_file)
    if text is None:
        return Config()
    document = file.Document(places.config_file, text)
    _check_version(document)
    jobs = document.tables.get("jobs", {})
    if not isinstance(jobs, dict):
        raise document.fault("jobs", "", "`jobs` must be a group of tables such as [jobs.home]")
    own = {
        name: document.checked(f"jobs.{name}", table, tables.stalled_after)
        for name, table in jobs.items()
        if isinstance(table, dict) and "stalled_after" in table
    }
    return Config(
        {
            name: document.checked(f"jobs.{name}", table, partial(tables.job, name))
            for name, table in jobs.items()
            if name not in own or len(table) > 1
        },
        ask_every_ms=document.read("repository", tables.ask_every),
        stalled_after=document.read("watch", tables.stalled_after),
        stalled_after_of=own,
        observe=document.read("observe", tables.observe),
        audit=document.read("audit", tables.audit),
        runs=document.read("runs", tables.runs),
        privacy=document.read("privacy", tables.privacy),
    )


def _check_version(document: file.Document) -> None:
    version, line = document.tables.get("version", VERSION), document.line("", "version")
    if type(version) is not int or version < 1:
        raise ConfigError(document.file, f"`version` must be the number {VERSION}.", line=line)
    if version > VERSION:
        why = f"It is of version {version}, this program knows version {VERSION} at most."
        raise ConfigError(document.file, why, line=line, next="Install the newer Backup Tray that wrote it.")
