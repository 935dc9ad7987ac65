"""What is noted of a run that another program started: at its beginning, while it goes on, and at its end."""

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
"""How much of another user's command line is kept: words, and bytes of each."""


def info_of(found: Found) -> RunInfo:
    """Return what a run's folder says of a process that was found; of another user's no path is looked at."""
    gone, sure = _missing(found.engine, found.sources) if found.user is None and found.whole else ([], False)
    sources, command = found.sources, found.command
    if found.user is not None:
        sources, command = _clipped(sources), _clipped(command)
    return RunInfo(
        run=clock.new_id(),
        job=found.job,
        engine=found.engine,
        kind=found.kind,
        started_ms=found.started_ms,
        boot=locks.boot_id(),
        wrapper=ourselves(),
        child=Process(found.pid, found.start),
        repository=found.repository
        if found.repository is None or found.user is None
        else clip(found.repository, _WORD),
        sources=sources,
        command=command,
        source=Source.OBSERVED.value,
        user=found.user,
        seen={
            "uid": found.uid,
            "noticed_ms": clock.now_ms(),
            "here": found.here and found.user is None,
            "missing": gone,
            "sure": sure,
        },
    )


def _clipped(words: Sequence[str]) -> tuple[str, ...]:
    """Return as much of another user's words as is kept: nobody else fills our disk."""
    return tuple(clip(word, _WORD) for word in words[:_WORDS]) + ((CUT,) if len(words) > _WORDS else ())


def _missing(engine: str, sources: Sequence[str]) -> tuple[list[str], bool]:
    return new_snapshots.missing(sources) if engines.named(engine).proves else ([], False)


def seen_of(info: RunInfo, end: End, *, alone: bool) -> dict[str, Any]:
    """What is known of a run that has ended; the repository is asked now: its disk may be taken away in a moment.

    Of another user's run no path is looked at: that user may have no right to know what is there.
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
