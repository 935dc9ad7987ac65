"""The jobs of the configuration file. `README.md` lists every key.

A job names `sources` and `repository`, from which `jobs.configured.command` builds the engine's command line, or a whole `command`,
or neither: then another scheduler starts it, and the job is only watched.

A fault in one job leaves the others working. A fault in a key that does not decide which command runs (the rhythm, `notify` and the
like) leaves the job itself working too, with the key's default: a backup with a wrong reminder is better than no backup. The faults
of both kinds are in `Configured.broken`, so no surface calls such a job fine.

A key that this version does not know is kept and ignored, since a newer version may have written it. A note names it together with
the nearest known key, since a mistyped key must not go unseen.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache, partial
from importlib import import_module
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from tray import config
from tray.config import MINUTE_MS
from tray.config.file import Document, Fault, toml_name
from tray.core.clock import DAY_MS
from tray.core.dataclass import dataclass, field
from tray.core.errors import ConfigError
from tray.core.paths import Places

DEFAULT_ENGINE = "restic"
"""The engine of a job without a `command`, unless it names another."""
STATED, LEARN, OFF = "stated", "learn", "off"
CONDITIONS = ("power", "unmetered", "target")
"""Conditions of a run: mains power, a network that is not metered, a target that is there."""
RULES = ("failure", "warning", "overdue", "breach", "recovered", "success")
"""Events of which a job can notify."""
_MOST_TEXT = 1000
_FILES = ("password_file", "environment_file")
_PARTS = ("sources", "repository", "excludes", "options", *_FILES[:1], "password_command")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """The sub-table [jobs.NAME.check].

    Attributes:
        rhythm: As that of a `Job`, but "off" unless the table says how often.
        every_ms, on, max_age_ms, max_age_off: As those of a `Job`.
        read_data: The part of the data that the engine reads too, such as "5%" or "all"; None: as it does by itself.
    """

    rhythm: str = OFF
    every_ms: int | None = None
    on: str | None = None
    max_age_ms: int | None = None
    max_age_off: bool = False
    read_data: str | None = None


CHECK_KEYS = ("every", "on", "rhythm", "max_age", "read_data")
"""Every key of [jobs.NAME.check]."""


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
    *("options", "command", "enabled", "every", "on", "rhythm", "zone", "delay", "max_age"),
    *("conditions", "before", "after"),
    *("keep_logs", "notify", "watched", "matches", "stalled_after", "check"),
)
"""Every key of [jobs.NAME]."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The jobs of one state of the configuration file.

    Attributes:
        jobs: The jobs that can be used, by name. A job of which only a secondary key is at fault is here too.
        broken: The first fault of each job that has one, by name; such a job is never fine.
        notes: A sentence for each key that has no effect.
        owners: By automatic job name: the job whose `matches` lists it.
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
        taken = (match for match in job.matches if owners.setdefault(match, name) != name)
        whys = (f"{match!r} belongs to the job {owners[match]!r} already" for match in taken)
        faults.extend(document.fault(("jobs", name), "matches", why) for why in whys)
        if faults:
            broken[name] = faults[0]
    return Configured(jobs, broken, tuple(_notes(document, tables)), owners)


def is_name(name: str) -> bool:
    """Whether *name* can name a job: it must fit on a line, in a menu and behind `backup-tray backup`."""
    return 0 < len(name) <= 80 and name.isprintable() and name == name.strip() and not name.startswith("-")


