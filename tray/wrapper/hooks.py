"""Run the commands that a job has before and after its backup, under watch.

If the command before the backup fails, the engine is not started and the run has failed. The command after it runs whenever the
engine was started, however that ended, since it may have to unmount a disk; if it fails, the run is at best a warning. The caller
sees their output on stderr, and the log of the run has it without secrets.
"""

from collections.abc import Mapping, Sequence

from tray import last_resort
from tray.core.dataclass import replace
from tray.core.errors import CommandNotFoundError, HookFailedError
from tray.core.model import Outcome
from tray.engines.base import Exit, Result
from tray.runs.log import RunLog
from tray.wrapper.prepare import Run
from tray.wrapper.waker import Waker


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
            done, words = _run(self._before, run, waker, log, {}, before=True)
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
            raise HookFailedError(self._before[0], words, done.code, cancelled=done.asked)

    def end(self, run: Run, waker: Waker, log: RunLog, exit: Exit, result: Result) -> Result:
        """Run the command after the backup that ended with *exit*, and return its *result* with the failure of this command."""
        if not self._after or self._done:
            return result
        self._done = True
        known = {"BACKUP_TRAY_OUTCOME": result.outcome.value, "BACKUP_TRAY_EXIT_CODE": str(exit.code or 0)}
        try:
            done, words = _run(self._after, run, waker, log, known)
            why = "" if done.code == 0 else words
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


def _run(
    argv: Sequence[str], run: Run, waker: Waker, log: RunLog, more: Mapping[str, str], *, before: bool = False
) -> tuple[Exit, str]:
    """Run *argv* as `hook_run.run` does; return how it ended, also in words."""
    from tray.wrapper import hook_run  # most jobs have no hooks

    done = hook_run.run(argv, run, waker, log, more, before=before)
    return done, hook_run.ended(done)
