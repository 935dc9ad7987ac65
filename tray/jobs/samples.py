"""Choose a few files of a snapshot at random, and compare restored files with their sources."""

import hashlib
import os
import random
import stat
from enum import StrEnum
from pathlib import Path

from tray.core import clock
from tray.core.dataclass import dataclass, field
from tray.core.files import opened
from tray.engines.proving import Item

FILES = 3
"""So many files are restored."""
MOST_BYTES = 50 << 20
"""Bytes that they have at most, together."""
MOST_LISTED = 2_000_000
"""So many files of a snapshot are looked at."""
LIST_SECONDS = 600.0
_KEPT = 12
_SLACK_US = 2
"""borg rounds microseconds."""
_GRAINS_NS = (2_000_000_000, 1_000_000_000, 10_000_000, 1_000_000)
"""Steps of the times that are kept by FAT, tar, exFAT, and some remotes."""
_BLOCK = 1 << 20


@dataclass(slots=True)
class Sample:
    """A sample of the files of one snapshot, each with the same chance; takes a bounded amount of memory.

    Attributes:
        suspects: Paths of files that are chosen first, without chance.
        files: Files that were seen.
        whole: Whether all were seen; else only the first ones had a chance.
    """

    suspects: frozenset[str] = frozenset()
    files: int = 0
    whole: bool = True
    _first: list[Item] = field(default_factory=list)
    _fit: int = 0
    _kept: list[Item] = field(default_factory=list)
    _chance: random.Random = field(default_factory=random.SystemRandom)
    _until: float = field(default_factory=lambda: clock.monotonic() + LIST_SECONDS)

    def add(self, item: Item) -> bool:
        """Take one file; return False if no more are wanted."""
        self.files += 1
        if item.path in self.suspects:
            self._first.append(item)
        elif 0 < item.size <= MOST_BYTES:
            self._fit += 1
            place = self._chance.randrange(self._fit)
            if len(self._kept) < _KEPT:
                self._kept.insert(place, item)
            elif place < _KEPT:
                self._kept[place] = item
        self.whole = self.files < MOST_LISTED and (self.files % 1000 != 0 or clock.monotonic() < self._until)
        return self.whole

    def chosen(self) -> list[Item]:
        """Return the files to restore, `MOST_BYTES` together: the suspects, then others up to `FILES`; empty ones prove nothing."""
        chosen: list[Item] = []
        for item in (*self._first, *self._kept):
            room = len(chosen) < FILES or item.path in self.suspects
            if room and sum(other.size for other in chosen) + item.size <= MOST_BYTES:
                chosen.append(item)
        return chosen


class Match(StrEnum):
    """How a restored file and its source compare."""

    SAME = "same as the source"
    CHANGED = "changed since the backup"
    GONE = "no longer at the source"
    DIFFERS = "differs from the source"


def compare(restored: Path, source: str | None, item: Item) -> Match:
    """Compare *restored*, which has size and time of the snapshot, with *source* byte by byte.

    Equal bytes are a proof whatever the times are; other bytes are damage only if size and times say that the source is as it was.

    Raises:
        OSError: The restored file cannot be read.
    """
    then = restored.lstat()
    try:
        now = None if source is None else os.lstat(source)
    except OSError:
        now = None
    if source is None or now is None or not stat.S_ISREG(now.st_mode):
        return Match.GONE
    if then.st_size != now.st_size:
        return Match.CHANGED
    try:
        if _same_bytes(restored, source):
            return Match.SAME
        after = os.lstat(source)
    except OSError:  # it cannot be read by us, or went away
        return Match.GONE
    touched = item.changed_us is not None and abs(after.st_ctime_ns // 1000 - item.changed_us) > _SLACK_US
    return Match.CHANGED if touched or not _unchanged(then, after) else Match.DIFFERS


def _unchanged(then: os.stat_result, now: os.stat_result) -> bool:
    """Whether size and time are the same, as far as the engine, or the disk with the copy, keeps a time."""
    apart = abs(then.st_mtime_ns - now.st_mtime_ns)
    grain = next((grain for grain in _GRAINS_NS if then.st_mtime_ns % grain == 0), 0)
    return then.st_size == now.st_size and (apart // 1000 <= _SLACK_US or apart < grain)


def _same_bytes(restored: Path, source: str) -> bool:
    with opened(restored, follow=False) as left, opened(source, follow=False) as right:
        while True:
            block = left.read(_BLOCK)
            if block != right.read(_BLOCK):
                return False
            if not block:
                return True


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex; raise OSError if it cannot be read."""
    with opened(path, follow=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fault(restored: Path, item: Item) -> str:
    """Return the fault of a restored file that shows at first sight, "" if there is none."""
    try:
        status = restored.lstat()
    except FileNotFoundError:
        return "was not restored"
    except OSError as error:
        return f"cannot be looked at after the restore: {error.strerror or error}"
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file after the restore"
    return (
        ""
        if status.st_size == item.size
        else f"has {status.st_size:,} bytes after the restore instead of {item.size:,}"
    )
