"""Pass bytes on to the caller without ever waiting for a slow reader, in bounded memory.

Bytes that the reader does not take wait in memory first, then in a file without a name beside the run's spools. If the reader has
left (`| head`), the rest is dropped.

`Exact` decides how much of an unfinished line the caller sees: nothing of our additions, but a prompt at once. The engine's session
knows how its additions begin (`Holding`). A long line of JSON that the reader cut comes together again, since a session can only
replace a whole message.
"""

import math
import os
from contextlib import suppress
from pathlib import Path

from tray.core import clock, files
from tray.engines.base import Session, Stream
from tray.engines.text import strip_terminal
from tray.runs import disk_space
from tray.wrapper.outputs import Tail

MEMORY = 4 * 1024 * 1024
"""Bytes that wait in memory for each descriptor; more go to the file."""
LIMIT = 16 * 1024 * 1024
"""Bytes that wait in memory where there is no file, or no room for it."""
BATCH = 65536
ATOMIC = 4096
"""POSIX: a pipe that polls as writable takes this many bytes without blocking (PIPE_BUF on Linux)."""
LEFT_OUT = (
    b"\n[backup-tray: %d bytes of output were left out here: the disk is nearly full, and they were not read in time]\n"
)
MESSAGE_LIMIT = 8 * 1024 * 1024
"""A message of more bytes is passed on in pieces, as it is."""


