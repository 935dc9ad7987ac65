"""Run one command of a job beside its backup to its end: pass on its output and its signals, and cancel it on request.

While the command before the backup runs, the tracker knows the run already, so every surface can cancel it. The engine
is then never started.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tray.core import clock, files
from tray.core.dataclass import replace
from tray.core.model import Control
from tray.core.redact import Redactor
from tray.engines.base import STOP, Exit, Stream
from tray.runs.log import RunLog
from tray.wrapper import live_state
from tray.wrapper.child import Child
from tray.wrapper.controls import Controls, whence
from tray.wrapper.prepare import Run
from tray.wrapper.publisher import Publisher
from tray.wrapper.waker import FORWARDED, Waker

_TICK_SECONDS = 0.5
_BLOCK = 65_536


def run(
    argv: Sequence[str], state: Run, waker: Waker, log: RunLog, more: Mapping[str, str], *, before: bool = False
) -> Exit:
    """Run *argv* to its end, and return how it ended; `asked` if the user or a signal wanted that.

    Args:
        more: Variables to add to its environment.
        before: It runs before the backup: let the tracker know of the run, and take a cancel.

    Raises:
        CommandNotFoundError: It cannot be started.
        OSError: There are no processes or descriptors left.
    """
    log.say(f"runs {shlex.join(Redactor(argv, os.environ).argv(list(argv)))}")
    environ = {**os.environ, "BACKUP_TRAY_JOB": state.info.job, "BACKUP_TRAY_RUN": state.info.run, **more}
    output = _Output(state, log)
    try:
        child = Child(argv, environ, stdout=output.fd, stderr=output.fd)
        requests = _Requests(state, child, waker, log) if before else None
        while not child.check():
            seconds = _TICK_SECONDS if requests is None else requests.look()
            for number in waker.wait(seconds):
                if number in FORWARDED:
                    child.forward(number)
            output.read()
        output.end()
    finally:
        output.close()
    assert child.exit is not None
    log.say(f"{argv[0]} {ended(child.exit)}")
    log.flush()
    asked = child.exit.asked or (requests is not None and requests.cancelled())
    return replace(child.exit, asked=asked)


def ended(exit: Exit) -> str:
    """Return the end of a hook as the second half of a sentence."""
    return f"was ended by signal {exit.signal}" if exit.code is None else f"ended with exit code {exit.code}"


class _Requests:
    """The requests that come through the tracker while the command before the backup runs; its publisher stays for the backup."""

    def __init__(self, state: Run, child: Child, waker: Waker, log: RunLog) -> None:
        self._run = state
        state.publisher = self._publisher = Publisher(state.places, waker)
        self._live = live_state.first(state.info, known=False).with_changes(can=(Control.CANCEL,))
        self._controls = Controls(
            child, STOP, script=True, say=log.say, note=lambda _whence: None, keep=lambda _paused: None
        )

    def look(self) -> float:
        """Tell the tracker of the run, carry out requests, and return how long there is nothing else to do."""
        with suppress(Exception):  # cancelling is a convenience; a mistake in it must not reach the run
            self._publisher.offer(self._live)
            now = clock.monotonic()
            self._take(now)
            self._controls.tick(now)
            return min(_TICK_SECONDS, self._controls.wait_seconds(now), self._publisher.wait_seconds(self._live))
        return _TICK_SECONDS

    def cancelled(self) -> bool:
        """Whether the user has cancelled the run, perhaps just as the command ended."""
        with suppress(Exception):
            self._take(clock.monotonic())
        return self._run.cancelled_by is not None

    def _take(self, now: float) -> None:
        for wish, by in self._publisher.wishes(self._run.info.run):
            if wish is Control.CANCEL:
                self._run.cancelled_by = self._run.cancelled_by or whence(by)
                self._controls.take(wish, by, now)


class _Output:
    """The output of a hook, through a file without a name; where none can be made, the hook writes to our own stderr.

    Attributes:
        fd: Descriptor of the file; None without one.
    """

    def __init__(self, state: Run, log: RunLog) -> None:
        self._log, self._part = log, b""
        self.fd: int | None = None
        self._reader: int | None = None
        if state.folder is not None:
            with suppress(OSError):
                path = state.folder.log.with_name("hook")
                fd = files.descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
                self.fd, self._reader = fd, files.descriptor(path, os.O_RDONLY)
                os.unlink(path)

    def read(self) -> None:
        """Pass on all new output."""
        while self._reader is not None and (block := os.read(self._reader, _BLOCK)):
            with suppress(OSError):
                os.write(2, block)
            *lines, self._part = (self._part + block).split(b"\n")
            for line in lines:
                self._log.line(line + b"\n", Stream.ERR)
            self._log.flush()

    def end(self) -> None:
        """Pass on the rest, an unfinished line too."""
        self.read()
        if self._part:
            self._log.line(self._part + b"\n", Stream.ERR)

    def close(self) -> None:
        """Give the file back."""
        for fd in (self.fd, self._reader):
            if fd is not None:
                os.close(fd)
