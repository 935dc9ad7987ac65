"""What the output of a run said, and what that comes to together with its exit.

For engines that print lines of text: their sessions gather `Findings`, and say in one sentence what was achieved where the output
and the exit code prove it. The rules about what nobody saw, asked for or could read are the same for all of them and stand here.
"""

import re
import signal
from collections.abc import Container, Iterable, Sequence
from functools import partial

from tray.core.dataclass import dataclass, field, replace
from tray.core.model import Outcome
from tray.engines.base import MAX_PROBLEMS, Event, Exit, Problem, Result
from tray.engines.program import Inner
from tray.engines.text import many_problems, named

MAX_ITEMS = 50_000
_MAX_LINES = 50
_MAX_TEXT = 2000
MAX_COUNT = 2**63 - 1
_NOTHING_READ = "Not one file of the source could be read."
_MARK = re.compile(r"\{(\d)\}")

_KNOWN_CODES = {
    124: "`timeout` returns this when the time is up",
    125: "the program that starts another one (timeout, env, docker …) failed itself",
    126: "it was found but could not be started; check that it may be executed",
    127: "it was not found; check its name and the PATH",
}

Causes = tuple[tuple["re.Pattern[str]", str], ...]
"""Why a run fails: an expression for what the engine says, and one sentence with the next step; `{1}` is its first group."""


@dataclass(slots=True)
class Findings:
    """What the output of a run said so far; takes a bounded amount of memory.

    Attributes:
        errors: Items that are not in the backup, and other problems.
        complaints: Lines that may be the reason of a failure, the decisive ones first.
        fatal: The engine said that it gives up.
        stopped: The engine said that a signal stops it.
    """

    files: int | None = None
    bytes_processed: int | None = None
    bytes_added: int | None = None
    snapshot: str | None = None
    errors: int = 0
    fatal: bool = False
    stopped: bool = False
    problems: list[Problem] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _decisive: int = 0
    _known: set[str] = field(default_factory=set)

    def problem(self, message: str, item: str | None = None) -> tuple[Event, ...]:
        """Count a problem, an item only once; return it as an event unless it is known already."""
        key = item if item is not None else message
        if key in self._known:
            return ()
        if len(self._known) < MAX_ITEMS:
            self._known.add(key)
        self.errors += 1
        found = Problem(message[:_MAX_TEXT], item)
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(found)
        return (found,)

    def take(self, other: "Findings") -> None:
        """Add the problems of *other*, also those of which only the number is known."""
        before = self.errors
        for problem in other.problems:
            self.problem(problem.message, problem.item)
        self.errors = max(self.errors, before + other.errors)

    def complain(self, text: str, *, decisive: bool = False) -> None:
        """Remember a line that may say why the run fails."""
        if decisive and self._decisive < _MAX_LINES:
            self.complaints.insert(self._decisive, text[:_MAX_TEXT])
            self._decisive += 1
            del self.complaints[_MAX_LINES:]
        elif len(self.complaints) < _MAX_LINES:
            self.complaints.append(text[:_MAX_TEXT])

    @property
    def complaint(self) -> str:
        """All complaints, one a line."""
        return "\n".join(self.complaints)


def conclude(
    seen: Findings,
    exit: Exit,
    inner: Inner,
    *,
    name: str,
    done: str = "",
    unproven: str = "",
    causes: Causes = (),
    advice: str | None = None,
) -> Result:
    """Return the result of a run.

    Args:
        seen: What its output said.
        exit: How it ended.
        inner: What stood before the engine.
        name: The engine and what it does ("tar").
        done: What was achieved, without a full stop, where output and exit code prove it.
        unproven: Why exit code 0 is no proof here, as a sentence.
        causes: Why runs of this engine fail.
        advice: What to do next.
    """
    outcome, why = _outcome(seen, exit, inner, name, done, unproven, causes)
    return Result(
        outcome,
        why,
        files=seen.files,
        bytes_processed=seen.bytes_processed,
        bytes_added=seen.bytes_added,
        errors=seen.errors,
        problems=tuple(seen.problems),
        snapshot=seen.snapshot,
        advice=advice if outcome is not Outcome.SUCCEEDED else None,
    )


