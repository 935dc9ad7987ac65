"""Gather the words of an engine (`Findings`), and judge them together with the exit (`conclude`).

The rules about ends that nothing proves, stops that the user asked for and sources without files are the same for all engines and
stand here. A session adds the achievement in one sentence, where the output and the exit code prove it.
"""

import signal
from collections.abc import Container, Sequence

from tray.core.dataclass import dataclass, field, replace
from tray.core.model import Outcome
from tray.engines.base import MAX_PROBLEMS, Event, Exit, Problem, Result
from tray.engines.causes import Causes, reason
from tray.engines.program import Inner
from tray.engines.text import many_problems, with_item

MAX_ITEMS = 50_000
_MAX_LINES = 50
_MAX_TEXT = 2000
MAX_COUNT = 2**63 - 1
_NOTHING_READ = "Not one file of the source could be read."

_KNOWN_CODES = {
    124: "`timeout` returns this when the time is up",
    125: "the program that starts another one (timeout, env, docker …) failed itself",
    126: "it was found but could not be started; check that it may be executed",
    127: "it was not found; check its name and the PATH",
}

Verdict = tuple[Outcome, str]
"""An outcome with its reason, one sentence for a person."""


@dataclass(slots=True)
class Findings:
    """The meaning of a run's output so far; takes a bounded amount of memory.

    Attributes:
        uncompressed: `bytes_added` counts what was new before it was compressed.
        errors: Items that are not in the backup, and other problems.
        complaints: Lines that may be the reason of a failure, the decisive ones first.
        fatal: The engine said that it gives up.
        stopped: The engine said that a signal stops it.
        said_code: The exit code that the engine announced.
    """

    files: int | None = None
    bytes_processed: int | None = None
    bytes_added: int | None = None
    uncompressed: bool = False
    snapshot: str | None = None
    errors: int = 0
    fatal: bool = False
    stopped: bool = False
    said_code: int | None = None
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
        return self._count(Problem(message[:_MAX_TEXT], item))

    def _count(self, problem: Problem) -> tuple[Event, ...]:
        self.errors += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        return (problem,)

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

    def announced(self, code: object) -> None:
        """Remember the exit code that the engine says it will have."""
        if type(code) is int and 0 <= code <= 255:
            self.said_code = code

    def known(self, exit: Exit) -> Exit:
        """Return how the run ended; a code that the engine announced is as good as one that was seen."""
        return exit if exit.seen else Exit(self.said_code, asked=exit.asked)

    @property
    def complaint(self) -> str:
        """All complaints, one a line."""
        return "\n".join(self.complaints)

    @property
    def first(self) -> str:
        """The complaint that says most."""
        return next(iter(self.complaints), "")


def conclude(
    seen: Findings,
    exit: Exit,
    inner: Inner,
    *,
    name: str,
    done: str = "",
    but: str = "",
    verdict: Verdict | None = None,
    unproven: str = "",
    stops: Container[int] = (),
    causes: Causes = (),
    why: str = "",
    advice: str | None = None,
    locked: bool = False,
) -> Result:
    """Return the result of a run.

    Args:
        seen: The meaning of its output.
        exit: How it ended.
        inner: The wrappers that stood before the engine.
        name: The engine, with its subcommand ("borg prune").
        done: The achievement, without a full stop, where output and exit code prove it.
        but: A doubt that makes a warning of it, besides problems.
        verdict: Outcome and reason by a rule of the engine's own, unless the run was stopped.
        unproven: Why exit code 0 is no proof here, as a sentence.
        stops: Exit codes by which the engine says that a signal stopped it.
        causes: Why runs of this engine fail.
        why: Why this run failed, where the engine knows better than by *causes*.
        advice: The next step.
        locked: If it failed: because another run locked the repository.
    """
    outcome, sentence = _outcome(
        seen, seen.known(exit), inner, name, (done, but, verdict, unproven), stops, causes, why
    )
    return Result(
        outcome,
        sentence,
        files=seen.files,
        bytes_processed=seen.bytes_processed,
        bytes_added=seen.bytes_added,
        errors=seen.errors,
        problems=tuple(seen.problems),
        snapshot=seen.snapshot,
        advice=advice if outcome is not Outcome.SUCCEEDED else None,
        locked=locked and outcome is Outcome.FAILED,
        uncompressed=seen.uncompressed,
    )


def _outcome(
    seen: Findings,
    exit: Exit,
    inner: Inner,
    name: str,
    rules: tuple[str, str, Verdict | None, str],
    stops: Container[int],
    causes: Causes,
    why: str,
) -> Verdict:
    done, but, verdict, unproven = rules
    if inner.opaque and exit.code and not exit.asked and exit.code not in stops:
        return Outcome.FAILED, why_failed(f"The program that starts {name}", exit, seen.first)
    if inner.opaque:
        return Outcome.UNKNOWN, f"It was started, but {inner.opaque}."
    if done and exit.signal is None:
        return _finished(seen, done, but)
    if exit.asked:
        return Outcome.CANCELLED, f"{name} was stopped on request, before it was complete."
    if exit.signal is None and not inner.timed_out(exit.code) and (seen.stopped or exit.code in stops):
        return Outcome.CANCELLED, f"{name} was stopped by a signal, before it was complete."
    if verdict is not None and exit.signal is None:
        return verdict
    if exit.code == 0 or not exit.seen:
        if seen.fatal or (why and not exit.seen):
            last = f"{name} stopped: {seen.first[:300]}" if seen.first else f"{name} gave up."
            return Outcome.FAILED, why or _reason(seen, causes) or last
        if exit.seen:
            return Outcome.UNKNOWN, unproven or f"{name} ended with exit code 0, but it did not say that it was done."
        return Outcome.LOST, f"The end of {name} was not seen."
    if inner.timed and exit.code == 124:
        return Outcome.FAILED, f"{name} did not end in the time that `timeout` gave it, and was stopped."
    if exit.signal is not None:
        return Outcome.FAILED, f"{name} was killed by {signal_name(exit.signal)} before it was done."
    return Outcome.FAILED, why or _reason(seen, causes) or why_failed(name, exit, seen.first)


