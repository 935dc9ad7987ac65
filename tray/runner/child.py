"""The command that is watched: how it starts, who owns the terminal, which signals it gets, how it ended.

It has a process group of its own, else Ctrl-C would arrive twice. If our stdin is a terminal and we are its foreground group, the
child's group becomes that (else a password prompt would stop it), and we take the terminal back in the end.
"""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from tray.engines.base import Exit
from tray.errors import CommandNotFoundError

_KEYS = (signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT))
"""What Ctrl-C and Ctrl-\\ send."""


class Child:
    """A started command.

    Raises:
        CommandNotFoundError: It does not exist or may not be executed.
    """

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], *, stdout: int | None, stderr: int | None
    ) -> None:
        self._terminal = _own_terminal()
        self._asked = False
        self._stopped = False
        try:
            self._process = _start(argv, environ, stdout, stderr, self._terminal)
        except FileNotFoundError as error:
            raise _not_found(argv[0], 127) from error
        except OSError as error:
            raise _not_found(argv[0], 126, error.strerror or str(error)) from error
        self.exit: Exit | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def forward(self, number: int) -> None:
        """Pass a signal on, once for each time that it came to us; INT goes to the whole group as the terminal would do it."""
        if self.exit is not None:
            return
        self._asked = True
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform != "win32" and number == signal.SIGINT:
                os.killpg(self.pid, number)
            else:
                self._process.send_signal(number)

    def check(self) -> bool:
        """Take notice of the child's changes; True once it has ended (then `exit` says how)."""
        if self.exit is not None:
            return True
        if sys.platform == "win32":
            code = self._process.poll()
            self.exit = None if code is None else Exit(code & 0xFF, None, self._asked)
            return self.exit is not None
        while self.exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if pid == 0:
                return False
            if os.WIFSTOPPED(status):
                self._pause()
            elif os.WIFEXITED(status) or os.WIFSIGNALED(status):
                self._ended(status)
        return True

    def _ended(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self._process.returncode = code
        self._take_terminal()
        if code >= 0:
            self.exit = Exit(code, None, self._asked)
        else:
            from_terminal = self._terminal is not None and -code in _KEYS
            self.exit = Exit(None, -code, self._asked or from_terminal)

    def _pause(self) -> None:
        """Ctrl-Z: the shell must see us stop, and what it continues is both of us."""
        if sys.platform == "win32" or self._terminal is None:
            return
        self._take_terminal()
        os.kill(os.getpid(), signal.SIGSTOP)
        if os.tcgetpgrp(self._terminal) == os.getpgrp():
            os.tcsetpgrp(self._terminal, self.pid)
        os.killpg(self.pid, signal.SIGCONT)

    def _take_terminal(self) -> None:
        if sys.platform != "win32" and self._terminal is not None:
            with suppress(OSError):
                os.tcsetpgrp(self._terminal, os.getpgrp())


def _own_terminal() -> int | None:
    """Return stdin's descriptor if it is a terminal and we are its foreground group."""
    if sys.platform == "win32":
        return None
    try:
        return 0 if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp() else None
    except OSError:
        return None


def _start(
    argv: Sequence[str], environ: Mapping[str, str], stdout: int | None, stderr: int | None, terminal: int | None
) -> "subprocess.Popen[bytes]":
    if sys.platform == "win32":
        return subprocess.Popen(argv, env=dict(environ), stdout=stdout, stderr=stderr)
    if terminal is None:
        return subprocess.Popen(argv, env=dict(environ), stdout=stdout, stderr=stderr, close_fds=False, process_group=0)
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # a background group may then still set the terminal's group

    def become_foreground() -> None:
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpid())
        signal.signal(signal.SIGTTOU, before or signal.SIG_DFL)

    return subprocess.Popen(
        argv, env=dict(environ), stdout=stdout, stderr=stderr, close_fds=False, preexec_fn=become_foreground
    )


def _not_found(command: str, exit_code: int, why: str = "") -> CommandNotFoundError:
    name = os.path.basename(command)
    error = CommandNotFoundError(
        command,
        why or "No such program is installed, or it is not in PATH (cron and systemd have a short one).",
        f"Check with `command -v {name}`; install it (for restic: `sudo apt install restic`), or give its full path.",
    )
    error.exit_code = exit_code
    return error


def die_like(exit: Exit) -> int:
    """End as the child did: return its exit code, or die of the same signal (without a core dump of ours)."""
    if exit.signal is not None and sys.platform != "win32":
        import resource

        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
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
