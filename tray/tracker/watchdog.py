"""The tracker ends when it is told to, whatever it is doing, and its own mistakes do not flood the journal.

A signal is acted on between two steps of the program. The timers here are the kernel's: if the tracker cannot act, it ends anyway.
"""

import asyncio
import signal
import sys
import traceback
from collections.abc import Callable

from tray.core import clock

END_SECONDS = 10.0
"""So long after TERM the tracker may still take to end in order."""
STUCK_SECONDS = 20.0
"""Processor time that the tracker may use without coming back to its clients; time in which it is stopped does not count."""
AGAIN_SECONDS = 60.0
"""The same mistake is reported once in so long."""
_MOST_KINDS = 50


def alive() -> None:
    """Note that the tracker answers; call it every few seconds."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_VIRTUAL, STUCK_SECONDS)


def calm() -> None:
    """Stop watching for clients that wait: there are none any more. The time since TERM goes on."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)


def on_signal(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call *stop* in the loop on TERM and INT. If nothing came of it after `END_SECONDS`, the kernel ends the process."""

    def end(number: int, frame: object) -> None:  # noqa: ARG001 - what the interpreter passes
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, END_SECONDS)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:
            continue
        signal.signal(number, end)  # the loop is woken all the same; this runs even while it is busy
    if sys.platform != "win32":
        for number in (signal.SIGALRM, signal.SIGVTALRM):
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))


def descriptors() -> int:
    """Return how many descriptors this process may have, after asking for as many as the system allows, to 4,096."""
    if sys.platform == "win32":
        return 4096
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):
            return soft
    return max(most, 16)


class Quietly:
    """An event loop's handler of mistakes: each kind is printed once a minute at most."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def __call__(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Print what happened, unless it was printed just now."""
        error = context.get("exception")
        kind, now = f"{context.get('message')} {type(error).__name__} {getattr(error, 'errno', '')}", clock.monotonic()
        if now < self._said.get(kind, 0.0) or sys.stderr is None:
            return
        if len(self._said) > _MOST_KINDS:
            self._said.clear()
        self._said[kind] = now + AGAIN_SECONDS
        print(f"backup-tray tracker: {context.get('message')}", file=sys.stderr, flush=True)
        if isinstance(error, OSError):
            print(f"  {error.strerror or error}", file=sys.stderr, flush=True)
        elif isinstance(error, BaseException):
            traceback.print_exception(error)
