"""Runs that others started, in the tracker: found, shown, followed to their end, and left to the helper process to record.

Each has a run folder like a wrapped one, whose lock the tracker holds while it watches. When the process ends, how that was seen is
saved (`RunInfo.seen`) and the lock is given back: the run is then like one whose wrapper died, and whoever closes it reads `seen`
(see `tray.runner.seen`). A tracker that comes later takes up the folders whose process still lives.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from tray import clock, config, engines, locks, runs
from tray.errors import BackupTrayError
from tray.model import LiveRun, Phase, Source
from tray.observe.ends import NOT_KNOWN, End, Ending
from tray.observe.execs import BURST_SECONDS, GENERAL, Execs
from tray.observe.lister import ASKED_AT_ONCE, INTERVAL_SECONDS, SETTLE_SECONDS, Lister
from tray.observe.look import NOT_ALONE, Facts, Found, examine, gather
from tray.observe.meter import Meter
from tray.observe.proc import Proc
from tray.observe.scope import Scope
from tray.paths import Places
from tray.redact import Redactor
from tray.runs import Process, RunFolder, RunInfo
from tray.tracker import proof
from tray.tracker.state import Runs

MAX_RUNS = 100
"""Observed runs at once; more are no backups but a mistake."""
BURSTS, BURSTS_PER_SECOND = 20, 0.25
"""How often the list is looked at at once, in a row and in the long run: a machine that starts engines all day pays no more."""
LONG_SECONDS = 60
"""Time without a sign of progress that is worth to be shown."""
_ASK_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(slots=True)
class _Watched:
    """One run under observation."""

    info: RunInfo
    folder: RunFolder | None
    live: LiveRun
    ending: Ending
    meter: Meter
    redactor: Redactor
    limit: float
    alone: bool = True
    asked: int = 0


class Observer:
    """Finds runs that others started and shows them among the tracker's.

    Args:
        known: Where live runs are shown.
        begun: Called when one was found.
        over: Called with the run's id when it has ended and its folder may be closed.
        others: Whether an ordinary user's instance looks at the processes of other users.
    """

    def __init__(
        self,
        places: Places,
        known: Runs,
        begun: Callable[[], None],
        over: Callable[[str], None],
        *,
        others: Callable[[], bool] = lambda: True,
        proc: Proc | None = None,
    ) -> None:
        self._places, self._known, self._begun, self._over = places, known, begun, over
        self._scope = Scope.of(os.environ, others)
        self._proc = proc or Proc()
        self._lister = Lister(self._proc)
        self._execs: Execs | None = None
        self._burst, self._more = 0, False
        self._credit, self._credited = float(BURSTS), clock.monotonic()
        self._folders = runs.LiveFolders(places)
        self._watched: dict[str, _Watched] = {}
        self._over_at: dict[str | None, int] = {}  # when the last run of a repository was seen to end
        self._loop: asyncio.AbstractEventLoop

    def begin(self) -> None:
        """Take up what an earlier tracker left, then look once a second until the loop ends."""
        if sys.platform != "linux" or self._scope.off or not self._config().observe:
            return
        self._loop = asyncio.get_running_loop()
        for folder in self._folders.look():
            self._take_up(folder)
        self._execs = Execs(known.name for known in engines.ENGINES if known.name not in GENERAL)
        if self._execs.fd is not None:
            self._loop.add_reader(self._execs.fd, self._opened)
        self._tick()

    def _config(self) -> config.Config:
        """What the configuration says now; a broken one says nothing."""
        try:
            return config.load(self._places)
        except (BackupTrayError, OSError):
            return config.Config()

    def _tick(self) -> None:
        self._loop.call_later(INTERVAL_SECONDS, self._tick)
        self._consider(self._lister.look())
        if self._lister.fresh:
            self._loop.call_later(SETTLE_SECONDS, self._settled)
        for one in tuple(self._watched.values()):
            self._measure(one)

    def _opened(self) -> None:
        """An engine's program was opened: look now, and some more times soon."""
        if self._execs is None or not self._execs.drain():
            return
        now = clock.monotonic()
        self._credit = min(BURSTS, self._credit + (now - self._credited) * BURSTS_PER_SECOND)
        self._credited = now
        if self._burst:
            self._more = True
        elif self._credit >= 1:
            self._credit -= 1
            self._soon()

    def _soon(self) -> None:
        self._consider(self._lister.look(ASKED_AT_ONCE))
        if self._burst < len(BURST_SECONDS):
            self._loop.call_later(BURST_SECONDS[self._burst], self._soon)
            self._burst += 1
            self._consider(self._lister.early())
            return
        self._consider(self._lister.settled())
        self._burst, again, self._more = 0, self._more, False
        if again and self._credit >= 1:
            self._credit -= 1
            self._soon()

    def _settled(self) -> None:
        self._consider(self._lister.settled())

    def _consider(self, pids: list[int]) -> None:
        for pid in pids:
            facts = gather(self._proc, pid)
            if facts is not None and not facts.wrapped:
                self._examine(facts)
            elif facts is None and not self._proc.command(pid) and self._proc.comm(pid):
                self._lister.again(pid)

    def _examine(self, facts: Facts) -> None:
        """Begin to watch a run, unless it belongs to one that is known already."""
        ending = Ending(self._proc, facts.pid, facts.start)  # first: it may be over in a moment
        found = examine(self._proc, facts, self._scope)
        if found is None or found.engine in NOT_ALONE or len(self._watched) >= MAX_RUNS or self._known_already(facts):
            ending.close()
            return
        info = _info(found)
        folder, _ = runs.create(self._places, info)
        self._watch(info, folder, ending)

    def _known_already(self, facts: Facts) -> bool:
        known = self._processes()
        return any(f"{pid}@{start}" in known for pid, start in ((facts.pid, facts.start), *facts.above))

    def _processes(self) -> set[str]:
        """The processes of runs that are known: wrappers, what they started, and what is observed already."""
        found = {one.live.process or "" for one in self._watched.values()}
        for folder in self._folders.look():
            with suppress(OSError, ValueError):
                info = folder.info()
                if info.boot == locks.boot_id():
                    found |= {
                        _name(process) for process in (info.child, info.wrapper) if process and _of(info, process)
                    }
        return found

    def _take_up(self, folder: RunFolder) -> None:
        """Go on with a run that an earlier tracker watched. One whose lock somebody looks at just now is taken a little later."""
        try:
            info = folder.info()
            lives = info.boot == locks.boot_id() and info.child is not None and info.child.alive()
            if info.source != Source.OBSERVED.value or not lives:
                return
            if not folder.lock.acquire():
                self._loop.call_later(SETTLE_SECONDS, self._take_up, folder)
                return
            info = replace(info, wrapper=_ourselves())
            folder.save(info)
            assert info.child is not None
            ending = Ending(self._proc, info.child.pid, info.child.start or "")
        except (OSError, ValueError):
            return
        self._watch(info, folder, ending)

    def _watch(self, info: RunInfo, folder: RunFolder | None, ending: Ending) -> None:
        assert info.child is not None
        pid = info.child.pid
        avoid = () if info.repository is None else (info.repository,)
        one = _Watched(
            info,
            folder,
            _live(info),
            ending,
            Meter(self._proc, pid, info.sources, avoid),
            Redactor(info.command, {}),
            self._config().limit(info.job) or float("inf"),
            alone=bool((info.seen or {}).get("alone", True)),
        )
        self._watched[info.run] = one
        self._known.start(one.live)
        self._together(one)
        if one.ending.fd is not None:
            self._loop.add_reader(one.ending.fd, self._ending, one)
        self._measure(one)
        self._begun()

    def _measure(self, one: _Watched) -> None:
        """Take a reading, and show what changed."""
        if one.info.run not in self._watched or one.ending.ending:
            return
        if one.ending.fd is None:
            self._ask(one)
        reading = one.meter.read(clock.monotonic())
        idle = int(reading.idle_seconds)
        current = None if reading.current is None else one.redactor.text(reading.current)
        live = one.live.with_changes(
            phase=Phase.PAUSED if reading.paused else Phase.COPYING,
            io_bytes_per_second=reading.bytes_per_second,
            current=current,
            stalled=idle >= one.limit,
            since_progress_seconds=idle if idle >= min(LONG_SECONDS, one.limit) else None,
        )
        one.alone = one.alone and not self._shares(one)
        if live != one.live and one.info.run in self._watched:
            one.live = live.with_changes(updated_ms=clock.now_ms())
            self._known.start(one.live)

    def _together(self, new: _Watched) -> None:
        """Note who worked on one repository at the same time, however short one of them was."""
        for other in self._watched.values():
            if other is not new and other.info.repository == new.info.repository:
                other.alone = new.alone = False
        over = self._over_at.get(new.info.repository)
        new.alone = new.alone and (over is None or over < new.info.started_ms)

    def _shares(self, one: _Watched) -> bool:
        """Whether another run works on the same repository, so that a new snapshot may be that one's."""
        return len(self._known) > 1 and any(
            run.run != one.info.run and run.repository == one.info.repository for run in self._known.all()
        )

    def _ending(self, one: _Watched) -> None:
        """The process has ended: from here on only its status is awaited."""
        if one.ending.fd is not None:
            self._loop.remove_reader(one.ending.fd)
        self._ask(one)

    def _ask(self, one: _Watched) -> None:
        end = one.ending.check()
        if end is not None:
            self._ended(one, end)
        elif one.ending.ending:
            self._loop.call_later(_ASK_SECONDS[min(one.asked, len(_ASK_SECONDS) - 1)], self._ask, one)
            one.asked += 1

    def _ended(self, one: _Watched, end: End) -> None:
        """Save how it ended, and let go."""
        self._watched.pop(one.info.run, None)
        if len(self._over_at) >= MAX_RUNS:
            self._over_at.clear()
        self._over_at[one.info.repository] = clock.now_ms()
        one.ending.close()
        if one.folder is not None:
            info = replace(one.info, seen=_seen(one, end))
            with suppress(OSError):
                one.folder.save(info)
            one.folder.lock.release()
        self._over(one.info.run)