class Relay:
    """The way to the caller's standard output and standard error.

    Args:
        folder: Where a file may take what the reader does not; None: nowhere.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._queues = {to: _Queue(folder, to) for to in (1, 2)}
        self._broken: set[int] = set()

    def write(self, to: int, data: bytes) -> None:
        """Queue *data* for descriptor *to* (1 or 2); `flush` passes it on."""
        if to not in self._broken:
            queue = self._queues[to]
            queue.add(data)
            if len(queue.first) > BATCH:
                self._flush(to, queue)

    @property
    def full(self) -> bool:
        """Whether so much waits that the writer should wait too."""
        return any(len(queue.last) > LIMIT for queue in self._queues.values())

    @property
    def waiting(self) -> list[int]:
        """The descriptors to which something could not be written yet."""
        return [to for to, queue in self._queues.items() if queue]

    def flush(self) -> None:
        """Write of what is pending as much as goes without waiting."""
        for to, queue in self._queues.items():
            self._flush(to, queue)

    def shed(self) -> None:
        """Leave out what waits beyond memory, and say so in its place: the disk is needed by the command."""
        for queue in self._queues.values():
            queue.shed()

    def _flush(self, to: int, queue: "_Queue") -> None:
        while queue and files.writable(to):
            try:
                del queue.first[: os.write(to, queue.first[:ATOMIC])]
            except BlockingIOError:
                break
            except OSError:
                self._broken.add(to)
                queue.clear()


class _Queue:
    """Bytes in their order: those in `first`, then those in the file, then those in `last`."""

    def __init__(self, folder: Path | None, to: int) -> None:
        self.first, self.last = bytearray(), bytearray()
        self._path = None if folder is None else folder / f".relay{to}"
        self._file: int | None = None
        self._read = self._size = 0

    def __bool__(self) -> bool:
        """Whether anything waits; afterwards some of it is in `first`."""
        if not self.first:
            self._refill()
        return bool(self.first)

    def add(self, data: bytes) -> None:
        """Append *data*."""
        if self.last:
            self.last += data
        elif self._size == self._read and len(self.first) <= MEMORY:
            self.first += data
        else:
            self.last += data[self._put(data) :]

    def shed(self) -> None:
        """Leave out all but `first`."""
        lost = self._size - self._read + len(self.last)
        if lost:
            self._empty()
            self.last[:] = LEFT_OUT % lost

    def clear(self) -> None:
        """Forget everything."""
        self.first.clear()
        self.last.clear()
        self._empty()

    def _refill(self) -> None:
        if self._file is not None and self._read < self._size:
            os.lseek(self._file, self._read, os.SEEK_SET)
            self.first += os.read(self._file, BATCH)
            self._read += len(self.first)
            if self._read % MEMORY < BATCH:
                disk_space.give_back(self._file, 0, self._read // disk_space.BLOCK * disk_space.BLOCK)
            if self._read == self._size:
                self._empty()
        elif self.last:
            self.first, self.last = self.last, bytearray()

    def _put(self, data: bytes) -> int:
        """Append *data* to the file and return how much of it the disk took."""
        try:
            if self._file is None:
                self._file = self._open()
            needed = disk_space.LOW if self._size - self._read < disk_space.LOW else disk_space.FEW
            if self._file is None or disk_space.free(self._file) < needed:
                return 0
            os.lseek(self._file, self._size, os.SEEK_SET)
            put = os.write(self._file, data)
        except OSError:
            return 0
        self._size += put
        return put

    def _open(self) -> int | None:
        if self._path is None:
            return None
        fd = files.descriptor(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self._path.unlink()  # gone with us, whatever happens
        return fd

    def _empty(self) -> None:
        self._read = self._size = 0
        if self._file is not None:
            os.ftruncate(self._file, 0)


class Exact:
    """Keeps unfinished lines back where they are ours.

    Args:
        session: It may be a `Holding`.
        ours: Something was added to the command; else nothing is ever kept back.
    """

    def __init__(self, session: Session, *, ours: bool) -> None:
        self._patience_of = getattr(session, "patience", None) if ours else _at_once
        self._held = getattr(session, "held", None)
        self._standing: dict[int, tuple[int, float]] = {}
        self._pieces: dict[int, bytearray] = {}

    def waits(self, part: bytes, shown: int, tail: Tail) -> bool:
        """Whether the unfinished line *part* is not shown yet: its rest may come at any moment, and tell that it is ours.

        Args:
            part: The line so far.
            shown: How many bytes of it the caller has seen.
            tail: Where it comes from.
        """
        if tail.to in self._pieces:
            return True
        patience = self._patience(part, tail.stream)
        if not patience:
            return False
        now = clock.monotonic()
        before, since = self._standing.setdefault(tail.to, (shown, now))
        if before != shown:
            self._standing[tail.to], since = (shown, now), now
        return now - since < patience

    def whole(self, line: bytes, tail: Tail) -> bytes:
        """Return *line*, after the pieces of it that came before; nothing while a message of ours lacks its end."""
        self._standing.pop(tail.to, None)
        if line.endswith((b"\n", b"\r")):
            return bytes(self._pieces.pop(tail.to, b"")) + line if self._pieces else line
        pieces = self._pieces.get(tail.to)
        if pieces is None and self.is_ours(line, tail.stream):
            pieces = self._pieces[tail.to] = bytearray()
        if pieces is None:
            return line
        pieces += line
        return bytes(self._pieces.pop(tail.to)) if len(pieces) > MESSAGE_LIMIT else b""

    def rest(self, tail: Tail) -> bytes:
        """Return the last line if it has no end."""
        return bytes(self._pieces.pop(tail.to, b"")) + tail.rest()

    def forget(self, tail: Tail) -> None:
        """Give up on a line whose rest was left out."""
        self._standing.pop(tail.to, None)
        self._pieces.pop(tail.to, None)

    def held(self, stream: Stream) -> bytes:
        """Return what the session kept back until the end."""
        with suppress(Exception):  # a mistake of ours must not reach the backup
            return b"" if self._held is None else bytes(self._held(stream))
        return b""

    def is_ours(self, part: bytes, stream: Stream) -> bool:
        """Whether the session says that the line which begins with *part* is never shown as it is."""
        return self._patience_of is not None and self._patience(part, stream) == math.inf

    def _patience(self, part: bytes, stream: Stream) -> float:
        if self._patience_of is None:
            return math.inf if strip_terminal(part).startswith(b"{") else 0.0
        with suppress(Exception):
            return float(self._patience_of(part, stream))
        return 0.0


def _at_once(part: bytes, stream: Stream) -> float:  # noqa: ARG001 - nothing was added to the command
    return 0.0
