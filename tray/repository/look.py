"""Look at the repositories that runs used and jobs name: now and then in the tracker's helper process, or when the user asks.

The helper reads files every few minutes. It asks engines every few hours (`ask_every` in config.toml), and only about facts that
the files do not show. No backup may have to share its disk or its lock with us, and no disk that the user's own script unmounts
may be busy because of us. Therefore

- a repository is left alone while a run of it goes on,
- right after a run only the wrapper itself looks (see `after`), and that look counts: the next one comes minutes later,
- a disk that is mounted only for its backup is unmounted at that time: the state says so, beside the last known facts,
- a process of its own looks at a folder on a network, and is given up when it hangs,
- engines are asked only where credentials are configured, or stand in the environment of the user who asks.

A wrapped run's environment could open its repository too, but a process that outlives the run to use it would hold up the unmount
or the service that the run belongs to.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from tray import config, engines, runs
from tray.config import jobs as configured
from tray.config.jobs import DEFAULT_ENGINE, Job
from tray.core import clock, locks, ourselves
from tray.core.clock import DAY_MS
from tray.core.dataclass import dataclass, replace
from tray.core.errors import BackupTrayError, RepositoryAskError, RepositoryUnreachableError
from tray.core.model import RepositoryState
from tray.core.paths import Places, expand
from tray.core.redact import Redactor
from tray.repository import ask, cache, files, local, states
from tray.repository.ask import Access, Snapshot
from tray.repository.cache import Entry
from tray.repository.files import Found
from tray.runs import Process

LOOK_EVERY_MS = 4 * 60_000
FORGET_AFTER_MS = 30 * DAY_MS
"""Time after which a repository leaves the cache that no run has used, no look has reached and no job names."""
ANSWER_SECONDS = 10.0
"""Time that a file system may take to answer."""


@dataclass(frozen=True, slots=True)
class Target:
    """A repository to look at.

    Attributes:
        access: The way in; its address may hold secrets and is never shown.
        folder: Its folder, if it is a local one.
        shown: Its address without secrets.
        jobs: Configured jobs that write to it.
    """

    access: Access
    folder: Path | None
    shown: str
    jobs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of its file in the cache."""
        return cache.name_of(self.access.engine, self.shown if self.folder is None else str(self.folder))


def known_targets(places: Places) -> list[Target]:
    """Return every repository that is in the cache or that a configured job names; a broken configuration names none."""
    targets: dict[str, Target] = {}
    with suppress(BackupTrayError):
        for job in configured.load(places).jobs.values():
            target = _of_job(job)
            if target is not None:
                before = targets.get(target.name)
                jobs = (job.name,) if before is None else (*before.jobs, job.name)
                targets[target.name] = replace(target if before is None else before, jobs=jobs)
    for name, entry in cache.Cache(places).contents().entries.items():
        targets.setdefault(name, _of_entry(entry))
    return list(targets.values())


def target_of(places: Places, address: str, where: str) -> Target | None:
    """Return the target that the user means by *address*: a known one, or a folder or an address that looks like a repository."""
    path = local.folder("", address, where)
    for target in known_targets(places):
        if address in (target.shown, target.access.address) or (path is not None and path == target.folder):
            return target
    for engine in (built_in.name for built_in in engines.ENGINES):
        folder = local.folder(engine, address, where)
        if folder is not None and _is_one(engine, folder):
            return Target(Access(engine, str(folder)), folder, str(folder))
    names = (known.name for known in engines.ENGINES if address.startswith(known.load().address_begins))
    engine = next(names, "")
    return Target(Access(engine, address), None, Redactor((), {}).text(address)) if engine else None


def now_and_then(places: Places) -> None:
    """Look at every repository whose state is old, at a low priority: the task of the tracker's helper."""
    _step_back()
    for target in known_targets(places):
        if due(places, target):
            with suppress(BackupTrayError, OSError):
                look(places, target, os.environ)
    tidy(places)


