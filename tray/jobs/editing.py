"""Change jobs on the user's word: in config.toml, whose comments stay, and on record. Each change is an entry of the audit log.

A job that only the log knows, because a crontab starts `backup-tray run --job NAME`, is a full job: the user can give it a rhythm,
rename it, merge it with another one, or retire it. The log itself never changes: an entry `job.renamed` makes readers map the name,
and `matches` in config.toml makes later runs carry the new one.
"""

import shlex
import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from tray.audit import search, spool
from tray.audit.entry import ENDS, Action, Draft
from tray.audit.search.conditions import KINDS
from tray.audit.search.renames import Names
from tray.config import file, jobs, saving
from tray.config.jobs import Configured, Job
from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.errors import ConfigError, ConfigWriteError, JobChangeError, JobNotFoundError
from tray.core.paths import Places
from tray.housekeeping import config_changes
from tray.jobs import configured
from tray.status import past_runs
from tray.wording.near_names import known_jobs

RECORD_SECONDS = 5.0
RENAMED = "job renamed"
"""The words of an entry about a new name: its keys only moved."""
_OF_RUNS = (Action.RUN_STARTED, *ENDS, Action.RUN_SKIPPED)
"""Entries that make a job known without config.toml; one that was removed before it ever ran leaves none."""
_OF_KIND = tuple(f" ({kind})" for kind in KINDS)
_TOGETHER = (("every", "on", "rhythm"), ("password_file", "password_command"))
"""Keys of which a job has at most one: setting it takes the others away."""


@dataclass(frozen=True, slots=True)
class Known:
    """All jobs.

    Attributes:
        configured: Those of config.toml.
        recorded: The names of jobs with runs on record.
        names: The present names of those that were renamed.
        over: The names on record of those that the user retired, or forgot, and that did not run since, if that was asked for.
    """

    configured: Configured
    recorded: frozenset[str]
    names: Names
    over: frozenset[str] = frozenset()

    def is_over(self, name: str) -> bool:
        """Whether the user has retired the job *name*, and it did not run since."""
        recorded = self.recorded.intersection(self.names.recorded(name))
        return bool(recorded) and recorded <= self.over

    @property
    def in_file(self) -> set[str]:
        """The names of the jobs in config.toml, also of those with a fault."""
        return {*self.configured.jobs, *self.configured.broken}

    @property
    def past(self) -> set[str]:
        """The present names of the jobs on record."""
        return {self.job_of(name) for name in self.recorded}

    def job_of(self, name: str) -> str:
        """Return the present name of the job that is on record as *name*; the checks and restores of a job count as the job."""
        base = self.names.base(name)
        there = base in self.in_file or any(former in self.recorded for former in self.names.recorded(base))
        return base if there else self.names.present(name)

    @property
    def all(self) -> set[str]:
        """The present names of all jobs."""
        return self.in_file | self.past


def known(places: Places, *, judged: bool = False) -> Known:
    """Return all jobs, those of config.toml and those on record.

    Args:
        judged: Look which of them are over, which needs the history of each.

    Raises:
        ConfigError: The configuration file is broken.
        AuditUnavailableError: The log cannot be read.
    """
    with past_runs.reading(places) as log:
        if log is None:
            return Known(jobs.load(places), frozenset(), past_runs.present_names(places, None))
        recorded, names = search.names(log, "job", _OF_RUNS), log.names()
        histories, forgotten, _ = log.known_jobs() if judged else ((), {}, {})
    over = {name for name, _ in forgotten}.difference(history.job for history in histories)
    return Known(jobs.load(places), frozenset(recorded), names, frozenset(over))


def add(places: Places, name: str, values: Mapping[str, Any]) -> Job:
    """Make the job *name* of *values*, keys of [jobs.NAME] as config.toml has them.

    Raises:
        JobChangeError: There is such a job, or the values make no sense together.
        ConfigError: The configuration file is broken.
        ConfigWriteError: It cannot be written.
    """
    present = known(places)
    _must_name(name)
    if name in present.all:
        raise JobChangeError(
            f"There is a job named {name!r} already.",
            why="Two jobs of one name could not be told apart.",
            next=f"Change that job: `backup-tray jobs edit {shlex.quote(name)} --help`.",
        )
    if (now := present.names.present(name)) != name:
        why = "Its runs of that time would be taken for runs of the new job."
        raise JobChangeError(f"{name!r} is a former name of the job {now!r}.", why=why, next="Choose another name.")
    job = _set(places, name, values, "job added")
    _record(places, Draft(Action.JOB_CREATED, job=name, engine=job.engine, body={"keys": sorted(values)}))
    return job


def edit(places: Places, name: str, values: Mapping[str, Any]) -> Job:
    """Change keys of the job *name*; None removes a key. A job that only the log knows gets a table in config.toml.

    Raises:
        JobNotFoundError: There is no such job.
        JobChangeError: The values make no sense together.
        ConfigError: The configuration file is broken.
        ConfigWriteError: It cannot be written.
    """
    _must_be(known(places), name)
    others = {
        other: None
        for group in _TOGETHER
        for key in group
        if values.get(key) is not None
        for other in group
        if other != key
    }
    return _set(places, name, {**others, **values}, "job changed")


