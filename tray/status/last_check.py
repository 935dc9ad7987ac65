"""What the last verification of the audit log came to, for every poll: one `stat`, and the file only when it changed."""

from tray import wording
from tray.core.clock import DAY_MS
from tray.core.errors import BackupTrayError
from tray.core.model import AuditStanding
from tray.core.paths import Places
from tray.status.marks import mark

_UNREADABLE = (
    "What the last verification of the audit log came to cannot be read; `backup-tray audit verify` checks it again"
)
_GONE = "The audit log that was verified here is gone"


class Standing:
    """The audit log's standing, read again only when its file changed.

    Attributes:
        audit: What is known; None if the log was never verified. A file that cannot be read is "unchecked", never intact.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._seen: object = None
        self._unreadable = False
        self.audit: AuditStanding | None = None

    def read(self) -> None:
        """Take in what the file says now. Never raises."""
        seen = mark(self._places.audit_standing)
        if seen == self._seen:
            return
        self._seen, self._unreadable = seen, False
        try:
            self.audit = None if seen is None else self._load()
        except (BackupTrayError, OSError, ValueError):
            self.audit, self._unreadable = AuditStanding("unchecked", _changed_ms(seen), 0, f"{_UNREADABLE}."), True

    def doubtful(self, begun_ms: int | None) -> bool:
        """Whether something may hide here: nobody can read the file, or there is no log any more to which it belongs."""
        return self._unreadable or self._gone(begun_ms)

    def notes(self, now_ms: int, begun_ms: int | None, every_ms: int | None) -> list[str]:
        """Return what is worth a line: that it cannot be read, that a breach was acknowledged, that the last check is long ago.

        Args:
            begun_ms: When the log began; None where there is none.
            every_ms: How often it is to be verified; None: never.
        """
        if self._unreadable:
            return [_UNREADABLE]
        if self._gone(begun_ms):
            return [_GONE]
        if self.audit is not None and self.audit.result == "tampered" and not self.audit.breach:
            return [wording.audit_line(self.audit, now_ms)]
        if begun_ms is None or now_ms - (begun_ms if self.audit is None else self.audit.checked_ms) <= DAY_MS:
            return []
        note = wording.overdue_note(self.audit, now_ms, every_ms, begun_ms)
        return [] if note is None else [note]

    def _gone(self, begun_ms: int | None) -> bool:
        return begun_ms is None and self.audit is not None

    def _load(self) -> AuditStanding | None:
        from tray.audit import last_check

        return last_check.read(self._places)


def _changed_ms(mark: tuple[int, int, int] | None) -> int:
    return 0 if mark is None else mark[0] // 1_000_000
