"""Note when this machine was awake, in a small file beside the audit log: a late backup is counted in that time.

A mark holds the clocks of one moment: the wall clock, the time since the machine started, and how much of that time it slept. Two
marks of one boot tell how long the machine slept between them. The tracker makes a mark when it starts and ends and after each
sleep, and overwrites its last sign of life every few minutes; a wrapper makes one at the end of its run. The marks are no entries
of the audit log.

Several processes append at once, each mark in one write. A line is left out if it is damaged, of another version or from a clock
that makes no sense: of that time nothing is known. Nothing here raises: no run and no tracker suffers from a mark that cannot be
kept.
"""

import os
import stat
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter

from tray.core import clock, files, locks
from tray.core.dataclass import dataclass
from tray.core.errors import BackupTrayError
from tray.core.locks import FileLock
from tray.core.paths import Places, private

BEAT, END, RUN, BOOT, OFF = "beat", "end", "run", "boot", "off"
"""The moment of a mark: the tracker lives or ends, a run ends; the machine started or went off, by the system's own records."""

BEAT_SECONDS = 300.0
"""How often the tracker notes that it lives, so that a power cut is known to the minute."""
SLEEP_MS = 5_000
"""A machine that slept less between two marks was awake."""
MOST_BYTES = 256 * 1024
"""A file that is longer is written anew with the marks that still tell something."""
MOST_MARKS = 3_000
"""So many of them at most: two for each sleep, which is more than a year of a laptop."""
_READ_BYTES = 4 * MOST_BYTES
_FORMAT, _BEAT_BYTES, _NO_BOOT = "1", 160, "-"


@dataclass(frozen=True, slots=True)
class Mark:
    """The clocks of one moment.

    Attributes:
        kind: BEAT, END, RUN, BOOT or OFF.
        wall_ms: The wall clock, UTC.
        boot: Id of the machine's start; "-" for BOOT and OFF, of which the system tells only the wall clock.
        since_boot_ms: Time since that start.
        slept_ms: How much of that time the machine slept.
    """

    kind: str
    wall_ms: int
    boot: str = _NO_BOOT
    since_boot_ms: int = 0
    slept_ms: int = 0

    def line(self) -> bytes:
        """Return the mark as a line of the file, with a checksum."""
        text = f"{_FORMAT} {self.kind} {self.wall_ms} {self.boot} {self.since_boot_ms} {self.slept_ms}".encode()
        return b"%s %08x\n" % (text, zlib.crc32(text))


def now(kind: str) -> Mark | None:
    """Return the mark of this moment; None where the system does not tell its boot or its sleep."""
    boot, slept = locks.boot_id(), clock.slept_ms()
    if slept is None or boot == locks.UNKNOWN_BOOT:
        return None
    return Mark(kind, clock.now_ms(), boot, clock.since_boot_ms(), slept)


def parsed(raw: bytes) -> list[Mark]:
    """Return the marks of a file's content, in its order; lines that are damaged are left out."""
    return [mark for line in raw.splitlines() if (mark := _mark(line)) is not None]


def _mark(line: bytes) -> Mark | None:
    text, _, checksum = line.strip().rpartition(b" ")
    try:
        if len(checksum) != 8 or int(checksum, 16) != zlib.crc32(text):
            return None
        version, kind, wall, boot, since, slept = text.decode().split(" ")
        mark = Mark(kind, int(wall), boot, int(since), int(slept))
    except ValueError:
        return None
    whole = 0 <= mark.slept_ms <= mark.since_boot_ms <= mark.wall_ms
    return mark if whole and version == _FORMAT and kind in (BEAT, END, RUN, BOOT, OFF) else None


def read(places: Places) -> list[Mark]:
    """Return the marks on record, with the tracker's last sign of life; none where nothing can be read."""
    marks: list[Mark] = []
    for file in (places.awake_log, places.awake_beat):
        with suppress(OSError):
            marks += parsed(files.content(file, _READ_BYTES))
    return marks