def due(places: Places, target: Target) -> bool:
    """Return whether the next look is due: the last one is minutes old, and no run of the repository goes on."""
    entry = cache.known(places, target.name)
    if entry is not None and 0 <= clock.now_ms() - entry.looked_ms < LOOK_EVERY_MS:
        return False
    if entry is not None and entry.stuck is not None and entry.stuck.alive():
        return False
    return not in_use(places, target)


def in_use(places: Places, target: Target) -> bool:
    """Return whether a run of the repository goes on, as far as the run folders show."""
    for folder in runs.live(places):
        with suppress(OSError, ValueError):
            info = folder.info()
            same = info.repository == target.shown
            if not same and info.engine == target.access.engine and target.folder is not None:
                same = local.folder(info.engine, info.repository) in (target.folder, None)
            if same and folder.running(info):
                return True
    return False


def look(
    places: Places, target: Target, environ: Mapping[str, str], *, asked: bool = False
) -> tuple[Entry, list[Snapshot] | None]:
    """Look at one repository, write its entry to the cache and return it, with the snapshots if the engine was asked for them.

    A failure stands in the state's `error`, beside the last known facts.

    Args:
        environ: The engine's environment.
        asked: Whether the user asks now: then the engine is asked if there are credentials, however new its last answer is.

    Raises:
        RepositoryCacheError: The entry cannot be written.
    """
    now = clock.now_ms()
    before = cache.known(places, target.name)
    entry = before or Entry(RepositoryState(target.shown, target.access.engine, now))
    entry = replace(entry, folder=None if target.folder is None else str(target.folder), looked_ms=now, stuck=None)
    entry, contents = _files(entry, target, now)
    listed = None
    if entry.state.error is None and _to_ask(places, entry, target, contents, environ, now, asked=asked):
        entry, listed = _asked(entry, target, contents, environ, now)
    elif target.folder is None:
        if asked and ask.can_ask(target.access.engine) and not target.access.given(environ):
            entry = replace(entry, state=replace(entry.state, error=ask.no_password(target.access).facts()))
        elif before is None:  # nothing is known, and there is no way to learn more
            return entry, None
        else:
            entry = replace(entry, state=before.state)
    for job in target.jobs:
        entry = entry.of_job(job)
    with cache.alone(places):
        if (
            cache.known(places, target.name) == before
        ):  # else a run has ended meanwhile, and its wrapper's look is newer
            cache.write(places, entry)
    return entry, listed


def tidy(places: Places) -> None:
    """Drop entries that no look will renew: damaged files of no known repository, and repositories long gone."""
    named = {target.name for target in known_targets(places) if target.jobs}
    contents = cache.Cache(places).contents()
    for name, error in contents.errors.items():
        if name and name not in named and "damaged" in error.why:
            cache.forget(places, name)
    for name, entry in contents.entries.items():
        last = max(entry.used_ms or 0, entry.state.as_of_ms)
        if entry.state.error is not None and name not in named and clock.now_ms() - last > FORGET_AFTER_MS:
            cache.forget(places, name)


