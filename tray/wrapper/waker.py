"""Wait for the first event: a signal, new output in a spool, a message of the tracker, or a deadline.

On POSIX everything is a descriptor in one `poll`: signals through a wake-up pipe, spool growth through inotify (Linux). Where the
system has no such notice, the wait ends after `BLIND_SECONDS` and the caller looks for itself.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tray.core import clock

if TYPE_CHECKING:
    from tray.observe.events import Events

BLIND_SECONDS = 0.1
FORWARDED = tuple(
    number for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if (number := getattr(signal, name, None)) is not None
)
_IN_MODIFY = 0x2


class Stopped(BaseException):
    """A signal came before the command had started: it is not started any more."""

    def __init__(self, number: int) -> None:
        self.number = number


def stop_on_signals() -> None:
    """Raise `Stopped` when a signal comes that would end us, until there is a `Waker`: what has begun is cleared away."""

    def stop(number: int, _frame: object) -> None:
        raise Stopped(number)

    for number in FORWARDED:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)


def _check(came: Iterable[int]) -> None:
    for number in FORWARDED:
        if number in came:
            raise Stopped(number)


if sys.platform == "win32":

    class Waker:
        """Looks every tenth of a second: Windows has no descriptor for signals."""

        def __init__(self) -> None:
            self._came: set[int] = set()
            for number in FORWARDED:
                signal.signal(number, lambda number, _frame: self._came.add(number))

        def watch_files(self, paths: list[Path]) -> None:
            """Nothing tells; the caller looks."""

        def watch_socket(self, fd: int | None, *, writing: bool = False) -> None:
            """Nothing tells; the caller looks."""

        def watch_opens(self, fd: int | None) -> None:
            """Nothing tells."""

        def watch_events(self, events: "Events") -> None:
            """Nothing tells."""

        def opened(self) -> bool:
            """Return False: nothing tells."""
            return False

        def close(self) -> None:
            """Nothing was opened."""

        def check(self) -> None:
            """Raise `Stopped` if a signal has come."""
            _check(self._came)

        def wait(self, seconds: float, writing: Iterable[int] = ()) -> set[int]:  # noqa: ARG002 - see the other one
            """Wait a tenth of a second at most and return the numbers of the signals that came."""
            time.sleep(min(seconds, BLIND_SECONDS))
            came, self._came = self._came, set()
            return came

else:

    class Waker:
        """One `poll` over everything that may wake us."""

        def __init__(self) -> None:
            self._extra: int | None = None
            self._inotify: int | None = None
            self._opens: int | None = None
            self._events: Events | None = None
            self._opened = False
            self.blind = False
            self._poll = select.poll()
            self._pipe, self._wake = os.pipe()
            os.set_blocking(self._pipe, False)
            os.set_blocking(self._wake, False)
            signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
            self._poll.register(self._pipe, select.POLLIN)
            for number in FORWARDED:
                # Who started us may have told us to ignore a signal (nohup); the engine must then ignore it too.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, _nothing)
            signal.signal(signal.SIGCHLD, _nothing)

        def close(self) -> None:
            """Give the descriptors back; signals then do nothing until another one is made."""
            signal.set_wakeup_fd(-1)
            for fd in (self._pipe, self._wake):
                os.close(fd)

        def watch_files(self, paths: list[Path]) -> None:
            """Wake when one of *paths* grows."""
            if not paths:
                return
            self._inotify = grown(paths)
            if self._inotify is None:
                self.blind = True
            else:
                self._poll.register(self._inotify, select.POLLIN)

        def watch_socket(self, fd: int | None, *, writing: bool = False) -> None:
            """Wake when the tracker says something, or takes more if *writing*; None: there is no tracker."""
            if self._extra is not None:
                self._poll.unregister(self._extra)
            if fd is not None:
                self._poll.register(fd, select.POLLIN | (select.POLLOUT if writing else 0))
            self._extra = fd

        def watch_opens(self, fd: int | None) -> None:
            """Wake when a program that is watched for was opened (`tray.observe.execs`); who asks for it takes it."""
            if fd is not None:
                self._poll.register(fd, select.POLLIN)
            self._opens = fd

        def watch_events(self, events: "Events") -> None:
            """Wake when a process becomes a program that matters (`tray.observe.events`)."""
            if events.fd is not None:
                self._poll.register(events.fd, select.POLLIN)
                self._events = events

        def opened(self) -> bool:
            """Whether that happened since the last question."""
            opened, self._opened = self._opened, False
            return opened

        def wait(self, seconds: float, writing: Iterable[int] = ()) -> set[int]:
            """Wait at most *seconds*, or until one of *writing* takes more; return the numbers of the signals that came."""
            if self.blind:
                seconds = min(seconds, BLIND_SECONDS)
            for fd in writing:
                self._poll.register(fd, select.POLLOUT)
            ready = self._ready(max(0.0, seconds))
            for fd in writing:
                self._poll.unregister(fd)
            signals: set[int] = set()
            for fd, _ in ready:
                if fd == self._pipe:
                    signals.update(os.read(fd, 4096))
                elif fd == self._inotify:
                    os.read(fd, 65536)
                elif fd == self._opens:
                    self._opened = True
            return signals

        def check(self) -> None:
            """Raise `Stopped` if a signal has come."""
            _check(self.wait(0.0))

        def _ready(self, seconds: float) -> list[tuple[int, int]]:
            """Poll; programs that others start all the time on this machine end no wait."""
            until = clock.monotonic() + seconds
            while True:
                ready = self._poll.poll(max(0.0, until - clock.monotonic()) * 1000)
                only_events = self._events is not None and any(fd == self._events.fd for fd, _ in ready)
                if not only_events or self._events is None:
                    return ready
                self._opened = self._events.take() or self._opened
                if self._opened or len(ready) > 1:
                    return ready


def _nothing(_number: int, _frame: object) -> None:
    """The wake-up pipe carries the signal; the handler only keeps it from killing us."""


def grown(paths: list[Path], events: int = _IN_MODIFY) -> int | None:
    """Return an inotify descriptor that becomes readable when one of *paths* grows, None if the system has none to give.

    Args:
        paths: The files.
        events: Kinds of events, in the numbers of inotify(7).
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        return None
    if any(libc.inotify_add_watch(fd, os.fsencode(path), events) < 0 for path in paths):
        os.close(fd)
        return None
    return fd
