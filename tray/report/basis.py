"""Read the checkpoint that a report rests on, and the entries up to it. Later entries do not exist for the report."""

from collections.abc import Iterator

from tray.audit import checkpoint
from tray.audit.entry import ENDS, ended_run
from tray.audit.proof import root_of
from tray.audit.rows import StoredEntry
from tray.audit.search import search
from tray.audit.search.conditions import Filter
from tray.audit.search.renames import NONE, Names
from tray.audit.store import AuditLog
from tray.audit.verify.verdict import Verdict
from tray.baselines import all_copies
from tray.core import clock
from tray.core.dataclass import dataclass, replace
from tray.core.errors import BaselineError
from tray.core.model import EndedRun

_PAGE = 500
_PATIENCE = 3600.0
_CHARTED = 30
"""Runs in the charts of one job."""


@dataclass(frozen=True, slots=True)
class Base:
    """The checkpoint of a report.

    Attributes:
        note: The signed checkpoint.
        start: The first entry that was not pruned.
        begin_ms: When the first entry that is there was recorded.
        as_of_ms: When the last entry under the checkpoint was recorded: the report's own date.
        until_ms: The moment to which the log tells of backups: now, or `as_of_ms` for a checkpoint that was given. A job that is
            dead since the last entry must not look fine.
        foot: The checkpoint as one line, for the foot of each page.
        verdict: The verification of the log; None if the report needs none.
    """

    note: bytes
    log: str
    size: int
    root: bytes
    start: int
    begin_ms: int
    as_of_ms: int
    until_ms: int
    foot: str
    verdict: Verdict | None = None

    @property
    def short(self) -> str:
        """Return name, size and root of the log, which the signature covers, for a QR code."""
        return checkpoint.Checkpoint(self.log, self.size, self.root).text().decode()


def base(log: AuditLog, pinned: tuple[str, bytes] | None = None, verdict: Verdict | None = None) -> Base:
    """Return the newest checkpoint of *log*, or the one that was given.

    Args:
        pinned: Name and content of a checkpoint that was kept: the report is about the log as it was then.

    Raises:
        BaselineError: It is no checkpoint of this log.
        AuditUnavailableError: The log cannot be read.
    """
    size, root, note = log.head()
    if pinned is not None:
        note = pinned[1]
        size, root = _pinned(log, *pinned)
    seen = checkpoint.parse(note)
    if verdict is not None:
        verdict = replace(verdict, entries=size)  # more may have come since: they are not of this report
    start = log.start()
    first, last = (clock.from_text(log.entry(seq).data["recorded"]) for seq in (start, size - 1))
    until = last if pinned is not None else max(last, clock.now_ms())
    return Base(note, seen.origin, size, root, start, first, last, until, all_copies.footer(seen), verdict)


def _pinned(log: AuditLog, name: str, note: bytes) -> tuple[int, bytes]:
    """Return size and root of a checkpoint that this log continues and that a key of it signed.

    The verification tells whether *its* key may sign; here only a note of another log is refused.
    """
    try:
        seen = checkpoint.parse(note)
        agrees = seen.size > 0 and log.root_at(seen.size) == seen.root
    except ValueError as error:
        raise BaselineError(name, f"It is no checkpoint of this log: {error}.") from error
    if checkpoint.parse(log.head()[2]).origin != seen.origin:
        raise BaselineError(name, f"It is of another log, {seen.origin}.")
    if not agrees:
        raise BaselineError(name, f"The log's first {seen.size} entries are not the ones that it saw: verify the log.")
    return seen.size, seen.root


def included(log: AuditLog, entry: StoredEntry, rests: Base) -> bool:
    """Whether the hashes of the log lead from *entry* to the root of the checkpoint."""
    if entry.seq >= rests.size:
        return False
    return root_of(entry.leaf, entry.seq, rests.size, log.inclusion(entry.seq, rests.size)) == rests.root


def matching(log: AuditLog, wanted: Filter, rests: Base, *, entries: bool, page: int = _PAGE) -> Iterator[StoredEntry]:
    """Yield the entries that the filter *wanted* lets through, the newest first.

    Args:
        entries: Whether every entry counts; else the ends of runs only, unless the filter names actions.
        page: How many are read at once.

    Raises:
        AuditUnavailableError: The log cannot be read.
    """
    if not entries and wanted.action is None:
        wanted = replace(wanted, action=tuple(map(str, ENDS)))
    after = None
    while True:
        read = search(log, wanted, page, after, seconds=_PATIENCE)
        for entry in read.entries:
            if entry.seq < rests.size:
                yield entry
        if read.next is None:
            return
        after = read.next


def run_of(entry: StoredEntry, names: Names = NONE) -> EndedRun | None:
    """Return the run whose end *entry* is, under the present name of its job; None if it is none."""
    if entry.data["action"] not in ENDS or entry.data["run"] is None:
        return None
    return ended_run(entry.data, entry.body, entry.seq, names.present)


def earlier(log: AuditLog, run: EndedRun, rests: Base) -> list[EndedRun]:
    """Return the last runs of the same job and kind, the oldest first, *run* itself the last."""
    same = [
        other
        for other in log.history(limit=_CHARTED * 2, before=run.entry, job=run.job)
        if other.kind == run.kind and other.entry is not None and other.entry < rests.size
    ]
    return [*reversed(same[: _CHARTED - 1]), run]


def backup_before(log: AuditLog, job: str, moment_ms: int | None, rests: Base) -> int | None:
    """Return when the last backup of *job* before a moment was made, None if there was none, or no moment."""
    if moment_ms is None:
        return None
    good = Filter(
        until_ms=moment_ms,
        job=(job,),
        action=tuple(map(str, ENDS)),
        outcome=("succeeded", "warning"),
        kind=("backup",),
    )
    entry = next(matching(log, good, rests, entries=False, page=1), None)
    return None if entry is None else clock.from_text(entry.data["time"])
