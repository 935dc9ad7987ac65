"""Observe runs that others started: find them, show them, follow them to their end, and leave them to the helper to record.

Each has a run folder like a wrapped one, whose lock the tracker holds while it watches. When the process ends, the observer saves
how (`RunInfo.seen`) and gives the lock back: the run is then like one whose wrapper died, and the process that closes it reads
`seen` (see `tray.recording.observed_end`). A later tracker takes up the folders whose process still lives.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from tray import config, engines, runs
from tray.core import clock, locks
from tray.core.dataclass import dataclass, replace
from tray.core.errors import BackupTrayError
from tray.core.model import LiveRun, Phase, Source
from tray.core.paths import Places
from tray.core.redact import Redactor
from tray.observe.ends import End, Ending
from tray.observe.examine import NOT_ALONE, Facts, Found, examine, gather
from tray.observe.execs import BURST_SECONDS, GENERAL, Execs
from tray.observe.lister import ASKED_AT_ONCE, INTERVAL_SECONDS, SETTLE_SECONDS, Lister
from tray.observe.meter import Meter
from tray.observe.proc import Proc
from tray.observe.scope import SAID_SECONDS, Allowance, Quota, Scope
from tray.runs import RunFolder, RunInfo
from tray.tracker.loop import Loop
from tray.tracker.sighting import info_of, live_of, ourselves, processes_of, seen_of

MAX_RUNS = 100
"""Observed runs of our own user at once; more are no backups but a mistake. Other users have `tray.observe.scope`."""
STRANGERS_SECONDS = 0.2
"""Most time in a row for a look at other users' processes; our own come first."""
STRANGERS_WAITING = 100
"""Other users' processes that may wait for the next look."""
BURSTS, BURSTS_PER_SECOND = 20, 0.25
"""Looks at once, in a row and in the long run: a machine that starts engines all day pays no more."""
LONG_SECONDS = 60
"""Time without a sign of progress that is worth showing."""
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
    """The search for runs that others started, and the watch over them.

    Args:
        show: Called with a live run as it is now.
        at: Returns the ids of our own user's live runs on a repository.
        loop: The loop that calls the observer.
        over: Called with the run's id when it has ended and its folder may be closed.
        others: Tells whether an ordinary user's instance looks at the processes of other users.

    Attributes:
        notes: Sentences about limits that were reached.
        looks: Whether it looks at all.
        looked: Time of the last look at the process list, on the monotonic clock.
    """

    def __init__(
        self,
        places: Places,
        show: Callable[[LiveRun], None],
        at: Callable[[str | None], list[str]],
        loop: Loop,
        over: Callable[[str], None],
        *,
        others: Callable[[], bool] = lambda: True,
        proc: Proc | None = None,
    ) -> None:
        self._places, self._loop = places, loop
        self._show, self._at, self._over = show, at, over
        self._scope = Scope.of(os.environ, others)
        self._quota = Quota(self._scope.uid)
        self._ours = 0  # how many of the watched runs are our own user's
        self._left_out = 0.0  # when one of those was not watched because there were too many
        self.notes: tuple[str, ...] = ()
        self.looks, self.looked = False, clock.monotonic()
        self._proc = proc or Proc()
        self._lister = Lister(self._proc)
        self._execs: Execs | None = None
        self._burst, self._more = 0, False
        self._bursts = Allowance(BURSTS, BURSTS_PER_SECOND)
        self._folders = runs.LiveFolders(places)
        self._of_folders: dict[str, tuple[int, frozenset[str]]] = {}
        self._watched: dict[str, _Watched] = {}
        self._over_at: dict[str | None, int] = {}  # when the last run of a repository was seen to end

    def begin(self) -> None:
        """Take up what an earlier tracker left, then look once a second until the loop ends."""
        self.looks = sys.platform == "linux" and not self._scope.off and self._config().observe
        if not self.looks:
            return
        for folder in self._folders.look():
            self._take_up(folder)
        self._execs = Execs(known.name for known in engines.ENGINES if known.name not in GENERAL)
        if self._execs.fd is not None:
            self._loop.watch(self._execs.fd, self._opened)
        self._tick()

    def _config(self) -> config.Config:
        """Return the configuration as it is now; of a broken one the defaults."""
        try:
            return config.load(self._places)
        except (BackupTrayError, OSError):
            return config.Config()

    def _tick(self) -> None:
        self._loop.later(INTERVAL_SECONDS, self._tick)
        self._consider(self._lister.look())
        if self._lister.fresh:
            self._loop.later(SETTLE_SECONDS, self._settled)
        for run in tuple(self._watched.values()):
            self._measure(run)
        self.notes = self._limits()
        self.looked = clock.monotonic()

    def _limits(self) -> tuple[str, ...]:
        notes = self._quota.notes()
        if self._left_out and clock.monotonic() - self._left_out < SAID_SECONDS:
            notes += (f"more than {MAX_RUNS} backups ran at once; those beyond were not watched",)
        return notes

    def _opened(self) -> None:
        """An engine's program was opened: look now, and some more times soon."""
        if self._execs is None or not self._execs.drain():
            return
        if self._burst:
            self._more = True
        elif self._bursts.take():
            self._soon()

    def _soon(self) -> None:
        self._consider(self._lister.look(ASKED_AT_ONCE))
        if self._burst < len(BURST_SECONDS):
            self._loop.later(BURST_SECONDS[self._burst], self._soon)
            self._burst += 1
            self._consider(self._lister.early())
            return
        self._consider(self._lister.settled())
        self._burst, again, self._more = 0, self._more, False
        if again and self._bursts.take():
            self._soon()

    def _settled(self) -> None:
        self._consider(self._lister.settled())

    def _consider(self, pids: list[int]) -> None:
        """Look closely at processes that may be engines: first at our own user's, then for a moment at those of others."""
        owners = {pid: uid for pid in pids if (uid := self._proc.uid(pid)) is not None and self._scope.user(uid)}
        for pid, uid in owners.items():
            if uid == self._scope.uid:
                self._look(pid, uid)
        begun, waiting = clock.monotonic(), [(pid, uid) for pid, uid in owners.items() if uid != self._scope.uid]
        for place, (pid, uid) in enumerate(waiting):
            if clock.monotonic() - begun < STRANGERS_SECONDS:
                self._look(pid, uid)
            elif place < STRANGERS_WAITING:
                self._lister.again(pid)
            else:
                self._quota.refused(uid)

    def _look(self, pid: int, uid: int) -> None:
        facts = gather(self._proc, pid, lambda: self._admits(uid))
        if facts is not None and not facts.wrapped:
            self._examine(facts)
        elif facts is None and not self._proc.command(pid, 1):
            stat = self._proc.stat(pid)
            if stat is not None and not stat.gone and not stat.kernel:  # neither a zombie nor a thread of the kernel
                self._lister.again(pid)

    def _examine(self, facts: Facts) -> None:
        """Begin to watch a run, unless it belongs to one that is known already."""
        ending = Ending(self._proc, facts.pid, facts.start)  # first: it may be over in a moment
        process = examine(self._proc, facts, self._scope)
        if process is None or process.engine in NOT_ALONE or self._known_already(facts) or not self._room(process):
            ending.close()
            return
        info = info_of(process)
        if info.user is None:
            info = replace(info, job=self._config().owner(info.job))
        folder, _ = runs.create(self._places, info)
        self._watch(info, folder, ending)

    def _room(self, process: Found) -> bool:
        """Whether one more run is watched: so many of ours, and fewer of another user's."""
        return self._admits(process.uid) if process.user is None else self._quota.begin(process.uid)

    def _admits(self, uid: int) -> bool:
        """Whether one more process of *uid* is looked at closely."""
        if uid != self._scope.uid:
            return self._quota.look(uid)
        if self._ours >= MAX_RUNS:
            self._left_out = clock.monotonic()
            return False
        return True

    def _known_already(self, facts: Facts) -> bool:
        known = self._processes()
        return any(f"{pid}@{start}" in known for pid, start in ((facts.pid, facts.start), *facts.above))

    def _processes(self) -> set[str]:
        """Return the processes of runs that are known: wrappers, their commands, and processes that are observed already."""
        processes = {run.live.process or "" for run in self._watched.values()}
        kept: dict[str, tuple[int, frozenset[str]]] = {}
        for folder in self._folders.look():
            with suppress(OSError, ValueError):
                changed = (folder.path / "run.json").stat().st_mtime_ns
                known = self._of_folders.get(folder.run)
                kept[folder.run] = known if known and known[0] == changed else (changed, processes_of(folder.info()))
                processes |= kept[folder.run][1]
        self._of_folders = kept
        return processes

    def _take_up(self, folder: RunFolder) -> None:
        """Go on with a run that an earlier tracker watched; a little later if another process holds its lock for a moment."""
        try:
            info = folder.info()
            lives = info.boot == locks.boot_id() and info.child is not None and info.child.alive()
            if info.source != Source.OBSERVED.value or not lives:
                return
            if not folder.lock.acquire():
                self._loop.later(SETTLE_SECONDS, lambda: self._take_up(folder))
                return
            info = replace(info, wrapper=ourselves())
            folder.save(info)
            assert info.child is not None
            if info.user is not None:
                self._quota.begin(int((info.seen or {}).get("uid", self._scope.uid)))
            ending = Ending(self._proc, info.child.pid, info.child.start or "")
        except (OSError, ValueError):
            return
        self._watch(info, folder, ending)

    def _watch(self, info: RunInfo, folder: RunFolder | None, ending: Ending) -> None:
        assert info.child is not None
        pid = info.child.pid
        avoid = () if info.repository is None else (info.repository,)
        run = _Watched(
            info,
            folder,
            live_of(info),
            ending,
            Meter(self._proc, pid, info.sources, avoid, ours=info.user is None),
            Redactor(info.command, {}),
            self._config().limit(info.job) or float("inf"),
            alone=bool((info.seen or {}).get("alone", True)),
        )
        self._watched[info.run] = run
        self._ours += info.user is None
        self._show(run.live)
        self._together(run)
        if run.ending.fd is not None:
            self._loop.watch(run.ending.fd, lambda: self._ending(run))
        self._measure(run)

    def _measure(self, run: _Watched) -> None:
        """Take a reading, and show what changed."""
        if run.info.run not in self._watched or run.ending.ending:
            return
        if run.ending.fd is None:
            self._ask(run)
        reading = run.meter.read(clock.monotonic())
        idle = int(reading.idle_seconds)
        current = None if reading.current is None else run.redactor.text(reading.current)
        live = run.live.with_changes(
            phase=Phase.PAUSED if reading.paused else Phase.COPYING,
            io_bytes_per_second=reading.bytes_per_second,
            current=current,
            stalled=idle >= run.limit,
            since_progress_seconds=idle if idle >= min(LONG_SECONDS, run.limit) else None,
        )
        run.alone = run.alone and not self._shares(run)
        if live != run.live and run.info.run in self._watched:
            run.live = live.with_changes(updated_ms=clock.now_ms())
            self._show(run.live)

    def _together(self, new: _Watched) -> None:
        """Note which runs worked on one repository at the same time, however short one of them was."""
        for other in self._watched.values():
            same = other.info.user == new.info.user and other.info.repository == new.info.repository
            if other is not new and same:
                other.alone = new.alone = False
        over = self._over_at.get(new.info.repository)
        new.alone = new.alone and (over is None or over < new.info.started_ms)

    def _shares(self, run: _Watched) -> bool:
        """Whether another run works on the same repository, so that a new snapshot may be that one's."""
        return any(other != run.info.run for other in self._at(run.info.repository))

    def _ending(self, run: _Watched) -> None:
        """The process has ended: from here on only its status is awaited."""
        if run.ending.fd is not None:
            self._loop.watch(run.ending.fd, None)
        self._ask(run)

    def _ask(self, run: _Watched) -> None:
        end = run.ending.check()
        if end is not None:
            self._ended(run, end)
        elif run.ending.ending:
            self._loop.later(_ASK_SECONDS[min(run.asked, len(_ASK_SECONDS) - 1)], lambda: self._ask(run))
            run.asked += 1

    def _ended(self, run: _Watched, end: End) -> None:
        """Save how it ended, and let go."""
        if self._watched.pop(run.info.run, None) is not None:
            self._ours -= run.info.user is None
            self._quota.end(int((run.info.seen or {}).get("uid", self._scope.uid)))
        if len(self._over_at) >= MAX_RUNS:
            self._over_at.clear()
        if run.info.user is None:
            self._over_at[run.info.repository] = clock.now_ms()
        run.ending.close()
        try:
            if run.folder is not None:
                with suppress(OSError):
                    run.folder.save(replace(run.info, seen=seen_of(run.info, end, alone=run.alone)))
        finally:  # a mistake of ours leaves the run without what was seen of its end, and never open
            if run.folder is not None:
                run.folder.lock.release()
            self._over(run.info.run)
