"""What the configuration says about the status, and whether it can be used: a `stat` a poll, and the file when it changed."""

from tray import wording
from tray.config import AuditConfig
from tray.core.errors import BackupTrayError, ConfigError
from tray.core.paths import Places
from tray.status.marks import mark


class Settings:
    """The configuration as far as the status needs it.

    Attributes:
        audit: How the audit log is kept; as usual while the configuration is broken.
        notes: One line if the configuration is broken: what it says does not hold until it is mended.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._seen: object = None
        self.audit = AuditConfig()
        self.notes: tuple[str, ...] = ()

    def read(self) -> None:
        """Take in what the file says now. Never raises."""
        seen = mark(self._places.config_file)
        if seen == self._seen:
            return
        self._seen, self.audit, self.notes = seen, AuditConfig(), ()
        if seen is None:
            return
        from tray import config  # most who look have none

        try:
            self.audit = config.load(self._places).audit
        except BackupTrayError as error:
            self.notes = (_note(error),)


def _note(error: BackupTrayError) -> str:
    line = f"line {error.line}: " if isinstance(error, ConfigError) and error.line else ""
    return f"{wording.UNFOLLOWED} until it is mended: {line}{error.why.rstrip('.')}"