def _finished(seen: Findings, done: str, but: str) -> Verdict:
    """Judge a run that is done by its problems: the first one is named."""
    if seen.errors:
        many = many_problems(seen.errors)
        if not seen.problems:
            return Outcome.WARNING, f"{done}, but with {many}."
        first = seen.problems[0]
        words = " ".join(with_item(first.item, first.message).split())[:300].rstrip(".")
        return Outcome.WARNING, f"{done}, but with {many}: {words}" + ("." if seen.errors == 1 else ", and more.")
    if but:
        return Outcome.WARNING, f"{done}, but {but}" + ("" if but.endswith(".") else ".")
    return Outcome.SUCCEEDED, f"{done}."


def nothing_read(seen: Findings) -> None:
    """Note that not one file of the source could be read: then there is no backup, whatever the exit code."""
    seen.fatal = True
    seen.complain(_NOTHING_READ, decisive=True)


def _reason(seen: Findings, causes: Causes) -> str:
    return _NOTHING_READ if seen.complaint.startswith(_NOTHING_READ) else reason(seen.complaint, causes)


def whole(digits: str | bytes) -> int:
    """Return a count that an engine printed, as far as it can be stored."""
    return min(int(digits[:19]), MAX_COUNT)


def conclude_by_code(name: str, exit: Exit, *, opaque: str = "", last: str = "") -> Verdict:
    """Return outcome and reason of a command of which only the exit is known.

    Args:
        name: The command's name.
        exit: How it ended.
        opaque: Why its exit code says nothing about the work, if so.
        last: The last line of its stderr.
    """
    if not exit.seen:
        return Outcome.LOST, f"The end of {name} was not seen."
    if exit.asked:
        return Outcome.CANCELLED, f"{name} was stopped on request."
    if exit.code != 0:
        return Outcome.FAILED, why_failed(name, exit, last)
    if opaque:
        return Outcome.UNKNOWN, f"It was started, but {opaque}."
    return Outcome.SUCCEEDED, f"{name} ended with exit code 0."


def why_failed(name: str, exit: Exit, last: str = "") -> str:
    """Return one sentence about an exit that is a failure."""
    if exit.signal is not None:
        return f"{name} was killed by {signal_name(exit.signal)}."
    known = _KNOWN_CODES.get(exit.code or 0)
    if known:
        return f"{name} ended with exit code {exit.code}: {known}."
    return f"{name} ended with exit code {exit.code}" + (f": {last[:300]}" if last else ".")


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
class LastGood:
    """The content of the last good run of the job.

    Attributes:
        files: Number of files, None if unknown.
        empty: Its sources without files; None if the wrapper did not look.
        emptied: Those of them that had held some in a run before.
    """

    files: int | None = None
    empty: tuple[str, ...] | None = None
    emptied: tuple[str, ...] = ()


def holds_nothing(result: Result, *, deleted: int | None = None, deletes: bool = False) -> Result:
    """Return *result* as that of a backup without a single file: a warning.

    Args:
        deleted: How many files the engine deleted from the copy because of that.
        deletes: The run was to delete all that the source does not hold.
    """
    if result.outcome not in _JUDGED or result.empty:
        return result
    lost = ""
    if deleted:
        lost = f", and {'1 file was' if deleted == 1 else f'{deleted:,} files were'} deleted from the copy"
    elif deletes and deleted is None:
        lost = ", and the engine deleted the files of the copy as well"
    return _but(result, f"its source holds no files{lost}")


def with_empty_sources(result: Result, sources: Sequence[str], empty: Sequence[str], before: LastGood | None) -> Result:
    """Return *result*, but a warning where a source holds no files (any more): most often its disk is not mounted.

    tar counts nothing, and of several sources an engine's count does not tell which one is empty. A source that has always been
    empty is no reason for a warning beside others that are not.

    Args:
        sources: All sources of the run.
        empty: Those that are folders here without a single file.
        before: The last good run, None if there was none.
    """
    if result.outcome not in _JUDGED:
        return result
    if empty and set(empty) == set(sources):
        result = holds_nothing(result)
    known = before if before is not None and before.empty is not None else LastGood(empty=tuple(empty))
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


def without_sources(result: Result, missing: Sequence[str]) -> Result:
    """Return *result*, but a warning with the name of a source that is not there, where there is one."""
    if not missing or result.outcome not in _JUDGED:
        return result
    more = f" and {len(missing) - 1} more sources are" if len(missing) > 1 else " is"
    return _but(
        replace(result, errors=result.errors + len(missing)), f"{missing[0][:300]}{more} not there", empty=False
    )


def _but(result: Result, doubt: str, *, empty: bool = True) -> Result:
    reason = f"{result.reason.rstrip('.')}, but {doubt}; check that its disk is mounted."
    return replace(result, outcome=Outcome.WARNING, reason=reason, empty=empty, otherwise=result if empty else None)
