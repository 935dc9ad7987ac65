"""The run's own log: the engine's words, redacted, each line with its time and stream; progress numbers left out."""

import os
from pathlib import Path

from tray import clock, files
from tray.engines.base import Stream
from tray.redact import Redactor
from tray.redact.lines import Lines

LIMIT = 64 * 1024 * 1024
_NAMES = {Stream.OUT: b"out", Stream.ERR: b"err", Stream.LOG: b"log"}


class RunLog:
    """Writes lines to the log file; a log that cannot be written never disturbs the run."""

    def __init__(self, path: Path | None, redactor: Redactor) -> None:
        self._streams = {stream: Lines(redactor) for stream in Stream}
        self._size = 0
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._fd = None if path is None else files.descriptor(path, flags)
        except OSError:
            self._fd = None
        self._pending = bytearray()

    def say(self, text: str) -> None:
        """Log a line of our own."""
        self._add(b"---", text.encode("utf-8", "backslashreplace"))

    def line(self, raw: bytes, stream: Stream) -> None:
        """Log what the engine said; of lines joined by carriage returns each stands alone."""
        shown = self._streams[stream].take(raw)
        if shown or not raw:
            self._write(shown, stream)

    def _write(self, shown: bytes, stream: Stream) -> None:
        for part in shown.decode("utf-8", "backslashreplace").encode().splitlines() or [b""]:
            self._add(_NAMES[stream], part)

    def flush(self) -> None:
        """Write what has gathered."""
        if self._fd is None or not self._pending:
            return
        try:
            os.write(self._fd, self._pending)
        except OSError:
            self.close()
        self._pending.clear()

    def close(self) -> None:
        """Write the rest and close."""
        if self._fd is not None:
            for stream, lines in self._streams.items():
                if held := lines.rest():
                    self._write(held, stream)
            fd, self._fd = self._fd, None
            try:
                os.write(fd, self._pending)
            except OSError:
                pass  # a full disk: the audit log still gets its entry, or its spool does
            os.close(fd)

    def _add(self, name: bytes, text: bytes) -> None:
        if self._size > LIMIT:
            return
        line = b"%s %s %s\n" % (clock.to_text(clock.now_ms()).encode(), name, text)
        self._size += len(line)
        if self._size > LIMIT:
            line = b"%s --- the log is full, the rest is not kept\n" % clock.to_text(clock.now_ms()).encode()
        self._pending += line
