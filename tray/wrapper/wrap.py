"""One run from beginning to end: start the command first, do everything else beside it, write down what it came to."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from tray import engines, last_resort, runs
from tray.core import clock, locks
from tray.core.dataclass import dataclass, field, replace
from tray.core.errors import BackupTrayError, CommandNotFoundError
from tray.core.model import BACKUP, EndedRun, Outcome, Step
from tray.core.paths import Places
from tray.core.paths import places as default_places
from tray.core.redact import Redactor
from tray.engines.base import LOG_FD, Engine, Exit, Plan, Result, Session
from tray.recording import run_entries
from tray.recording.run_entries import clean, doubted
from tray.runs import RunFolder, RunInfo
from tray.runs.log import RunLog
from tray.wrapper import after_run, earlier_runs, emptied_sources, fallback, left_behind, prepare, privacy
from tray.wrapper.child import Child, die_like
from tray.wrapper.controls import Controls
from tray.wrapper.io_rate import written
from tray.wrapper.outputs import Outputs
from tray.wrapper.publisher import Publisher
from tray.wrapper.relay import Relay
from tray.wrapper.stall import Stall
from tray.wrapper.waker import Stopped, Waker, stop_on_signals
from tray.wrapper.watch import Watch

if TYPE_CHECKING:
    from tray.audit.entry import Draft
    from tray.wrapper.early_steps import Early
    from tray.wrapper.estimate import Past


@dataclass(slots=True)
class _Run:
    """What the steps of one run share."""

    places: Places
    engine: Engine
    plan: Plan
    session: Session
    info: RunInfo
    folder: RunFolder | None
    redactor: Redactor
    began: float
    doubt: str = ""
    ended: bool = False
    watch: Watch | None = None
    early: "Early | None" = None
    past: "tuple[Past, ...]" = ()
    paused_seconds: int = 0
    stalled_seconds: int = 0
    losses: list[str] = field(default_factory=list)


def run(
    argv: Sequence[str],
    *,
    job: str | None = None,
    engine: str | None = None,
    watch: bool = True,
    places: Places | None = None,
) -> int:
    """Run the command *argv* under watch and end as it ended: with its exit code, or by its signal.

    Args:
        job: The job this run belongs to; by default a name made from engine, repository and sources.
        engine: The engine's name if the command does not show it.
        watch: False: everything is inherited, nothing is read; only start, end and exit code are on record.

    Raises:
        CommandNotFoundError: The command cannot be started; that is on record as a failed run.
    """
    try:
        prepare.need_standard_descriptors()
    except OSError as error:  # a file of ours would become the command's standard output
        return last_resort.become(argv, error)
    known: list[RunInfo] = []
    try:
        this, child, outputs, waker = _started(argv, job, engine, watch, places, known)
    except CommandNotFoundError:
        raise
    except Stopped as stopped:
        return die_like(Exit(None, stopped.number))
    except Exception as error:
        if last_resort.started:
            raise
        return die_like(fallback.unwatched(argv, known[0] if known else None, job, places, error))
    with suppress(Exception):
        _kept(this, child, outputs, waker)
    if this.folder is not None:
        with suppress(Exception):
            if not this.folder.handed_over:
                outputs.leave()
        with suppress(Exception):
            this.folder.close()
    how = child.exit or child.wait()
    try:
        return die_like(how)  # after the folder is closed: a death by signal runs nothing more
    except Exception:
        return 128 + (how.signal or 0) if how.code is None else how.code


def _started(
    argv: Sequence[str], job: str | None, engine: str | None, watch: bool, places: Places | None, known: list[RunInfo]
) -> tuple[_Run, Child, Outputs, Waker]:
    """Prepare the watch and start the command; *known* gets the run as soon as it is described. A failure leaves nothing behind.

    Raises:
        CommandNotFoundError: The command cannot be started; that is on record as a failed run.
        Exception: Something of ours failed; the command has not started.
    """
    places = default_places() if places is None else places
    redactor = privacy.redactor(places, argv, os.environ)
    adapter, plan, session, doubt = fallback.taken_in(argv, os.environ, engine)
    info = prepare.describe(places, adapter.name, plan, argv, job, redactor)
    known.append(info)
    folder = outputs = waker = early = None
    stop_on_signals()
    try:
        folder, roomy = runs.create(places, info)
        outputs = prepare.outputs(folder if roomy and watch else None, plan)
        if (plan.spool_stdout or plan.ours) and not outputs.tails:  # nothing is read, so nothing may be asked for
            plan = replace(plan, argv=tuple(argv), env={}, spool_stdout=False, ours=False, writes=False)
            session = import_module("tray.recording.observed_end").Unread(adapter.session(plan), plan, adapter.name)
        plan = replace(plan, argv=tuple(word.replace(LOG_FD, str(outputs.log)) for word in plan.argv))
        this = _Run(places, adapter, plan, session, info, folder, redactor, clock.monotonic(), doubt)
        _note_losses(this)
        waker = Waker()
        environ = {**os.environ, **plan.env} if plan.env else os.environ
        this.early = early = _early(this)
        waker.check()
        try:
            child = Child(plan.argv, environ, stdout=outputs.stdout, stderr=outputs.stderr)
        except CommandNotFoundError as error:
            with suppress(Exception):
                _record_no_start(this, error)
            raise
        if this.early is not None:
            with suppress(Exception):  # the command has started: nothing may come between it and its watch
                this.early.begin(child)
    except BaseException:
        for opened in (outputs, waker, folder, early):
            if opened is not None:
                with suppress(Exception):
                    opened.close()
        raise
    return this, child, outputs, waker


def _early(this: _Run) -> "Early | None":
    """Return what looks at a script from its first moment on; None for an engine, and where nothing can be seen."""
    if this.engine is not engines.COMMAND or sys.platform != "linux":
        return None
    try:
        from tray.wrapper.early_steps import Early  # an engine does not wait for this

        return Early()
    except Exception as error:
        this.doubt = this.doubt or f"what it started was not seen ({last_resort.words(error)})"
        return None


def _note_losses(this: _Run) -> None:
    """Note what this run has to do without."""
    if this.places.makeshift:
        this.losses.append(f"{this.places.makeshift}, so this run is on record in {this.places.state}")
    if this.folder is None:
        this.losses.append("no folder can be written, so the log of this run is not kept")
    if this.info.boot == locks.UNKNOWN_BOOT:
        this.losses.append("/proc is not mounted, so what the command starts is not seen")
        if this.engine is engines.COMMAND:
            this.doubt = this.doubt or "what it started was not seen, since /proc is not mounted"


def _record_no_start(this: _Run, error: CommandNotFoundError) -> None:
    result = Result(Outcome.FAILED, f"{error.what} {error.why}", errors=1)
    _append(this, [run_entries.started(this.info)], run_entries.START_SECONDS)
    _finish(this, Exit(error.exit_code), result)


def record_failure(places: Places, job: str, why: str) -> None:
    """Put a run of *job* on record that failed before there was a command to start, so that the night shows red."""
    plan = Plan((), BACKUP, {})
    redactor = Redactor((), os.environ)
    info = prepare.describe(places, "none", plan, (), job, redactor)
    this = _Run(places, engines.COMMAND, plan, engines.COMMAND.session(plan), info, None, redactor, clock.monotonic())
    _append(this, [run_entries.started(info)], run_entries.START_SECONDS)
    _finish(this, Exit(None), Result(Outcome.FAILED, why, errors=1))


def _kept(this: _Run, child: Child, outputs: Outputs, waker: Waker) -> None:
    """Watch the command to its end and write that down, whatever we get wrong meanwhile."""
    try:
        outputs.started()
        _followed(this, child, outputs, waker)
    except Exception as error:  # a mistake of ours must neither end the command nor take its exit code
        relay, ahead = (Relay(), {}) if this.watch is None else (this.watch.relay, this.watch.ahead)
        how = fallback.wait(child, outputs, waker, relay, ahead)
        if not this.ended:
            _finish_after_mistake(this, how, error)
    if this.losses:
        last_resort.say(f"{'; '.join(this.losses)}.")


def _finish_after_mistake(this: _Run, how: Exit, error: Exception) -> None:
    try:
        _finish(this, how, fallback.judge(this.info.engine, how, error))
    except Exception as failed:
        this.losses.append(f"this run is not on record: {last_resort.words(failed)}")


def _followed(this: _Run, child: Child, outputs: Outputs, waker: Waker) -> None:
    """Follow the command to its end, and put that on record."""
    _note_child(this, child)
    privacy.read_secrets(this.redactor)
    publisher = Publisher(this.places, waker)
    log = RunLog(None if this.folder is None else this.folder.log, this.redactor)
    controls, stall = _controls(this, child, log), _stall(this, child, log)
    this.watch = watch = Watch(
        this.info,
        child,
        outputs,
        this.session,
        log,
        publisher,
        waker,
        this.redactor,
        controls,
        stall,
        written(child.pid, this.engine, this.plan),
    )
    if engines.unwrap(this.plan.argv, {}).before:
        began = import_module("tray.wrapper.began")  # most commands have no wrapper
        watch.began = began.Began(this.plan.argv, speaks=this.engine is not engines.COMMAND)
    if this.early is not None:
        watch.look_at(this.early.hand_over(log.say))
    watch.look()  # a quick engine's first words need not wait for the audit log
    noted = _note_start(this, watch)
    if this.info.repository is not None:
        import_module("tray.repository.after")  # the command works meanwhile, so this costs nobody anything
    how = watch.follow()
    noted()
    if how.code == 0 and watch.left_behind and this.folder is not None:
        from tray.wrapper import stay_behind  # few scripts leave an engine behind

        info = stay_behind.beside(this.folder, this.info, watch)
        if info is None:
            return
        this.info = info
    result = watch.conclude(how)
    this.paused_seconds, this.stalled_seconds = controls.paused_seconds, stall.seconds
    result = doubted(result, this.doubt)
    with suppress(Exception):
        if this.engine is engines.COMMAND:
            result = emptied_sources.of_script(result, watch.empty_sources, this.past)
        else:
            result = emptied_sources.looked(result, this.plan, this.info.engine, this.past)
    result = left_behind.advised(result, how, this.engine, this.plan, this.info, this.places)
    this.info = replace(this.info, kind=watch.kind or this.info.kind)
    last = _finish(this, how, result, watch.steps)
    with suppress(Exception):  # the run is on record; what follows is for convenience
        _look_after(this, result, watch.steps)
        for said in engines.problems():
            log.say(said)
        log.say(f"{last.outcome.value}: {last.reason}")
        log.close()
    seen = publisher.connected
    publisher.finish(last)
    watch.deliver()  # last: a reader that takes its time must not keep the end from being known
    with suppress(Exception):
        after_run.close_others(this.places, this.info.run)
    with suppress(Exception):
        if not seen:  # else the tracker sees to this
            after_run.without_tracker(this.places)


def _note_start(this: _Run, watch: Watch) -> Callable[[], None]:
    """Put the beginning on record and look up what is known of earlier runs; return what waits until that is done.

    For a script that is done beside the watch, which must not miss an engine that fails within a moment.
    """
    found: list[tuple[Past, ...]] = []

    def note() -> None:
        with suppress(Exception):  # what a run began with stands in its end, too
            _append(this, [run_entries.started(this.info)], run_entries.START_SECONDS)
        with suppress(Exception):  # an estimate is a convenience
            this.past = earlier_runs.of(this.places, this.info)
            found.append(this.past)

    def known() -> bool:
        if found:
            watch.picture.know(found[0])
        return bool(found)

    if this.engine is not engines.COMMAND:
        note()
        with suppress(Exception):
            known()
        return lambda: None
    import threading

    watch.news = known
    thread = threading.Thread(target=note, name="note")
    try:
        thread.start()
    except RuntimeError:  # no more threads are allowed
        note()
        return lambda: None
    return thread.join


def _look_after(this: _Run, result: Result, steps: tuple[Step, ...]) -> None:
    """Note what the repository says now: only here and only for a moment, since the caller may unmount its disk next."""
    if this.info.repository is not None or steps:
        from tray.repository import after

        after.look(this.places, this.info, result, prepare.folder_now(), steps)


def _finish(this: _Run, exit: Exit, result: Result, steps: tuple[Step, ...] = ()) -> EndedRun:
    """Write down the end; the duration is the monotonic clock's, so a clock that was set changes nothing."""
    took = int((clock.monotonic() - this.began) * 1000)
    result = clean(result, this.redactor)
    finished = max(clock.now_ms(), this.info.started_ms)
    last = run_entries.end_of(this.info, result, finished, took, inferred=False, steps=steps)
    draft = run_entries.ended(
        this.info, last, exit, result, paused_seconds=this.paused_seconds, stalled_seconds=this.stalled_seconds
    )
    if _append(this, [draft], run_entries.END_SECONDS) is False:
        this.losses.append(fallback.NOT_ON_RECORD)
    this.ended = True
    return last


