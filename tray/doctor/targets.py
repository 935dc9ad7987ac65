"""Check the targets of the backups: whether they are there, how much room they have, and when it will be used up."""

import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread

from tray import wording
from tray.config import jobs
from tray.config.jobs import Job
from tray.core import clock
from tray.core.dataclass import dataclass, field
from tray.core.errors import ConfigError
from tray.core.paths import Places
from tray.core.redact import Redactor
from tray.doctor import Check, Level
from tray.repository import after, cache, local
from tray.repository.cache import Entry
from tray.repository.room import days_left
from tray.schedule import conditions

NEARLY_FULL, NEARLY_FULL_BYTES = 0.05, 10_000_000_000
"""A disk with less room than both this share and so many bytes is nearly full."""
SOON_DAYS = 14
_FAR_DAYS = 365
_ANSWER_SECONDS = 8.0
_MOST_AT_ONCE = 16


@dataclass(slots=True)
class _Target:
    """A repository, the names of the jobs that write to it, and its entry in the cache if there is one."""

    repository: str
    engine: str
    jobs: list[str] = field(default_factory=list)
    entry: Entry | None = None

    @property
    def shown(self) -> str:
        """Return the repository without passwords, and its jobs."""
        names = f" ({', '.join(sorted(self.jobs))})" if self.jobs else ""
        return f"{Redactor((), {}).text(self.repository)}{names}"


def targets(places: Places) -> Iterable[Check]:
    """Tell of each target whether it is there and how much room it has. A drive that is not connected is no fault."""
    known = _known(places)
    answers = _answers(known)
    for target in known:
        folder = local.folder(target.engine, target.repository)
        there = answers.get(target.repository, False)
        if there is None:
            what = f"Whether {target.shown} is there is known to {target.engine or 'its engine'} only."
            yield Check("targets", Level.NOTE, what, "backup-tray repository --refresh  (asks it now)")
        elif not there:
            if target.jobs:
                yield _away(target, folder)
        elif folder is not None and local.on_a_disk(folder):
            yield _room(target, folder)
        elif target.jobs:
            yield Check("targets", Level.OK, f"{target.shown} {'answers' if folder is None else 'is there'}.")


def _known(places: Places) -> list[_Target]:
    """Return the targets of the jobs in config.toml that are not turned off, and the folders that were used before."""
    known: dict[str, _Target] = {}
    for job in _jobs(places).values():
        engine, repository = conditions.target(job)
        if repository is not None and not job.is_off(clock.now_ms()):
            known.setdefault(repository, _Target(repository, engine)).jobs.append(job.name)
    for entry in cache.Cache(places).contents().entries.values():
        if entry.folder is not None:
            own = next((target for target in known.values() if _is_at(target, entry.folder)), None)
            own = own or known.setdefault(entry.folder, _Target(entry.folder, entry.state.engine))
            own.entry = entry
    return sorted(known.values(), key=lambda target: target.repository)


def _jobs(places: Places) -> Mapping[str, Job]:
    try:
        return jobs.load(places).jobs
    except ConfigError:  # another check reports it
        return {}


def _is_at(target: _Target, folder: str) -> bool:
    return local.folder(target.engine, target.repository) == Path(folder)


def _answers(known: Iterable[_Target]) -> dict[str, bool | None]:
    """Return which targets are there, None where only the engine can tell. One that does not answer in time is missing."""
    there: dict[str, bool | None] = {}
    waiting = list(known)

    def ask() -> None:
        with suppress(IndexError):
            while True:
                target = waiting.pop()
                there[target.repository] = conditions.answer(target.repository, target.engine)

    threads = [Thread(target=ask, daemon=True) for _ in waiting[:_MOST_AT_ONCE]]
    for thread in threads:
        thread.start()
    deadline = clock.monotonic() + _ANSWER_SECONDS
    for thread in threads:
        thread.join(max(deadline - clock.monotonic(), 0))
    return dict(there)


def _away(target: _Target, folder: Path | None) -> Check:
    last = None if target.entry is None else target.entry.used_ms
    used = "" if last is None else f"; it was last used {wording.ago(clock.now_ms(), last)}"
    what = f"{target.shown} is not there now: not connected or not mounted, moved, or not made yet{used}."
    if folder is None:
        what = f"The server of {target.shown} does not answer now{used}."
        return Check("targets", Level.NOTE, what, "backup-tray repository --refresh  (has the engine ask it)")
    step = f"Connect it before the next backup; if it has moved: backup-tray jobs edit {_quoted(target)} --repository PLACE"
    return Check("targets", Level.NOTE, what, step)


def _quoted(target: _Target) -> str:
    return shlex.quote(min(target.jobs))


def _room(target: _Target, folder: Path) -> Check:
    """Say how much room the disk has, and when it will be full if that is known."""
    now = after.room(folder, clock.now_ms())
    if now is None:
        return Check("targets", Level.OK, f"{target.shown} is there.")
    entry = target.entry
    days = None if entry is None else days_left(entry.with_room(now).rooms)
    trend = (
        ""
        if days is None or days > _FAR_DAYS
        else f"; full in about {wording.plural(max(days, 1), 'day')} if it goes on so"
    )
    what = f"{target.shown}: {wording.size(now.free)} of {wording.size(now.total)} are free{trend}."
    few = now.free < min(NEARLY_FULL * now.total, NEARLY_FULL_BYTES)
    if not few and (days is None or days > SOON_DAYS):
        return Check("targets", Level.OK, what)
    step = f"df -h {shlex.quote(str(folder))}  (prune old snapshots with {target.engine or 'its engine'}, or use a larger disk)"
    return Check("targets", Level.WARN, what, step)
