"""Record `ERROR_STATUS_FETCH` once for each outage, however many processes notice it.

An outage is remembered as a file in the runtime folder from the first failure until the first success. Its entry goes the way of
every record: into the audit log, or into the spool until the log can be written again.
"""

import os
from contextlib import suppress

from tray.audit import spool
from tray.audit.entry import Action, Draft, Severity
from tray.core import files
from tray.core.errors import BackupTrayError
from tray.core.paths import Places, private

_RECORD_SECONDS = 0.2


class Outage:
    """Memory of an outage: its beginning and its end.

    Args:
        mark: Name of the file that remembers it; one for each kind of outage.
    """

    def __init__(self, places: Places, mark: str = "outage") -> None:
        self._places = places
        self._mark = places.runtime / mark
        self._on = os.path.exists(self._mark)  # False also where the folder is not ours to enter

    def began(self, error: BackupTrayError) -> None:
        """Note that a fetch failed."""
        if self._on:
            return
        self._on = True
        try:
            private(self._places.runtime)
            os.close(files.descriptor(self._mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return  # another process has noted it
        except (OSError, BackupTrayError):
            pass  # no place for the mark: this process at least says it once
        self._record(error)

    def over(self) -> None:
        """Note that a fetch succeeded, and append the records that waited for the log."""
        if not self._on:
            return
        self._on = False
        with suppress(OSError):
            self._mark.unlink(missing_ok=True)
        with suppress(BackupTrayError, OSError):
            spool.drain(self._places, timeout=_RECORD_SECONDS)

    def _record(self, error: BackupTrayError) -> None:
        draft = Draft(Action.STATUS_ERROR, result=error.code, severity=Severity.ERROR, body=error.facts())
        with suppress(BackupTrayError, OSError):
            if self._places.audit_db.exists():
                spool.record(self._places, [draft], timeout=_RECORD_SECONDS)
            else:  # recording would begin a new log, and the loss of the old one would not show any more
                spool.keep(self._places, [draft])
