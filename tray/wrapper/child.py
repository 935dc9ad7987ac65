"""Start the command that is watched, pass signals on to it, and tell how it ended.

In the foreground of a terminal it stays in our process group: prompts, Ctrl-Z, `fg`, a pager behind us and the script around us
then work as without us. Ctrl-C reaches it from the kernel; a signal to us alone is passed on, and `si_code` tells which
is which. Elsewhere it gets a group of its own, so that what is sent to our whole group does not arrive twice; without any terminal
a session of its own, else the kernel hangs up on it when we are killed while it is suspended (POSIX: "orphaned process group").
"""

import atexit
import errno
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, NoReturn

from tray import last_resort
from tray.core.dataclass import dataclass, replace
from tray.engines.base import Exit
from tray.wrapper.waker import FORWARDED

if sys.platform == "win32":
    import subprocess

    _Process = subprocess.Popen[bytes]
else:
    import resource

    _Process = int  # its number; `subprocess` would load for longer than a millisecond

_KEYS = frozenset((signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT)))
"""The signals of Ctrl-C and Ctrl-\\."""


_WAIT_SECONDS = 0.05
_OURS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.E2BIG)
"""Errors that come from a second process beside ours, or from our additions, and not from the command itself."""


class Terminal(Enum):
    """Our place on a terminal."""

    NONE = 0
    BACKGROUND = 1
    FOREGROUND = 2


_GROUPS: dict[Terminal, dict[str, Any]] = {
    Terminal.NONE: {"setsid": True},
    Terminal.BACKGROUND: {"setpgroup": 0},
    Terminal.FOREGROUND: {},
}
"""The session and process group that the command gets (see the module)."""


@dataclass(frozen=True, slots=True)
class Last:
    """The last program of a process that has ended.

    Attributes:
        program: The name of the program that it was in the end, cut to 15 bytes: `nice tar …` is tar then.
        children: It had children that it waited for.
    """

    program: str
    children: bool


class Child:
    """A started command.

    Attributes:
        last: Program that it was in the end, where the system tells. Linux only.
        shares_group: Whether it is in our own process group, as in the foreground of a terminal.
        was_asked: Whether its end was asked for: by a key, by a signal to us, by a cancel.

    Raises:
        CommandNotFoundError: It does not exist or may not be executed.
        OSError: There are no processes, descriptors or memory left for a second process beside ours.
    """

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], *, stdout: int | None, stderr: int | None
    ) -> None:
        terminal = _terminal()
        self.shares_group = terminal is Terminal.FOREGROUND
        self.was_asked = False
        try:
            try:
                self._process = _start(argv, environ, stdout, stderr, terminal)
            except OSError as error:
                if error.errno != errno.ENOEXEC or sys.platform == "win32":
                    raise
                # A script without `#!`: shells, cron and execvp(3) give it to sh.
                from tray.wrapper import not_started  # most commands start

                script = not_started.which(argv[0])
                if not not_started.is_text(script):
                    raise
                self._process = _start(["/bin/sh", script, *argv[1:]], environ, stdout, stderr, terminal)
        except OSError as error:
            if error.errno in _OURS:
                raise
            from tray.wrapper import not_started  # most commands start

            raise not_started.explained(argv[0], error, environ.get("PATH", os.defpath)) from error
        self.exit: Exit | None = None
        self.last: Last | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        if sys.platform == "win32":
            return self._process.pid
        return self._process

    def forward(self, number: int) -> None:
        """Pass a signal on, once for each time that it came to us; INT goes to a whole group of its own, as a terminal's would."""
        if self.exit is not None:
            return
        self.was_asked = True
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self._process.send_signal(number)
            elif number == signal.SIGINT and not self.shares_group:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def ask(self) -> None:
        """Remember that its end was asked for."""
        self.was_asked = True

    def permits(self) -> bool:
        """Whether we may send it signals; `sudo` and `doas` run as another user."""
        if sys.platform == "win32":
            return True
        try:
            os.kill(self.pid, 0)
        except OSError:
            return False
        return True

    def check(self) -> bool:
        """Notice the child's changes; return True once it has ended (then `exit` says how)."""
        if self.exit is not None:
            return True
        if sys.platform == "win32":
            code = self._process.poll()
            self.exit = None if code is None else Exit(code & 0xFF, None, self.was_asked)
            return self.exit is not None
        self._take_keys()
        if sys.platform == "linux" and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            with suppress(Exception):
                self.last = _last(self.pid)
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return False
        code = os.waitstatus_to_exitcode(status)
        self.exit = Exit(code, None, self.was_asked) if code >= 0 else Exit(None, -code, self.was_asked)
        self._ended()
        return True

    def wait(self) -> Exit:
        """Wait for the end with nothing but that, and pass signals on meanwhile."""
        for number in FORWARDED if self.exit is None else ():
            with suppress(Exception):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, lambda number, _frame: self.forward(number))
        while self.exit is None:
            try:
                if not self.check():
                    time.sleep(_WAIT_SECONDS)
            except ChildProcessError:  # something else in this process has taken its status
                self.exit = Exit(None, None, self.was_asked)
            except Exception:
                time.sleep(_WAIT_SECONDS)
        return self.exit

    def _ended(self) -> None:
        self._take_keys()  # the key that ended it came to us too
        _unblock(_KEYS)
        if self.exit is not None:
            self.exit = replace(self.exit, asked=self.was_asked)

    def _take_keys(self) -> None:
        """Take the signals that are held back on a terminal: a key's has reached the command already, any other is passed on."""
        if sys.platform == "win32" or not self.shares_group:
            return
        while held := _KEYS & signal.sigpending():
            if sys.platform == "linux":
                came = signal.sigwaitinfo(held)
                if came.si_code <= 0:  # a process sent it, sigaction(2)
                    self.forward(came.si_signo)
                    continue
            else:
                signal.sigwait(held)  # macOS does not tell: taken for a key
            self.was_asked = True


