"""Erasing the details of one entry: personal data that must not be kept. The entry itself stays, and the log still verifies.

The details go from the database (overwritten, `secure_delete`), from SQLite's write-ahead log and from the index of words; of a run
its folder with command and log goes too. Copies elsewhere are not reached: exports, archives, reports, what was forwarded, and
backups of the state folder.
"""

import contextlib
import shlex

from tray import runs
from tray.audit import last_check, spool
from tray.audit.store import AuditLog
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
    from tray.audit.search import index_file

    with contextlib.suppress(
        AuditUnavailableError
    ):  # what waits could hold the same record; it is dropped when it is appended
        spool.drain(places, timeout=timeout)
    with AuditLog.open(places.audit_db, places.audit_key, timeout=timeout, copies=places.baselines) as log:
        try:
            with last_check.resealed(places):
                number = log.redact(seq, reason)
        except RedactRefusedError:
            _finish(places, log, seq)
            raise
        run = log.entry(seq).data["run"]
    _forget_run(places, run, number)
    try:
        index_file.forget(places.audit_db)
    except OSError as error:
        index = index_file.path_of(places.audit_db)
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
    """If the details of entry *seq* were erased before: whoever did so may have been killed before their words were gone too."""
    from tray.audit.search import index_file

    if log.entry(seq).erased:
        with contextlib.suppress(AuditUnavailableError, OSError):
            log.flush()
            runs.forget(places, log.entry(seq).data["run"] or "")
            index_file.forget(log.db)