class _Table:
    """One table [jobs.NAME], read key by key.

    Args:
        faults: Takes the faults of keys that `or_default` reads.
    """

    def __init__(self, table: Mapping[str, Any], fault: Fault, faults: list[ConfigError]) -> None:
        self.table, self.fault, self._faults = table, fault, faults

    def or_default(self, key: str, read: Callable[[str], _T], default: _T) -> _T:
        """Return *read* of *key*; of one that is missing or at fault *default*."""
        if key not in self.table:
            return default
        try:
            return read(key)
        except ConfigError as error:
            self._faults.append(error)
            return default

    def text(self, key: str) -> str | None:
        """Return the text at *key*, None if it is missing."""
        value = self.table.get(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise self.fault(key, f"`{key}` must be text that is not empty")
        return value

    def line(self, key: str) -> str:
        """Return the short text on one line at *key*."""
        value = self.text(key) or ""
        if len(value) > _MOST_TEXT or not value.isprintable():
            raise self.fault(key, f"`{key}` must be one line of at most {_MOST_TEXT:,} printable characters")
        return value

    def lines(self, key: str) -> str:
        """Return the short text on one or several lines at *key*."""
        value = self.text(key) or ""
        if len(value) > _MOST_TEXT or not all(line.isprintable() for line in value.split("\n")):
            raise self.fault(key, f"`{key}` must be at most {_MOST_TEXT:,} printable characters")
        return value.strip()

    def file(self, key: str) -> str | None:
        """Return the path at *key*, None if it is missing."""
        value = self.text(key)
        if value is not None and key != "password_file" and not _is_absolute(value):
            raise self.fault(key, f"`{key}` must be an absolute path or begin with ~/, since cron starts elsewhere")
        return value

    def texts(self, key: str, example: str = "/home") -> tuple[str, ...]:
        """Return the list of texts at *key*."""
        value = self.table.get(key, [])
        if not (isinstance(value, list) and all(isinstance(item, str) and item for item in value)):
            raise self.fault(key, f'`{key}` must be a list of texts such as ["{example}"]')
        return tuple(value)

    def argv(self, key: str) -> tuple[str, ...]:
        """Return the command line at *key*."""
        value = self.table.get(key)
        if value is not None and not value:
            raise self.fault(key, f'`{key}` must be a command line such as ["/usr/bin/true", "--option"]')
        return self.texts(key, "/usr/bin/true")

    def words(self, key: str, known: Sequence[str]) -> tuple[str, ...]:
        """Return the list at *key*, each item one of *known*."""
        value = self.texts(key, known[0])
        for word in value:
            if word not in known:
                raise self.fault(key, f"{word!r} in `{key}` is none of {', '.join(known)}{nearest(word, known)}")
        return tuple(dict.fromkeys(value))

    def switch(self, key: str) -> bool:
        """Return true or false at *key*; true if it is missing."""
        value = self.table.get(key, True)
        if not isinstance(value, bool):
            raise self.fault(key, f"`{key}` must be true or false")
        return value

    def length(self, key: str, least: int, example: str) -> int | None:
        """Return the length of time at *key* in milliseconds, None for "off"."""
        return config.length(self.table, key, None, least, example, self.fault)


def _job(name: str, faults: list[ConfigError], values: Mapping[str, Any], fault: Fault) -> Job:
    """Return the job *name* of its table; raise faults that keep its command from being known, add the others to *faults*."""
    table = _Table(values, fault, faults)
    if not is_name(name):
        raise table.fault("", "a job's name is 1 to 80 printable characters and does not begin with a dash")
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
        **_rhythm(table),
        **_secondary(table),
    )


def _check_parts(table: _Table, command: tuple[str, ...], sources: tuple[str, ...], repository: str | None) -> None:
    """Raise the fault of parts that make no command line together; none of them at all makes a watched job."""
    for source in sources:
        if not _is_absolute(source):
            raise table.fault(
                "sources", f"the source {source!r} must be absolute or begin with ~/, since cron starts elsewhere"
            )
    if "password_file" in table.table and "password_command" in table.table:
        raise table.fault("password_command", "`password_file` and `password_command` exclude each other")
    if command or not any(key in table.table for key in ("command", *_PARTS)):
        return
    if not (sources and repository):
        raise table.fault("", "a job needs `sources` and `repository`, or a `command`")


def _rhythm(table: _Table) -> dict[str, Any]:
    """Return the fields of the rhythm; a rhythm at fault is the default one."""
    stated = [key for key in ("every", "on", "rhythm") if key in table.table]
    if len(stated) > 1:
        table.or_default(
            stated[1], lambda key: _refuse(table, key, f"`{stated[0]}` and `{key}` exclude each other"), None
        )
        stated = []
    every = table.or_default("every", lambda _: _every(table), None) if stated == ["every"] else None
    zone = table.or_default("zone", lambda _: _zone(table), None)
    on = table.or_default("on", lambda _: _on(table, zone), None) if stated == ["on"] else None
    word = table.or_default("rhythm", lambda _: _rhythm_word(table), LEARN) if stated == ["rhythm"] else LEARN
    return {
        "rhythm": word if every is None and on is None else STATED,
        "every_ms": every,
        "on": on,
        "zone": zone,
        "delay_ms": table.or_default("delay", lambda key: table.length(key, 1, "15m") or 0, 0),
        "max_age_ms": table.or_default("max_age", lambda key: table.length(key, MINUTE_MS, "7d"), None),
        "max_age_off": table.table.get("max_age") == OFF,
    }


