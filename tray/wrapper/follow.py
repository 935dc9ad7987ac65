"""Follow a command that has started to its end, and put beginning and end on record."""

import gc
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from tray import engines, runs
from tray.core import clock
from tray.core.dataclass import replace
from tray.core.errors import BackupTrayError
from tray.core.model import Step
from tray.engines.base import Exit, Result
from tray.recording import run_entries
from tray.runs.log import RunLog
from tray.wrapper import after_run, live_state, prepare, record, result_checks
from tray.wrapper.child import Child
from tray.wrapper.controls import Controls
from tray.wrapper.outputs import Outputs
from tray.wrapper.prepare import Run
from tray.wrapper.publisher import Publisher
from tray.wrapper.stall import Stall, written
from tray.wrapper.waker import Waker
from tray.wrapper.watch import Watch

if TYPE_CHECKING:
    from tray.wrapper.estimate import Past
    from tray.wrapper.hooks import Hooks


class Follow:
    """One command that has started, and everything that watches it.

    Attributes:
        watch: Reader of the output.
    """

    def __init__(self, run: Run, child: Child, outputs: Outputs, waker: Waker) -> None:
        self._run, self._child, self._waker = run, child, waker
        self._past: tuple[Past, ...] = ()
        self._note_child()
        prepare.read_secrets(run.redactor)
        self._publisher = run.publisher or Publisher(run.places, waker)
        self._log = log = RunLog(None if run.folder is None else run.folder.log, run.redactor)
        self._controls = self._new_controls()
        self._stall = Stall(self._limit, self._traffic, log.say, clock.monotonic())
        self.watch = Watch(
            run.info,
            child,
            outputs,
            run.session,
            log,
            self._publisher,
            waker,
            run.redactor,
            self._controls,
            self._stall,
            written(child.pid, run.engine, run.plan),
        )

    def run(self) -> None:
        """Follow the command to its end, and put that on record."""
        run, watch = self._run, self.watch
        if engines.unwrap(run.plan.argv, {}).before:
            from tray.wrapper.began import Began  # most commands have no wrapper

            watch.began = Began(run.plan.argv, speaks=run.engine is not engines.COMMAND)
        if run.early is not None:
            watch.look_at(run.early.hand_over(self._log.say))
        watch.look()  # a quick engine's first words need not wait for the audit log
        noted = self._note_start()
        gc.freeze()  # the modules stay: they are no place to look for garbage
        gc.enable()
        how = watch.follow()
        noted()
        if how.code == 0 and watch.left_behind and run.folder is not None:
            from tray.wrapper import stay_behind  # few scripts leave an engine behind

            info = stay_behind.beside(run.folder, run.info, watch)
            if info is None:
                return
            run.info = info
        self._conclude(how)

    def _conclude(self, how: Exit) -> None:
        """Judge the run, put its end on record, tell the tracker, and deliver the rest of the output."""
        run, watch = self._run, self.watch
        result = self._checked(run_entries.doubted(watch.conclude(how), run.doubt), how)
        if run.hooks is not None:
            result = self._after(run.hooks, how, result)
        run.info = replace(run.info, kind=watch.kind or run.info.kind)
        last = record.end(
            run,
            how,
            result,
            watch.steps,
            paused_seconds=self._controls.paused_seconds,
            stalled_seconds=self._stall.seconds,
        )
        with suppress(Exception):  # the run is on record; what follows is for convenience
            if run.hooks is None:
                self._look_at_repository(result, watch.steps)
            for problem in engines.problems():
                self._log.say(problem)
            self._log.say(f"{last.outcome.value}: {last.reason}")
            self._log.close()
        has_tracker = self._publisher.connected
        self._publisher.finish(last)
        watch.deliver()  # last: a reader that takes its time must not keep the end from being known
        with suppress(Exception):
            after_run.close_others(run.places, run.info.run)
        with suppress(Exception):
            if not has_tracker:
                after_run.without_tracker(run.places)

    def _after(self, hooks: "Hooks", how: Exit, result: Result) -> Result:
        """Run the command after the backup, which may unmount its disk: so the repository is looked at before."""
        with suppress(Exception):
            self.watch.relay.flush()
            self._look_at_repository(result, self.watch.steps)
        try:
            return hooks.end(self._run, self._waker, self._log, how, result)
        except Exception as error:
            return run_entries.doubted(result, run_entries.mistake(error))

    def _checked(self, result: Result, how: Exit) -> Result:
        """Return *result*, corrected by disk and earlier runs: sources without files, a sudden shrinkage, a lock that was left."""
        run = self._run
        with suppress(Exception):
            if run.engine is engines.COMMAND:
                result = result_checks.of_script(result, self.watch.empty_sources, self._past)
            else:
                result = result_checks.looked(result, run.plan, run.info.engine, self._past)
                result = result_checks.collapsed(result, run.info, self._past)
        return result_checks.advised(result, how, run.engine, run.plan, run.info, run.places)

    def _note_start(self) -> Callable[[], None]:
        """Put the beginning on record and look up earlier runs; return a function that waits until that is done.

        For a script a thread does so beside the watch, which must not miss an engine that fails within a moment.
        """
        run, watch, known = self._run, self.watch, threading.Event()

        def note() -> None:
            with suppress(Exception):  # what a run began with stands in its end, too
                record.beginning(run)
            with suppress(Exception):  # an estimate is a convenience
                self._past = live_state.earlier_runs(run.places, run.info)
                known.set()

        def tell() -> bool:
            if known.is_set():
                watch.state.know(self._past)
            return known.is_set()

        if run.engine is engines.COMMAND:
            watch.news = tell
            thread = threading.Thread(target=note, name="note")
            with suppress(RuntimeError):  # no more threads are allowed
                thread.start()
                return thread.join
            watch.news = None
        note()
        with suppress(Exception):
            tell()
        return lambda: None

    def _look_at_repository(self, result: Result, steps: tuple[Step, ...]) -> None:
        """Note the repository's state: only here and only for a moment, since the caller may unmount its disk next."""
        run = self._run
        if run.info.repository is not None or steps:
            from tray.repository import after  # the command has ended, or never had a repository

            after.look(run.places, run.info, result, prepare.folder_now(), steps)

    def _new_controls(self) -> Controls:
        run, log = self._run, self._log

        def note(whence: str) -> None:
            record.append(run, run_entries.cancel_requested(run.info, whence), run_entries.START_SECONDS)

        def keep(paused: bool) -> None:
            run.info = replace(run.info, paused=paused)
            self._save()

        script = run.engine is engines.COMMAND
        return Controls(self._child, run.engine.stop, script=script, say=log.say, note=note, keep=keep)

    def _limit(self) -> float | None:
        """Return the seconds without progress after which the run counts as stalled; None: never."""
        if self._run.info.kind == "other":  # `restic mount` only waits
            return None
        from tray import config  # asked once a run has been quiet for a while

        try:
            return config.load(self._run.places).limit(self._run.info.job)
        except BackupTrayError as error:
            self._log.say(f"{error.what} {error.why}")
            return config.STALLED_AFTER

    def _traffic(self) -> dict[int, int] | None:
        """Return by process what the run has read and written; None where the system does not show it."""
        from tray.core import process_tree  # psutil is slow to load; a short run does not need it

        counts: dict[int, int] = {}
        for pid in self.watch.left_behind or [self._child.pid]:
            counts.update(process_tree.traffic(pid) or {})
        return counts or None

    def _note_child(self) -> None:
        run = self._run
        if run.folder is not None:
            info = runs.with_child(run.info, self._child.pid)
            run.info = replace(info, overlaps=result_checks.earlier(run.places, run.info))
            self._save()

    def _save(self) -> None:
        if self._run.folder is not None:
            with suppress(OSError):
                self._run.folder.save(self._run.info)
