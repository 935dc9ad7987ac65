"""What is left over: an earlier run of the same job that still goes on, and a lock that a stopped run leaves in its repository."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from tray import runs
from tray.engines.base import Engine, Exit, Plan, Result
from tray.model import Outcome
from tray.paths import Places
from tray.runs import RunFolder, RunInfo


def earlier(places: Places, mine: RunInfo) -> str | None:
    """Return the newest run of the same job that began before *mine* and still goes on, None if there is none.

    A run that somebody has paused and whose wrapper has died since is let go on.
    """
    found = None
    for folder, info in _others(places, mine):
        if info.paused and not folder.wrapped:
            from tray.tracker.control import release

            release(folder, info)
        if info.job == mine.job and info.run < mine.run and folder.running(info):
            found = max(found or info.run, info.run)
    return found


def advised(result: Result, exit: Exit, engine: Engine, plan: Plan, mine: RunInfo, places: Places) -> Result:
    """Return *result*, with what to do about a lock that the stopped run has really left in its repository.

    Only where nothing else is advised, and nobody else who could hold the lock works in that repository.
    """
    stopped = result.outcome is Outcome.CANCELLED or exit.signal is not None
    if result.advice is not None or not stopped:
        return result
    from tray.repository.locks import left_behind

    command = engine.unlock(plan)
    said = None if command is None else left_behind(engine.name, plan.repository, mine.started_ms)
    if said is None or any(_at_work(folder, info, mine) for folder, info in _others(places, mine)):
        return result
    return replace(result, advice=f"{said} Remove the lock with `{command}`.")


def _at_work(folder: RunFolder, info: RunInfo, mine: RunInfo) -> bool:
    return info.repository == mine.repository and folder.running(info)


def _others(places: Places, mine: RunInfo) -> Iterator[tuple[RunFolder, RunInfo]]:
    for folder in runs.live(places):
        if folder.run != mine.run:
            with suppress(OSError, ValueError):
                yield folder, folder.info()
