"""Tell the time and make ids that sort by time: the only module that asks the operating system for the time.

Wall-clock times are `int` milliseconds since 1970-01-01 UTC (`*_ms`); text is RFC 3339 with exactly three decimals and a
`Z` ("2026-11-23T00:00:59.456Z"), so that text sorts like time. Durations come from the monotonic clock, which setting
the clock does not change.
"""

import os
import sys
import time
from datetime import UTC, datetime

if sys.platform == "win32":
    import ctypes

DAY_MS = 86_400_000
SLACK_MS = 600_000
"""A time that lies further in the future than this comes from a wrong clock."""

EARLIEST_MS = 1_577_836_800_000
"""2020-01-01, before the first Backup Tray: an earlier time comes from a clock that was behind."""

JUMP_MS = 60_000
"""If the wall clock is off by more than this from the time since the start of the machine, it was set."""


def now_ms() -> int:
    """Return the wall-clock time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Return seconds on the monotonic clock, for durations only."""
    return time.monotonic()


def since_boot_ms() -> int:
    """Return the milliseconds since the machine started, on a clock that cannot be set and that goes on during sleep."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    if sys.platform == "darwin":  # Python's monotonic clock stops there during sleep, this clock does not
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000_000
    return time.monotonic_ns() // 1_000_000


def slept_ms() -> int | None:
    """Return the milliseconds for which the machine has slept since its start; None where the system does not tell.

    Two clocks are read one after the other, so an awake machine may show a few milliseconds. The ways of Windows and macOS follow
    their documentation and have not been run.
    """
    if sys.platform == "linux":
        awake = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - awake) // 1_000_000
    if sys.platform == "darwin":
        awake = time.clock_gettime_ns(time.CLOCK_UPTIME_RAW)
        return max(0, time.clock_gettime_ns(time.CLOCK_MONOTONIC) - awake) // 1_000_000
    if sys.platform == "win32":
        ticks = ctypes.c_ulonglong()  # of 100 ns; stands still during sleep, GetTickCount64 does not
        if not ctypes.windll.kernel32.QueryUnbiasedInterruptTime(ctypes.byref(ticks)):
            return None
        ctypes.windll.kernel32.GetTickCount64.restype = ctypes.c_ulonglong
        return max(0, int(ctypes.windll.kernel32.GetTickCount64()) - ticks.value // 10_000)
    return None


def to_text(ms: int) -> str:
    """Return *ms* as RFC 3339 UTC text with three decimals, the form that the audit log hashes.

    Raises:
        ValueError: *ms* lies outside the years 1970 to 9999.
    """
    if not 0 <= ms <= 253_402_300_799_999:
        raise ValueError(f"time out of range: {ms} ms")
    seconds, millis = divmod(ms, 1000)
    whole = time.gmtime(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', whole)}.{millis:03d}Z"


def from_text(text: str) -> int:
    """Return the milliseconds of RFC 3339 *text* (any offset, any number of decimals).

    Raises:
        ValueError: *text* is no RFC 3339 time with an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time without offset: {text!r}")
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1000 + moment.microsecond // 1000


def zone() -> object:
    """Read the machine's time zone again, which a traveller changes, and return a value that is another one if it has changed.

    The C library reads it once in each process, unless it is asked. Windows asks by itself.
    """
    if sys.platform != "win32":
        time.tzset()
    return time.tzname, time.timezone, time.altzone


def zone_name() -> str:
    """Return the name of the machine's time zone as far as the system tells it; it is another one for another zone."""
    try:
        return os.readlink("/etc/localtime")
    except OSError:
        return "/".join(time.tzname)


def zone_set_ms() -> int:
    """Return when the machine's time zone was last set, as the link shows that names it; 0 where that is not known."""
    try:
        return os.lstat("/etc/localtime").st_mtime_ns // 1_000_000
    except OSError:
        return 0


def local(ms: int) -> datetime:
    """Return *ms* as an aware datetime in the machine's time zone, for display."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone()


def new_id() -> str:
    """Return a UUIDv7 (RFC 9562): sorts by the time it was made, unique without coordination."""
    value = now_ms() << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
