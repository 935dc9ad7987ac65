"""Show histories and runs under the present names of their jobs: a job may have been renamed, or merged with another.

Every reader of the past takes the names from here: those of the log, renamings that wait for it, and `matches` of config.toml.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache

from tray.audit import spool
from tray.audit.search import renames
from tray.audit.search.renames import Names
from tray.config import jobs
from tray.core.dataclass import replace
from tray.core.errors import ConfigError
from tray.core.model import EndedRun, JobHistory, LiveRun, judge
from tray.core.paths import Places


def further(places: Places) -> Callable[[Names], Names]:
    """Return the function that adds renamings in the spool, and `matches` in config.toml, to the names of a log.

    Both are read once, when a name is first asked for. Where config.toml is broken, which is said elsewhere, it matches nothing.
    """

    @cache
    def known() -> tuple[list[tuple[str, str]], Mapping[str, str]]:
        owners: Mapping[str, str] = {}
        with suppress(ConfigError):
            owners = jobs.load(places).owners
        return renames.waiting(spool.pending(places)), owners

    def add(names: Names) -> Names:
        waiting, owners = known()
        return names.with_renames(waiting).with_owners(owners)

    return add


def histories(jobs: Iterable[JobHistory], names: Names) -> list[JobHistory]:
    """Return *jobs* under their present names, those of one name and kind joined to one history."""
    if not names.renamed:
        return list(jobs)
    joined: dict[tuple[str, str], JobHistory] = {}
    for job in (_named(job, names.present(job.job)) for job in jobs):
        key = (job.job, job.kind)
        joined[key] = _joined(joined[key], job) if key in joined else job
    return list(joined.values())


def ended(runs: Iterable[EndedRun], names: Names) -> list[EndedRun]:
    """Return *runs* under the present names of their jobs."""
    return [run if names.present(run.job) == run.job else replace(run, job=names.present(run.job)) for run in runs]


def live(runs: Iterable[LiveRun], names: Names) -> list[LiveRun]:
    """Return *runs* under the present names of their jobs."""
    return [run if names.present(run.job) == run.job else replace(run, job=names.present(run.job)) for run in runs]


def _named(job: JobHistory, name: str) -> JobHistory:
    if job.job == name:
        return job
    last, good, decides = (
        None if run is None else replace(run, job=name) for run in (job.last, job.last_good, job.decides)
    )
    return replace(job, job=name, last=last, last_good=good, decides=decides)


def _joined(first: JobHistory, second: JobHistory) -> JobHistory:
    """Return the history of both: the later run that the user did not cancel decides.

    The streak is exact if one history ended before the other began; if their runs alternate, it may be too great.
    """
    older, newer = sorted((first, second), key=lambda job: (judge.decides(job.about), judge.order(job.about)))
    last, good = judge.newest((older.last, newer.last)), judge.newest(filter(None, (older.last_good, newer.last_good)))
    about = newer.about
    return replace(
        newer,
        last=last,
        decides=None if about is last or not judge.decides(about) else about,
        last_good=good,
        streak=newer.streak if good is not None and good is newer.last_good else newer.streak + older.streak,
        proven=max(filter(None, (older.proven, newer.proven)), key=lambda proof: proof.at_ms, default=None),
        dated=newer.dated if good is newer.last_good else older.dated,
    )
