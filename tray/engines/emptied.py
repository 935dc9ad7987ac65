"""One rule for all engines: a backup whose sources hold no files is no success, since most often their disk is not mounted.

An engine that counts files says so itself (`holds_nothing`). What no engine tells, the wrapper sees in the sources (`doubted`): tar
counts nothing, and of several sources the count does not say which one is empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tray.core.model import Outcome
from tray.engines.base import Result

_JUDGED = (Outcome.SUCCEEDED, Outcome.WARNING)


@dataclass(frozen=True, slots=True)
class Before:
    """What the last good run of the job held.

    Attributes:
        files: How many files, None if that is not known.
        empty: Which of its sources held no files; None if that was not looked at.
        emptied: Those of them that had held some in a run before.
    """

    files: int | None = None
    empty: tuple[str, ...] | None = None
    emptied: tuple[str, ...] = ()


def holds_nothing(result: Result, *, deleted: int | None = None, deletes: bool = False) -> Result:
    """Return *result* as that of a backup without a single file.

    Args:
        deleted: How many files were deleted from the copy because of that.
        deletes: The run was to delete what the source does not hold.
    """
    if result.outcome not in _JUDGED or result.empty:
        return result
    lost = ""
    if deleted:
        lost = (
            ", and 1 file was deleted from the copy"
            if deleted == 1
            else f", and {deleted:,} files were deleted from the copy"
        )
    elif deletes and deleted is None:
        lost = ", and what the copy held was deleted as well"
    return _but(result, f"its source holds no files{lost}")


def doubted(result: Result, sources: Sequence[str], empty: Sequence[str], before: Before | None) -> Result:
    """Return *result* with what was seen in its sources.

    A source that has always been empty is no reason for a warning beside others that are not.

    Args:
        sources: All sources of the run.
        empty: Those that are folders here without a single file.
        before: What the last good run held, None if there was none.
    """
    if result.outcome not in _JUDGED:
        return result
    if empty and set(empty) == set(sources):
        result = holds_nothing(result)
    known = before if before is not None and before.empty is not None else Before(empty=tuple(empty))
    emptied = tuple(name for name in empty if name in known.emptied or name not in (known.empty or ()))
    result = replace(result, empty_sources=tuple(empty), emptied_sources=emptied)
    if result.empty:
        held = "" if before is None or not before.files else f" The last good run held {before.files:,} files."
        return replace(result, reason=result.reason + held)
    if emptied:
        more = f" and {len(emptied) - 1} more sources hold" if len(emptied) > 1 else " holds"
        return _but(result, f"{emptied[0][:300]}{more} no files any more", empty=False)
    if empty and result.outcome is Outcome.SUCCEEDED:
        return replace(result, reason=f"{result.reason.rstrip('.')}; {empty[0][:300]} holds no files.")
    return result


def _but(result: Result, what: str, *, empty: bool = True) -> Result:
    reason = f"{result.reason.rstrip('.')}, but {what}; check that its disk is mounted."
    return replace(result, outcome=Outcome.WARNING, reason=reason, empty=empty, otherwise=result if empty else None)
