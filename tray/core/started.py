"""Follow processes of this program that a click started, such as a window: one that ends at once with an error says why."""

import signal
import subprocess
import tempfile
from collections.abc import Mapping
from typing import IO

from tray.core import clock, ourselves
from tray.core.dataclass import dataclass

QUICK_SECONDS = 15.0
"""A process that ends with an error so soon after its start did nothing; a window never came up."""

_TAIL = 4000
_ON_PURPOSE = (-signal.SIGINT, -signal.SIGTERM, 0)
"""Codes of a process that was told to end, as at the end of the session, or that did its work."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A process that failed: the command that it was started with, its exit code, and the error that it printed."""

    command: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Child:
    command: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    since: float


class Started:
    """The processes that a tray or a notice started."""

    def __init__(self) -> None:
        self._children: list[_Child] = []

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str | None:
        """Start this program with *arguments* and return at once; return the reason if even that failed.

        Args:
            environment: Replaces `ourselves.environ()`.
        """
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process; it has no name, so nothing is left behind
        try:
            process = ourselves.start(*arguments, stderr=errors, environment=environment)
        except (OSError, ValueError) as error:  # a ValueError: a name with a NUL byte
            errors.close()
            return f"{getattr(error, 'strerror', None) or error}."
        self._children.append(_Child(arguments[0], process, errors, clock.monotonic()))
        return None

    def young(self) -> bool:
        """Whether a process runs of which it is not known yet that it came up."""
        return any(clock.monotonic() - child.since < QUICK_SECONDS for child in self._children)

    def failures(self) -> list[Failure]:
        """Return the processes that failed and ended since the last call, and forget all that ended."""
        failed = []
        for child in list(self._children):
            code = child.process.poll()
            if code is None:
                continue
            self._children.remove(child)
            if code not in _ON_PURPOSE and clock.monotonic() - child.since < QUICK_SECONDS:
                failed.append(Failure(child.command, code, _reason(child.errors, code)))
            child.errors.close()
        return failed


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
