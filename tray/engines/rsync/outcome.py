"""What an rsync run came to: its exit code, and for 23 ("some files were not transferred") what it said.

    Succeeded: 0, and something was there to copy. Warning: 24 (files vanished), or 23 where files came over or were there already.
    Cancelled: 20, rsync's own word for INT, TERM and HUP, or any other end after a signal that came through us. All else failed.

23 is both "one of a million files was unreadable" and "the source is not there", and 0 is also the end of a run that skipped its
only source because `-r` was forgotten. An end that nobody saw is judged by the code that rsync announces, or by its
figures at the end.
"""

from tray.core.dataclass import replace
from tray.core.model import Outcome
from tray.engines import findings
from tray.engines.base import Exit, Plan, Result
from tray.engines.findings import holds_nothing
from tray.engines.program import Inner
from tray.engines.rsync.messages import Seen
from tray.engines.rsync.options import Options
from tray.engines.rsync.reasons import reason

_UNSEEN = "rsync ended with exit code 0, but its output was not seen, so a folder that was skipped would not be known."
_DELETES = ("delete", "del", "delete-before", "delete-during", "delete-delay", "delete-after", "delete-excluded")
_NOTHING = "rsync ended well, but it found nothing to copy; check the source and what is excluded."


def conclude(seen: Seen, exit: Exit, plan: Plan, options: Options, inner: Inner) -> Result:
    """Return the result of a run that copies.

    Args:
        seen: What its output said.
        exit: How it ended.
        plan: What was started.
        options: Its command line.
        inner: What stood before rsync.
    """
    result = _concluded(seen, exit, plan, options, inner)
    if plan.kind == "dry-run" or not seen.bare or plan.places == ():
        return result
    return holds_nothing(result, deleted=seen.deleted, deletes=options.given(*_DELETES))


def _concluded(seen: Seen, exit: Exit, plan: Plan, options: Options, inner: Inner) -> Result:
    found, dry = seen.found, plan.kind == "dry-run"
    known = exit
    if not exit.seen:  # what rsync announced is as good, and so are the figures that it prints when it is done
        known = Exit(seen.said[0][0] if seen.said else 0 if seen.complete else None, asked=exit.asked)
    found.stopped = known.code == 20
    done = _done(known.code, seen, plan, options) if known.signal is None else ""
    if done and not dry:
        found.bytes_added = seen.transferred_bytes if seen.literal is None else seen.literal
    result = findings.conclude(found, known, inner, name="rsync", done=done, unproven=_UNSEEN)
    if inner.opaque:
        return result
    if known.code == 0 and seen.listed == 0:
        return _nothing(result, seen)
    if result.outcome is Outcome.FAILED and known.code is not None and not inner.timed_out(known.code):
        return replace(result, reason=reason(seen, known.code))
    if result.outcome is Outcome.SUCCEEDED and known.code in (23, 24):
        what = "vanished before they could be copied" if known.code == 24 else "or their attributes could not be copied"
        return replace(result, outcome=Outcome.WARNING, reason=f"{done}, but some files {what}.")
    return result


def _nothing(result: Result, seen: Seen) -> Result:
    """Judge a run that ended well with nothing in its list."""
    if not seen.skipped:
        return replace(result, outcome=Outcome.WARNING, reason=_NOTHING)
    why = f"Nothing was copied: rsync skipped {seen.skipped[0][:300]}, since it copies folders only with -r or -a."
    return replace(result, outcome=Outcome.FAILED, reason=why)


def _done(code: int | None, seen: Seen, plan: Plan, options: Options) -> str:
    """Return what a run achieved that came to its end, as exit code *code* says; "" if that is not proven."""
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
    if seen.refused:  # then what was not copied was not there already, either
        return False
    if seen.regular is not None:
        return seen.regular > seen.lost
    if seen.listed is not None:
        return seen.listed > seen.lost
    every = not options.given("files-from") and len(seen.missing) >= len(options.words) - 1
    return not every and seen.found.errors > seen.left
