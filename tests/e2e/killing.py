"""Kill a child before a chosen system call that changes a file, so that tests meet every state a kill can leave on the disk.

A killed process leaves on the disk the effect of its system calls: so it is enough to stop before each of those that
change a file, whatever part of the program, Python or SQLite makes them. A seccomp filter reports just these to the parent, which
traces the child (ptrace) and lets it go on or kills it. Needs no change of the program and no rights; Linux only.

Run in a process of its own that has one thread: it forks, and it turns `fsync` into nothing, which a kill cannot tell.
"""

import ctypes
import os
import platform
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from tray.core.dataclass import dataclass

_CALLS = {
    "x86_64": {
        "changing": (1, 18, 20, 76, 77, 82, 83, 84, 86, 87, 88, 90, 91, 258, 263, 264, 265, 266, 268, 285, 296, 316),
        "open": 257,
        "sync": (74, 75),
    },
    "aarch64": {
        "changing": (33, 34, 35, 36, 37, 38, 45, 46, 47, 52, 53, 64, 66, 68, 70, 276),
        "open": 56,
        "sync": (82, 83),
    },
}[platform.machine()]
"""Numbers of: writing, cutting, renaming, removing, linking, making folders, changing modes; opening; writing to the disk."""

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _THIRD = 0, 32
_ALLOW, _TRACE, _DO_NOTHING = 0x7FFF0000, 0x7FF00000, 0x00050000
_TRACEME, _CONT, _SETOPTIONS = 0, 7, 0x4200
_SECCOMP_STOPS, _DIES_WITH_US = 0x80, 0x100000
_SECCOMP_EVENT = 7
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_LIBC.ptrace.restype = ctypes.c_long

Acknowledge = Callable[[str], None]
"""Takes the name of an entry that the operation has acknowledged, before it goes on."""


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("first", ctypes.POINTER(_Instruction)))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        killed: It was killed; else it came to its end.
        steps: How many changing system calls it began.
        acknowledged: The names that it acknowledged.
    """

    killed: bool
    steps: int
    acknowledged: tuple[str, ...]


def sync_nothing() -> None:
    """Let `fsync` do nothing in this process and its children: written data survives a kill without it."""
    _install([(_LOAD, 0, 0, _NUMBER), *_when(_CALLS["sync"], _DO_NOTHING), (_RETURN, 0, 0, _ALLOW)])


def run(action: Callable[[Acknowledge], None], errors: Path, *, kill_at: int = 0, moment: float = 0.0) -> Ended:
    """Run *action* in a child and kill it before its changing system call number *kill_at*, or after *moment* seconds.

    Args:
        errors: A file for the child's traceback.

    Raises:
        AssertionError: The action failed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _be_the_child(action, errors, writing, moment, traced=not moment)
    os.close(writing)
    try:
        killed, steps = _watch(child, kill_at) if not moment else (_wait(child, errors), 0)
        with open(reading, "rb", closefd=False) as pipe:
            acknowledged = pipe.read().decode().split()
    finally:
        os.close(reading)
    assert killed or not errors.exists(), errors.read_text()
    return Ended(killed, steps, tuple(acknowledged))


def _be_the_child(
    action: Callable[[Acknowledge], None], errors: Path, pipe: int, moment: float, *, traced: bool
) -> None:
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        if traced:
            _LIBC.ptrace(_TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            _trace_changes()
        else:
            signal.setitimer(signal.ITIMER_REAL, moment)  # ends us, as any signal without a handler does
        action(lambda what: _tell(pipe, what))
        signal.setitimer(signal.ITIMER_REAL, 0)
    except BaseException:
        signal.setitimer(signal.ITIMER_REAL, 0)
        errors.write_text(traceback.format_exc())
    finally:
        os._exit(0)


def _tell(pipe: int, what: str) -> None:
    os.write(pipe, f"{what}\n".encode())


def _wait(child: int, errors: Path) -> bool:
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and not errors.exists()


def _watch(child: int, kill_at: int) -> tuple[bool, int]:
    """Follow *child* to its end; return whether it was killed, and how many changing calls it began."""
    os.waitpid(child, 0)
    assert _LIBC.ptrace(_SETOPTIONS, child, None, _SECCOMP_STOPS | _DIES_WITH_US) == 0, os.strerror(ctypes.get_errno())
    steps, passed_on = 0, 0
    while True:
        _LIBC.ptrace(_CONT, child, None, passed_on)
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            return os.WIFSIGNALED(status), steps
        passed_on = 0 if status >> 16 == _SECCOMP_EVENT else os.WSTOPSIG(status)
        if not passed_on:
            steps += 1
            if steps == kill_at:
                os.kill(child, signal.SIGKILL)  # the call is not made
                _, status = os.waitpid(child, 0)
                return os.WIFSIGNALED(status), steps


def _trace_changes() -> None:
    changes = os.O_CREAT | os.O_TRUNC
    opening = [
        (_EQUAL, 0, 4, _CALLS["open"]),
        (_LOAD, 0, 0, _THIRD),
        (_ANY_BIT, 0, 1, changes),
        (_RETURN, 0, 0, _TRACE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    _install([(_LOAD, 0, 0, _NUMBER), *_when(_CALLS["changing"], _TRACE), *opening, (_RETURN, 0, 0, _ALLOW)])


def _when(numbers: object, result: int) -> list[tuple[int, int, int, int]]:
    assert isinstance(numbers, tuple)
    return [part for number in numbers for part in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, result))]


def _install(parts: list[tuple[int, int, int, int]]) -> None:
    """Let the kernel judge this process's system calls by a filter from now on."""
    instructions = (_Instruction * len(parts))(*(_Instruction(*part) for part in parts))
    program = _Program(len(parts), instructions)
    assert sys.byteorder == "little"
    assert _LIBC.prctl(38, 1, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())  # PR_SET_NO_NEW_PRIVS
    assert _LIBC.prctl(22, 2, ctypes.byref(program)) == 0, os.strerror(
        ctypes.get_errno()
    )  # PR_SET_SECCOMP, by a filter
