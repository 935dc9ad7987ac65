"""The tray's own diagnostics: a small file that never grows beyond two."""

import logging
from pathlib import Path

from tray.core.errors import BackupTrayError
from tray.core.paths import Places, private

LIMIT = 256 * 1024
NAME = "tray.log"


class SmallFile(logging.FileHandler):
    """A log file that is set aside as `*.1` when it reaches `LIMIT`; `logging.handlers` would cost a megabyte of memory."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, in a new file if the old one is full."""
        if self.stream is not None and self.stream.tell() > LIMIT:
            self.close()
            path = Path(self.baseFilename)
            path.replace(path.with_name(path.name + ".1"))
            self.stream = self._open()
        super().emit(record)


def start(places: Places) -> None:
    """Write warnings and worse of this process to `tray.log`; without a place for it they go to stderr."""
    handler: logging.Handler
    try:
        handler = SmallFile(private(places.log) / NAME, encoding="utf-8", errors="backslashreplace", delay=False)
    except (OSError, BackupTrayError):
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
