"""A command's process tree: who belongs to it, and how all of it is interrupted, stopped and continued.

Loaded only on request: psutil takes longer to import than a short backup takes.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

Process = psutil.Process


def tree(pid: int) -> list[Process]:
    """Return process *pid* and all its descendants, parents before their children; none once it has ended.

    The children of a parent that died are not found: nothing tells whose they were.
    """
    try:
        root = Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def mark(process: Process) -> tuple[int, float]:
    """Return a key that names *process* for good."""
    return process.pid, process.create_time()


def command(process: Process) -> list[str]:
    """Return the command line of *process*, an empty one if it may not be read."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def interrupt(pid: int, number: int, *, is_engine: Callable[[Sequence[str]], bool]) -> int:
    """Send signal *number* to the tree as Ctrl-C would, and to the groups that a script has made; return the number of processes.

    A helper that an engine keeps in a group of its own (ssh, rclone) is the engine's to end: it may need it to remove its lock.

    Args:
        pid: The command.
        number: The signal.
        is_engine: Whether a command line is a backup engine's.
    """
    family = tree(pid)
    if sys.platform == "win32" or not family:
        return sum(_send(process, number) for process in family)
    group = _group(pid)
    # Asked first: once an engine has ended, its helper can no longer be told from other processes.
    apart = _apart(family, group, is_engine)
    with suppress(OSError):
        if group == pid:  # also reaches those whose parent has died
            os.killpg(group, number)
            return 1 + sum(_send(process, number) for process in apart)
    near = [process for process in family if _group(process.pid) in (group, _group(os.getpid()))]
    return sum(_send(process, number) for process in (*near, *apart))


def ignored(pid: int, number: int) -> bool:
    """Whether the whole tree ignores signal *number*, so that it need not be waited for; a shell's `&` makes that so for Ctrl-C."""
    if sys.platform != "linux":
        return False
    family = tree(pid)
    return bool(family) and all(_ignores(process.pid, number) for process in family)


def _ignores(pid: int, number: int) -> bool:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            mask = next(line.split()[1] for line in file if line.startswith(b"SigIgn:"))
    except (OSError, StopIteration):
        return False
    return bool(int(mask, 16) >> (number - 1) & 1)


def kill(pid: int) -> int:
    """End the whole tree, parents first, so that none starts another; return how many were there."""
    family = tree(pid)
    group = _group(pid)
    if family and group == pid and sys.platform != "win32":
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    return len(family)


def stop(pid: int) -> list[Process]:
    """Suspend the whole tree, parents first, so that none starts another or wonders about its child; see `is_stopped`.

    Returns those that were suspended: after their parent is killed, nothing else would find them.
    """
    stopped: dict[int, Process] = {}
    for _ in range(5):  # one may have started another while we looked
        left = [process for process in tree(pid) if process.pid not in stopped]
        if not left:
            break
        for process in left:
            stopped[process.pid] = process
            with suppress(psutil.Error):
                process.suspend()
    return list(stopped.values())


def resume(pid: int) -> None:
    """Let the whole tree go on."""
    go_on(tree(pid))


def go_on(stopped: Sequence[Process]) -> None:
    """Let these processes go on, children first, so that no parent finds a child stopped."""
    for process in reversed(stopped):
        with suppress(psutil.Error):
            process.resume()


def any_stopped(pid: int) -> bool:
    """Whether one of the tree is suspended."""
    return any(is_stopped(process.pid) for process in tree(pid))


def is_stopped(pid: int) -> bool:
    """Whether process *pid* is suspended."""
    try:
        return bool(Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def traffic(pid: int) -> dict[int, int] | None:
    """Return by process what it has read and written in all, None where the system does not let us look."""
    counts: dict[int, int] = {}
    for process in tree(pid):
        with suppress(psutil.Error):
            counters = getattr(process, "io_counters", lambda: None)()  # macOS has none
            if counters is not None:
                counts[process.pid] = getattr(counters, "read_chars", counters.read_bytes) + getattr(
                    counters, "write_chars", counters.write_bytes
                )
    return counts or None


def _apart(family: list[Process], group: int, is_engine: Callable[[Sequence[str]], bool]) -> list[Process]:
    """Those in other groups that no engine looks after."""
    near = (group, _group(os.getpid()))
    helped: set[int] = set()
    apart = []
    for process in family:
        with suppress(psutil.Error):
            engine = is_engine(command(process))
            if process.ppid() in helped or engine:
                helped.add(process.pid)
            if _group(process.pid) not in near and process.ppid() not in helped:
                apart.append(process)
    return apart


def _group(pid: int) -> int:
    if sys.platform == "win32":
        return 0
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _send(process: Process, number: int) -> int:
    try:
        if sys.platform == "win32":
            process.terminate()
        else:
            process.send_signal(number)
    except (psutil.Error, OSError):
        return 0
    return 1


def resume_session(number: int) -> int:
    """Let every stopped process of the session *number* go on, and return how many those were."""
    if sys.platform == "win32":
        return 0
    resumed = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == number and process.status() == psutil.STATUS_STOPPED:
                process.resume()
                resumed += 1
    return resumed