def coming_day(text: str, job: str) -> str:
    """Return the day that *text* names as "2026-12-24", up to which *job* is to be off.

    Raises:
        JobChangeError: It is none, or not to come.
    """
    today = clock.local(clock.now_ms()).date()
    why = "A date is written like 2026-12-24."
    with suppress(ValueError):
        if (day := date.fromisoformat(text)) > today:
            return day.isoformat()
        why = f"Today is {today}, so that day would change nothing."
    raise JobChangeError(
        f"No job can be off until {text[:40]!r}.",
        why=why,
        next=f"Name a day to come, such as `backup-tray jobs disable {shlex.quote(job)} --until {today + timedelta(14)}`.",
    )


def disable(places: Places, name: str, until: str | None = None, *, on: bool = False) -> Job:
    """Turn the job *name* off, up to the day *until* if there is one; or, with *on*, turn it on again. The entry says which.

    Raises:
        JobNotFoundError, JobChangeError, ConfigError, OSError: As `edit`.
    """
    _must_be(known(places), name)
    words = "job enabled" if on else "job disabled" if until is None else f"job off until {until}"
    values = {"enabled": False if until is None and not on else None, "off_until": until}

    def change(text: str) -> str:
        changed = saving.with_keys(text, name, values)
        return changed if tomllib.loads(changed)["jobs"][name] else saving.without(changed, name)

    _save(places, (name,), words, change)
    return jobs.load(places).jobs.get(name) or Job(name)


def remove(places: Places, name: str) -> None:
    """Take the job *name* out of config.toml. Its runs stay on record; later ones are judged by the rhythm that they show.

    Raises:
        JobNotFoundError: There is no such job.
        JobChangeError: Only the log knows it.
        ConfigError: The configuration file is broken.
        ConfigWriteError: It cannot be written.
    """
    present = known(places)
    _must_be(present, name)
    if name not in present.in_file:
        raise JobChangeError(
            f"The job {name!r} is not in config.toml.",
            why="It is known by its runs only, which stay on record.",
            next=f"If the job is over: `backup-tray jobs retire {shlex.quote(name)}`.",
        )
    _save(places, (name,), "job removed", lambda text: saving.without(text, name))


def rename(places: Places, old: str, new: str) -> None:
    """Call the job *old* by the name *new*: in config.toml, and its runs, past and to come, on every surface.

    Raises:
        JobNotFoundError: There is no job *old*.
        JobChangeError: *new* is no name, or the name of another job.
        ConfigError: The configuration file is broken.
        ConfigWriteError: It cannot be written.
    """
    present = known(places)
    _must_be(present, old)
    _must_name(new)
    if new in present.all:
        both = f"{shlex.quote(old)} {shlex.quote(new)}"
        raise JobChangeError(
            f"There is a job named {new!r} already.",
            why="A new name must be free.",
            next=f"If both are one job, put their runs together: `backup-tray jobs merge {both}`.",
        )
    owner = present.names.present(new)
    if owner not in (new, old):
        raise JobChangeError(
            f"{new!r} is a former name of the job {owner!r}.",
            why="A new name must be free.",
            next="Choose another name.",
        )

    def change(text: str) -> str:
        text = saving.renamed(text, old, new) if old in present.in_file else text
        return _with_matches(text, new, [old])

    _save(places, (old, new), RENAMED, change)
    _record(places, Draft(Action.JOB_RENAMED, job=new, result="renamed", body={"from": old}))


def merge(places: Places, old: str, into: str) -> None:
    """Put the runs of the job *old*, past and to come, to those of the job *into*; *old* is no job of its own any more.

    Raises:
        JobNotFoundError: There is no such job.
        JobChangeError: They are one job, or config.toml has a command for *old*.
        ConfigError: The configuration file is broken.
        ConfigWriteError: It cannot be written.
    """
    present = known(places)
    for name in (old, into):
        _must_be(present, name)
    if old == into:
        raise JobChangeError(f"{old!r} is one job.", why="Two are needed.", next="See all jobs: `backup-tray jobs`.")
    job = present.configured.jobs.get(old)
    if old in present.configured.broken or (job is not None and job.runnable):
        raise JobChangeError(
            f"The job {old!r} was not merged.",
            why="config.toml has its command, which would be lost.",
            next=f"Take it out of there first: `backup-tray jobs remove {shlex.quote(old)}`.",
        )
    matches = () if job is None else job.matches

    def change(text: str) -> str:
        return _with_matches(saving.without(text, old), into, [old, *matches])

    _save(places, (old, into), "jobs merged", change)
    _record(places, Draft(Action.JOB_RENAMED, job=into, result="merged", body={"from": old}))


