"""Looking at the repositories now and then, in the tracker's helper process or when somebody asks for it.

Files are looked at every few minutes, engines are asked every few hours (`ask_every` in config.toml), and only about what the
files do not tell. Two things must never happen: that a backup has to share its disk or its lock with us, and that a disk which the
user's own script unmounts is busy because of us. Therefore

- while a run of a repository goes on, it is left alone,
- right after one only the wrapper itself has looked (see `after`), and that look counts: the next one comes minutes later,
- a disk that is mounted only for its backup is thus found unmounted here, which is said, with what was last known,
- a folder on a network is looked at by a process of its own, which is given up when it hangs,
- engines are asked only where credentials are configured, or in the environment of the person who asks.

A wrapped run's environment could open its repository too, but a process that outlives the run to use it would hold up the unmount
or the service that the run belongs to. So nobody asks then.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tray import config, engines, runs
from tray.core import clock, locks, ourselves
from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError, RepositoryAskError, RepositoryUnreachableError
from tray.core.model import RepositoryState
from tray.core.paths import Places
from tray.repository import ask, cache, files, local, states, targets
from tray.repository.ask import Snapshot
from tray.repository.cache import Entry
from tray.repository.files import Found
from tray.repository.targets import Target

LOOK_EVERY_MS = 4 * 60_000
FORGET_AFTER_MS = 30 * DAY_MS
"""A repository that no run has used and no look has reached for so long, and that no job names, is dropped from the cache."""
ANSWER_SECONDS = 10.0
"""How long a file system may take to answer."""


def now_and_then(places: Places) -> None:
    """Look at every repository whose state is old: what the tracker's helper does. Lowers its own priority."""
    _step_back()
    for target in targets.known(places):
        if due(places, target):
            with suppress(BackupTrayError, OSError):
                look(places, target, os.environ)
    tidy(places)


def due(places: Places, target: Target) -> bool:
    """Whether somebody should look: the last look is minutes old, and no run of the repository goes on."""
    entry = cache.known(places, target.name)
    if entry is not None and 0 <= clock.now_ms() - entry.looked_ms < LOOK_EVERY_MS:
        return False
    if entry is not None and entry.stuck is not None and locks.process_start(entry.stuck[0]) == entry.stuck[1]:
        return False
    return not in_use(places, target)


def in_use(places: Places, target: Target) -> bool:
    """Whether a run of the repository goes on, as far as we know."""
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
    """Look at one repository, keep what was found, and return it, with the snapshots if the engine was asked for them.

    What goes wrong is in the state's `error`, beside what was last known.

    Args:
        environ: The engine's environment.
        asked: Somebody wants to know now: the engine is asked if there are credentials, however new the last answer is.

    Raises:
        RepositoryCacheError: What was found cannot be kept.
    """
    now = clock.now_ms()
    before = cache.known(places, target.name)
    entry = before or Entry(RepositoryState(target.shown, target.access.engine, now))
    entry = replace(entry, folder=None if target.folder is None else str(target.folder), looked_ms=now, stuck=None)
    entry, found = _files(entry, target, now)
    listed = None
    if entry.state.error is None and _to_ask(places, entry, target, found, environ, now, asked=asked):
        entry, listed = _asked(entry, target, found, environ, now)
    elif target.folder is None:
        if asked and ask.can_ask(target.access.engine) and not target.access.given(environ):
            entry = replace(entry, state=replace(entry.state, error=ask.no_password(target.access).facts()))
        elif before is None:  # nothing is known, and nobody could say more
            return entry, None
        else:
            entry = replace(entry, state=before.state)
    for job in target.jobs:
        entry = entry.of_job(job)
    with cache.alone(places):
        if cache.known(places, target.name) == before:  # else a run has ended meanwhile, whose own look is newer
            cache.write(places, entry)
    return entry, listed


def tidy(places: Places) -> None:
    """Drop what nobody will ever look at again: damaged files of no known repository, and repositories long gone."""
    named = {target.name for target in targets.known(places) if target.jobs}
    contents = cache.Cache(places).contents()
    for name, error in contents.errors.items():
        if name and name not in named and "damaged" in error.why:
            cache.forget(places, name)
    for name, entry in contents.entries.items():
        last = max(entry.used_ms or 0, entry.state.as_of_ms)
        if entry.state.error is not None and name not in named and clock.now_ms() - last > FORGET_AFTER_MS:
            cache.forget(places, name)


