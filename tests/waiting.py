"""Wait for an event with a deadline, never by a plain sleep."""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

T = TypeVar("T")


def wait_for(ask: Callable[[], T], *, seconds: float = 90.0, what: str = "it") -> T:
    """Return the first true answer of *ask*; fail when none came within *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.01)


def over(processes: Iterable[psutil.Process]) -> bool:
    """Whether all *processes* have ended, also those that their parent has not reaped: not every init does so at once."""
    return not any(map(_runs, processes))


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
