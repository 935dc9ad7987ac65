"""What a borg run came to: its own words and its exit code together.

    create: succeeded with exit 0 and the figures of the archive; warning with 1, or 100 to 127 (BORG_EXIT_CODES=modern), those
    figures and at least one file; cancelled if an interrupt or termination came through us, or borg says that such a signal
    stopped it. Everything else failed; an unseen end without figures is lost.

Why so strict: borg exits 1 with all sources missing and still makes an (empty) archive, and 1 or 127 may also come from a program
before it that could not start it.
"""

import re

from tray.core.model import Outcome
from tray.engines.base import Exit, Result
from tray.engines.borg.reader import Seen
from tray.engines.borg.reasons import LOCKED, cause, reason
from tray.engines.findings import holds_nothing, signal_name, why_stopped, why_timed_out
from tray.engines.program import Inner
from tray.engines.text import many_problems

_NEVER_BEGAN = re.compile(r"^Traceback |No module named |^(?:sudo|doas|su): ", re.MULTILINE)
_DAMAGED = re.compile(r"(?<!no )(?:problems|errors) found")
_Verdict = tuple[Outcome, str]


def conclude_create(seen: Seen, exit: Exit, inner: Inner, *, told: bool) -> Result:
    """Return the result of a backup.

    Args:
        seen: What its output said.
        exit: How it ended.
        inner: What stood before borg.
        told: Its output was to hold the figures of the archive; without, only the exit code is left.
    """
    outcome, why = _create(seen, _known(seen, exit), inner, told)
    result = Result(
        outcome,
        why,
        files=seen.files if seen.saved else None,
        bytes_processed=seen.bytes_processed if seen.saved else None,
        bytes_added=seen.bytes_added if seen.saved else None,
        errors=seen.errors,
        problems=tuple(seen.problems),
        snapshot=seen.archive if seen.saved else None,
        advice=_advice(seen, exit, outcome),
        locked=_is_locked(seen, exit, outcome),
    )
    return holds_nothing(result) if seen.saved and seen.files == 0 else result


def conclude_other(name: str, kind: str, seen: Seen, exit: Exit, inner: Inner, *, words: int, repair: bool) -> Result:
    """Return the result of another subcommand.

    Args:
        name: "borg prune".
        kind: The kind of run.
        words: How many paths were to be extracted.
        repair: `--repair` was given.
    """
    outcome, why = _other(name, kind, seen, _known(seen, exit), inner, words, repair)
    return Result(
        outcome,
        why,
        errors=seen.errors,
        problems=tuple(seen.problems),
        advice=_advice(seen, exit, outcome),
        locked=_is_locked(seen, exit, outcome),
    )


def _known(seen: Seen, exit: Exit) -> Exit:
    """Return how it ended; what borg announced is as good."""
    if exit.signal is not None:
        return Exit(None, exit.signal, exit.asked)
    return exit if exit.seen else Exit(seen.said_code, asked=exit.asked)


def _warns(exit: Exit) -> bool:
    """Whether this code is borg's for "done, with warnings"."""
    return exit.code is not None and (exit.code == 1 or 100 <= exit.code <= 127)


def _create(seen: Seen, exit: Exit, inner: Inner, told: bool) -> _Verdict:
    if inner.opaque:
        return Outcome.UNKNOWN, f"It was started, but {inner.opaque}."
    if seen.saved and exit.signal is None and (exit.code in (0, None) or _warns(exit)):
        return _finished(seen, exit)
    if stopped := why_stopped("It", exit, inner, said=bool(seen.stopped), codes=(130, 143)):
        return Outcome.CANCELLED, stopped
    if not exit.seen:
        failed = seen.fatal or cause(seen.text, seen.names, exit)
        return (Outcome.FAILED, _reason(seen, exit)) if failed else (Outcome.LOST, "Nobody saw how borg ended.")
    if not told and exit.code == 0:
        return Outcome.SUCCEEDED, "borg ended with exit code 0: the archive was saved without warnings."
    if not told and _warns(exit) and not _began_not(seen, exit):
        return _warned_unseen(seen, exit)
    if exit.code == 0:
        return Outcome.UNKNOWN, "borg ended with exit code 0, but it did not say that it saved an archive."
    return Outcome.FAILED, why_timed_out("It", exit, inner) or _reason(seen, exit)


