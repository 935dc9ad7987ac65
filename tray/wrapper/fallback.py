"""Fallback after an internal error: keep the backup running, return its own exit code, and never record it as a success.

Nothing here understands the output. It is passed on as it is, and the end goes on record by the exit code: 0 is then
unknown, since the wrapper did not look. Before the start: the command runs unwatched (`unwatched`), or takes the place of
this process (`tray.last_resort`).
"""

import os
import sys
from collections.abc import Mapping, Sequence

from tray import engines, last_resort
from tray.core import clock
from tray.core.errors import CommandNotFoundError, UnknownEngineError
from tray.core.paths import Places
from tray.engines.base import Engine, Exit, Plan, Session
from tray.runs import RunInfo
from tray.wrapper.child import Child
from tray.wrapper.outputs import Outputs, Tail
from tray.wrapper.relay import LEFT_OUT, Relay
from tray.wrapper.waker import FORWARDED, Waker

TICK_SECONDS = 1.0


def taken_in(
    argv: Sequence[str], environ: Mapping[str, str], engine: str | Engine | None
) -> tuple[Engine, Plan, Session, str]:
    """Return engine, plan and session of the command; where its engine cannot take it in, those of any command, and why.

    An engine that is asked for by name but missing, perhaps because its plugin broke, does not keep the backup from running either.
    """
    try:
        adapter, at = engines.recognise(argv, environ, engine) if isinstance(engine, str | None) else (engine, 0)
        plan = adapter.plan(argv, at, environ)
        return adapter, plan, adapter.session(plan), ""
    except Exception as error:
        doubt = f"Backup Tray made a mistake of its own ({type(error).__name__}: {error})"
        if isinstance(error, UnknownEngineError):
            doubt = error.what[:1].lower() + error.what[1:].rstrip(".")
            last_resort.say(f"{doubt}, so the command runs without it. {error.why}")
        plan = engines.COMMAND.plan(argv, 0, environ)
        return engines.COMMAND, plan, engines.COMMAND.session(plan), doubt


def unwatched(
    argv: Sequence[str], info: RunInfo | None, job: str | None, places: Places | None, error: Exception
) -> Exit:
    """Run *argv* although the watch could not begin because of *error*; only its exit code is on record, 0 as unknown.

    Without the means to start a second process the command takes the place of this one.

    Raises:
        CommandNotFoundError: It cannot be started.
    """
    try:
        began, waker = clock.monotonic(), Waker()
        child = Child(argv, os.environ, stdout=None, stderr=None)
    except CommandNotFoundError:
        raise
    except Exception as failed:
        if last_resort.started:
            raise
        sys.exit(last_resort.become(argv, failed))
    how = wait(child, Outputs(None, spool_stdout=False, spool_stderr=False), waker, Relay(), {})
    lost = f"this run was not watched: {last_resort.words(error)}"
    try:
        from tray.wrapper import record  # the command starts before this loads

        took = int((clock.monotonic() - began) * 1000)
        if problem := record.unwatched(argv, info, job, places, how, error, took):
            lost += f"; {problem}"
    except Exception as failed:
        lost += f"; it is not on record: {last_resort.words(failed)}"
    last_resort.say(f"{lost}.")
    return how


def wait(child: Child, outputs: Outputs, waker: Waker, relay: Relay, ahead: dict[int, bytes]) -> Exit:
    """Wait for the end of the command, pass on what it says and what signals come, and return how it ended.

    Args:
        relay: The way to the caller.
        ahead: By descriptor, the beginning of an unfinished line that the caller has seen already.
    """
    try:
        while not child.check():
            _pass_on(outputs, relay, ahead)
            for number in sorted(waker.wait(TICK_SECONDS, relay.waiting)):
                if number in FORWARDED:
                    child.forward(number)
        outputs.ended()
        _pass_on(outputs, relay, ahead)
        for tail in outputs.tails:
            _write(relay, tail, tail.rest(), ahead)
        while relay.waiting and not waker.wait(TICK_SECONDS, relay.waiting).intersection(FORWARDED):
            relay.flush()
    except Exception:  # not even that: then at least the exit code
        return child.wait()
    assert child.exit is not None
    return child.exit


def _pass_on(outputs: Outputs, relay: Relay, ahead: dict[int, bytes]) -> None:
    for tail in outputs.tails:
        tail.more = True
        while tail.more:
            for block in tail.blocks():
                _write(relay, tail, block, ahead)
                if tail.crowded:
                    leave_out(relay, tail, ahead)
        tail.shrink()
    outputs.watch_over()
    relay.flush()


def leave_out(relay: Relay, tail: Tail, ahead: dict[int, bytes]) -> None:
    """Skip the output that was not read in time, and say how much of it the caller has not seen."""
    relay.write(tail.to, LEFT_OUT % (tail.skip() - len(ahead.pop(tail.to, b""))))


def _write(relay: Relay, tail: Tail, line: bytes, ahead: dict[int, bytes]) -> None:
    relay.write(tail.to, line.removeprefix(ahead.pop(tail.to, b"") if line else b""))
