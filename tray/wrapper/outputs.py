"""Take the command's output into spool files, and read it from there.

A pipe would make us a single point of failure, so output that we read goes through private append-only spool files: a killed
wrapper costs the backup nothing. Where we do not understand the output, the command inherits the caller's own descriptor.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tray.core import clock, files
from tray.engines.base import Stream
from tray.engines.text import LINE_LIMIT, split_lines
from tray.runs import RunFolder, disk_space

if TYPE_CHECKING:
    from tray.wrapper.prompt import Prompt
    from tray.wrapper.spool_guard import Guard

CHUNK = 65536
FLOOD = 8 * 1024 * 1024
"""From this many unread bytes on, lines of a command that is no engine are taken together."""
KEEP = 16 * 1024 * 1024
"""Bytes of read output that stay in the spool: if the wrapper is killed, the run is judged by them."""
GUARD_SECONDS = 0.25
"""A run that is shorter needs no further process while it goes on."""
TURN_SECONDS = 0.1
"""Lines are taken for at most this long before signals and the end of the command are noticed."""

_STEP = 1024 * 1024
_PROMPTS = (b": ", b"? ")


class Tail:
    """Follows one spool file and cuts it into lines, also at carriage returns if *returns*; what was read goes back to the disk.

    Raises:
        OSError: The spool cannot be made, or there is not enough room for it.
    """

    def __init__(self, path: Path, stream: Stream, to: int, *, returns: bool = False) -> None:
        self.stream = stream
        self.path = path
        self.to = to
        self._returns = returns
        self.write_fd = files.descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        self._open = {self.write_fd}
        self._fd = files.descriptor(path, os.O_RDWR)
        self._open.add(self._fd)
        self._part = bytearray()
        self._read = self._given_back = 0
        self._until: int | None = None
        self.more = False
        try:
            self._shrinks = self._reserved()
        except OSError:
            self.close()
            raise

    def _reserved(self) -> bool:
        """Reserve room; return whether what was read can be given back.

        Raises:
            OSError: There is too little room.
        """
        if disk_space.reserve(self._fd, 0) and disk_space.give_back(self._fd, 0, disk_space.BLOCK):
            return True
        if disk_space.free(self._fd) < disk_space.LEAST_GROWING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return False

    def started(self) -> None:
        """The command has its own copy of the descriptor now; ours is not needed any more."""
        self._open.discard(self.write_fd)
        os.close(self.write_fd)

    def close(self) -> None:
        """Give the descriptors back."""
        for fd in self._open:
            with suppress(OSError):
                os.close(fd)
        self._open.clear()
        self.more = False

    def ended(self) -> None:
        """The command has ended; what a process that it left behind writes from now on is not followed."""
        self._until = os.fstat(self._fd).st_size
        self.more = True

    def goes_on(self) -> None:
        """Follow what a process that was left behind writes after all."""
        self._until = None

    def cut(self, block: bytes) -> Iterator[bytes]:
        """Yield the lines of a block."""
        return split_lines(block, returns=self._returns)

    def blocks(self) -> Iterator[bytes]:
        """Yield lines that have come, with their ends, many at once; an over-long line comes in pieces of at most `LINE_LIMIT`.

        Afterwards `more` says whether there are more to take.
        """
        turn = clock.monotonic() + TURN_SECONDS
        self.more = self._fd in self._open
        while self.more and clock.monotonic() < turn:
            chunk = os.read(self._fd, CHUNK if self._until is None else min(CHUNK, self._until - self._read))
            if not chunk:
                self.more = False
                return
            self._read += len(chunk)
            self._part += chunk
            # Only what is new is searched: a line may be long.
            new = len(self._part) - len(chunk)
            end = max(self._part.rfind(b"\n", new), self._part.rfind(b"\r", new) if self._returns else -1) + 1
            if end:
                whole = bytes(self._part[:end])
                del self._part[:end]
                yield whole
            if len(self._part) > LINE_LIMIT:
                yield self.rest()

    @property
    def behind(self) -> int:
        """How many bytes are not read yet."""
        if self._fd not in self._open:
            return 0
        return (os.fstat(self._fd).st_size if self._until is None else self._until) - self._read

    @property
    def seen(self) -> int:
        """Up to where the caller has it, or will never have it."""
        return self._read if self._until is None else self._until

    def shrink(self, keep: int = KEEP) -> None:
        """Give the disk under all but the newest *keep* bytes that were read back, and reserve as much ahead instead."""
        end = (self._read - keep) // disk_space.BLOCK * disk_space.BLOCK
        if not self._shrinks or self._fd not in self._open or end - self._given_back < _STEP:
            return
        while self._shrinks and self._given_back < end:  # in parts: some file systems count the room only after each
            part = min(end, self._given_back + KEEP)
            self._shrinks = disk_space.give_back(self._fd, self._given_back, part)
            self._given_back = part
        if self._until is None:
            with suppress(OSError):
                disk_space.reserve(self._fd, os.fstat(self._fd).st_size)

    def free(self) -> int:
        """Return how many bytes are free where the spool is."""
        return disk_space.free(self._fd) if self._fd in self._open else sys.maxsize

    @property
    def crowded(self) -> bool:
        """Whether what is not read takes room that the command needs: the disk is nearly full, or will be in a moment."""
        if self._until is not None:
            return False
        behind = self.behind
        return behind > LINE_LIMIT and self.free() < (disk_space.LOW if behind < disk_space.FLOOD else disk_space.FEW)

    def skip(self) -> int:
        """Leave out what is not read yet, but for its end, from the beginning of a line; return how many bytes that were."""
        size = os.fstat(self._fd).st_size
        start, lost = max(self._read, size - LINE_LIMIT), len(self._part)
        os.lseek(self._fd, start, os.SEEK_SET)
        end = os.read(self._fd, size - start).find(b"\n") + 1
        lost += start + end - self._read
        self._part.clear()
        self._read = start + end
        os.lseek(self._fd, self._read, os.SEEK_SET)
        self.shrink(0)
        return lost

    @property
    def part(self) -> bytes:
        """The beginning of a line whose end has not come yet: perhaps a prompt, certainly no update that waits for its end."""
        return bytes(self._part) if not self._returns or self._part.endswith(_PROMPTS) else b""

    def rest(self) -> bytes:
        """Return the unfinished line and forget it."""
        part = bytes(self._part)
        self._part.clear()
        return part


class Outputs:
    """The layout chosen for one run: which of stdout and stderr are spooled, which inherited.

    Raises:
        OSError: No spool can be made; nothing of it is left open.

    Args:
        folder: Where the spools go; None: everything is inherited.
        asks: It may ask for a password, and then gets a terminal as its stderr where it would have one without us.
        returns: Its updates end with a carriage return.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        *,
        spool_stdout: bool,
        spool_stderr: bool,
        asks: bool = False,
        returns: bool = False,
    ) -> None:
        self.tails: list[Tail] = []
        self.stdout: int | None = None
        self.stderr: int | None = None
        self._returns = returns
        self._guard: Guard | None = None
        self._prompt: Prompt | None = None
        self._guard_at = clock.monotonic() + GUARD_SECONDS
        if folder is None or not (spool_stdout or spool_stderr):
            return
        try:
            self._spool(folder, spool_stdout, spool_stderr)
            if asks and self.stderr is not None:
                self._ask(self.stderr)
        except BaseException:
            self.close()
            raise

    def _spool(self, folder: RunFolder, spool_stdout: bool, spool_stderr: bool) -> None:
        if _same_file(1, 2):
            self._one_for_both(folder, spool_stdout)
            return
        if spool_stdout:
            self.stdout = self._tail(folder, "out", Stream.OUT)
        if spool_stderr and (spool_stdout or not os.isatty(2)):
            self.stderr = self._tail(folder, "err", Stream.ERR)

    def _ask(self, spool: int) -> None:
        from tray.wrapper.prompt import Prompt  # few commands ask

        with suppress(OSError):
            self._prompt = Prompt(spool)
            self.stderr = self._prompt.fd

    def ended(self) -> None:
        """The command has ended; what it said on a terminal of its own is in the spool now."""
        if self._prompt is not None:
            self._prompt.ended()

    def _one_for_both(self, folder: RunFolder, spool_stdout: bool) -> None:
        """`2>&1`: two spools would lose the order. Of a command that we don't know, neither is touched."""
        if spool_stdout:
            self.stdout = self.stderr = self._tail(folder, "both", Stream.OUT)

    def _tail(self, folder: RunFolder, name: str, stream: Stream) -> int:
        tail = Tail(folder.spool(name), stream, int(stream), returns=self._returns)
        self.tails.append(tail)
        return tail.write_fd

    def close(self) -> None:
        """Give the descriptors back; for a command that has not started."""
        for tail in self.tails:
            tail.close()
        if self._prompt is not None:
            self._prompt.close()

    def watch_over(self) -> None:
        """After a moment have a process that keeps the spools small if we are killed."""
        if not self.tails or clock.monotonic() < self._guard_at:
            return
        self._guard_at = float("inf")
        self._begin_guard()

    def leave(self) -> None:
        """End our part; if a process of the command still writes, another process of ours stays and passes that on."""
        seen = [tail.seen for tail in self.tails]
        self.close()
        if not self.tails:
            return
        from tray.wrapper import spool_guard  # only for output that goes through a spool

        if self._guard is not None:
            self._guard.dismiss()
        late = [spool_guard.Late(tail.path, tail.to, at) for tail, at in zip(self.tails, seen, strict=True)]
        with suppress(OSError):  # no more processes are allowed
            spool_guard.pass_on([spool for spool in late if spool.written_to()])

    def _begin_guard(self) -> None:
        from tray.wrapper.spool_guard import Guard  # a short run does not need it

        with suppress(OSError):  # no more processes are allowed
            self._guard = Guard([tail.path for tail in self.tails])

    def started(self) -> None:
        """The command has started."""
        if self._prompt is not None:
            self._prompt.started()
        for tail in self.tails:
            with suppress(OSError):
                tail.started()


def _same_file(fd: int, other: int) -> bool:
    try:
        first, second = os.fstat(fd), os.fstat(other)
    except OSError:
        return False
    same = (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
    return same and not (stat.S_ISCHR(first.st_mode) and _device(first) == _device(os.stat(os.devnull)))


def _device(status: os.stat_result) -> int:
    return int(getattr(status, "st_rdev", 0))
