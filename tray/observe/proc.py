"""Read /proc/PID, thinly and cheaply: None or nothing where the kernel does not tell. proc(5) names the fields.

Every method takes a pid whose process may be gone at any moment, and whose number may be used again: compare `Stat.start` before
and after.
"""

import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from tray.core import clock
from tray.core.dataclass import dataclass
from tray.core.files import content

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
WORD_BYTES, WORDS, COMMAND_BYTES = 4096, 512, 65536
"""How much of a command line is read: of one word, how many words, and of all together. Any user can start a process whose command
line has megabytes, and every expression that runs on it afterwards costs time."""
STRANGERS_BYTES = 8192
"""How much of another user's command line is read."""
CUT = "…"
"""Mark at the end of a word of which the rest was not read, and in place of words that were not read."""
ENVIRON_BYTES = 2 * 1024 * 1024
_COMM_BYTES = 64
_MOST_LISTED = 1 << 20
_GONE = frozenset("ZXx")
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD


@dataclass(frozen=True, slots=True)
class Stat:
    """One line of /proc/PID/stat.

    Attributes:
        state: One letter: R running, S sleeping, T stopped, Z ended and not yet reaped by its parent …
        start: Time of its start, in ticks after the boot; with the pid it names one process.
        ticks: CPU time used until now.
        kernel: Whether it is a thread of the kernel, which never has a command line.
        status: Status of its end, as waitpid(2) tells it; only of a Z process that we may look into, else 0.
    """

    state: str
    parent: int
    start: str
    ticks: int
    kernel: bool
    status: int

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self.state in _GONE


class Name:
    """The name of one process at one time, for a caller that asks again and again whether it still has it.

    The file stays open: one call into the kernel then does for three, and a process that gets the number later is not asked.
    """

    __slots__ = ("_fd", "_raw", "comm", "pid")

    def __init__(self, pid: int, comm: str, fd: int) -> None:
        self.pid, self.comm, self._fd = pid, comm, fd
        self._raw = f"{comm}\n".encode()

    def __del__(self) -> None:
        os.close(self._fd)

    def holds(self) -> bool:
        """Return whether the process lives and has the same name."""
        try:
            return sys.platform != "win32" and os.pread(self._fd, _COMM_BYTES, 0) == self._raw
        except OSError:  # it has ended
            return False


