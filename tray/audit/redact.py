"""Erase the details of one entry: personal data that must not be kept. The entry itself stays, and the log still verifies.

The details go from the database (overwritten, `secure_delete`), from SQLite's write-ahead log and from the index of words; of a run
its folder with command and log goes too. Copies elsewhere are not reached: exports, archives, reports, forwarded entries, and
backups of the state folder.
"""

import contextlib
import shlex

from tray import runs
from tray.audit import spool
from tray.audit.search import by_words
from tray.audit.store import AuditLog
from tray.audit.verify.seal import resealed
from tray.core.errors import AuditUnavailableError, RedactRefusedError
from tray.core.paths import Places

NOT_REACHED = (
    "Copies elsewhere are not reached: exports, archives, reports, forwarded entries, backups of the state folder."
)


def redact(places: Places, seq: int, reason: str, *, timeout: float = 5.0) -> int:
    """Erase the details of entry *seq*, after an entry that says so with the *reason*; return that entry's number.

    Raises:
        AuditUnavailableError: The log cannot be written, and nothing was erased; or only the index of words still holds them.
        EntryNotFoundError, EntryPrunedError: There is no such entry.
        RedactRefusedError: There is nothing to erase, or it is needed to verify the log.
    """
    with contextlib.suppress(
        AuditUnavailableError
    ):  # a copy of the same record may still wait; appending it removes it
        spool.drain(places, timeout=timeout)
    with AuditLog.open(places.audit_db, places.audit_key, timeout=timeout, copies=places.baselines) as log:
        try:
            with resealed(places):
                number = log.redact(seq, reason)
        except RedactRefusedError:
            _finish(places, log, seq)
            raise
        run = log.entry(seq).data["run"]
    _forget_run(places, run, number)
    try:
        by_words.forget(places.audit_db)
    except OSError as error:
        index = by_words.path_of(places.audit_db)
        raise AuditUnavailableError(
            f"The details are erased (entry {number} says so), but the index with their words stays: {error.strerror}.",
            f"Remove it, it is made anew: `rm {shlex.quote(str(index))}*`.",
        ) from error
    return number


def _forget_run(places: Places, run: str | None, number: int) -> None:
    try:
        if run is not None:
            runs.forget(places, run)
    except OSError as error:
        raise AuditUnavailableError(
            f"The details are erased (entry {number} says so), but the run's own log stays: {error.strerror}.",
            f"Remove it: `rm -r {shlex.quote(str(error.filename))}`.",
        ) from error


def _finish(places: Places, log: AuditLog, seq: int) -> None:
    """Remove what an earlier erasure of the details of entry *seq* left behind because its process was killed."""
    if log.entry(seq).erased:
        with contextlib.suppress(AuditUnavailableError, OSError):
            log.flush()
            runs.forget(places, log.entry(seq).data["run"] or "")
            by_words.forget(log.db)
