"""When we make a mistake of our own beside a run: the backup goes on, its exit code stays its own, and it is no success.

Nothing here understands anything. What the command says from now on is passed on as it is, and its end is put on record by its exit
code: 0 is then unknown, since nobody looked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tray import engines
from tray.engines.base import Engine, Exit, Plan, Result, Session, Stream
from tray.engines.command import conclude_by_code
from tray.errors import UnknownEngineError
from tray.model import Outcome
from tray.runner.child import Child
from tray.runner.outputs import Outputs, Relay, Tail
from tray.runner.wake import FORWARDED, Waker

TICK_SECONDS = 1.0


def taken_in(argv: Sequence[str], environ: Mapping[str, str], engine: str | None) -> tuple[Engine, Plan, Session, str]:
    """Return engine, plan and session of the command; where its engine cannot take it in, those of any command, and why.

    Raises:
        UnknownEngineError: There is no engine of that name.
    """
    try:
        adapter, at = engines.recognise(argv, environ, engine)
        plan = adapter.plan(argv, at, environ)
        return adapter, plan, adapter.session(plan), ""
    except UnknownEngineError:
        raise
    except Exception as error:
        plan = engines.COMMAND.plan(argv, 0, environ)
        return engines.COMMAND, plan, engines.COMMAND.session(plan), mistake(error)


def doubted(result: Result, why: str) -> Result:
    """Return *result*, or that nobody knows in the place of a success; *why* is empty where there is no doubt."""
    if not why or result.outcome is not Outcome.SUCCEEDED:
        return result
    return replace(result, outcome=Outcome.UNKNOWN, reason=f"{result.reason.rstrip('.')}, but {why}.")


def mistake(error: Exception) -> str:
    """Return what went wrong, as the second half of a sentence."""
    return f"Backup Tray made a mistake of its own ({type(error).__name__}: {error})"


def unknown(error: Exception) -> Result:
    """Return the result of a run about which our own mistake kept us from saying anything."""
    return Result(Outcome.UNKNOWN, f"{mistake(error)}, so what the run came to is not known.")


def unknown_after_mistake(conclude: Callable[[], Result]) -> Result:
    """Return what *conclude* says, or that nobody knows, if an engine's adapter fails over it."""
    try:
        return conclude()
    except Exception as error:
        return unknown(error)


def judge(name: str, how: Exit, error: Exception) -> Result:
    """Return what can be said of a command of which only the end was seen."""
    return doubted(Result(*conclude_by_code(name, how)), mistake(error))


def wait(child: Child, outputs: Outputs, waker: Waker, relay: Relay, ahead: dict[int, bytes]) -> Exit:
    """Wait for the end of the command, pass on what it says and what signals come, and return how it ended.

    Args:
        relay: The way to the caller.
        ahead: By descriptor, the beginning of an unfinished line that the caller has seen already.
    """
    while not child.check():
        _pass_on(outputs, relay, ahead)
        for number in sorted(waker.wait(TICK_SECONDS, relay.waiting)):
            if number in FORWARDED:
                child.forward(number)
    _pass_on(outputs, relay, ahead)
    for tail in outputs.tails:
        _write(relay, tail, tail.rest(), ahead)
    while relay.waiting and not waker.wait(TICK_SECONDS, relay.waiting).intersection(FORWARDED):
        relay.flush()
    assert child.exit is not None
    return child.exit


def _pass_on(outputs: Outputs, relay: Relay, ahead: dict[int, bytes]) -> None:
    for tail in outputs.tails:
        tail.more = True
        while tail.more:
            for line in tail.lines():
                _write(relay, tail, line, ahead)
    relay.flush()


def _write(relay: Relay, tail: Tail, line: bytes, ahead: dict[int, bytes]) -> None:
    if tail.stream is not Stream.LOG:
        relay.write(tail.to, line.removeprefix(ahead.pop(tail.to, b"") if line else b""))