class Proc:
    """The process list of this machine, or of a test."""

    def __init__(self, root: str = "/proc") -> None:
        self.root = root

    def pids(self) -> set[int]:
        """Return every process that the kernel shows us."""
        try:
            return {int(name) for name in os.listdir(self.root) if name.isdecimal()}
        except OSError:
            return set()

    def newest(self) -> int:
        """Return the pid that was given last, also to a thread; 0 if unknown. While it stays the same, nothing new has begun."""
        last = self._read("loadavg", 128, line=True).rpartition(b" ")[2].strip()
        return int(last) if last.isdigit() else 0

    def counts_as_we_do(self) -> bool:
        """Return whether `newest` and `pids` are numbers of one kind. In a container, lxcfs may tell the host's newest."""
        try:
            ours = os.stat(f"{self.root}/loadavg").st_dev == os.stat(self.root).st_dev
        except OSError:
            return False
        return ours and self._link("self") in (None, str(os.getpid()))

    def comm(self, pid: int) -> str:
        """Return the first 15 bytes of the program's name; "" once it is gone."""
        return self._read(f"{pid}/comm", _COMM_BYTES, line=True).rstrip(b"\n").decode("utf-8", "replace")

    def name(self, pid: int, comm: str) -> Name | None:
        """Return the name *comm* of the process to be asked again; None once it is gone, or where no descriptor is free."""
        try:
            return Name(pid, comm, os.open(f"{self.root}/{pid}/comm", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))
        except OSError:
            return None

    def stat(self, pid: int) -> Stat | None:
        """Return state, parent, start and CPU time; None once it is gone."""
        # After the last ")": the name may hold spaces and parentheses.
        fields = self._read(f"{pid}/stat", 4096).rpartition(b")")[2].split()
        if len(fields) < 20:
            return None
        return Stat(
            state=fields[0].decode(),
            parent=int(fields[1]),
            start=fields[19].decode(),
            ticks=int(fields[11]) + int(fields[12]),
            kernel=bool(int(fields[6]) & _KERNEL_THREAD),
            status=max(int(fields[49]), 0) if len(fields) > 49 else 0,
        )

    def group(self, pid: int) -> tuple[int, int]:
        """Return the process group and the session; zeros once it is gone."""
        fields = self._read(f"{pid}/stat", 4096).rpartition(b")")[2].split()
        return (int(fields[2]), int(fields[3])) if len(fields) > 3 else (0, 0)

    def command(self, pid: int, most: int = COMMAND_BYTES) -> list[str]:
        """Read the command line, at most *most* bytes of it (see `CUT`); empty of kernel threads and once it is gone."""
        raw = self._read(f"{pid}/cmdline", most)
        if not raw:
            return []
        words = raw.removesuffix(b"\0").split(b"\0", WORDS)
        dropped = words[WORDS:] or (len(raw) >= most and [b""])
        read = [os.fsdecode(word) if len(word) <= WORD_BYTES else _cut(word) for word in words[:WORDS]]
        return [*read, CUT] if dropped else read

    def environ(self, pid: int, names: Sequence[str]) -> dict[str, str] | None:
        """Return the variables *names* of its environment as it was started, no others; None if we may not look."""
        raw = self._read(f"{pid}/environ", ENVIRON_BYTES)
        if not raw and not self.readable(pid):
            return None
        values, raw = {}, b"\0" + raw
        for name in names:
            _, mark, after = raw.partition(f"\0{name}=".encode())
            if mark:
                values[name] = os.fsdecode(after[: WORD_BYTES + 1].partition(b"\0")[0][:WORD_BYTES])
        return values

    def folder(self, pid: int) -> str | None:
        """Return its working folder; None if we may not look or it was removed."""
        path = self._link(f"{pid}/cwd")
        return None if path is None or path.endswith(" (deleted)") else path

    def text(self, pid: int, path: str) -> str | None:
        """Return the text of a regular file as the process sees it, None if it cannot be read. Ask it only of our own processes."""
        for place in (f"{self.root}/{pid}/root{path}", *([path] if self.here(pid) else [])):
            with suppress(OSError, ValueError):
                return os.fsdecode(content(place, _MOST_LISTED))
        return None

    def uid(self, pid: int) -> int | None:
        """Return the real user id: the user who started it and chose its words, also of a set-uid program.

        The owner of its folder in /proc would not do: that is root where we may not look in.
        """
        for line in self._read(f"{pid}/status", 2048).split(b"\n"):
            if line.startswith(b"Uid:"):
                return int(line.split()[1])
        return None

    def leads(self, pid: int) -> bool:
        """Return whether *pid* is a process: /proc also answers for the number of a thread, with the words of its process."""
        for line in self._read(f"{pid}/status", 256).split(b"\n"):
            if line.startswith(b"Tgid:"):
                return int(line.split()[1]) == pid
        return True

    def set_uid(self, pid: int) -> bool:
        """Return whether its program is a set-uid one, which may run as us with another user's words. Ask it only of our own."""
        try:
            return bool(os.stat(f"{self.root}/{pid}/exe").st_mode & stat.S_ISUID)
        except OSError:
            return False

    def here(self, pid: int) -> bool:
        """Return whether its root folder is ours, so that its paths mean the same; also True where we may not look.

        Ask it only of our own processes: another user's root folder may be a file system of that user's, which need not answer.
        """
        try:
            return os.path.samestat(os.stat(f"{self.root}/{pid}/root"), os.stat("/"))
        except OSError:
            return True

    def readable(self, pid: int) -> bool:
        """Return whether the kernel lets us look into it, also into a zombie.

        The kernel guards the link of its user namespace by the same check as `Stat.status`. Most other files of a zombie belong
        to root, so that its own user cannot open them.
        """
        return self._link(f"{pid}/ns/user") is not None or self.io(pid) is not None

    def io(self, pid: int) -> tuple[int, int] | None:
        """Return the bytes read and written by calls of any kind, also from the cache (rchar, wchar); None if we may not look."""
        numbers = [line.rpartition(b" ")[2] for line in self._read(f"{pid}/io", 512).split(b"\n")[:2]]
        return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 and all(map(bytes.isdigit, numbers)) else None

    def reading(self, pid: int, most: int = 256) -> Iterator[str]:
        """Yield the paths that it has open for reading, the newest descriptor first; touches no file system but /proc."""
        try:
            numbers = sorted(map(int, os.listdir(f"{self.root}/{pid}/fd")), reverse=True)[:most]
        except (OSError, ValueError):
            return
        for number in numbers:
            path = self._link(f"{pid}/fd/{number}")
            if path is not None and path.startswith("/") and self._for_reading(pid, number):
                yield path

    def children(self, pid: int) -> list[int]:
        """Return the children of all its threads."""
        try:
            tasks = os.listdir(f"{self.root}/{pid}/task")
        except OSError:
            return []
        return [int(word) for task in tasks for word in self._read(f"{pid}/task/{task}/children", 65536).split()]

    def started_ms(self, start: str) -> int:
        """Return the wall-clock time of `Stat.start`, exact to a tick; right also where the machine slept since."""
        if sys.platform != "linux":
            return clock.now_ms()
        ago = time.clock_gettime(time.CLOCK_BOOTTIME) - int(start) / _TICKS
        return clock.now_ms() - max(int(ago * 1000), 0)

    def _for_reading(self, pid: int, number: int) -> bool:
        for line in self._read(f"{pid}/fdinfo/{number}", 512).split(b"\n"):
            if line.startswith(b"flags:"):
                flags = int(line.split()[1], 8)
                return flags & 3 == os.O_RDONLY and not flags & getattr(os, "O_DIRECTORY", 0)
        return False

    def _link(self, name: str) -> str | None:
        try:
            return os.readlink(f"{self.root}/{name}")
        except OSError:
            return None

    def _read(self, name: str, most: int, *, line: bool = False) -> bytes:
        """Read at most *most* bytes of a file; one *line* comes whole with the first call. A file object costs twice as much."""
        try:
            fd = os.open(f"{self.root}/{name}", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            return b""
        try:
            raw = os.read(fd, most)
            while raw and len(raw) < most and not line and (more := os.read(fd, most - len(raw))):
                raw += more
            return raw
        except OSError:  # it ended while we looked, or we may not
            return b""
        finally:
            os.close(fd)


def _cut(word: bytes) -> str:
    return os.fsdecode(word[: WORD_BYTES - len(CUT.encode())]) + CUT