def _info(found: Found) -> RunInfo:
    gone, sure = proof.missing(found.sources) if found.engine in proof.PROVES else ([], False)
    return RunInfo(
        run=clock.new_id(),
        job=found.job,
        engine=found.engine,
        kind=found.kind,
        started_ms=found.started_ms,
        boot=locks.boot_id(),
        wrapper=_ourselves(),
        child=Process(found.pid, found.start),
        repository=found.repository,
        sources=found.sources,
        command=found.command,
        source=Source.OBSERVED.value,
        user=found.user,
        seen={
            "uid": found.uid,
            "noticed_ms": clock.now_ms(),
            "here": found.here,
            "missing": gone,
            "sure": sure,
        },
    )


def _seen(one: _Watched, end: End) -> dict[str, Any]:
    """What is known of a run that has ended; the repository is asked now: its disk may be taken away in a moment."""
    before, now, info = one.info.seen or {}, clock.now_ms(), one.info
    seen = {**before, "finished_ms": now, "code": end.code, "signal": end.signal, "how": end.how, "alone": one.alone}
    if info.engine in proof.PROVES and info.kind == "backup" and (end.code == 0 or end.how == NOT_KNOWN):
        made = proof.snapshots(info.engine, info.repository, info.started_ms, now) if before.get("here") else []
        gone, sure = proof.missing(info.sources)
        seen["snapshot"], seen["snapshot_ms"] = (made[-1][1], made[-1][0]) if made else (None, None)
        seen["missing"] = sorted({*before.get("missing", ()), *gone})
        seen["sure"] = bool(before.get("sure")) and sure
    return seen


def _live(info: RunInfo) -> LiveRun:
    return info.live(phase=Phase.COPYING, updated_ms=clock.now_ms())


def _name(process: Process) -> str:
    return f"{process.pid}@{process.start}"


def _of(info: RunInfo, process: Process) -> bool:
    """Whether this process makes its descendants part of the run: of an observed one the engine does, the tracker does not."""
    return info.source != Source.OBSERVED.value or process is info.child


def _ourselves() -> Process:
    return Process(os.getpid(), locks.process_start(os.getpid()))
