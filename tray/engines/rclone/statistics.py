"""rclone's statistics: as JSON or as printed, and when their totals can be believed."""

import re
from collections.abc import Mapping
from typing import Any

from tray.core import regex
from tray.core.dataclass import dataclass, replace
from tray.core.model import Phase
from tray.engines.base import Progress
from tray.engines.rclone.options import Options
from tray.engines.text import count, valid

_STILL_SECONDS = 10.0
_LONGEST_SECONDS = 640.0
_BACKLOG = 10_000
_MAX = 2**63 - 1
_BYTES = regex.compile(rb"Transferred:\s+([\d.]+) ?([KMGTPE]?)i?B(?:ytes)? / ([\d.]+) ?([KMGTPE]?)i?B(?:ytes)?, ")
_COUNT = regex.compile(rb"(Transferred|Checks): +(\d+) / (\d+), ")
_OTHER = regex.compile(rb"(Errors|Renamed|Deleted): +(\d+)")
_NAMES = {b"Errors": "errors", b"Renamed": "renames", b"Deleted": "deletes"}
_KEYS = {
    "size": "bytes",
    "total_size": "totalBytes",
    "total_transfers": "totalTransfers",
    "total_checks": "totalChecks",
}
_KEYS |= {name: name for name in ("transfers", "checks", "errors", "deletes", "renames")}
"""Our names of figures, with those in the JSON."""
_ELAPSED = regex.compile(rb"Elapsed time: +(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?")
_UNITS = {b"": 1, b"K": 1 << 10, b"M": 1 << 20, b"G": 1 << 30, b"T": 1 << 40, b"P": 1 << 50, b"E": 1 << 60}


@dataclass(slots=True)
class Statistics:
    """One block of statistics; a size that was printed is rounded (`exact` False)."""

    size: int = 0
    total_size: int = 0
    transfers: int = 0
    total_transfers: int = 0
    checks: int = 0
    total_checks: int = 0
    errors: int = 0
    deletes: int = 0
    renames: int = 0
    elapsed: float = 0.0
    current: str | None = None
    checking: bool = False
    exact: bool = True

    @classmethod
    def of(cls, stats: Mapping[str, Any]) -> "Statistics":
        """Read the JSON; a missing figure counts as 0."""
        moving = stats.get("transferring")
        first = moving[0] if isinstance(moving, list) and moving else None
        name = first.get("name") if isinstance(first, dict) else first
        block = cls(current=valid(name) if isinstance(name, str) else None, checking=bool(stats.get("checking")))
        block.elapsed = _seconds(stats.get("elapsedTime"))
        for figure, key in _KEYS.items():
            setattr(block, figure, count(stats, key))
        return block


class Settled:
    """Turns statistics into progress, and decides when their totals stand (see the engine's description)."""

    def __init__(self, options: Options) -> None:
        backlog = options.value("max-backlog") or ""
        self._backlog = int(backlog[:9]) if backlog.isdecimal() else _BACKLOG
        self._check_first = options.on("check-first")
        self._need = _STILL_SECONDS
        self._totals = (-1, -1)
        self._since = 0.0
        self._stands = False
        self._last = Progress(Phase.SCANNING)

    def take(self, stats: Statistics, errors: int) -> Progress:
        """Return the progress that *stats* are."""
        totals = (stats.total_size, stats.total_transfers)
        if totals != self._totals:
            if self._stands and not self._check_first:
                self._need = min(self._need * 2, _LONGEST_SECONDS)
            self._totals, self._since, self._stands = totals, stats.elapsed, False
        waits = stats.total_transfers - stats.transfers
        if self._check_first:
            self._stands = stats.size > 0
        elif waits < self._backlog and waits > 0 and not stats.checking and stats.elapsed - self._since >= self._need:
            self._stands = True
        self._last = Progress(
            Phase.COPYING if self._stands else Phase.SCANNING,
            files_done=stats.transfers,
            files_total=stats.total_transfers or None,
            bytes_done=stats.size,
            bytes_total=stats.total_size or None,
            current=stats.current,
            errors=max(stats.errors, errors),
        )
        return self._last

    def copied(self, name: str, files: int, errors: int) -> Progress:
        """Return the progress that one more file is, of which the log tells."""
        files = max(files, self._last.files_done or 0)
        self._last = replace(self._last, files_done=files, eta_seconds=None, current=name, errors=errors)
        return self._last


class Printed:
    """Gathers the lines of one printed block."""

    def __init__(self) -> None:
        self._now: Statistics | None = None

    def take(self, line: bytes) -> Statistics | None:
        """Take a line, and return the block that it completes. With `-P` the next block may begin in the middle of a line."""
        at = line.find(b"Transferred:")
        if at < 0 and self._now is None:
            return None
        if at > 0:
            before, after = self._take(line[:at]), self._take(line[at:])
            return before or after
        return self._take(line)

    def _take(self, line: bytes) -> Statistics | None:
        if match := _BYTES.match(line):
            self._now = Statistics(_size(match[1], match[2]), _size(match[3], match[4]), exact=False)
        elif self._now is None:
            return None
        elif match := _COUNT.match(line):
            done, total = (int(digits[:18]) for digits in match.groups()[1:])
            if match[1] == b"Checks":
                self._now.checks, self._now.total_checks = done, total
            else:
                self._now.transfers, self._now.total_transfers = done, total
        elif match := _OTHER.match(line):
            setattr(self._now, _NAMES[match[1]], int(match[2][:18]))
        elif match := _ELAPSED.match(line):
            whole, self._now = self._now, None
            whole.elapsed = _elapsed(match)
            return whole
        return None


def _seconds(value: object) -> float:
    return float(value) if type(value) in (int, float) and 0 <= value < 1e12 else 0.0  # type: ignore[operator,arg-type]  # mypy does not follow type()


def _size(digits: bytes, unit: bytes) -> int:
    try:
        return min(int(float(digits[:18]) * _UNITS[unit]), _MAX)
    except ValueError:
        return 0


def _elapsed(match: "re.Match[bytes]") -> float:
    days, hours, minutes, seconds = (
        float(part[:12]) if part and part.count(b".") < 2 and part != b"." else 0.0 for part in match.groups()
    )
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
