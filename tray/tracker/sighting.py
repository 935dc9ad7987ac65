"""Describe an observed run for its folder and for the screen: at its beginning, while it goes on, and at its end."""

import os
from collections.abc import Sequence
from typing import Any

from tray import engines
from tray.core import clock, locks
from tray.core.model import LiveRun, Phase, Source, clip
from tray.observe.ends import NOT_KNOWN, End
from tray.observe.examine import Found
from tray.observe.proc import CUT
from tray.repository import new_snapshots
from tray.runs import Process, RunInfo

_WORDS, _WORD = 16, 256
"""Words of another user's command line that are kept, and bytes of each."""


def info_of(process: Found) -> RunInfo:
    """Return the description of a run in its folder; of another user's run no path is looked at."""
    ours = process.user is None
    proves = ours and process.whole and engines.named(process.engine).proves
    missing, sure = new_snapshots.missing(process.sources) if proves else ([], False)
    seen = {
        "uid": process.uid,
        "noticed_ms": clock.now_ms(),
        "here": process.here and ours,
        "shared": process.shared and ours,
        "missing": missing,
        "sure": sure,
    }
    return RunInfo(
        run=clock.new_id(),
        job=process.job,
        engine=process.engine,
        kind=process.kind,
        started_ms=process.started_ms,
        boot=locks.boot_id(),
        wrapper=ourselves(),
        child=Process(process.pid, process.start),
        repository=process.repository if ours or process.repository is None else clip(process.repository, _WORD),
        sources=process.sources if ours else _clipped(process.sources),
        command=process.command if ours else _clipped(process.command),
        source=Source.OBSERVED.value,
        user=process.user,
        seen=seen,
    )


def _clipped(words: Sequence[str]) -> tuple[str, ...]:
    """Return as many of another user's words as are kept, so that no other user can fill our disk."""
    return tuple(clip(word, _WORD) for word in words[:_WORDS]) + ((CUT,) if len(words) > _WORDS else ())


def seen_of(info: RunInfo, end: End, *, alone: bool) -> dict[str, Any]:
    """Return the evidence about the end of a run. It looks into the repository at once, as its disk may be taken away in a moment.

    Of another user's run no path is looked at, since that user may have no right to know which files exist there.
    """
    before, now = info.seen or {}, clock.now_ms()
    seen = {**before, "finished_ms": now, "code": end.code, "signal": end.signal, "how": end.how, "alone": alone}
    tells = info.user is None and engines.named(info.engine).proves and info.kind == "backup"
    if tells and (end.code == 0 or end.how == NOT_KNOWN):
        made = new_snapshots.snapshots(info.engine, info.repository, info.started_ms, now) if before.get("here") else []
        gone, sure = new_snapshots.missing(info.sources) if before.get("sure") else ([], False)
        seen["snapshot"], seen["snapshot_ms"] = (made[-1][1], made[-1][0]) if made else (None, None)
        seen["missing"] = sorted({*before.get("missing", ()), *gone})
        seen["sure"] = bool(before.get("sure")) and sure
    return seen


def live_of(info: RunInfo) -> LiveRun:
    """Return the run as it is shown at first."""
    return info.live(phase=Phase.COPYING, updated_ms=clock.now_ms())


def processes_of(info: RunInfo) -> frozenset[str]:
    """Return the processes whose descendants are part of the run: of an observed one the engine, not the tracker."""
    if info.boot != locks.boot_id():
        return frozenset()
    wrapper = None if info.source == Source.OBSERVED.value else info.wrapper
    return frozenset(f"{process.pid}@{process.start}" for process in (info.child, wrapper) if process)


def ourselves() -> Process:
    """Return the tracker's own process."""
    return Process(os.getpid(), locks.process_start(os.getpid()))