def _finished(seen: Seen, exit: Exit) -> _Verdict:
    what = f"Archive {seen.archive} was saved"
    warned = _warns(exit) or (exit.code is None and bool(seen.errors or seen.remarks))
    if not warned:
        return Outcome.SUCCEEDED, f"{what}."
    if not seen.files:
        first = f": {_named(seen)}" if seen.errors else ""
        return (
            Outcome.FAILED,
            f"No file was backed up{first}. Check the paths of the sources, and whether their disks are mounted.",
        )
    if seen.errors:
        return Outcome.WARNING, f"{what}, but with {many_problems(seen.errors)}: {_named(seen)}" + (
            "." if seen.errors == 1 else ", and more."
        )
    remark = seen.remarks[0] if seen.remarks else f"borg ended with exit code {exit.code}"
    return Outcome.WARNING, f"{what}, but with a warning: {_line(remark)}"


def _warned_unseen(seen: Seen, exit: Exit) -> _Verdict:
    """Judge a run that ended with warnings and whose figures were not to be seen."""
    what = f"borg ended with exit code {exit.code}, with warnings"
    if seen.files:
        return (
            Outcome.WARNING,
            f"{what}{f': {_named(seen)}' if seen.errors else ''}; it saved {seen.files} files or more.",
        )
    return Outcome.UNKNOWN, f"{what}. How many files it saved was not seen; it may be none, if a source is missing."


def _named(seen: Seen) -> str:
    return _line(seen.problems[0].message).rstrip(".") if seen.problems else "see the log"


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def _other(name: str, kind: str, seen: Seen, exit: Exit, inner: Inner, words: int, repair: bool) -> _Verdict:
    if inner.opaque:
        return Outcome.UNKNOWN, f"It was started, but {inner.opaque}."
    if exit.code == 0:
        return _fine(name, kind, seen)
    if stopped := why_stopped("It", exit, inner, said=bool(seen.stopped), codes=(130, 143)):
        return Outcome.CANCELLED, stopped
    if not exit.seen:
        return (Outcome.FAILED, _reason(seen, exit)) if seen.fatal else (Outcome.LOST, f"Nobody saw how {name} ended.")
    if _warns(exit) and not _began_not(seen, exit):
        return _warned(name, kind, seen, exit, words, repair)
    return Outcome.FAILED, why_timed_out("It", exit, inner) or _reason(seen, exit)


def _fine(name: str, kind: str, seen: Seen) -> _Verdict:
    if kind == "dry-run":
        return Outcome.SUCCEEDED, "It was a dry run: nothing was saved."
    if kind == "check" and _DAMAGED.search(seen.text):
        return Outcome.WARNING, "Problems were found in the repository, and borg repaired what it could; see the log."
    return Outcome.SUCCEEDED, f"{name} ended with exit code 0."


def _warned(name: str, kind: str, seen: Seen, exit: Exit, words: int, repair: bool) -> _Verdict:
    said = _line(seen.problems[0].message if seen.problems else seen.first)
    if kind == "check" and not repair:
        return Outcome.FAILED, "The repository has problems" + (f": {said}" if said else "; see the log of the check.")
    if kind == "restore" and 0 < words <= seen.unmatched:
        return Outcome.FAILED, f"Nothing was restored: {said}"
    return Outcome.WARNING, f"{name} ended with exit code {exit.code}, with warnings" + (f": {said}" if said else ".")


def _began_not(seen: Seen, exit: Exit) -> bool:
    """Whether the exit code is that of a program that could not start borg, or of an interpreter without it."""
    return exit.code in (124, 125, 126, 127) or bool(_NEVER_BEGAN.search(seen.text))


def _reason(seen: Seen, exit: Exit) -> str:
    if exit.signal is not None:
        return f"borg was killed by {signal_name(exit.signal)} before it was done."
    return _line(reason(seen.text, seen.names, exit, seen.first))


def _is_locked(seen: Seen, exit: Exit, outcome: Outcome) -> bool:
    return outcome is Outcome.FAILED and cause(seen.text, seen.names, exit) is LOCKED


def _advice(seen: Seen, exit: Exit, outcome: Outcome) -> str | None:
    """Return what to do about a lock. `break-lock` removes every lock, also that of a run at work: it is not offered in doubt."""
    return "Wait until the other borg ends, then run the backup again." if _is_locked(seen, exit, outcome) else None
