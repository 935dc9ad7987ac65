"""Draft the entries of a run's beginning and end, and make its result fit to be kept."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from tray.audit.entry import SEVERITY_OF, Action, Draft
from tray.core import clock, locks
from tray.core.dataclass import replace
from tray.core.model import EndedRun, Outcome, Source, Step
from tray.core.redact import Redactor
from tray.engines.base import MAX_PROBLEMS, Exit, Result
from tray.runs import RunInfo

START_SECONDS = 0.5
END_SECONDS = 2.0
"""Seconds to wait for the log before the spool takes the record: a locked log must not hold the caller up."""


def started(info: RunInfo, *, evidence: Mapping[str, Any] | None = None) -> Draft:
    """Return the entry of a run's beginning.

    Args:
        evidence: Of a run without a wrapper: the facts by which it is known.
    """
    return Draft(
        action=Action.RUN_STARTED,
        time_ms=info.started_ms,
        result="started",
        body={
            "repository": info.repository,
            "sources": list(info.sources),
            "command": list(info.command),
            "host": locks.host(),
            "pid": os.getpid() if evidence is None else evidence.get("pid"),
            "user": info.user,
            "overlaps": info.overlaps,
            "evidence": None if evidence is None else dict(evidence),
            **_clocks(info),
        },
        **_common(info),
    )


def ended(
    info: RunInfo,
    last: EndedRun,
    exit: Exit,
    result: Result,
    *,
    evidence: Mapping[str, Any] | None = None,
    paused_seconds: int = 0,
    stalled_seconds: int = 0,
) -> Draft:
    """Return the entry of a run's end; `run.closed` if no wrapper saw it.

    Args:
        evidence: Of a run without a wrapper: the facts by which its end is known.
        paused_seconds: Time for which it was paused.
        stalled_seconds: Time for which it stood still, each time from the last progress on.
    """
    return Draft(
        action=Action.RUN_CLOSED if last.inferred else Action.RUN_FINISHED,
        time_ms=last.finished_ms,
        result=last.outcome.value,
        severity=SEVERITY_OF[last.outcome],
        duration_ms=last.duration_ms,
        bytes_processed=last.bytes_processed,
        bytes_added=last.bytes_added,
        files=last.files,
        errors=last.errors,
        body={
            "reason": last.reason,
            "started_at": clock.to_text(info.started_ms),
            "repository": info.repository,
            "sources": list(info.sources),
            "command": list(info.command),
            "exit_code": exit.code,
            "signal": exit.signal,
            "snapshot": result.snapshot,
            "advice": last.advice,
            "paused_seconds": paused_seconds,
            "stalled_seconds": stalled_seconds,
            "user": info.user,
            "overlaps": info.overlaps,
            "added_before_compression": last.uncompressed,
            "empty_sources": list(result.empty_sources),
            "emptied_sources": list(result.emptied_sources),
            "steps": [step.to_json() for step in last.steps],
            "evidence": None if evidence is None else dict(evidence),
            "problems": [
                {"item": problem.item, "message": problem.message} for problem in result.problems[:MAX_PROBLEMS]
            ],
            **({} if result.proof is None else {"proof": dict(result.proof)}),
            **_clocks(info),
        },
        **_common(info),
    )


def cancel_requested(info: RunInfo, whence: str) -> Draft:
    """Return the entry of a user's request that the run should end, made by *whence*: cli, tray, window or another program."""
    return Draft(
        action=Action.RUN_CANCEL_REQUESTED,
        result="requested",
        body={"from": whence, "user": info.user},
        **_common(info),
    )


def end_of(
    info: RunInfo,
    result: Result,
    finished_ms: int,
    duration_ms: int | None,
    *,
    inferred: bool,
    steps: tuple[Step, ...] = (),
) -> EndedRun:
    """Return the ended run that every surface shows."""
    return EndedRun(
        run=info.run,
        job=info.job,
        engine=info.engine,
        kind=info.kind,
        repository=info.repository,
        outcome=result.outcome,
        started_ms=info.started_ms,
        finished_ms=finished_ms,
        duration_ms=duration_ms,
        inferred=inferred,
        bytes_processed=result.bytes_processed,
        bytes_added=result.bytes_added,
        uncompressed=result.uncompressed,
        files=result.files,
        errors=result.errors,
        reason=result.reason,
        advice=result.advice,
        source=Source(info.source),
        steps=steps,
        user=info.user,
    )


def _clocks(info: RunInfo) -> dict[str, Any]:
    """Return facts that tell later whether the wall clock was right; only the run's own wrapper writes its entries in time."""
    now = info.source == Source.WRAPPED.value and info.wrapper.pid == os.getpid()
    return {"boot": info.boot, "since_boot_ms": clock.since_boot_ms()} if now else {}


def _common(info: RunInfo) -> dict[str, Any]:
    return {
        "job": info.job,
        "run": info.run,
        "engine": info.engine,
        "kind": info.kind,
        "source": info.source,
    }


# -- results with a doubt


def doubted(result: Result, why: str) -> Result:
    """Return *result*, with an unknown outcome in the place of a success; *why* is empty if there is no doubt."""
    if not why or result.outcome is not Outcome.SUCCEEDED:
        return result
    return replace(result, outcome=Outcome.UNKNOWN, reason=f"{result.reason.rstrip('.')}, but {why}.")


def mistake(error: Exception) -> str:
    """Return the error as the second half of a sentence."""
    return f"Backup Tray made a mistake of its own ({type(error).__name__}: {error})"


def unknown(error: Exception) -> Result:
    """Return the result of a run whose outcome is unknown because of an error of our own."""
    return Result(Outcome.UNKNOWN, f"{mistake(error)}, so the run's outcome is not known.")


def unknown_after_mistake(conclude: Callable[[], Result]) -> Result:
    """Return the result of *conclude*, or an unknown one if an engine's adapter fails in it."""
    try:
        return conclude()
    except Exception as error:
        return unknown(error)


def clean(result: Result, redactor: Redactor) -> Result:
    """Return *result* without secrets; if that fails, without its words and without a success."""

    def text(words: str | None) -> str | None:
        return None if words is None else redactor.text(words)

    try:
        problems = tuple(
            replace(problem, message=redactor.text(problem.message), item=text(problem.item))
            for problem in result.problems[:MAX_PROBLEMS]
        )
        return replace(result, reason=redactor.text(result.reason), advice=text(result.advice), problems=problems)
    except Exception:
        outcome = Outcome.UNKNOWN if result.outcome is Outcome.SUCCEEDED else result.outcome
        return Result(outcome, "Its words could not be made safe to keep.", errors=result.errors)
