"""Make the state that is shown from the files of a repository, and compare it with the log: pure functions."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from tray import engines
from tray.core.clock import DAY_MS
from tray.core.dataclass import replace
from tray.core.errors import RepositoryAskError
from tray.core.model import BACKUP, EndedRun, JobHistory, RepositoryState, judge
from tray.engines.base import Plan
from tray.repository import local
from tray.repository.cache import Entry, Expected
from tray.repository.files import Found
from tray.repository.locks import Lock

ABSENT = "The log says that it succeeded, but the repository has no snapshot of that run."
VANISHED = "The log says that it succeeded, but the repository has no snapshot of that run any more, nor a newer one."
REMOVER = "prune"
"""The kind of run that removes snapshots on purpose (restic's `forget` too)."""


def seen(old: RepositoryState, contents: Found, now_ms: int, *, changed: bool) -> RepositoryState:
    """Return *old* with the facts from the files of now.

    Args:
        changed: Whether the repository may have changed since *old*: then a fact that the files do not show is unknown now.
    """
    state = replace(old, as_of_ms=now_ms, error=None, size=None if changed else old.size)
    if contents.ids is not None or changed:
        state = replace(
            state, snapshots=contents.snapshots, last_snapshot=contents.last_snapshot, last_snapshot_ms=contents.last_ms
        )
    return locked(state, contents.locks, now_ms)


def locked(state: RepositoryState, locks: Collection[Lock], now_ms: int) -> RepositoryState:
    """Return *state* with the oldest of *locks*, or with none."""
    if not locks:
        return replace(state, locked_by=None, locked_since_ms=None, lock_command=None)
    lock = min(locks, key=lambda lock: lock.since_ms)
    return replace(
        state,
        locked_by=(lock.holder or f"a {state.engine} process") + (", which runs no more" if lock.gone else ""),
        locked_since_ms=lock.since_ms,
        lock_command=unlock_command(state) if _stale(state.engine, lock, now_ms) else None,
    )


def unlock_command(state: RepositoryState) -> str | None:
    """Return the engine's own command that removes a lock."""
    return engines.named(state.engine).unlock(Plan((), "other", {}, repository=state.repository))


def lock_note(state: RepositoryState, now_ms: int) -> str | None:
    """Return one sentence about a stale lock that is more than a day old; None if there is none."""
    since = state.locked_since_ms
    if state.lock_command is None or since is None or now_ms - since <= DAY_MS:
        return None
    days = (now_ms - since) // DAY_MS
    age = "a day" if days == 1 else f"{days} days"
    return (
        f"The repository {state.repository} has been locked for {age} by {state.locked_by}; "
        f"if no backup of it runs anywhere, remove the lock: `{state.lock_command}`"
    )


def judged(expected: Iterable[Expected], contents: Found) -> tuple[Expected, ...]:
    """Return *expected* as a later look judges it.

    A snapshot that is gone while a newer one is there was most likely removed by the usual `forget`, which says nothing about the
    run. If the newest one was written before the run even began, the repository went back in time.
    """
    if contents.ids is None:
        return tuple(expected)
    kept = []
    for made in expected:
        if contents.has(made.snapshot):
            kept.append(replace(made, missing=""))
        elif made.missing == "absent":
            kept.append(made)
        elif contents.last_ms is None or contents.last_ms < made.began_ms:
            kept.append(replace(made, missing="vanished"))
    return tuple(kept)


def concerns(
    entries: Iterable[Entry], jobs: Collection[JobHistory], present: Callable[[str], str] = lambda job: job
) -> dict[str, str]:
    """Return by job why it is not fine although its last good backup succeeded; only about the very run that made that one.

    Args:
        present: Returns the present name of a job that was renamed.
    """
    last = {job.job: job.last_good or job.last for job in jobs if job.kind == BACKUP}
    reasons = {}
    for entry in entries:
        for made in entry.expected:
            job = present(made.job)
            run = last.get(job)
            if run is None or run.run != made.run or not made.missing:
                continue
            if made.missing == "absent":
                reasons[job] = ABSENT
            elif not _removed_since(entry, jobs, run):
                reasons[job] = VANISHED
    return reasons


def _removed_since(entry: Entry, jobs: Collection[JobHistory], since: EndedRun) -> bool:
    """Return whether a run that may remove snapshots on purpose is on record there since then."""
    return any(
        job.last.kind == REMOVER
        and judge.order(job.last) > judge.order(since)
        and job.last.engine == entry.state.engine
        and _may_be(job.last.repository, entry)
        for job in jobs
    )


def _may_be(repository: str | None, entry: Entry) -> bool:
    """Return whether *repository* may be the one of *entry*: an unknown or relative name may be any folder."""
    if repository is None or repository in (entry.state.repository, entry.folder):
        return True
    return entry.folder is not None and local.folder(entry.state.engine, repository) in (None, Path(entry.folder))


def _stale(engine: str, lock: Lock, now_ms: int) -> bool:
    """Return whether the lock is stale: its process is gone, or by the engine's own rule it was not renewed for too long."""
    stale_ms = engines.named(engine).stale_ms
    return lock.gone or (stale_ms > 0 and now_ms - lock.since_ms > stale_ms)


def stale_note(state: RepositoryState) -> str | None:
    """Return one line about a repository of which the engine could not say what is in it; None about any other."""
    error = state.error
    if error is None or error.get("code") != RepositoryAskError.code:
        return None
    why = str(error.get("why") or "").rstrip(".")
    return f"The repository {state.repository} was not refreshed: {why[:1].lower()}{why[1:]}"
