"""What goes on record about a run: its beginning and its end, as drafts for the audit log."""

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tray.core import clock
from tray.core.model import EndedRun, Outcome, Source, Step
from tray.engines.base import Exit, Result
from tray.runs import RunInfo

if TYPE_CHECKING:
    from tray.audit.entry import Draft

START_SECONDS = 0.5
END_SECONDS = 2.0
"""How long we wait for the log before the spool takes the record: a locked log must not hold the caller up."""
MAX_PROBLEMS = 100


def started(info: RunInfo, *, evidence: Mapping[str, Any] | None = None) -> "Draft":
    """Return the entry of a run's beginning.

    Args:
        evidence: Of a run that we did not start: by what it is known.
    """
    from tray.audit.entry import Action, Draft, Severity

    return Draft(
        action=Action.RUN_STARTED,
        time_ms=info.started_ms,
        result="started",
        severity=Severity.INFO,
        body={
            "repository": info.repository,
            "sources": list(info.sources),
            "command": list(info.command),
            "host": socket.gethostname(),
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
) -> "Draft":
    """Return the entry of a run's end; `run.closed` if it was concluded and not seen.

    Args:
        evidence: Of a run that we did not start: by what its end is known.
        paused_seconds: How long it was paused.
        stalled_seconds: How long it stood still, each time from the last progress on.
    """
    from tray.audit.entry import Action, Draft, Severity

    severity = {Outcome.SUCCEEDED: Severity.INFO, Outcome.FAILED: Severity.ERROR, Outcome.LOST: Severity.ERROR}
    return Draft(
        action=Action.RUN_CLOSED if last.inferred else Action.RUN_FINISHED,
        time_ms=last.finished_ms,
        result=last.outcome.value,
        severity=severity.get(last.outcome, Severity.WARNING),
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
            **_clocks(info),
        },
        **_common(info),
    )


def cancel_requested(info: RunInfo, whence: str) -> "Draft":
    """Return the entry of somebody's wish that the run should end; *whence*: cli, tray, window or another program."""
    from tray.audit.entry import Action, Draft

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
    """Return the ended run that everybody is shown."""
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
    """Return what shows later whether the wall clock was right; only the run's own wrapper writes its entries as things happen."""
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