def read_apart(engine: str, folder: Path) -> tuple[Found, tuple[int, str] | None]:
    """Look at a folder that may hang, in a process that may be given up; return what it found, or the process that hangs.

    Raises:
        RepositoryUnreachableError: The folder cannot be looked at.
    """
    process = subprocess.Popen(
        ourselves.command("tray.repository.__main__", engine, str(folder)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ourselves.FOLDER,
        env=ourselves.environ(),
    )
    try:
        out, _ = process.communicate(timeout=ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        assert process.stdout is not None
        process.stdout.close()
        with suppress(subprocess.TimeoutExpired):  # one that waits for a dead server ends when that answers, or never
            process.wait(1)
        return Found(), (process.pid, locks.process_start(process.pid) or "")
    try:
        data = json.loads(out)
    except ValueError as error:
        raise RepositoryUnreachableError(str(folder), "The process that should look at it failed.") from error
    if "why" in data:
        raise RepositoryUnreachableError(str(folder), data["why"])
    return files.from_json(data), None


def _files(entry: Entry, target: Target, now: int) -> tuple[Entry, Found]:
    """Look at the files, if there are any to look at; of a repository elsewhere an earlier error says nothing about now."""
    if target.folder is None or not files.can_read(target.access.engine):
        return replace(entry, state=replace(entry.state, error=None)), Found()
    apart = not local.on_a_disk(target.folder)
    try:
        if apart:
            found, stuck = read_apart(target.access.engine, target.folder)
            if stuck is not None:
                why = f"Its file system did not answer within {ANSWER_SECONDS:.0f} s."
                error = RepositoryUnreachableError(target.shown, why)
                return replace(entry, state=replace(entry.state, error=error.facts()), stuck=stuck), found
        else:
            found = files.look(target.access.engine, target.folder)
    except RepositoryUnreachableError as error:
        return replace(entry, state=replace(entry.state, error=error.facts())), Found()
    state = states.seen(entry.state, found, now, changed=found.mark != entry.mark)
    if not apart and engines.named(target.access.engine).sized and state.size is None:
        state = replace(state, size=files.size(target.folder))
    return replace(entry, state=state, mark=found.mark, expected=states.judged(entry.expected, found)), found


def _to_ask(
    places: Places,
    entry: Entry,
    target: Target,
    found: Found,
    environ: Mapping[str, str],
    now: int,
    *,
    asked: bool,
) -> bool:
    """Whether the engine is to be asked: there is something that only it can say, and credentials to ask with."""
    if not ask.can_ask(target.access.engine) or in_use(places, target) or _busy(entry.state, found):
        return False
    if asked:
        return target.access.given(environ) or engines.named(target.access.engine).may_be_open
    if not target.jobs or not target.access.given(environ):
        return False
    if found.ids is not None and not found.locks:
        return False  # the files have told everything
    with suppress(BackupTrayError):
        every = config.load(places).ask_every_ms
        return every is not None and (entry.asked_ms is None or not 0 <= now - entry.asked_ms < every)
    return False


def _busy(state: RepositoryState, found: Found) -> bool:
    """Whether somebody works in the repository, so that our question would come at a bad time."""
    return bool(found.locks) and state.lock_command is None


def _asked(
    entry: Entry, target: Target, found: Found, environ: Mapping[str, str], now: int
) -> tuple[Entry, list[Snapshot] | None]:
    """Ask the engine, and put its answer beside what the files told."""
    listed = None
    state = entry.state
    try:
        listed = ask.snapshots(target.access, environ)
        state = replace(state, as_of_ms=now, snapshots=len(listed), error=None)
        if found.ids is None:
            newest = listed[-1] if listed else None
            state = replace(
                state,
                last_snapshot=None if newest is None else newest.id,
                last_snapshot_ms=None if newest is None else newest.time_ms,
            )
        if engines.named(target.access.engine).asks_lock and found.locks:
            state = states.locked(state, [ask.lock(target.access, found.locks[0], environ)], now)
    except BackupTrayError as error:
        slow = isinstance(error, RepositoryAskError) and error.slow
        if (
            slow or target.access.given(environ) or target.folder is None
        ):  # else it was only a try: some need no password
            state = replace(state, error=error.facts())
    return replace(entry, state=state, asked_ms=now), listed


def _step_back() -> None:
    """Let everybody else go first, at the processor and at the disk."""
    import psutil

    with suppress(psutil.Error, OSError, AttributeError):
        me = psutil.Process()
        if sys.platform == "win32":
            me.nice(psutil.IDLE_PRIORITY_CLASS)
        else:
            os.nice(19)
        if sys.platform == "linux":
            me.ionice(psutil.IOPRIO_CLASS_IDLE)