def _last(pid: int) -> Last | None:
    """Return the last program of a process that has ended and was not waited for.

    Fields 2 (comm) and 11 of proc(5): cminflt, page faults of children that it waited for. Every child makes some.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            before, _, after = file.read(4096).rpartition(b")")
        return Last(before.partition(b"(")[2].decode("utf-8", "replace"), after.split()[8] != b"0")
    except (OSError, IndexError):
        return None


def _terminal() -> Terminal:
    """Return our place on our terminal, whatever our standard descriptors are."""
    if sys.platform == "win32":
        return Terminal.NONE
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return Terminal.NONE
    try:
        return Terminal.FOREGROUND if os.tcgetpgrp(terminal) == os.getpgrp() else Terminal.BACKGROUND
    except OSError:
        return Terminal.BACKGROUND
    finally:
        os.close(terminal)


def _unblock(numbers: Iterable[int]) -> None:
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def _start(
    argv: Sequence[str], environ: Mapping[str, str], stdout: int | None, stderr: int | None, terminal: Terminal
) -> _Process:
    last_resort.started = True  # before: whatever fails from here on, the command must not be started twice
    try:
        return _spawned(argv, environ, stdout, stderr, terminal)
    except (OSError, ValueError):
        last_resort.started = False  # the command was not executed
        raise
    except Exception:
        last_resort.started = _has_child()
        raise


def _has_child() -> bool:
    """Whether this process has a child at all, perhaps one of the program that became us."""
    if sys.platform != "linux":
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    except Exception:
        return True
    return True


def _spawned(
    argv: Sequence[str], environ: Mapping[str, str], stdout: int | None, stderr: int | None, terminal: Terminal
) -> _Process:
    """Start the command by the C library, which searches PATH. It gets the signal mask that we had, and no handler of ours."""
    if sys.platform == "win32":
        return subprocess.Popen(argv, env=dict(environ), stdout=stdout, stderr=stderr)
    if not argv[0]:  # Python calls that a mistake of ours
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    # A loop, not a comprehension: a failure in a frame of ours would be taken for the command's, which then would not run.
    actions: list[tuple[int, int, int]] = []
    for fd, to in ((stdout, 1), (stderr, 2)):
        if fd is not None:
            actions.append((os.POSIX_SPAWN_DUP2, fd, to))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _KEYS if terminal is Terminal.FOREGROUND else ())
    try:
        return os.posix_spawnp(
            argv[0],
            list(argv),
            environ,
            file_actions=actions,
            setsigmask=before,
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores them
            **_GROUPS[terminal],
        )
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise


def die_like(exit: Exit) -> int:
    """End as the child did: return its exit code, or die of the same signal (without a core dump of ours)."""
    if exit.signal is not None and sys.platform != "win32":
        with suppress(Exception):
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with suppress(Exception):
            signal.set_wakeup_fd(-1)
        if exit.signal not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(exit.signal, signal.SIG_DFL)
        os.kill(os.getpid(), exit.signal)
    return exit.code if exit.code is not None else 128 + (exit.signal or 0)


def leave(code: int) -> NoReturn:
    """End at once with *code*: all is written, and to take the interpreter apart would keep the caller waiting some 20 ms."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None where the caller closed the descriptor
            with suppress(OSError):
                stream.flush()
    atexit._run_exitfuncs()
    os._exit(code)
