"""One run from beginning to end: start the command first, do everything else beside it, and put the outcome on record.

Before the start this loads only what the start needs, and what keeps the command's output flowing after an internal error
(`fallback`). The rest of the wrapper (`follow`) loads while the command works.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from tray import engines, last_resort, runs
from tray.core import clock, locks
from tray.core.dataclass import replace
from tray.core.errors import CommandNotFoundError, HookFailedError
from tray.core.paths import Places
from tray.core.paths import places as default_places
from tray.engines.base import Engine, Exit
from tray.runs import RunInfo
from tray.wrapper import fallback, prepare
from tray.wrapper.child import Child, die_like
from tray.wrapper.outputs import Outputs
from tray.wrapper.prepare import Run
from tray.wrapper.relay import Relay
from tray.wrapper.waker import Stopped, Waker, stop_on_signals

if TYPE_CHECKING:
    from tray.wrapper.early_steps import Early
    from tray.wrapper.hooks import Hooks


def run(
    argv: Sequence[str],
    *,
    job: str | None = None,
    engine: str | Engine | None = None,
    watch: bool = True,
    places: Places | None = None,
    hooks: "Hooks | None" = None,
) -> int:
    """Run the command *argv* under watch and end as it ended: with its exit code, or by its signal.

    Args:
        argv: The command.
        job: The job this run belongs to; by default a name made from engine, repository and sources.
        engine: The engine's name if the command does not show it; or the adapter itself.
        watch: False: everything is inherited, nothing is read; only start, end and exit code are on record.
        places: The installation's folders.
        hooks: The commands before and after it.

    Raises:
        CommandNotFoundError: The command cannot be started; that is on record as a failed run.
        HookFailedError: The command before it failed; that is on record as a failed run.
    """
    try:
        prepare.need_standard_descriptors()
    except OSError as error:  # a file of ours would become the command's standard output
        return last_resort.become(argv, error)
    known: list[RunInfo] = []
    try:
        state, child, outputs, waker = _started(argv, job, engine, watch, places, known, hooks)
    except (CommandNotFoundError, HookFailedError):
        raise
    except Stopped as stopped:
        return die_like(Exit(None, stopped.number))
    except Exception as error:
        if last_resort.started:
            raise
        return die_like(fallback.unwatched(argv, known[0] if known else None, job, places, error))
    with suppress(Exception):
        _kept(state, child, outputs, waker)
    if state.early is not None:
        with suppress(Exception):  # a watch that failed has not taken over
            state.early.stop()
    if state.folder is not None:
        with suppress(Exception):
            if not state.folder.handed_over:
                outputs.leave()
        with suppress(Exception):
            state.folder.close()
    how = child.exit or child.wait()
    try:
        return die_like(how)  # after the folder is closed: a death by signal runs nothing more
    except Exception:
        return 128 + (how.signal or 0) if how.code is None else how.code


def _started(
    argv: Sequence[str],
    job: str | None,
    engine: str | Engine | None,
    watch: bool,
    places: Places | None,
    known: list[RunInfo],
    hooks: "Hooks | None",
) -> tuple[Run, Child, Outputs, Waker]:
    """Prepare the watch and start the command; *known* gets the run as soon as it is described. A failure leaves nothing behind.

    Raises:
        CommandNotFoundError, HookFailedError: The command cannot be started; that is on record as a failed run.
        Exception: Something of ours failed; the command has not started.
    """
    places = default_places() if places is None else places
    redactor = prepare.redactor(places, argv, os.environ)
    adapter, plan, session, doubt = fallback.taken_in(argv, os.environ, engine)
    info = prepare.describe(places, adapter.name, plan, argv, job, redactor)
    known.append(info)
    folder = outputs = waker = state = None
    stop_on_signals()
    try:
        folder, roomy = runs.create(places, info)
        outputs = prepare.outputs(folder if roomy and watch else None, plan)
        if (plan.spool_stdout or plan.ours) and not outputs.tails:  # nothing is read, so nothing may be asked for
            from tray.recording.observed_end import Unread  # seldom: no room, or --no-watch

            plan = replace(plan, argv=tuple(argv), env={}, spool_stdout=False, ours=False, writes=False)
            session = Unread(adapter.session(plan), plan, adapter.name)
        state = Run(places, adapter, plan, session, info, folder, redactor, clock.monotonic(), doubt, hooks=hooks)
        _note_losses(state)
        waker = Waker()
        environ = {**os.environ, **plan.env} if plan.env else os.environ
        child = _child(state, environ, outputs, waker)
    except BaseException:
        for opened in (outputs, waker, folder, None if state is None else state.early):
            if opened is not None:
                with suppress(Exception):
                    opened.close()
        raise
    return state, child, outputs, waker


def _child(state: Run, environ: "os._Environ[str] | dict[str, str]", outputs: Outputs, waker: Waker) -> Child:
    """Start the command, and look at it from its first moment on if it is a script."""
    try:
        if state.hooks is not None:
            state.hooks.begin(state, waker)
        state.early = _early(state)
        waker.check()
        child = Child(state.plan.argv, environ, stdout=outputs.stdout, stderr=outputs.stderr)
    except (CommandNotFoundError, HookFailedError) as error:
        with suppress(Exception):
            from tray.wrapper import record  # most commands start

            record.no_start(state, error)
        raise
    if state.early is not None:
        with suppress(Exception):  # the command has started: nothing may come between it and its watch
            state.early.begin(child)
    return child


def _early(state: Run) -> "Early | None":
    """Return the watch over a script's first moments; None for an engine, and where nothing can be seen."""
    if state.engine is not engines.COMMAND or sys.platform != "linux":
        return None
    try:
        from tray.wrapper.early_steps import Early  # an engine does not wait for this

        return Early()
    except Exception as error:
        state.doubt = state.doubt or f"what it started was not seen ({last_resort.words(error)})"
        return None


def _note_losses(state: Run) -> None:
    """Note what this run has to do without."""
    if state.places.makeshift:
        state.losses.append(f"{state.places.makeshift}, so this run is on record in {state.places.state}")
    if state.folder is None:
        state.losses.append("no folder can be written, so the log of this run is not kept")
    if state.info.boot == locks.UNKNOWN_BOOT:
        state.losses.append("/proc is not mounted, so what the command starts is not seen")
        if state.engine is engines.COMMAND:
            state.doubt = state.doubt or "what it started was not seen, since /proc is not mounted"


def _kept(state: Run, child: Child, outputs: Outputs, waker: Waker) -> None:
    """Watch the command to its end and put that on record; after an internal error without understanding what it says."""
    relay, ahead = Relay(), dict[int, bytes]()
    try:
        outputs.started()
        from tray.wrapper.follow import Follow  # loads while the command works

        follow = Follow(state, child, outputs, waker)
        relay, ahead = follow.watch.relay, follow.watch.ahead
        follow.run()
    except Exception as error:  # a mistake of ours must neither end the command nor take its exit code
        how = fallback.wait(child, outputs, waker, relay, ahead)
        if state.hooks is not None:
            with suppress(Exception):
                state.hooks.clean_up(state, waker, how)
        if not state.ended:
            try:
                from tray.wrapper import record  # perhaps it was not loaded yet

                record.end_after_mistake(state, how, error)
            except Exception as failure:
                state.losses.append(f"this run is not on record: {last_resort.words(failure)}")
    if state.losses:
        last_resort.say(f"{'; '.join(state.losses)}.")
