"""Wait for an event with a deadline, never by a plain sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

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
