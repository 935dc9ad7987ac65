"""Faults in what is called: record every function of ours that something calls, then let each of them fail once.

The fault is raised by the interpreter's trace function as the function is entered, so it needs neither a name to replace nor to
know who imported it.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import tray

ROOT = str(Path(tray.__file__).parent)
_SHARED = f"{ROOT}/core/dataclass.py"
"""The methods that all dataclasses share: a test makes such objects itself, so a fault there says nothing of what it tests."""


class InjectedError(Exception):
    """An error that the code did not foresee."""


def callees(act: Callable[[], object], *, of: str = "") -> list[CodeType]:
    """Call *act* and return the functions of ours that were entered meanwhile, by any thread that began meanwhile too.

    Args:
        of: Only those below a function of this name.
    """
    found: dict[CodeType, None] = {}

    def note(frame: FrameType, event: str, arg: Any) -> None:
        own = frame.f_code.co_filename.startswith(ROOT) and frame.f_code.co_filename != _SHARED
        if own and (not of or _is_below(frame, of)):
            found.setdefault(frame.f_code)

    with _traced(note):
        act()
    return list(found)


@contextmanager
def failing(code: CodeType) -> Iterator[list[str]]:
    """Let the next call of *code* raise, in this thread or one that begins inside; yield what tells whether it came to that."""
    hit: list[str] = []

    def fail(frame: FrameType, event: str, arg: Any) -> None:
        if frame.f_code is code and not hit:
            hit.append(code.co_qualname)
            raise InjectedError(f"a fault in {code.co_qualname}")

    with _traced(fail):
        yield hit


def name(code: CodeType) -> str:
    """Return how a test calls *code*."""
    return f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_qualname}"


def _is_below(frame: FrameType, name: str) -> bool:
    above = frame.f_back
    while above is not None:
        if above.f_code.co_name == name:
            return True
        above = above.f_back
    return False


@contextmanager
def _traced(trace: Callable[[FrameType, str, Any], None]) -> Iterator[None]:
    """Trace this thread and those that begin inside; what traced before (a measurement of coverage) goes on afterwards."""
    here, there = sys.gettrace(), threading.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(here)
        threading.settrace(there)  # type: ignore[arg-type] # None means none
