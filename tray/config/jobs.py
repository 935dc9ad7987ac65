"""The jobs of the configuration file. `README.md` lists every key.

A job names `sources` and `repository`, from which `jobs.configured.command` builds the engine's command line, or a whole `command`,
or neither: then another scheduler starts it, and the job is only watched.

A fault in one job leaves the others working. A fault in a key that does not decide which command runs (the rhythm, `notify` and the
like) leaves the job itself working too, with the key's default: a backup with a wrong reminder is better than no backup. The faults
of both kinds are in `Configured.broken`, so no surface calls such a job fine.

A key that this version does not know is kept and ignored, since a newer version may have written it. A note names it together with
the nearest known key, since a mistyped key must not go unseen.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from tray import config
from tray.config.file import Document, Fault
from tray.config.job_table import CONDITIONS as CONDITIONS
from tray.config.job_table import LEARN as LEARN
from tray.config.job_table import OFF as OFF
from tray.config.job_table import RULES as RULES
from tray.config.job_table import STATED as STATED
from tray.config.job_table import CheckSettings as CheckSettings
from tray.config.job_table import Table, is_absolute, rhythm, secondary
from tray.config.job_table import nearest as nearest
from tray.config.toml_text import toml_name
from tray.core.dataclass import dataclass, field
from tray.core.errors import ConfigError
from tray.core.paths import Places
from tray.core.redact import Redactor

DEFAULT_ENGINE = "restic"
"""The engine of a job without a `command`, unless it names another."""
_PARTS = ("sources", "repository", "excludes", "options", "password_file", "password_command")


@dataclass(frozen=True, slots=True)
class Job:
    """One named, recurring backup.

    Attributes:
        name: Name shown on every surface.
        engine: The backup program; for a `command` the name that `--engine` takes, None to find out from the command itself.
        sources: Folders and files to back up; absolute, or beginning with `~/`.
        repository: Target: a folder, or an address that the engine understands.
        password_file: File that holds the repository's password, mode 0600; None if the engine finds it by itself.
        options: Further options for the engine's backup command.
        command: The whole command line, instead of sources and repository.
        excludes: Patterns of files to leave out, as the engine writes them.
        password_command: Command line that prints the repository's password, instead of `password_file`.
        environment_file: File with a line `NAME=VALUE` for each variable that the command needs, mode 0600.
        enabled: Whether the job is to run; one that is not is neither started by a schedule nor expected.
        off_until_ms: The job is not to run before this moment; None: it has no such end.
        rhythm: "stated" if `every` or `on` says how often the job runs, else "learn" or "off".
        every_ms: Time from one run to the next.
        on: Times of the runs, as OnCalendar of systemd (several, one a line) or as five fields of cron.
        zone: Time zone of `on`, such as "Europe/Berlin"; None: the system's.
        delay_ms: The scheduler starts the job up to so much after each time: its random delay.
        max_age_ms: Age from which the last good backup is old; None: derived from the rhythm.
        max_age_off: The last good backup is never called old.
        conditions: Conditions under which a run starts, of `CONDITIONS`.
        before: Command line to run before the backup; if it fails, the backup is not started and the run has failed.
        after: Command line to run after the backup; if it fails, the run is at best a warning.
        keep_logs_ms: Age from which logs of the job's runs are removed, 0: never; None: as [runs] says.
        notify: Events of which to notify, of `RULES`; None: as the program's default.
        watched: The scheduler that starts the job, in words, if it is neither this program nor one that it set up.
        matches: Automatic job names whose runs belong to this job.
        stalled_after: Seconds without progress after which a run counts as stalled, 0: never; None: as [watch] says.
        check: When checks (`backup-tray check`) are expected, and how thorough they are; None: none is expected.
    """

    name: str
    engine: str | None = DEFAULT_ENGINE
    sources: tuple[str, ...] = ()
    repository: str | None = None
    password_file: str | None = None
    options: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    password_command: tuple[str, ...] = ()
    environment_file: str | None = None
    enabled: bool = True
    rhythm: str = LEARN
    every_ms: int | None = None
    on: str | None = None
    zone: str | None = None
    delay_ms: int = 0
    max_age_ms: int | None = None
    max_age_off: bool = False
    conditions: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    keep_logs_ms: int | None = None
    notify: tuple[str, ...] | None = None
    watched: str | None = None
    matches: tuple[str, ...] = ()
    stalled_after: float | None = None
    check: "CheckSettings | None" = None
    off_until_ms: int | None = None

    def is_off(self, now_ms: int) -> bool:
        """Whether the job is neither to be started by a schedule nor expected: for good, or until a date that has not come."""
        return not self.enabled or (self.off_until_ms is not None and now_ms < self.off_until_ms)

    @property
    def check_every_ms(self) -> int | None:
        """Time from one check to the next; None: none is stated."""
        return None if self.check is None else self.check.every_ms

    @property
    def check_read_data(self) -> str | None:
        """The part of the data that a check reads; None: as the engine does by itself."""
        return None if self.check is None else self.check.read_data

    @property
    def runnable(self) -> bool:
        """Whether `backup-tray backup` can run it; a job that is not is watched only."""
        return bool(self.command or (self.sources and self.repository))


KEYS = (
    *("engine", "sources", "excludes", "repository", "password_file", "password_command", "environment_file"),
    *("options", "command", "enabled", "off_until", "every", "on", "rhythm", "zone", "delay", "max_age"),
    *("conditions", "before", "after"),
    *("keep_logs", "notify", "watched", "matches", "stalled_after", "check"),
)
"""Every key of [jobs.NAME]."""
_BY_FORM = Redactor((), {})
"""Hides passwords that show by their form, without a command that names others."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The jobs of one state of the configuration file.

    Attributes:
        jobs: The jobs that can be used, by name. A job of which only a secondary key is at fault is here too.
        broken: The first fault of each job that has one, by name; such a job is never fine.
        notes: A sentence for each key that has no effect.
        owners: By automatic job name, none of them that of a configured job: the job whose `matches` lists it.
    """

    jobs: Mapping[str, Job] = field(default_factory=dict)
    broken: Mapping[str, ConfigError] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict)


def load(places: Places) -> Configured:
    """Return the configured jobs; a missing file has none. Faults of general settings, such as [audit], are not looked for.

    Raises:
        ConfigError: The file cannot be read, is no TOML, is of another version, or `jobs` is no group of tables.
    """
    document = config.read(places)
    return Configured() if document is None else configured(document)


def configured(document: Document) -> Configured:
    """Return the jobs of *document*.

    Raises:
        ConfigError: `jobs` is no group of tables.
    """
    tables = document.tables.get("jobs", {})
    if not isinstance(tables, dict):
        raise document.fault(("jobs",), "", "`jobs` must be a group of tables such as [jobs.home]")
    jobs: dict[str, Job] = {}
    broken: dict[str, ConfigError] = {}
    owners: dict[str, str] = {}
    for name, table in tables.items():
        faults: list[ConfigError] = []
        try:
            jobs[name] = job = document.checked(("jobs", name), table, partial(_job, name, faults))
        except ConfigError as error:
            broken[name] = error
            continue
        for match in job.matches:
            if match != name and match in tables:
                why = f"{match!r} is a job of its own; `backup-tray jobs merge` puts two jobs together"
            elif owners.setdefault(match, name) != name:
                why = f"{match!r} belongs to the job {owners[match]!r} already"
            else:
                continue
            faults.append(document.fault(("jobs", name), "matches", why))
        if faults:
            broken[name] = faults[0]
    return Configured(jobs, broken, tuple(_notes(document, tables)), owners)


def is_name(name: str) -> bool:
    """Whether *name* can name a job: it must fit on a line, in a menu and behind `backup-tray backup`."""
    return 0 < len(name) <= 80 and name.isprintable() and name == name.strip() and not name.startswith("-")


def holds_secret(name: str) -> bool:
    """Whether *name* holds a password by its form, such as an address with one: on record that would be hidden."""
    return _BY_FORM.text(name) != name


def _job(name: str, faults: list[ConfigError], values: Mapping[str, Any], fault: Fault) -> Job:
    """Return the job *name* of its table; raise faults that keep its command from being known, add the others to *faults*."""
    table = Table(values, fault, faults)
    if not is_name(name):
        raise table.fault("", "a job's name is 1 to 80 printable characters and does not begin with a dash")
    if holds_secret(name):
        raise table.fault(
            "", "its name holds a password, which is hidden on record, so no run would be one of this job"
        )
    if not table.table:
        raise table.fault(
            "", 'it is empty; a job needs `sources` and `repository`, a `command`, or a rhythm such as every = "1d"'
        )
    command, sources, repository = table.texts("command", "pg_backup"), table.texts("sources"), table.text("repository")
    engine = table.text("engine") or (None if command else DEFAULT_ENGINE)
    _check_parts(table, command, sources, repository)
    return Job(
        name,
        engine,
        sources,
        repository,
        table.file("password_file"),
        table.texts("options", "--exclude-caches"),
        command,
        excludes=table.texts("excludes", "*.tmp"),
        password_command=table.argv("password_command"),
        environment_file=table.file("environment_file"),
        enabled=table.switch("enabled"),
        conditions=table.words("conditions", CONDITIONS),
        before=table.argv("before"),
        after=table.argv("after"),
        **rhythm(table),
        **secondary(table),
    )


def _check_parts(table: Table, command: tuple[str, ...], sources: tuple[str, ...], repository: str | None) -> None:
    """Raise the fault of parts that make no command line together; none of them at all makes a watched job."""
    for source in sources:
        if not is_absolute(source):
            raise table.fault(
                "sources", f"the source {source!r} must be absolute or begin with ~/, since cron starts elsewhere"
            )
    if "password_file" in table.table and "password_command" in table.table:
        raise table.fault("password_command", "`password_file` and `password_command` exclude each other")
    if command or not any(key in table.table for key in ("command", *_PARTS)):
        return
    if not (sources and repository):
        raise table.fault("", "a job needs `sources` and `repository`, or a `command`")


def _notes(document: Document, tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each key of a job, and each table beside the known ones, that has no effect."""
    for name, table in tables.items():
        for key in table if isinstance(table, dict) else ():
            if key not in KEYS:
                yield _note(
                    document, ("jobs", name), key, f"an unknown key `{key}`, which has no effect{nearest(key, KEYS)}"
                )
            elif key in _PARTS and key not in ("sources", "repository") and table.get("command"):
                yield _note(document, ("jobs", name), key, f"`{key}`, which has no effect beside `command`")
    for key in document.tables:
        if near := "" if key in config.TABLES else nearest(key, config.TABLES):
            yield _note(document, (), key, f"an unknown key `{key}`, which has no effect{near}")


def _note(document: Document, path: tuple[str, ...], key: str, words: str) -> str:
    line, _ = document.place(*path, key)
    where = f"[{toml_name(path)}]" if path else "The configuration"
    return f"{where} has {words}" + (f" (config.toml, line {line})" if line else "")