def _controls(this: _Run, child: Child, log: RunLog) -> Controls:
    """Return what takes the wishes of others about the run."""

    def note(whence: str) -> None:
        _append(this, [run_entries.cancel_requested(this.info, whence)], run_entries.START_SECONDS)

    def keep(paused: bool) -> None:
        this.info = replace(this.info, paused=paused)
        if this.folder is not None:
            with suppress(OSError):
                this.folder.save(this.info)

    script = this.engine is engines.COMMAND
    return Controls(child, this.engine.stop, script=script, say=log.say, note=note, keep=keep)


def _stall(this: _Run, child: Child, log: RunLog) -> Stall:
    """Return what notices that the run stands still."""

    def limit() -> float | None:
        if this.info.kind == "other":  # `restic mount` only waits
            return None
        from tray import config

        try:
            return config.load(this.places).limit(this.info.job)
        except BackupTrayError as error:
            log.say(f"{error.what} {error.why}")
            return config.STALLED_AFTER

    def traffic() -> dict[int, int] | None:
        from tray.core import process_tree

        left = [] if this.watch is None else this.watch.left_behind
        found = [counted for pid in left or [child.pid] if (counted := process_tree.traffic(pid)) is not None]
        return {pid: count for counted in found for pid, count in counted.items()} or None

    return Stall(limit, traffic, log.say, clock.monotonic())


def _append(this: _Run, drafts: "list[Draft]", seconds: float) -> bool:
    """Hand entries to the audit log, or to its spool; False if neither takes them: a backup never fails because of its record."""
    from tray.audit import spool

    return spool.record(this.places, drafts, timeout=seconds) != []


def _note_child(this: _Run, child: Child) -> None:
    if this.folder is not None:
        this.info = replace(runs.with_child(this.info, child.pid), overlaps=left_behind.earlier(this.places, this.info))
        with suppress(OSError):
            this.folder.save(this.info)
