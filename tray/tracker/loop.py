"""The event loop of the tracker's threads: it waits for descriptors, timers and other threads, and calls what waits for them.

asyncio would cost the tracker 5 MiB of memory, most of it for what a server of short lines does not use.

The tracker ends when it is told to, whatever it is doing. A signal is acted on between two steps of the program, so the timers of
the watchdog here are the kernel's: if the tracker cannot act, it ends anyway. Errors of its own do not flood the journal.
"""

import heapq
import itertools
import selectors
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from tray.core import clock

if sys.platform != "win32":
    import resource

END_SECONDS = 10.0
"""Time after TERM within which the tracker may still end in order."""
STUCK_SECONDS = 20.0
"""Processor time that the tracker may use without coming back to its clients; time in which it is stopped does not count."""
AGAIN_SECONDS = 60.0
"""The same error is reported once in this time."""
_MOST_KINDS = 50
_MOST_DESCRIPTORS = 4096

Act = Callable[[], None]


class Timer:
    """A call that is due at a time on the monotonic clock."""

    __slots__ = ("act", "at")

    def __init__(self, at: float, act: Act) -> None:
        self.at = at
        self.act: Act | None = act

    def cancel(self) -> None:
        """Let it not happen."""
        self.act = None


class Loop:
    """One thread's loop. Only `soon` may be called from another thread, or from a handler of signals.

    It passes each exception of a call to *failed*, and goes on.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._soon: deque[Act] = deque()
        self._going = True
        self._hears_signals = False
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        self.watch(self._woken, lambda: self._woken.recv(4096))

    def later(self, seconds: float, act: Act) -> Timer:
        """Call *act* after so many seconds."""
        timer = Timer(clock.monotonic() + seconds, act)
        heapq.heappush(self._timers, (timer.at, next(self._order), timer))
        return timer

    def soon(self, act: Act) -> None:
        """Call *act* in the thread of the loop; after the loop's end nothing happens."""
        self._soon.append(act)
        with suppress(OSError):  # so many wait already that the loop wakes anyway, or it has ended
            self._waker.send(b"\0")

    def watch(
        self, file: socket.socket | int, read: Callable[[], object] | None, write: Callable[[], object] | None = None
    ) -> None:
        """Call *read* or *write* whenever *file* is ready for it; None, None: never again. Ask so before you close *file*."""
        events = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        known = file in self._selector.get_map()
        if not events:
            if known:
                self._selector.unregister(file)
        elif known:
            self._selector.modify(file, events, (read, write))
        else:
            self._selector.register(file, events, (read, write))

    def run(self) -> None:
        """Wait and call until `stop`, then close what belongs to the loop."""
        while self._going:
            self._round()
        self.close()

    def stop(self) -> None:
        """End `run` after the call that is going on."""
        self._going = False

    def close(self) -> None:
        """Give the descriptors back, first the one that signals write to."""
        if self._hears_signals:
            signal.set_wakeup_fd(-1)
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def wake_on_signals(self) -> None:
        """Have each signal wake the loop, also one that comes just before it begins to wait."""
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._hears_signals = True

    def _round(self) -> None:
        until = 0.0 if self._soon else self._timers[0][0] - clock.monotonic() if self._timers else None
        for key, events in self._selector.select(until if until is None else max(until, 0.0)):
            for act, event in zip(key.data, (selectors.EVENT_READ, selectors.EVENT_WRITE), strict=True):
                if act is not None and events & event:
                    self._call(act)
        now = clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, timer = heapq.heappop(self._timers)
            if timer.act is not None:
                self._call(timer.act)
        for _ in range(len(self._soon)):
            self._call(self._soon.popleft())

    def _call(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # one call that fails must not end the others
            self._failed(error)


class Reporter:
    """Prints errors of the tracker's own, each kind once a minute at most."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def __call__(self, error: Exception, doing: str = "a step failed") -> None:
        """Print *error*, unless it was printed just now."""
        kind, now = f"{doing} {type(error).__name__} {getattr(error, 'errno', '')}", clock.monotonic()
        if now < self._said.get(kind, 0.0) or sys.stderr is None:
            return
        if len(self._said) > _MOST_KINDS:
            self._said.clear()
        self._said[kind] = now + AGAIN_SECONDS
        print(f"backup-tray tracker: {doing}", file=sys.stderr, flush=True)
        if isinstance(error, OSError):
            print(f"  {error.strerror or error}", file=sys.stderr, flush=True)
        else:
            print_error(error)


def print_error(error: Exception) -> None:
    """Print *error* with the way to it; Python's `traceback` takes memory all day for the same."""
    sys.excepthook(type(error), error, error.__traceback__)


def alive() -> None:
    """Tell the watchdog that the tracker answers; call it every few seconds."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_VIRTUAL, STUCK_SECONDS)


def calm() -> None:
    """Stop the watchdog, as no clients wait any more. The time since TERM goes on."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)


def on_signal(loop: Loop, stop: Act) -> None:
    """Call *stop* in the loop on TERM and INT. If the process lives `END_SECONDS` later, the kernel ends it."""

    def end(number: int, frame: object) -> None:  # noqa: ARG001 - what the interpreter passes
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, END_SECONDS)
        loop.soon(stop)

    loop.wake_on_signals()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)  # runs even while the loop is busy
    if sys.platform != "win32":
        for number in (signal.SIGALRM, signal.SIGVTALRM):
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))


def descriptors() -> int:
    """Return how many descriptors this process may have, after asking for as many as the system allows, up to 4,096."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
        if soft != resource.RLIM_INFINITY and soft < most:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            except (OSError, ValueError):
                return soft
        return max(most, 16)
    return _MOST_DESCRIPTORS
