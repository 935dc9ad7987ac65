"""Conclude an rsync run from its exit code, and for 23 ("some files were not transferred") from its words.

    Succeeded: 0, and something was there to copy. Warning: 24 (files vanished), or 23 where files came over or were there already.
    Cancelled: 20, rsync's own word for INT, TERM and HUP, or any other end after a signal that came through us. All else failed.

23 is both "one of a million files was unreadable" and "the source is not there", and 0 is also the end of a run that skipped its
only source because `-r` was forgotten. Without an exit code the code that rsync announces counts, or its figures at the end.
"""

from tray.core.dataclass import replace
from tray.core.model import Outcome
from tray.engines import findings
from tray.engines.base import Exit, Plan, Result
from tray.engines.causes import causes, reason
from tray.engines.findings import holds_nothing, why_failed
from tray.engines.program import Inner
from tray.engines.rsync.messages import Seen
from tray.engines.rsync.options import Options

_UNSEEN = "rsync ended with exit code 0, but its output was not seen, so a folder that was skipped would not be known."
_DELETES = ("delete", "del", "delete-before", "delete-during", "delete-delay", "delete-after", "delete-excluded")
_NOTHING = "rsync ended well, but it found nothing to copy; check the source and what is excluded."
_REASONS = r"""
No space left on device|Disk quota exceeded
    There is no space left where the copy goes; free some space there, then run the backup again.
auth failed on module
    The rsync daemon refused the password; check RSYNC_PASSWORD or the `--password-file`.
Unknown module
    The rsync daemon has no module of that name; list them with `rsync HOST::`.
<access>
command not found
    rsync was not found on the other side; install it there or name it with `--rsync-path`.
"""
_CAUSES = causes(_REASONS)
_CODES = {
    1: "rsync did not understand its command line",
    2: "The two sides speak different versions of rsync's protocol",
    3: "A source or the destination could not be opened",
    4: "One side does not support what was asked of it",
    5: "The other side refused to begin",
    6: "The daemon could not write its log",
    10: "The connection failed",
    11: "The destination could not be written, or a source not be read",
    12: "The connection broke, or the other side stopped",
    13: "rsync could not report what went wrong",
    14: "rsync's processes lost each other",
    15: "A part of rsync crashed",
    16: "A part of rsync was killed",
    19: "A part of rsync was stopped",
    21: "A part of rsync ended in a way that it did not understand",
    22: "There was not enough memory",
    23: "No file came over",
    25: "`--max-delete` stopped deletions, so the copy still holds files that should be gone",
    30: "Nothing came in the time that `--timeout` gives, or the time that was set for the copy was up",
    35: "The daemon did not answer in time",
    124: "The remote shell failed",
    125: "The remote shell was killed",
    126: "The remote shell could not be run",
    127: "rsync was not found on the other side, or the remote shell was not found",
    255: "The remote shell (ssh) failed",
}


def conclude(seen: Seen, exit: Exit, plan: Plan, options: Options, inner: Inner) -> Result:
    """Return the result of a run that copies, from its output (*seen*) and its exit."""
    result = _concluded(seen, exit, plan, options, inner)
    if plan.kind == "dry-run" or not seen.bare or plan.places == ():
        return result
    return holds_nothing(result, deleted=seen.deleted, deletes=options.given(*_DELETES))


def _concluded(seen: Seen, exit: Exit, plan: Plan, options: Options, inner: Inner) -> Result:
    dry = plan.kind == "dry-run"
    known = exit
    if not exit.seen:  # the code that rsync announced is as good, and so are the figures that it prints when it is done
        known = Exit(seen.said[0][0] if seen.said else 0 if seen.complete else None, asked=exit.asked)
    seen.findings.stopped = known.code == 20
    done = _done(known.code, seen, plan, options) if known.signal is None else ""
    if done and not dry:
        seen.findings.bytes_added = seen.transferred_bytes if seen.literal is None else seen.literal
    result = findings.conclude(seen.findings, known, inner, name="rsync", done=done, unproven=_UNSEEN)
    if inner.opaque:
        return result
    if known.code == 0 and seen.listed == 0:
        return _nothing(result, seen)
    if result.outcome is Outcome.FAILED and known.code is not None and not inner.timed_out(known.code):
        return replace(result, reason=_reason(seen, known.code))
    if result.outcome is Outcome.SUCCEEDED and known.code in (23, 24):
        lost = "vanished before they could be copied" if known.code == 24 else "or their attributes could not be copied"
        return replace(result, outcome=Outcome.WARNING, reason=f"{done}, but some files {lost}.")
    return result


def _nothing(result: Result, seen: Seen) -> Result:
    """Judge a run that ended well with nothing in its list."""
    if not seen.skipped:
        return replace(result, outcome=Outcome.WARNING, reason=_NOTHING)
    why = f"Nothing was copied: rsync skipped {seen.skipped[0][:300]}, since it copies folders only with -r or -a."
    return replace(result, outcome=Outcome.FAILED, reason=why)


def _done(code: int | None, seen: Seen, plan: Plan, options: Options) -> str:
    """Return the achievement of a run that ended with *code*; "" unless it is proven that it came to its end."""
    if code not in (0, 23, 24) or seen.listed == 0 or (code == 23 and not _came_over(seen, options)):
        return ""
    recursive = options.given("archive", "recursive", "dirs", "files-from", "read-batch")
    if code == 0 and not recursive and (not plan.spool_stdout or options.given("quiet")):
        return ""
    if plan.kind == "dry-run":
        return "It was a dry run: nothing was copied"
    if seen.transferred is None:
        return "The copy was made"
    copied = max(seen.transferred - seen.lost, 0)
    if not copied and not seen.lost:
        return "Nothing had to be copied, all was there already"
    return f"{copied:,} {'file was' if copied == 1 else 'files were'} copied"


def _came_over(seen: Seen, options: Options) -> bool:
    """Whether the copy now holds any file of the sources, after exit code 23."""
    if (seen.transferred or 0) > seen.lost:
        return True
    if seen.refused:  # then files that were not copied were not there before, either
        return False
    if seen.regular is not None:
        return seen.regular > seen.lost
    if seen.listed is not None:
        return seen.listed > seen.lost
    every = not options.given("files-from") and len(seen.missing) >= len(options.words) - 1
    return not every and seen.findings.errors > seen.left


def _reason(seen: Seen, code: int) -> str:
    """Return one sentence why a run failed, with the next step where the cause is known."""
    complaints = seen.findings.complaints
    if known := reason(seen.findings.complaint, _CAUSES):
        return known
    if code == 23 and seen.missing:
        many = f" and {len(seen.missing) - 1} more" if len(seen.missing) > 1 else ""
        return (
            f"Nothing was copied: {seen.missing[0][:300]}{many} could not be found;"
            " check the path, and whether its disk is mounted."
        )
    first = complaints[0].removeprefix("rsync: ") if complaints else next((words for _, words in seen.said), "")
    first = " ".join(first.split())  # one line, whatever was in it
    if (meaning := _CODES.get(code)) is None:
        return why_failed("rsync", Exit(code), first)
    return f"{meaning} (exit code {code})" + (f": {first[:300]}" if first else ".")
