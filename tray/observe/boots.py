"""Read from the system's own records when this machine started and went off: wtmp(5), else the boots that journald knows.

Both tell only the wall clock, and nothing of sleep. A record that cannot be read, or of another form, tells nothing.
"""

import json
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tray.core import files
from tray.observe.awake_log import BOOT, OFF, Mark

WTMP = (Path("/var/log/wtmp.1"), Path("/var/log/wtmp"))
"""The file before the last rotation and the present one."""
_MOST_BYTES = 1 << 20
_SECONDS = 20.0
_BOOT_TIME, _RUN_LEVEL = 2, 1

_FORMS = (struct.Struct("=hxxi32s4s32s256shhiii4i20x"), struct.Struct("=hxxi32s4s32s256shhqqq4i20x4x"))
"""struct utmp of glibc: with times of 32 bits, as on x86-64, and with times of 64 bits, as on aarch64."""
_USER_AT, _SECONDS_AT, _MICROSECONDS_AT = 4, 9, 10


def recorded() -> list[Mark]:
    """Return the starts of the machine and the times at which it went off that wtmp tells, the oldest first."""
    marks: list[Mark] = []
    for file in WTMP:
        with suppress(OSError, struct.error):
            marks += parsed(_end_of(file))
    return sorted(marks, key=lambda mark: mark.wall_ms)


def parsed(raw: bytes) -> list[Mark]:
    """Return the same of the end of a wtmp file; nothing if it is of no known form."""
    for form in _FORMS:
        rows = list(form.iter_unpack(raw[len(raw) % form.size :]))
        if rows and all(0 <= row[0] <= 9 and 0 <= row[_MICROSECONDS_AT] < 1_000_000 for row in rows):
            return [mark for row in rows if (mark := _mark(row)) is not None]
    return []


def _mark(row: tuple[Any, ...]) -> Mark | None:
    kind, user = row[0], row[_USER_AT]
    wall_ms = row[_SECONDS_AT] * 1000 + row[_MICROSECONDS_AT] // 1000
    if wall_ms <= 0:
        return None
    if kind == _BOOT_TIME:
        return Mark(BOOT, wall_ms)
    return Mark(OFF, wall_ms) if kind == _RUN_LEVEL and user.startswith(b"shutdown\0") else None


def _end_of(file: Path) -> bytes:
    with files.opened(file) as opened:
        size = os.fstat(opened.fileno()).st_size
        opened.seek(max(0, size - _MOST_BYTES))
        return opened.read(_MOST_BYTES)


def journalled() -> list[Mark]:
    """Return the same from journald, whose last entry of a boot is the last moment at which the machine was certainly on.

    That asks a program of systemd and may take seconds: only helper processes do it.
    """
    command = ["journalctl", "--list-boots", "--no-pager", "-o", "json"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, stdin=subprocess.DEVNULL, check=True)
        boots = json.loads(done.stdout)
        return sorted(_of_journal(boots), key=lambda mark: mark.wall_ms)
    except (OSError, ValueError, TypeError, KeyError, subprocess.SubprocessError):
        return []  # there is no journald, or one that cannot say it as JSON


def _of_journal(boots: list[dict[str, int]]) -> Iterator[Mark]:
    for boot in boots:
        yield Mark(BOOT, boot["first_entry"] // 1000)
        if boot["index"] != 0:
            yield Mark(OFF, boot["last_entry"] // 1000)
