"""Which processes are new and may be engines: the part that runs every second, so every call into the kernel counts.

A new process is looked at a moment after it was first seen: between fork and exec it still has the name of its parent. A shell or
an interpreter may become an engine at any later time (`exec restic backup` as the last line of a script), so some of those are
asked for their name again each time, in turn.
"""

from collections import deque

from tray import engines
from tray.engines.text import words
from tray.observe.proc import Proc

INTERVAL_SECONDS = 1.0
SETTLE_SECONDS = 0.1
ASKED_AGAIN = 8
"""How many shells and interpreters are asked for their name again at each look."""
ASKED_AT_ONCE = 100
"""How many of them when something is known to have begun."""

_INTERPRETERS = ("python", "perl")
_LAUNCHERS = words(
    """sh bash dash zsh ksh mksh fish busybox ash cron CRON crond anacron sudo su doas runuser setpriv setsid env nice ionice chrt
    flock timeout time stdbuf nohup systemd-run systemd-inhibit systemd-executor sd-executor"""
)
_BEGINS = tuple(begin for known in engines.ENGINES for begin in known.begins) + _INTERPRETERS


def interesting(comm: str) -> bool:
    """Whether a process of this name may be an engine: by how the name begins, also `restic019`, `.borg-wrapped` and `python3`."""
    return comm.lstrip(".").lower().startswith(_BEGINS)


def is_launcher(comm: str) -> bool:
    """Whether a process of this name is a shell or the like, which may start an engine or become one."""
    return comm in _LAUNCHERS


class Lister:
    """Tells of processes that may be engines, each one once.

    Call `look` about once a second, and `settled` `SETTLE_SECONDS` later if there is something `fresh`.
    """

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        self._known: set[int] = set()
        self._fresh: dict[int, str] = {}
        self._newest = b""
        self._ring: deque[tuple[int, str]] = deque()

    @property
    def fresh(self) -> bool:
        """Whether `settled` has something to do."""
        return bool(self._fresh)

    def look(self, most: int = ASKED_AGAIN) -> list[int]:
        """Take note of what is new, and return what became another program since; at *most* so many are asked."""
        newest = self._proc.newest()
        if not newest or newest != self._newest:
            self._newest = newest
            pids = self._proc.pids()
            self._fresh |= dict.fromkeys(sorted(pids - self._known), "")
            self._known = pids
        asked = [self._ring.popleft() for _ in range(min(most, len(self._ring)))]
        return sorted(pid for pid, before in asked if self._became(pid, before))

    def settled(self) -> list[int]:
        """Return those among the new processes that may be engines, in the order of their pids."""
        fresh, self._fresh = self._fresh, {}
        return [pid for pid, before in fresh.items() if self._became(pid, before)]

    def early(self) -> list[int]:
        """Return those among the new processes that may be engines already; all of them are asked again by `settled`."""
        found = []
        for pid, before in self._fresh.items():
            comm = self._fresh[pid] = self._proc.comm(pid)
            if comm != before and interesting(comm):
                found.append(pid)
        return found

    def again(self, pid: int) -> None:
        """Have a process that could not be understood asked about once more: it was just becoming another program."""
        self._fresh[pid] = ""

    def _became(self, pid: int, before: str) -> bool:
        comm = self._proc.comm(pid)
        if comm in _LAUNCHERS or comm.startswith((*_INTERPRETERS, "(")):
            self._ring.append((pid, comm))
        return comm != before and interesting(comm)
