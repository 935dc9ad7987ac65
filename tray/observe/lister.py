"""List the new processes that may be engines. This runs every second, so every call into the kernel counts.

The kernel gives pids in order, so the new ones lie between the newest of the last look and the newest now. Only those are probed;
the whole list is read where the numbers wrapped, where very many are new, in a container whose newest pid is the host's, and once a
minute to be safe.

A new process is looked at a moment after it was first seen: between fork and exec it still has the name of its parent. A shell or
an interpreter may become an engine at any later time (`exec restic backup` as the last line of a script), so the lister reads the
names of some of those again at each look, in turn.
"""

import sys
from collections import deque
from collections.abc import Iterable

from tray import engines
from tray.engines.text import words
from tray.observe.proc import Name, Proc

if sys.platform != "win32":
    import resource

INTERVAL_SECONDS = 1.0
SETTLE_SECONDS = 0.1
ASKED_AGAIN = 8
"""Shells and interpreters whose names are read again at each look."""
ASKED_AT_ONCE = 100
"""The same at a look after an engine's program was opened."""
PROBED = 100
"""New pids that are probed one by one; to read the whole list costs less than to probe more."""
HELD = 200
"""Shells and interpreters whose names are kept open to be read again, if this process may have many descriptors, else an eighth of
those that it may have. Of the others each reading opens the file anew."""
LIST_EVERY = 60
"""Looks with new pids after which the whole list is read."""

_INTERPRETERS = ("python", "perl")
_LAUNCHERS = words(
    """sh bash dash zsh ksh mksh fish busybox ash cron CRON crond anacron sudo su doas runuser setpriv setsid env nice ionice chrt
    flock timeout time stdbuf nohup systemd-run systemd-inhibit systemd-executor sd-executor"""
)
_BEGINS = tuple(begin for known in engines.ENGINES for begin in known.begins) + _INTERPRETERS


def interesting(comm: str) -> bool:
    """Return whether a process of this name may be an engine: also `restic019`, `.borg-wrapped` and `python3`."""
    return comm.lstrip(".").lower().startswith(_BEGINS)


def is_launcher(comm: str) -> bool:
    """Return whether a process of this name is a shell or the like, which may start an engine or become one."""
    return comm in _LAUNCHERS


class Lister:
    """The processes that may be engines; it tells of each one once.

    Call `look` about once a second, and `settled` `SETTLE_SECONDS` later if there is something `fresh`.
    """

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        self._known: set[int] = set()
        self._fresh: dict[int, str] = {}
        self._newest = 0
        self._looks = 0
        self._ring: deque[Name | tuple[int, str]] = deque()

    @property
    def fresh(self) -> bool:
        """Whether `settled` has something to do."""
        return bool(self._fresh)

    def look(self, most: int = ASKED_AGAIN) -> list[int]:
        """Note the new processes; return those of *most* shells and interpreters that have become another program since."""
        newest = self._proc.newest()
        if not newest or newest != self._newest:
            self._fresh |= dict.fromkeys(self._new(self._newest, newest), "")
            self._newest = newest
        return sorted(filter(None, (self._asked_again() for _ in range(min(most, len(self._ring))))))

    def _asked_again(self) -> int:
        """Return the pid of the next of the shells and interpreters if it has become another program, else 0."""
        known = self._ring.popleft()
        if isinstance(known, Name):
            if known.holds():
                self._ring.append(known)
                return 0
            known = known.pid, known.comm
        return known[0] if self._became(*known) else 0

    def _new(self, before: int, newest: int) -> Iterable[int]:
        """Return the pids, maybe also of threads, that were given after *before*, up to *newest* (0: unknown)."""
        self._looks += 1
        counted = bool(before) and self._proc.counts_as_we_do()
        if counted and 0 < newest - before <= PROBED and self._looks < LIST_EVERY:
            given = range(before + 1, newest + 1)
            self._known.update(given)
            return given
        known, self._known, self._looks = self._known, self._proc.pids(), 0
        wrapped = newest < before
        # A number that was known is another process now, if it was given again.
        again = (pid for pid in self._known if counted and (pid > before or (wrapped and pid <= newest)))
        return sorted({*(self._known - known), *again})

    def settled(self) -> list[int]:
        """Return those among the new processes that may be engines, in the order of their pids."""
        fresh, self._fresh = self._fresh, {}
        return [pid for pid, before in fresh.items() if self._became(pid, before)]

    def early(self) -> list[int]:
        """Return those among the new processes that may be engines already; `settled` checks all of them again."""
        pids = []
        for pid, before in self._fresh.items():
            comm = self._fresh[pid] = self._proc.comm(pid)
            if comm != before and interesting(comm) and self._proc.leads(pid):
                pids.append(pid)
        return pids

    def again(self, pid: int) -> None:
        """Have `settled` check a process once more that could not be understood: it was just becoming another program."""
        self._fresh[pid] = ""

    def _became(self, pid: int, before: str) -> bool:
        comm = self._proc.comm(pid)
        changed = comm != before and interesting(comm)
        waits = comm in _LAUNCHERS or comm.startswith((*_INTERPRETERS, "("))
        if not (changed or waits) or (not before and not self._proc.leads(pid)):
            return False
        if waits:
            name = self._proc.name(pid, comm) if len(self._ring) < _held() else None
            self._ring.append(name or (pid, comm))
        return changed


def _held() -> int:
    """Return how many names may be kept open now, so that enough descriptors are left for those who ask the tracker."""
    if sys.platform != "win32":
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return HELD if soft == resource.RLIM_INFINITY else min(HELD, soft // 8)
    return HELD
