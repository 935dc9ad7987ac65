"""Put the beginning and the end of a run on record. This loads once the command has started."""

import os
from collections.abc import Sequence

from tray import engines
from tray.audit.entry import Draft
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import CommandNotFoundError, HookFailedError
from tray.core.model import BACKUP, EndedRun, Outcome, Step
from tray.core.paths import Places
from tray.core.paths import places as default_places
from tray.core.redact import Redactor
from tray.engines.base import Exit, Plan, Result
from tray.engines.findings import conclude_by_code
from tray.recording import run_entries
from tray.runs import Process, RunInfo
from tray.wrapper import prepare
from tray.wrapper.prepare import Run

NOT_ON_RECORD = "this run is not on record: no folder takes it; look with `backup-tray doctor`"


def append(run: Run, draft: Draft, seconds: float) -> bool:
    """Hand an entry to the audit log, or to its spool; return False if neither takes it."""
    return _recorded(run.places, [draft], seconds)


def beginning(run: Run) -> None:
    """Put the beginning on record."""
    append(run, run_entries.started(run.info), run_entries.START_SECONDS)


def end(
    run: Run,
    exit: Exit,
    result: Result,
    steps: tuple[Step, ...] = (),
    *,
    paused_seconds: int = 0,
    stalled_seconds: int = 0,
) -> EndedRun:
    """Put the end on record. The monotonic clock measures the duration: setting the clock changes nothing."""
    took = int((clock.monotonic() - run.began) * 1000)
    result = run_entries.clean(result, run.redactor)
    finished = max(clock.now_ms(), run.info.started_ms)
    last = run_entries.end_of(run.info, result, finished, took, inferred=False, steps=steps)
    draft = run_entries.ended(
        run.info, last, exit, result, paused_seconds=paused_seconds, stalled_seconds=stalled_seconds
    )
    if not append(run, draft, run_entries.END_SECONDS):
        run.losses.append(NOT_ON_RECORD)
    run.ended = True
    return last


def end_after_mistake(run: Run, exit: Exit, error: Exception) -> None:
    """Put the end on record by the exit code alone, after the internal error *error*."""
    end(run, exit, _judged(run.info.engine, exit, error))


def no_start(run: Run, error: CommandNotFoundError | HookFailedError) -> None:
    """Put on record that the command could not be started, or must not be."""
    beginning(run)
    if run.cancelled_by is not None:
        append(run, run_entries.cancel_requested(run.info, run.cancelled_by), run_entries.START_SECONDS)
    outcome = Outcome.CANCELLED if isinstance(error, HookFailedError) and error.cancelled else Outcome.FAILED
    last = end(run, Exit(error.exit_code), Result(outcome, f"{error.what} {error.why}", errors=1))
    if run.publisher is not None:
        run.publisher.finish(last)


def failure(places: Places, job: str, why: str, kind: str = BACKUP) -> None:
    """Put a run of *job* on record that failed before there was a command to start, so that its state turns red."""
    plan, redactor = Plan((), kind, {}), Redactor((), os.environ)
    info = prepare.describe(places, "none", plan, (), job, redactor)
    session = engines.COMMAND.session(plan)
    run = Run(places, engines.COMMAND, plan, session, info, None, redactor, clock.monotonic())
    beginning(run)
    end(run, Exit(None), Result(Outcome.FAILED, why, errors=1))


def unwatched(
    argv: Sequence[str],
    info: RunInfo | None,
    job: str | None,
    places: Places | None,
    exit: Exit,
    error: Exception,
    took: int,
) -> str:
    """Put beginning and end of a command on record that ran unwatched because of *error*; return what is wrong, "" if nothing."""
    redactor = Redactor((), os.environ)
    info = info or _nameless(argv, job)
    result = run_entries.clean(_judged(info.engine, exit, error), redactor)
    info = replace(info, job=redactor.text(info.job))
    last = run_entries.end_of(info, result, max(clock.now_ms(), info.started_ms), took, inferred=False)
    drafts = [run_entries.started(info), run_entries.ended(info, last, exit, result)]
    return "" if _recorded(places or default_places(), drafts, run_entries.END_SECONDS) else NOT_ON_RECORD


def _recorded(places: Places, drafts: Sequence[Draft], seconds: float) -> bool:
    """Hand entries to the audit log, or to its spool; return False if neither takes them."""
    from tray.audit import spool  # the first words of the command are passed on before SQLite loads

    return spool.record(places, drafts, timeout=seconds) != []


def _judged(engine: str, exit: Exit, error: Exception) -> Result:
    """Judge a command of which only the end was seen."""
    return run_entries.doubted(Result(*conclude_by_code(engine, exit)), run_entries.mistake(error))


def _nameless(argv: Sequence[str], job: str | None) -> RunInfo:
    """Describe a command by the name of its program alone."""
    name = os.path.basename(argv[0])
    wrapper = Process(os.getpid(), None)
    return RunInfo(clock.new_id(), job or name, "command", BACKUP, clock.now_ms(), "", wrapper, command=(name,))
