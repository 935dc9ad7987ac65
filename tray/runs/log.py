"""Write the log of a run: the engine's words, redacted, each line with its time and stream, without progress numbers.

Of a long log the beginning and the end are kept. The disk under the middle is given back, so that offsets into the file stay
valid; where the file system cannot do that, the end is not kept.

Of a line that the command draws again and again the log has the last state, as a terminal would show it. A carriage return, "erase
line" and "first column" begin the line anew, backspaces go back in it, and "cursor up" goes back to lines before it (ECMA-48).
"""

import os
from pathlib import Path

from tray.core import clock, files, regex
from tray.core.redact import Lines, Redactor
from tray.engines.base import Stream
from tray.runs import disk_space

HEAD = 16 * 1024 * 1024
TAIL = 48 * 1024 * 1024
LOW = 32 * 1024 * 1024
"""With less than this free on the disk the log takes nothing more: the command may need the room."""
_STEP = 4 * 1024 * 1024
_NAMES = {Stream.OUT: b"out", Stream.ERR: b"err"}
ROWS = 64
"""So many lines can be drawn again; `docker pull` draws one for each layer."""
_SPECIAL = regex.compile(rb"[\r\x08\x1b]")
_ANEW = regex.compile(rb"\r+|\x1b\[2K|\x1b\[[01]?G")
_UP = regex.compile(rb"\x1b\[(\d{0,3})[AF]")
_MOVES = regex.compile(rb"\x1b\[[\d;]{0,20}[A-HJKSTfsu]")


class RunLog:
    """The log file of a run; a log that cannot be written never disturbs the run.

    Attributes:
        behind: Bytes of output that follow the logged line. Output that cannot be part of the end of the log is skipped.
    """

    def __init__(self, path: Path | None, redactor: Redactor) -> None:
        self._redactor = redactor
        self._lines = {stream: Lines(redactor) for stream in _NAMES}
        self._screens = {stream: Screen() for stream in _NAMES}
        self._size = self._left_out = 0
        self._given_back = HEAD
        self._open = True
        self.behind = 0
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._fd = None if path is None else files.descriptor(path, flags)
            self._size = 0 if self._fd is None else os.fstat(self._fd).st_size
        except OSError:
            self._fd = None
        self._pending = bytearray()

    def say(self, text: str) -> None:
        """Log a line of our own."""
        self._add(b"---", self._redactor.text(text).encode("utf-8", "backslashreplace"))

    def line(self, raw: bytes, stream: Stream) -> None:
        """Log what the engine said; of a line that is drawn again and again the last state is kept."""
        if not self._skips(len(raw)):
            self._show(self._screens[stream].feed(raw), stream, piece=not raw.endswith((b"\n", b"\r")))

    def block(self, raw: bytes, stream: Stream) -> None:
        """Log many lines at once."""
        if not self._skips(len(raw)):
            for line in raw.removesuffix(b"\n").split(b"\n"):
                self._show(self._screens[stream].feed(line + b"\n"), stream)

    def _show(self, parts: list[bytes], stream: Stream, *, piece: bool = False) -> None:
        """Add *parts* without their secrets; if *piece*, the line of the last one goes on."""
        for at, part in enumerate(parts, 1):
            shown = self._lines[stream].take(part if piece and at == len(parts) else part + b"\n")
            if shown or not part:
                self._write(shown, stream)

    def _write(self, shown: bytes, stream: Stream) -> None:
        for part in shown.decode("utf-8", "backslashreplace").encode().splitlines() or [b""]:
            self._add(_NAMES[stream], part)

    def flush(self) -> None:
        """Write what has gathered."""
        if self._fd is None or not self._pending:
            return
        if self._open and disk_space.free(self._fd) < LOW:
            self._stop("the disk is nearly full")
        try:
            os.write(self._fd, self._pending)
        except OSError:
            self.close()
        self._pending.clear()
        self._shrink()

    def close(self) -> None:
        """Write the rest and close."""
        for stream, screen in self._screens.items():
            self._show(screen.rest(), stream)
            if held := self._lines[stream].rest():
                self._write(held, stream)
        if self._fd is not None:
            fd, self._fd = self._fd, None
            try:
                os.write(fd, self._pending)
            except OSError:
                pass  # a full disk: the audit log still gets its entry, or its spool does
            os.close(fd)

    def _skips(self, length: int) -> bool:
        """Whether so many bytes are in the middle of a long log for certain, and are left out."""
        if self._open and (self._size < HEAD or self.behind < TAIL):
            return False
        self._left_out += length
        return True

    def _add(self, name: bytes, text: bytes) -> None:
        if not self._open:
            return
        now = clock.to_text(clock.now_ms()).encode()
        if self._left_out:
            self._pending += b"%s --- %d bytes of output were left out here\n" % (now, self._left_out)
            self._left_out = 0
        line = b"%s %s %s\n" % (now, name, text)
        self._size += len(line)
        self._pending += line

    def _shrink(self) -> None:
        """Give the middle of a long log back to the disk."""
        if self._fd is None or self._size < HEAD + TAIL or not self._open:
            return
        end = (self._size - TAIL) // disk_space.BLOCK * disk_space.BLOCK
        if end - self._given_back < _STEP:
            return
        if not disk_space.give_back(self._fd, self._given_back, end):
            self._stop("the log is full")
        self._given_back = end

    def _stop(self, why: str) -> None:
        self._add(b"---", f"{why}, the rest is not kept".encode())
        self._open = False


class Screen:
    """A terminal that takes lines with their ends, and returns without their ends those that stay as they are."""

    def __init__(self) -> None:
        self._held: bytes | None = None
        self._rows: list[bytes] = []
        self._row = 0

    def feed(self, line: bytes) -> list[bytes]:
        """Return what is final now. A *line* without a line feed may go on, or be drawn over by the next one."""
        whole = line.endswith(b"\n")
        body = line.rstrip(b"\r\n") if whole else line
        if self._held is None and not self._rows and not _SPECIAL.search(body):
            return [body]
        up = sum(int(move[1] or 1) for move in _UP.finditer(body)) if b"\x1b" in body else 0
        text = last_state(body)
        if not text and self._held is not None:
            text = self._held
        self._held = None
        if not whole:
            before = self._place(up, None)
            if _SPECIAL.search(body):
                self._held = text
                return before
            return [*before, text]
        return self._place(up, text)

    def rest(self) -> list[bytes]:
        """Return what was still held back."""
        rows = [*self._rows, *([] if self._held is None else [self._held])]
        self._rows, self._row, self._held = [], 0, None
        return rows

    def _place(self, up: int, text: bytes | None) -> list[bytes]:
        """Go *up* so many lines and write *text* there; return the lines that are out of reach then."""
        if not up and not self._rows:
            return [] if text is None else [text]
        self._row = max(0, self._row - up)
        if text is not None:
            self._rows[self._row : self._row + 1] = [text]
            self._row += 1
        done = max(0, len(self._rows) - ROWS)
        final, self._rows = self._rows[:done], self._rows[done:]
        self._row -= done
        return final


def last_state(line: bytes) -> bytes:
    """Return what *line* looks like when all of it was written to a terminal."""
    states = [state for state in _ANEW.split(line) if state]
    text = _MOVES.sub(b"", states[-1]) if states else b""
    if b"\b" not in text:
        return text
    drawn, at = bytearray(), 0
    for part in text.split(b"\b"):
        drawn[at : at + len(part)] = part
        at = max(0, at + len(part) - 1)
    return bytes(drawn).rstrip()