def read_apart(engine: str, folder: Path) -> tuple[Found, Process | None]:
    """Look at a folder that may hang, in a process that may be given up; return the state, or the process that hangs."""
    process = ourselves.start("tray.repository.files", engine, str(folder), stdout=subprocess.PIPE, session=False)
    try:
        out, _ = process.communicate(timeout=ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        assert process.stdout is not None
        process.stdout.close()
        with suppress(subprocess.TimeoutExpired):  # one that waits for a dead server ends when that answers, or never
            process.wait(1)
        return Found(), Process(process.pid, locks.process_start(process.pid))
    try:
        data = json.loads(out)
    except ValueError as error:
        raise RepositoryUnreachableError(str(folder), "The process that should look at it failed.") from error
    if "why" in data:
        raise RepositoryUnreachableError(str(folder), data["why"])
    return Found.from_json(data), None


def _files(entry: Entry, target: Target, now: int) -> tuple[Entry, Found]:
    """Read the files, if the repository is a local folder; an earlier error of a repository elsewhere is over."""
    if target.folder is None or not files.can_read(target.access.engine):
        return replace(entry, state=replace(entry.state, error=None)), Found()
    apart = not local.on_a_disk(target.folder)
    try:
        if apart:
            contents, stuck = read_apart(target.access.engine, target.folder)
            if stuck is not None:
                why = f"Its file system did not answer within {ANSWER_SECONDS:.0f} s."
                error = RepositoryUnreachableError(target.shown, why)
                return replace(entry, state=replace(entry.state, error=error.facts()), stuck=stuck), contents
        else:
            contents = files.look(target.access.engine, target.folder)
    except RepositoryUnreachableError as error:
        return replace(entry, state=replace(entry.state, error=error.facts())), Found()
    state = states.seen(entry.state, contents, now, changed=contents.mark != entry.mark)
    if not apart and engines.named(target.access.engine).sized and state.size is None:
        state = replace(state, size=files.size(target.folder))
    return replace(entry, state=state, mark=contents.mark, expected=states.judged(entry.expected, contents)), contents


def _to_ask(
    places: Places,
    entry: Entry,
    target: Target,
    contents: Found,
    environ: Mapping[str, str],
    now: int,
    *,
    asked: bool,
) -> bool:
    """Return whether to ask the engine: there is a fact that only it knows, and credentials to ask with."""
    if not ask.can_ask(target.access.engine) or in_use(places, target):
        return False
    if contents.locks and entry.state.lock_command is None:
        return False  # an engine works there now, so that our question would come at a bad time
    if asked:
        return target.access.given(environ) or engines.named(target.access.engine).may_be_open
    if not target.jobs or not target.access.given(environ):
        return False
    if contents.ids is not None and not contents.locks:
        return False  # the files have told everything
    with suppress(BackupTrayError):
        every = config.load(places).ask_every_ms
        return every is not None and (entry.asked_ms is None or not 0 <= now - entry.asked_ms < every)
    return False


def _asked(
    entry: Entry, target: Target, contents: Found, environ: Mapping[str, str], now: int
) -> tuple[Entry, list[Snapshot] | None]:
    """Ask the engine, and add its answer to the facts from the files."""
    listed = None
    state = entry.state
    try:
        listed = ask.snapshots(target.access, environ)
        state = replace(state, as_of_ms=now, snapshots=len(listed), error=None)
        if contents.ids is None:
            newest = listed[-1] if listed else None
            state = replace(
                state,
                last_snapshot=None if newest is None else newest.id,
                last_snapshot_ms=None if newest is None else newest.time_ms,
            )
        if engines.named(target.access.engine).asks_lock and contents.locks:
            state = states.locked(state, [ask.lock(target.access, contents.locks[0], environ)], now)
    except BackupTrayError as error:
        slow = isinstance(error, RepositoryAskError) and error.slow
        if (
            slow or target.access.given(environ) or target.folder is None
        ):  # else it was only a try: some need no password
            state = replace(state, error=error.facts())
    return replace(entry, state=state, asked_ms=now), listed


def _step_back() -> None:
    """Let every other process go first, at the processor and at the disk."""
    with suppress(psutil.Error, OSError, AttributeError):
        me = psutil.Process()
        if sys.platform == "win32":
            me.nice(psutil.IDLE_PRIORITY_CLASS)
        else:
            os.nice(19)
        if sys.platform == "linux":
            me.ionice(psutil.IOPRIO_CLASS_IDLE)


def _of_job(job: Job) -> Target | None:
    """Return the repository of a configured job, None if the job does not say where it goes."""
    password = None if job.password_file is None else expand(job.password_file)
    engine, address = "", None
    if not job.command:
        engine = job.engine or DEFAULT_ENGINE
        address = None if job.repository is None else expand(job.repository)
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
    """Return whether *folder* looks like a repository of *engine*."""
    try:
        if not files.can_read(engine) or not local.on_a_disk(folder):
            return False
        state = files.look(engine, folder)
    except BackupTrayError:
        return False
    return engines.named(engine).repository in files.EMPTY_IS_ONE or bool(state.snapshots)
