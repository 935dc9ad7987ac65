"""Which repositories there are to look at: those that runs went to, those that jobs name, and what a person means."""

import os
from contextlib import suppress
from pathlib import Path

from tray import config, engines
from tray.config import Job
from tray.core.dataclass import dataclass, replace
from tray.core.errors import BackupTrayError
from tray.core.paths import Places, expand
from tray.core.redact import Redactor
from tray.repository import cache, files, local
from tray.repository.ask import Access
from tray.repository.cache import Entry


@dataclass(frozen=True, slots=True)
class Target:
    """A repository to look at.

    Attributes:
        access: How to get in; its address may hold secrets and is never shown.
        folder: Where it is, if it is a local folder.
        shown: Its address without secrets.
        jobs: Configured jobs that write to it.
    """

    access: Access
    folder: Path | None
    shown: str
    jobs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its file in the cache."""
        return cache.name_of(self.access.engine, self.shown if self.folder is None else str(self.folder))


def known(places: Places) -> list[Target]:
    """Return every repository that is in the cache or that a configured job names; a broken configuration names none."""
    found: dict[str, Target] = {}
    with suppress(BackupTrayError):
        for job in config.load(places).jobs.values():
            target = _of_job(job)
            if target is not None:
                before = found.get(target.name)
                jobs = (job.name,) if before is None else (*before.jobs, job.name)
                found[target.name] = replace(target if before is None else before, jobs=jobs)
    for name, entry in cache.Cache(places).contents().entries.items():
        found.setdefault(name, _of_entry(entry))
    return list(found.values())


def of_address(places: Places, address: str, where: str) -> Target | None:
    """Return the target that a person means by *address*: a known one, else a folder or an address that looks like a repository."""
    path = local.folder("", address, where)
    for target in known(places):
        if address in (target.shown, target.access.address) or (path is not None and path == target.folder):
            return target
    for engine in (built_in.name for built_in in engines.ENGINES):
        folder = local.folder(engine, address, where)
        if folder is not None and _is_one(engine, folder):
            return Target(Access(engine, str(folder)), folder, str(folder))
    names = (one.name for one in engines.ENGINES if address.startswith(one.load().address_begins))
    engine = next(names, "")
    return Target(Access(engine, address), None, Redactor((), {}).text(address)) if engine else None


def _of_job(job: Job) -> Target | None:
    """Return the repository of a configured job, None if the job does not say where it goes."""
    password = None if job.password_file is None else expand(job.password_file)
    engine, address = "", None
    if not job.command:
        engine, address = (
            job.engine or config.DEFAULT_ENGINE,
            None if job.repository is None else expand(job.repository),
        )
    else:
        with suppress(BackupTrayError):
            adapter, at = engines.recognise(job.command, os.environ, job.engine)
            engine, address = adapter.name, adapter.plan(job.command, at, os.environ).repository
    if not address:
        return None
    shown = Redactor((), {}).text(address)
    return Target(Access(engine, address, password), local.folder(engine, address), shown, (job.name,))


def _of_entry(entry: Entry) -> Target:
    folder = None if entry.folder is None else Path(entry.folder)
    address = entry.state.repository if folder is None else str(folder)
    return Target(Access(entry.state.engine, address), folder, entry.state.repository)


def _is_one(engine: str, folder: Path) -> bool:
    """Whether *folder* looks like a repository of *engine*."""
    try:
        if not files.can_read(engine) or not local.on_a_disk(folder):
            return False
        found = files.look(engine, folder)
    except BackupTrayError:
        return False
    return engines.named(engine).repository in files.EMPTY_IS_ONE or bool(found.snapshots)
