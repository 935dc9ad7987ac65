"""What a restic backup came to: its own words and its exit code together.

    Succeeded: exit 0, a summary, no problem. Warning: exit 3 with a summary, or 0 with one and a problem. Cancelled: an
    interrupt or termination came through us, or restic says that such a signal stopped it. Everything else failed; an
    unseen end without a summary is lost.

Why so strict: restic before 0.19 exits 0 with one of several sources missing, and a killed one may have saved nothing.
"""

from tray.core.dataclass import dataclass, field
from tray.core.model import Outcome
from tray.engines.base import Exit, Problem, Result
from tray.engines.findings import holds_nothing, signal_name, why_stopped, why_timed_out
from tray.engines.program import Inner
from tray.engines.restic.complaints import Complaints
from tray.engines.restic.reasons import reason
from tray.engines.text import many_problems, named


@dataclass(slots=True)
class Seen:
    """What the output of a run said.

    Attributes:
        dry: Nothing is to be saved.
        may_skip: It makes no snapshot when nothing changed, as the user asked.
        summary: restic said that it is done.
        incomplete: restic said that at least one file could not be read.
        uncompressed: It said how much was new, not how much of the space that takes.
        stopped: The line in which restic said that a signal stops it.
        said_code: The exit code that restic announced (0.18 and later).
        complaints: Lines that may be the reason of a failure.
    """

    dry: bool = False
    may_skip: bool = False
    summary: bool = False
    incomplete: bool = False
    stopped: str = ""
    said_code: int | None = None
    snapshot: str | None = None
    files: int | None = None
    bytes_processed: int | None = None
    bytes_added: int | None = None
    uncompressed: bool = False
    errors: int = 0
    problems: list[Problem] = field(default_factory=list)
    complaints: Complaints = field(default_factory=Complaints)


def conclude(seen: Seen, exit: Exit, inner: Inner, *, watched: bool) -> Result:
    """Return the result of a backup.

    Args:
        seen: What its output said.
        exit: How it ended.
        inner: What stood before restic.
        watched: Its output came to us.
    """
    known = exit if exit.seen else Exit(seen.said_code, asked=exit.asked)  # what restic announced is as good
    outcome, why = _outcome(seen, known, inner, watched)
    result = Result(
        outcome,
        why,
        files=seen.files,
        bytes_processed=seen.bytes_processed,
        bytes_added=None if seen.dry else seen.bytes_added,
        errors=seen.errors,
        problems=tuple(seen.problems),
        snapshot=None if seen.dry else seen.snapshot,
        uncompressed=seen.uncompressed,
    )
    return holds_nothing(result) if seen.summary and seen.files == 0 else result


def _outcome(seen: Seen, exit: Exit, inner: Inner, watched: bool) -> tuple[Outcome, str]:
    if inner.opaque:
        return Outcome.UNKNOWN, f"It was started, but {inner.opaque}."
    done = seen.summary and exit.signal is None and exit.code in (0, 3, None)
    if done:
        return _finished(seen, exit)
    if stopped := why_stopped("The backup", exit, inner, said=bool(seen.stopped), codes=(130,)):
        return Outcome.CANCELLED, stopped
    if not exit.seen:
        return (
            (Outcome.FAILED, _reason(seen, exit))
            if seen.complaints.fatal
            else (Outcome.LOST, "Nobody saw how restic ended.")
        )
    if not watched and exit.code == 0:
        return (
            Outcome.UNKNOWN,
            "restic ended with exit code 0, but its output was not seen, so a missing source would not be known.",
        )
    if not watched and exit.code == 3:
        return Outcome.WARNING, "restic saved a snapshot, but at least one file could not be read."
    if exit.code == 0:
        return Outcome.FAILED, "restic ended with exit code 0, but it did not say that it saved a snapshot."
    return Outcome.FAILED, why_timed_out("The backup", exit, inner) or _reason(seen, exit)


def _finished(seen: Seen, exit: Exit) -> tuple[Outcome, str]:
    what = "Nothing had changed, so no new snapshot was made"
    if seen.dry:
        what = "It was a dry run: nothing was saved"
    elif seen.snapshot:
        what = f"Snapshot {seen.snapshot[:8]} was saved"
    elif not seen.may_skip:
        return Outcome.WARNING, "restic ended well, but it did not name the snapshot that it saved."
    if seen.errors:
        first = seen.problems[0]
        said = named(first.item, first.message)
        many = many_problems(seen.errors)
        return Outcome.WARNING, f"{what}, but with {many}: {said[:300]}" + ("." if seen.errors == 1 else ", and more.")
    if seen.complaints.fatal:
        failed = seen.complaints.text.partition("\n")[0].removeprefix("Fatal: ")
        return Outcome.WARNING, f"{what}, but then restic failed: {failed[:300]}"
    if seen.incomplete or exit.code == 3:
        return Outcome.WARNING, f"{what}, but at least one file could not be read."
    return Outcome.SUCCEEDED, f"{what}."


def _reason(seen: Seen, exit: Exit) -> str:
    if exit.signal is not None:
        return f"restic was killed by {signal_name(exit.signal)} before it was done."
    return reason(seen.complaints.all, exit)
