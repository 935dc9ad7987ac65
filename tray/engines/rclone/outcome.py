"""Conclude an rclone run from its exit code, and for the codes of an error from its words.

    Succeeded: 0, and no error counted. Warning: 0 with errors counted; an error's code where each error is about one file or
    folder, the space did not run out, and files came over (or all was there except for unreadable files); 9, which the user asked
    for; 8 and 10, his own limits, when files came over before; and a `sync` of an empty source that deleted the whole copy.
    Cancelled: a signal that came through us, or of which rclone says so (130, 143). Everything else failed.

rclone tries three times. Only the problems of the last time count. Without an exit code a run is lost: its last words may be
those of a minute before the end as well.
"""

import shlex

from tray.core import regex
from tray.core.dataclass import dataclass, field, replace
from tray.core.model import Outcome
from tray.engines import findings
from tray.engines.base import Exit, Plan, Result
from tray.engines.causes import causes, reason
from tray.engines.findings import Findings, holds_nothing, why_failed
from tray.engines.program import Inner
from tray.engines.rclone.options import Options
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
_FULL = (
    r"(?i)no space left on device|disk quota exceeded|storage ?quota ?(?:has been )?exceeded|insufficient[_ ]s(?:pace|torage)"
    r"|too big for remaining disk space|disk is full|over quota|not enough (?:free )?space"
)
_NO_SPACE = regex.compile(_FULL)
_REASONS = r"""
<no space>
    There is no space left where the copy goes; free some space there, then run the backup again.
<access>
error reading source root directory: directory not found|Source doesn't exist
    The source does not exist, so nothing was copied; check its path, and whether its disk is mounted.
didn't find section in config file
    rclone knows no remote of that name; see `rclone listremotes`, and which configuration it used.
prior lock file found: (.+)
    The lock of another `bisync` of these ends is there: {1}; wait until that ends, then run it again.
cannot find prior Path1 or Path2 listings|Must run --resync
    `bisync` needs to begin anew; check both ends, then run it once with `--resync`.
(?i)unable to decrypt configuration|couldn't decrypt configuration|wrong password
    The password of rclone's configuration is wrong or missing; check RCLONE_CONFIG_PASS or the `--password-command`.
"""
_CAUSES = causes(_REASONS.replace("<no space>", _FULL))
_LOCK = regex.compile(r"prior lock file found: (.+)")
_CODES = {
    2: "rclone could not do what was asked of it",
    3: "A folder was not found",
    4: "A file was not found",
    5: "The errors went on, however often rclone tried",
    6: "An error came that trying again does not help",
    7: "An error came that stops everything",
    8: "The limit of `--max-transfer` was reached before anything was copied",
    10: "The time of `--max-duration` was up before anything was copied",
}


def is_reading(message: str) -> bool:
    """Whether an error is about the source: something there could not be read."""
    return any(words in message for words in _READING)


@dataclass(slots=True)
class Seen:
    """The contents of a run's output.

    Attributes:
        stats: The last statistics.
        now: Problems of the present attempt.
        left: Items that rclone left out by itself.
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
    """Return the result of a run that copies, from its output (*seen*) and its exit."""
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
    result = findings.conclude(
        now, exit, inner, name="rclone", done=done, causes=_CAUSES, advice=_advice(now.complaint)
    )
    if result.outcome is Outcome.FAILED and exit.code is not None and not inner.timed_out(exit.code):
        return replace(result, reason=_reason(now, exit.code))
    if result.outcome is not Outcome.SUCCEEDED:
        return result
    if but := _but(seen, exit.code):
        return replace(result, outcome=Outcome.WARNING, reason=f"{done}, but {but}.")
    if dry or stats is None or options.subcommand not in ("copy", "sync") or options.given(*_FILTERS):
        return result
    nothing = not stats.transfers and not stats.renames and stats.checks <= stats.deletes
    return holds_nothing(result, deleted=stats.deletes) if nothing else result


def _done(seen: Seen, exit: Exit, *, dry: bool) -> str:
    """Return the achievement of a run, as far as its exit code and words prove it; "" if they do not."""
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
    if seen.general or not now.errors or _NO_SPACE.search(now.complaint):
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


def _reason(now: Findings, code: int) -> str:
    """Return one sentence why a run failed, with the next step where the cause is known."""
    if known := reason(now.complaint, _CAUSES):
        return known
    first = next(iter(now.complaints), "")
    if meaning := _CODES.get(code):
        return f"{meaning} (exit code {code})" + (f": {first[:300]}" if first else ".")
    return why_failed("rclone", Exit(code), first)


def _advice(complaint: str) -> str | None:
    """Return how to remove the lock that a killed `bisync` left, if it was in the way."""
    if (lock := _LOCK.search(complaint)) is None:
        return None
    return (
        f"If no other bisync of these two ends is running, remove its lock: `rclone deletefile {shlex.quote(lock[1])}`"
    )
