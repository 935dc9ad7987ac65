"""Run the commands that a job has before and after its backup, under watch.

If the command before the backup fails, the engine is not started and the run has failed. The command after it runs whenever the
engine was started, however that ended, since it may have to unmount a disk; if it fails, the run is at best a warning. The caller
sees their output on stderr, and the log of the run has it without secrets.
"""

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress

from tray import last_resort
from tray.core import files
from tray.core.dataclass import replace
from tray.core.errors import CommandNotFoundError, HookFailedError
from tray.core.model import Outcome
from tray.core.redact import Redactor
from tray.engines.base import Exit, Result, Stream
from tray.runs.log import RunLog
from tray.wrapper.child import Child
from tray.wrapper.prepare import Run
from tray.wrapper.waker import FORWARDED, Waker

_TICK_SECONDS = 0.5
_BLOCK = 65_536


class Hooks:
    """The commands before and after one backup; either may be empty."""

    def __init__(self, before: Sequence[str], after: Sequence[str]) -> None:
        self._before, self._after = tuple(before), tuple(after)
        self._done = False

    def begin(self, run: Run, waker: Waker) -> None:
        """Run the command before the backup.

        Raises:
            HookFailedError: It failed, or a signal came: the engine must not be started.
        """
        if not self._before:
            return
        log = RunLog(None if run.folder is None else run.folder.log, run.redactor)
        try:
            done = _run(self._before, run, waker, log, {})
        except CommandNotFoundError as error:
            raise HookFailedError(self._before[0], error.why.rstrip("."), error.exit_code) from error
        except (
            Exception
        ) as error:  # also a mistake of ours: without its preparation the backup might fill the wrong disk
            raise HookFailedError(self._before[0], last_resort.words(error), None) from error
        finally:
            last_resort.started = False  # the engine was not started yet
            log.close()
        if done.code != 0 or done.asked:
            raise HookFailedError(self._before[0], _ended(done), done.code, cancelled=done.asked)

    def end(self, run: Run, waker: Waker, log: RunLog, exit: Exit, result: Result) -> Result:
        """Run the command after the backup that ended with *exit*, and return its *result* with the failure of this command."""
        if not self._after or self._done:
            return result
        self._done = True
        known = {"BACKUP_TRAY_OUTCOME": result.outcome.value, "BACKUP_TRAY_EXIT_CODE": str(exit.code or 0)}
        try:
            done = _run(self._after, run, waker, log, known)
            why = "" if done.code == 0 else _ended(done)
        except (CommandNotFoundError, OSError) as error:
            why = (getattr(error, "why", "") or str(error)).rstrip(".")
        if not why:
            return result
        outcome = Outcome.WARNING if result.outcome is Outcome.SUCCEEDED else result.outcome
        reason = f"{result.reason.rstrip('.')}. The command after the backup failed: {self._after[0]}: {why}."
        return replace(result, outcome=outcome, reason=reason)

    def clean_up(self, run: Run, waker: Waker, exit: Exit) -> None:
        """Run the command after the backup if an internal error has kept `end` from doing so."""
        self.end(run, waker, RunLog(None, run.redactor), exit, Result(Outcome.UNKNOWN, ""))


def _run(argv: Sequence[str], run: Run, waker: Waker, log: RunLog, more: dict[str, str]) -> Exit:
    """Run *argv* to its end; pass on its output, and signals that come meanwhile.

    Raises:
        CommandNotFoundError: It cannot be started.
        OSError: There are no processes or descriptors left.
    """
    log.say(f"runs {shlex.join(Redactor(argv, os.environ).argv(list(argv)))}")
    environ = {**os.environ, "BACKUP_TRAY_JOB": run.info.job, "BACKUP_TRAY_RUN": run.info.run, **more}
    output = _Output(run, log)
    try:
        child = Child(argv, environ, stdout=output.fd, stderr=output.fd)
        while not child.check():
            for number in waker.wait(_TICK_SECONDS):
                if number in FORWARDED:
                    child.forward(number)
            output.read()
        output.end()
    finally:
        output.close()
    assert child.exit is not None
    log.say(f"{argv[0]} {_ended(child.exit)}")
    log.flush()
    return child.exit


class _Output:
    """The output of a hook, through a file without a name; where none can be made, the hook writes to our own stderr.

    Attributes:
        fd: Descriptor of the file; None without one.
    """

    def __init__(self, run: Run, log: RunLog) -> None:
        self._log, self._part = log, b""
        self.fd: int | None = None
        self._reader: int | None = None
        if run.folder is not None:
            with suppress(OSError):
                path = run.folder.log.with_name("hook")
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


def _ended(exit: Exit) -> str:
    return f"was ended by signal {exit.signal}" if exit.code is None else f"ended with exit code {exit.code}"
