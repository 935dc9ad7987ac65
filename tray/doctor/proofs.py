"""Check the proofs: of which jobs a check is expected, and whether their backups were lately proven restorable."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from tray import wording
from tray.config import jobs
from tray.config.jobs import Job
from tray.core import clock
from tray.core.errors import BackupTrayError, ConfigError
from tray.core.model import BACKUP, CHECK, Word, shown_name
from tray.core.paths import Places
from tray.doctor import Check, Level
from tray.engines.proving import PROVERS
from tray.schedule import conditions
from tray.status import schedules
from tray.status.expected import Expectations
from tray.status.job_histories import History
from tray.status.kept_files import Settings
from tray.wording.expectations import moment

NAME = "checks"
_LONG_AGO = (Word.LATE, Word.OVERDUE, Word.OLD, Word.NEVER_RAN)


def checks(places: Places) -> Iterable[Check]:
    """Name the jobs that were never proven restorable, or long ago, and those of which no check is expected."""
    now = clock.now_ms()
    known: Mapping[str, Job] = {}
    with suppress(ConfigError):  # said elsewhere
        known = jobs.load(places).jobs
    able = [job for job in known.values() if job.runnable and not job.is_off(now) and _engine(job) in PROVERS]
    expected = [job for job in able if job.check is not None and job.check.rhythm != jobs.OFF]
    unproven = list(_unproven(places, expected, now))
    yield from unproven
    without = sorted(job.name for job in able if job not in expected)
    if without:
        what = f"No check is expected of {', '.join(without)}, so it goes unseen if the backup cannot be restored."
        first = shlex.quote(without[0])
        step = f"backup-tray jobs edit {first} --check-every 30d  (and the first one: backup-tray check {first})"
        yield Check(NAME, Level.NOTE, what, step)
    elif expected and not unproven:
        yield Check(NAME, Level.OK, f"Checks are expected of {wording.plural(len(expected), 'job')}.")


def _unproven(places: Places, expected: Iterable[Job], now: int) -> Iterator[Check]:
    """Yield a line for each job with a backup that no check has proven restorable in the time that its rhythm gives."""
    settings, history = Settings(places), History(places)
    try:
        settings.read()
        history.refresh()
        history.follow(settings.configured.owners)
        known = history.past(set(), ())[0]
        judged = Expectations(places).of(known, history, settings, (), now)
    finally:
        history.close()
    past = {(job.job, job.kind): job for job in known}
    scheduled = set()
    with suppress(BackupTrayError):  # said elsewhere
        scheduled = {schedule.job for schedule in schedules.read(places) if schedule.kind == CHECK}
    for job in expected:
        key = shown_name(job.name, CHECK), CHECK
        backup, check, rhythm = past.get((job.name, BACKUP)), past.get(key), judged.get(key)
        if backup is None or backup.last_good is None:
            continue
        name = shlex.quote(job.name)
        step = f"backup-tray check {name}"
        step += "" if job.name in scheduled else f"  (by itself: backup-tray schedule {name} --check --on monthly)"
        if check is None or check.proven is None:
            yield Check(NAME, Level.WARN, f"{job.name} was never proven restorable.", step)
        elif rhythm is not None and rhythm.expectation.word in _LONG_AGO:
            age, by = wording.ago(now, check.proven.at_ms), rhythm.expectation.expected_by_ms
            late = "" if by is None else f"; a proof was expected by {moment(by, now)}"
            yield Check(NAME, Level.WARN, f"{job.name} was last proven restorable {age}{late}.", step)


def _engine(job: Job) -> str:
    return job.engine or conditions.target(job)[0]