def _secondary(table: _Table) -> dict[str, Any]:
    """Return the fields that decide neither the command nor the rhythm."""
    no_texts: tuple[str, ...] = ()
    keep = table.or_default("keep_logs", lambda key: table.length(key, DAY_MS, "90d") or 0, None)
    return {
        "keep_logs_ms": keep,
        "notify": table.or_default("notify", lambda key: table.words(key, RULES), None),
        "watched": table.or_default("watched", table.line, None),
        "matches": table.or_default("matches", lambda key: table.texts(key, "restic /media/disk/backup"), no_texts),
        "stalled_after": table.or_default(
            "stalled_after", lambda _: config.stalled_after(table.table, table.fault), None
        ),
        "check": table.or_default("check", lambda _: _check(table), None),
    }


def _every(table: _Table) -> int:
    value = table.length("every", MINUTE_MS, "1d")
    if value is None:
        raise table.fault("every", '`every` cannot be "off"; write rhythm = "off" for a job that is never expected')
    return value


def _on(table: _Table, zone: str | None) -> str:
    on = table.lines("on")
    if (why := _fault(on, zone)) is not None:
        raise table.fault("on", f"`on`: {why.rstrip('.')}")
    return on


@cache
def _fault(on: str, zone: str | None) -> str | None:
    """Return why *on* cannot be followed, None if it can. The packages that read it load in milliseconds, and few jobs need it."""
    why: str | None = import_module("tray.rhythm.slots").fault(on, zone)
    return why


def _rhythm_word(table: _Table) -> str:
    word = table.text("rhythm")
    if word not in (LEARN, OFF):
        raise table.fault(
            "rhythm", '`rhythm` must be "learn" or "off"; a known one is every = "1d" or on = "Mon..Fri 20:30"'
        )
    return word


def _check(table: _Table) -> CheckSettings:
    values = table.table["check"]
    if not isinstance(values, dict):
        raise table.fault("check", '`check` must be a table such as { every = "30d" }')
    for key in values:
        if key not in CHECK_KEYS:
            raise table.fault("check", f"`check` has an unknown key `{key}`{nearest(key, CHECK_KEYS)}")
    faults: list[ConfigError] = []
    values = {key: value for key, value in values.items() if (key, value) != ("every", OFF)}
    inner = _Table(values, lambda _, why: table.fault("check", f"`check`: {why}"), faults)
    known = _rhythm(inner)
    read_data = inner.or_default("read_data", inner.line, None)
    if faults:
        raise faults[0]
    if not {"every", "on", "rhythm"} & values.keys():
        known["rhythm"] = OFF
    fields = ("rhythm", "every_ms", "on", "max_age_ms", "max_age_off")
    return CheckSettings(**{key: known[key] for key in fields}, read_data=read_data)


def _zone(table: _Table) -> str:
    name = table.line("zone")
    if not _is_zone(name):
        raise table.fault("zone", f"{name!r} is no time zone{nearest(name, tuple(sorted(available_timezones())))}")
    return name


@cache
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # no such zone, a folder of zones, a path that leads elsewhere
        return False
    return True


def _refuse(table: _Table, key: str, why: str) -> None:
    raise table.fault(key, why)


def _is_absolute(path: str) -> bool:
    return os.path.isabs(path) or path.startswith("~/") or path == "~"


@lru_cache(maxsize=256)
def nearest(word: str, known: Sequence[str]) -> str:
    """Return "; did you mean …?" with the known word that is nearest to *word*, "" if none is near."""
    return "".join(f"; did you mean {match!r}?" for match in get_close_matches(word, known, 1))


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