def _outcome(
    seen: Findings, exit: Exit, inner: Inner, name: str, done: str, unproven: str, causes: Causes
) -> tuple[Outcome, str]:
    if inner.opaque:
        return Outcome.UNKNOWN, f"It was started, but {inner.opaque}."
    if done and exit.signal is None:
        return (Outcome.WARNING, _with_problems(seen, done)) if seen.errors else (Outcome.SUCCEEDED, f"{done}.")
    if stopped := why_stopped(name, exit, inner, said=seen.stopped):
        return Outcome.CANCELLED, stopped
    if not exit.seen:
        if seen.fatal:
            return Outcome.FAILED, reason(seen.complaint, causes) or f"{name} gave up."
        return Outcome.LOST, f"Nobody saw how {name} ended."
    if exit.code == 0 and seen.fatal:
        return Outcome.FAILED, reason(seen.complaint, causes) or f"{name} gave up."
    if exit.code == 0:
        return Outcome.UNKNOWN, unproven or f"{name} ended with exit code 0, but it did not say that it was done."
    if late := why_timed_out(name, exit, inner):
        return Outcome.FAILED, late
    if exit.signal is not None:
        return Outcome.FAILED, f"{name} was killed by {signal_name(exit.signal)} before it was done."
    first = next(iter(seen.complaints), "")
    return Outcome.FAILED, reason(seen.complaint, causes) or why_failed(name, exit, first)


def _with_problems(seen: Findings, done: str) -> str:
    """Return what was achieved and what was not, with the first problem."""
    many = many_problems(seen.errors)
    if not seen.problems:
        return f"{done}, but with {many}."
    first = seen.problems[0]
    said = named(first.item, first.message)[:300].rstrip(".")
    return f"{done}, but with {many}: {said}" + ("." if seen.errors == 1 else ", and more.")


def nothing_read(seen: Findings) -> None:
    """Note that not one file of the source could be read: then there is no backup, whatever the exit code."""
    seen.fatal = True
    seen.complain(_NOTHING_READ, decisive=True)


def reason(text: str, causes: Causes) -> str:
    """Return one sentence why a run failed, "" if the cause is not known."""
    if text.startswith(_NOTHING_READ):
        return _NOTHING_READ
    for pattern, words in causes:
        if found := pattern.search(text):
            return _MARK.sub(partial(_group, found), words)
    return ""


def _group(found: "re.Match[str]", mark: "re.Match[str]") -> str:
    return (found[int(mark[1])] or "")[:300]


def causes(pairs: Iterable[tuple[str, str]]) -> Causes:
    """Compile a table of causes."""
    return tuple((re.compile(pattern, re.MULTILINE), words) for pattern, words in pairs)


def whole(digits: str | bytes) -> int:
    """Return a count that an engine printed, as far as it can be stored."""
    return min(int(digits[:19]), MAX_COUNT)


def conclude_by_code(name: str, exit: Exit, *, opaque: str = "", last: str = "") -> tuple[Outcome, str]:
    """Return outcome and reason of a command of which only the exit is known.

    Args:
        name: The command's name.
        exit: How it ended.
        opaque: Why its exit code says nothing about the work, if so.
        last: The last line of its stderr.
    """
    if not exit.seen:
        return Outcome.LOST, f"Nobody saw how {name} ended."
    if exit.asked:
        return Outcome.CANCELLED, f"{name} was stopped on request."
    if exit.code == 0:
        return (
            (Outcome.UNKNOWN, f"It was started, but {opaque}.")
            if opaque
            else (Outcome.SUCCEEDED, f"{name} ended with exit code 0.")
        )
    return Outcome.FAILED, why_failed(name, exit, last)


def why_failed(name: str, exit: Exit, last: str = "") -> str:
    """Return one sentence about an exit that is a failure."""
    if exit.signal is not None:
        return f"{name} was killed by {signal_name(exit.signal)}."
    known = _KNOWN_CODES.get(exit.code or 0)
    if known:
        return f"{name} ended with exit code {exit.code}: {known}."
    return f"{name} ended with exit code {exit.code}" + (f": {last[:300]}" if last else ".")


def why_stopped(what: str, exit: Exit, inner: Inner, *, said: bool, codes: Container[int] = ()) -> str:
    """Return why a run counts as cancelled, "" if it does not. A `timeout` that ran out is a failure, nobody's wish.

    Args:
        what: What was stopped: "The backup".
        exit: How it ended.
        inner: What stood before the engine.
        said: The engine said that a signal stops it.
        codes: Its exit codes that say the same.
    """
    if exit.asked:
        return f"{what} was stopped on request, before it was complete."
    if exit.signal is None and not inner.timed_out(exit.code) and (said or exit.code in codes):
        return f"{what} was stopped by a signal, before it was complete."
    return ""


def why_timed_out(what: str, exit: Exit, inner: Inner) -> str:
    """Return one sentence if the time of a `timeout` was up, else ""."""
    up = inner.timed and exit.code == 124
    return f"{what} did not end in the time that `timeout` gave it, and was stopped." if up else ""


_LIMITS = {
    "SIGXFSZ": ": file size limit exceeded, see `ulimit -f`",
    "SIGXCPU": ": CPU time limit exceeded, see `ulimit -t`",
}


def signal_name(number: int) -> str:
    """Return "signal 9 (SIGKILL)", with the meaning of the signals by which the system enforces a limit."""
    try:
        name = signal.Signals(number).name
        return f"signal {number} ({name}{_LIMITS.get(name, '')})"
    except ValueError:
        return f"signal {number}"


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
