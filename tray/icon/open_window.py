"""Open windows from the tray: each is a process of its own, and one that cannot start says why."""

import subprocess
import tempfile
from typing import IO

from tray.core import clock, ourselves
from tray.core.dataclass import dataclass

QUICK_SECONDS = 15.0
"""A window that ends with an error so soon after its start never came up."""

_TAIL = 4000


@dataclass(frozen=True, slots=True)
class _Opened:
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    since: float


class Windows:
    """The window processes that the tray started."""

    def __init__(self) -> None:
        self._opened: list[_Opened] = []

    def open(self, page: str) -> str | None:
        """Start a window at *page*, or raise the one that is open, and return at once; return the reason if even that failed."""
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the window; it has no name, so nothing is left behind
        try:
            process = ourselves.start("window", page, stderr=errors)
        except OSError as error:
            errors.close()
            return f"{error.strerror or error}."
        self._opened.append(_Opened(process, errors, clock.monotonic()))
        return None

    def failures(self) -> list[str]:
        """Return why windows failed that ended since the last call, and forget all that have ended."""
        reasons = []
        for window in list(self._opened):
            code = window.process.poll()
            if code is None:
                continue
            self._opened.remove(window)
            if code != 0 and clock.monotonic() - window.since < QUICK_SECONDS:
                reasons.append(_reason(window.errors, code))
            window.errors.close()
        return reasons


def _reason(errors: IO[bytes], code: int) -> str:
    """Return the error that the process printed: the three lines of `cli.main.tell`, else the last line."""
    errors.seek(0, 2)
    errors.seek(max(0, errors.tell() - _TAIL))
    lines = errors.read().decode(errors="backslashreplace").splitlines()
    error = [
        line.strip().removeprefix("backup-tray: ")
        for line in lines
        if line.startswith(("backup-tray:", "  why:", "  next:"))
    ]
    printed = error or [line.strip() for line in lines if line.strip()][-1:]
    return "\n".join(printed) or f"It ended with code {code} and printed nothing."
