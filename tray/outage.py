"""`ERROR_STATUS_FETCH` on record: once per outage, whoever notices it first, however many look.

An outage is remembered as a file in the runtime folder from the first failed fetch until the first good one. Its entry goes the
way of every record: into the audit log, or into the spool until the log can be written again.
"""

import os
from contextlib import suppress

from tray.errors import BackupTrayError
from tray.paths import Places, private

_RECORD_SECONDS = 0.2


class Outage:
    """Notes the beginning and the end of an outage.

    Args:
        mark: The name of the file that remembers it; one for each thing that can be out.
    """

    def __init__(self, places: Places, mark: str = "outage") -> None:
        self._places = places
        self._mark = places.runtime / mark
        self._on = os.path.exists(self._mark)  # False also where the folder is not ours to enter

    def began(self, error: BackupTrayError) -> None:
        """A fetch failed."""
        if self._on:
            return
        self._on = True
        try:
            private(self._places.runtime)
            os.close(os.open(self._mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return  # somebody else noted it
        except (OSError, BackupTrayError):
            pass  # no place for the mark: this process at least says it once
        self._record(error)

    def over(self) -> None:
        """A fetch succeeded; records that waited for the log are appended now."""
        if not self._on:
            return
        self._on = False
        with suppress(OSError):
            self._mark.unlink(missing_ok=True)
        from tray.audit import spool

        with suppress(BackupTrayError, OSError):
            spool.drain(self._places, timeout=_RECORD_SECONDS)

    def _record(self, error: BackupTrayError) -> None:
        from tray.audit import spool
        from tray.audit.entry import Action, Draft, Severity

        draft = Draft(action=Action.STATUS_ERROR, result=error.code, severity=Severity.ERROR, body=error.facts())
        with suppress(BackupTrayError, OSError):
            if self._places.audit_db.exists():
                spool.record(self._places, [draft], timeout=_RECORD_SECONDS)
            else:  # recording would begin a new log, and the loss of the old one would not show any more
                spool.keep(self._places, [draft])