def append(places: Places, marks: Iterable[Mark]) -> None:
    """Put *marks* on record. Each begins on a line of its own, also behind one that a power cut tore."""
    data = b"".join(b"\n" + mark.line() for mark in marks)
    if not data:
        return
    with suppress(OSError, BackupTrayError):
        private(places.state)
        if _write(places.awake_log, data, os.O_APPEND) > MOST_BYTES:
            _shorten(places)


def note_run(places: Places) -> None:
    """Put on record, at the end of a run, that the machine was awake."""
    mark = now(RUN)
    append(places, [] if mark is None else [mark])


class Keeper:
    """The marks of a tracker, for as long as it lives."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._last: Mark | None = None

    def begin(self) -> None:
        """Put the beginning on record, and before it the last sign of life of a tracker that did not end in order."""
        left: list[Mark] = []
        with suppress(OSError):
            left = parsed(files.content(self._places.awake_beat, _READ_BYTES))[:1]
        self._last = now(BEAT)
        append(self._places, [*left, *([] if self._last is None else [self._last])])
        self._keep()

    def beat(self) -> None:
        """Note that the tracker lives; if the machine slept since the last time, put both moments on record."""
        before, self._last = self._last, now(BEAT)
        if before is not None and self._last is not None and self._last.slept_ms - before.slept_ms > SLEEP_MS:
            append(self._places, [before, self._last])
        self._keep()

    def end(self) -> None:
        """Put the end on record: of the time after it the tracker knows nothing."""
        mark = now(END)
        append(self._places, [] if mark is None else [mark])
        with suppress(OSError):
            self._places.awake_beat.unlink(missing_ok=True)

    def _keep(self) -> None:
        if self._last is not None:
            with suppress(OSError, BackupTrayError):
                private(self._places.state)
                _write(self._places.awake_beat, self._last.line().ljust(_BEAT_BYTES, b"\n"))


def _write(file: "os.PathLike[str]", data: bytes, how: int = 0) -> int:
    """Write *data* in one go into a regular file; return its length then. Raises OSError."""
    handle = files.descriptor(file, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | how)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return 0
        os.write(handle, data)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def _shorten(places: Places) -> None:
    """Write the file anew with the marks that tell something; a mark that another process appends meanwhile may be lost."""
    with FileLock(places.awake_log.with_suffix(".lock")) as lock:
        if not lock.acquire():
            return
        marks: list[Mark] = []
        with suppress(OSError):  # it is far too long: damaged, so nothing of it is kept
            marks = compacted(parsed(files.content(places.awake_log, _READ_BYTES)))
        beside = places.awake_log.with_suffix(".new")
        beside.unlink(missing_ok=True)
        _write(beside, b"".join(mark.line() for mark in marks))
        os.replace(beside, places.awake_log)


def compacted(marks: Sequence[Mark]) -> list[Mark]:
    """Return the marks without those from which nothing follows: those within a stretch that was awake from end to end."""
    ordered = sorted(marks, key=attrgetter("boot", "since_boot_ms", "wall_ms"))
    kept: list[Mark] = []
    for boot, group in groupby(ordered, key=attrgetter("boot")):
        row = list(group)
        inner = range(1, len(row) - 1) if boot != _NO_BOOT else ()
        dull = {at for at in inner if _is_alike(row[at - 1], row[at]) and _is_alike(row[at], row[at + 1])}
        kept += [mark for at, mark in enumerate(row) if at not in dull]
    return sorted(kept, key=attrgetter("wall_ms"))[-MOST_MARKS:]


def _is_alike(mark: Mark, other: Mark) -> bool:
    """Whether the machine neither slept between two marks of one boot, nor was its clock set."""
    passed = other.since_boot_ms - mark.since_boot_ms
    still = abs(other.wall_ms - mark.wall_ms - passed) <= clock.JUMP_MS
    return still and other.slept_ms - mark.slept_ms <= SLEEP_MS
