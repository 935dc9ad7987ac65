"""Erasing the details of one entry: personal data that must not be kept. The entry itself stays, and the log still verifies.

The details go from the database (overwritten, `secure_delete`), from SQLite's write-ahead log and from the index of words. Copies
elsewhere are not reached: exports, archives, reports, what was forwarded, and backups of the state folder.
"""

import contextlib

from tray.audit import spool
from tray.audit.store import AuditLog
from tray.errors import AuditUnavailableError
from tray.paths import Places

NOT_REACHED = (
    "Copies elsewhere are not reached: exports, archives, reports, forwarded entries, backups of the state folder."
)


def redact(places: Places, seq: int, reason: str, *, timeout: float = 5.0) -> int:
    """Erase the details of entry *seq*, after an entry that says so with the *reason*; return that entry's number.

    Raises:
        AuditUnavailableError: The log cannot be written, or these details are needed to verify it; nothing was erased.
        EntryNotFoundError, EntryPrunedError: There is no such entry.
        RedactRefusedError: There is nothing to erase, or it is needed to verify the log.
        OSError: The index of words cannot be removed; the details are erased.
    """
    from tray.audit import words

    with contextlib.suppress(
        AuditUnavailableError
    ):  # what waits could hold the same record; it is dropped when it is appended
        spool.drain(places, timeout=timeout)
    with AuditLog.open(places.audit_db, places.audit_key, timeout=timeout, copies=places.baselines) as log:
        number = log.redact(seq, reason)
    words.forget(places.audit_db)
    return number
