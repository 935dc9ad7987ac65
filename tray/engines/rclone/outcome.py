"""What an rclone run came to: its exit code, and for the codes of an error what it said.

    Succeeded: 0, and no error counted. Warning: 0 with errors counted; an error's code where each error is about one file or
    folder, the space did not run out, and files came over (or all was there but what could not be read); 9, which the user asked
    for; 8 and 10, his own limits, when files came over before; and a `sync` of an empty source that deleted the whole copy.
    Cancelled: a signal that came through us, or of which rclone says so (130, 143). Everything else failed.

rclone tries three times. Only what still went wrong the last time counts. An end that nobody saw is lost: its last words may be
those of a minute before the end as well.
"""

from tray.core.dataclass import dataclass, field, replace
from tray.core.model import Outcome
from tray.engines import findings
from tray.engines.base import Exit, Plan, Result
from tray.engines.findings import Findings, holds_nothing
from tray.engines.program import Inner
from tray.engines.rclone.options import Options
from tray.engines.rclone.reasons import CAUSES, NO_SPACE, advice, reason
from tray.engines.rclone.statistics import Statistics

_FILTERS = (
    "max-age", "min-age", "max-size", "min-size", "include", "include-from", "exclude", "exclude-from", "filter", "filter-from",
    "files-from", "files-from-raw", "max-depth", "exclude-if-present", "no-traverse", "immutable", "ignore-existing",
)  # fmt: skip
"""With one of these nothing may be chosen tonight, as the user asked."""
_READING = (
    "failed to open source object",
    "failed to open directory",
    "failed to read directory",
    "error listing",
    "can't copy - source file",
)


def is_reading(message: str) -> bool:
    """Whether an error is about the source: something there could not be read."""
    return any(words in message for words in _READING)


@dataclass(slots=True)
class Seen:
    """What the output of a run said.

    Attributes:
        stats: The last statistics.
        now: What went wrong in the present attempt.
        left: What rclone left out by itself.
        copied: Files that the log named as copied (with `-v`).
        general: An error in the present attempt is about more than one file or folder.
        gave_up: The line with which rclone ends on an error.
    """

    stats: Statistics | None = None
    now: Findings = field(default_factory=Findings)
    left: Findings = field(default_factory=Findings)
    copied: int = 0
    general: bool = False
    gave_up: bool = False

    @property
    def came(self) -> int:
        """Files that came over, or were moved by the other side itself."""
        return self.copied if self.stats is None else self.stats.transfers + self.stats.renames

    def begin_again(self) -> None:
        """rclone tries everything once more."""
        self.now = Findings()
        self.general = False


def conclude(seen: Seen, exit: Exit, plan: Plan, options: Options, inner: Inner) -> Result:
    """Return the result of a run that copies.

    Args:
        seen: What its output said.
        exit: How it ended.
        plan: What was started.
        options: Its command line.
        inner: What stood before rclone.
    """
    now, stats, dry = seen.now, seen.stats, plan.kind == "dry-run"
    if stats is not None and not dry:
        now.files = stats.transfers + stats.renames
        now.bytes_added = stats.size if stats.exact else None
    elif seen.copied and not dry:
        now.files = seen.copied
    now.stopped = now.stopped or exit.code in (130, 143)
    now.fatal = seen.gave_up
    done = _done(seen, exit, dry=dry)
    now.take(seen.left)
    result = findings.conclude(now, exit, inner, name="rclone", done=done, causes=CAUSES, advice=advice(now.complaint))
    if result.outcome is Outcome.FAILED and exit.code is not None and not inner.timed_out(exit.code):
        return replace(result, reason=reason(now, exit.code))
    if result.outcome is not Outcome.SUCCEEDED:
        return result
    if but := _but(seen, exit.code):
        return replace(result, outcome=Outcome.WARNING, reason=f"{done}, but {but}.")
    if dry or stats is None or options.subcommand not in ("copy", "sync") or options.given(*_FILTERS):
        return result
    nothing = not stats.transfers and not stats.renames and stats.checks <= stats.deletes
    return holds_nothing(result, deleted=stats.deletes) if nothing else result


def _done(seen: Seen, exit: Exit, *, dry: bool) -> str:
    """Return what a run achieved, as far as its exit code and words prove it; "" if they do not."""
    if exit.code in (1, 5, 6) and (exit.asked or not _partial(seen)):
        return ""
    if exit.code in (8, 10) and (exit.asked or not seen.came):
        return ""
    if exit.code not in (0, 1, 5, 6, 8, 9, 10):
        return ""
    if dry:
        return "It was a dry run: nothing was copied"
    if seen.came:
        return f"{seen.came:,} {'file was' if seen.came == 1 else 'files were'} copied"
    return "The copy was made" if seen.stats is None or seen.stats.size else "Nothing had to be copied"


def _partial(seen: Seen) -> bool:
    """Whether the copy is good except for single files and folders, after exit codes that only say "error"."""
    now, stats = seen.now, seen.stats
    if seen.general or not now.errors or NO_SPACE.search(now.complaint):
        return False
    if seen.came:
        return True
    read = all(is_reading(problem.message) for problem in now.problems)
    return read and now.errors <= len(now.problems) and stats is not None and stats.checks > 0


def _but(seen: Seen, code: int | None) -> str:
    """Return why a run without a problem that could be named is no success, "" if it is one."""
    stats = seen.stats or Statistics()
    if code == 8:
        return "the limit of `--max-transfer` was reached before all was copied"
    if code == 10:
        return "the time of `--max-duration` was up before all was copied"
    if code == 9:
        return "`--error-on-no-transfer` makes that an error (exit code 9)"
    if stats.errors:
        return "rclone counted 1 error" if stats.errors == 1 else f"rclone counted {stats.errors:,} errors"
    return ""