def retire(places: Places, name: str) -> None:
    """End the job *name*: it is not judged until its next run, and one in config.toml is disabled. Its runs and settings stay.

    Raises:
        JobNotFoundError: There is no such job.
        ConfigError: The configuration file is broken.
        ConfigWriteError: It cannot be written.
    """
    present = known(places)
    _must_be(present, name)
    if name in present.in_file:
        _set(places, name, {"enabled": False}, "job retired")
    recorded = sorted(each for each in present.recorded if present.job_of(each) == name)
    _record(places, *(Draft(Action.JOB_FORGOTTEN, job=each, result="forgotten") for each in recorded))


def _must_be(present: Known, name: str) -> None:
    if name not in present.all:
        if (now := present.names.present(name)) != name:
            why, step = f"It is called {now!r} now.", "Use its present name."
        else:
            why = known_jobs(name, sorted(present.all), "There are no jobs yet")
            step = "See all jobs: `backup-tray jobs`. Make one: `backup-tray jobs add --help`."
        error = JobNotFoundError(name, why)
        error.next = step
        raise error


def _must_name(name: str) -> None:
    if not jobs.is_name(name):
        raise JobChangeError(
            f"A job cannot be called {name!r}.",
            why="A name has 1 to 80 letters, digits and signs, and begins neither with a dash nor with a space.",
            next="Choose a short name such as `home`.",
        )
    if name.endswith(_OF_KIND):
        raise JobChangeError(
            f"A job cannot be called {name!r}.",
            why="So end the names under which the checks and other runs of a job are on record.",
            next=f"Choose a name that does not end so, such as {name.rpartition(' (')[0]!r}.",
        )
    if jobs.holds_secret(name):
        raise JobChangeError(
            "A job's name cannot hold a password.",
            why="Names stand in every list; on record the password would be hidden, and no run would be one of that job.",
            next="Choose a name without it.",
        )


def _set(places: Places, name: str, values: Mapping[str, Any], words: str) -> Job:
    """Set keys of [jobs.*name*] and return the job; a rhythm of its checks takes the place of theirs, and their other keys stay."""

    def change(text: str) -> str:
        check = values.get("check")
        table = tomllib.loads(text).get("jobs", {}).get(name, {}).get("check")
        if not isinstance(check, Mapping) or not isinstance(table, Mapping):
            return saving.with_keys(text, name, values)
        text = saving.with_keys(text, name, {key: value for key, value in values.items() if key != "check"})
        return saving.with_keys(text, name, {**dict.fromkeys(_TOGETHER[0]), **check}, "check")

    _save(places, (name,), words, change)
    return jobs.load(places).jobs.get(name) or Job(name)


def _save(places: Places, names: tuple[str, ...], words: str, change: Callable[[str], str]) -> None:
    """Change the file, unless that gives the last of *names* a fault; record the change key by key."""

    def checked(text: str) -> str:
        changed = change(text)
        before, after = _fault(places, text, names[-1]), _fault(places, changed, names[-1])
        if after is not None and (before is None or before.why != after.why):
            verb = "changed" if names[-1] in tomllib.loads(text).get("jobs", {}) else "made"
            part = "edit" if verb == "changed" else "add"
            step = (
                f"Look at the options, among them `--command` for the whole command: `backup-tray jobs {part} --help`."
            )
            raise JobChangeError(f"The job {names[-1]!r} was not {verb}.", why=after.why, next=step)
        return changed

    with saving.locked(places):
        try:
            config_changes.check(places)  # an edit by hand goes on record as such first
        except OSError as error:  # a change that cannot be put on record is not made
            raise ConfigWriteError(places.audit_db, error) from error
        changes = config_changes.described(*saving.change(places, checked))
        if changes:
            body = {"change": words, "changes": changes}
            _record(places, Draft(Action.CONFIG_CHANGED, job=names[-1], result="changed", body=body))
            for name in names:
                config_changes.accept(places, "jobs", name)


def _fault(places: Places, text: str, name: str) -> ConfigError | None:
    """Return the fault of the job *name* in *text*: of its settings, or of the command line that they stand for."""
    present = jobs.configured(file.Document(places.config_file, text))
    job = present.jobs.get(name)
    if name in present.broken or job is None or not job.runnable:
        return present.broken.get(name)
    try:
        configured.built(job)
    except ConfigError as error:
        return error
    return None


def _with_matches(text: str, name: str, more: Iterable[str]) -> str:
    """Return *text* in which runs that carry the names *more* belong to the job *name*."""
    table = tomllib.loads(text).get("jobs", {}).get(name, {})
    own = table.get("matches", ())
    matches = [match for match in dict.fromkeys([*own, *more]) if match != name]
    return text if matches == list(own) else saving.with_keys(text, name, {"matches": matches or None})


def _record(places: Places, *drafts: Draft) -> None:
    if drafts:
        spool.record(places, drafts, timeout=RECORD_SECONDS)
