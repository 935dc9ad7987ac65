"""Tie a process to the one that started it: when that is killed, so is this one (prctl(2), PR_SET_PDEATHSIG). Linux only."""

import ctypes
import os
import signal
import sys
from functools import cache
from typing import Any

_PR_SET_PDEATHSIG = 1


@cache
def load() -> Any:
    """Load what `tie` calls: before the fork, since a child of a process with threads must not."""
    return ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def tie(parent: int) -> None:
    """Have this process killed when *parent*, which has started it, ends."""
    if sys.platform != "linux":
        return
    load()(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)
