"""Notice at once that an engine starts: the start opens the program's file, and inotify(7) tells of that.

It needs no rights but to read the programs. It does not tell which process opened the file, so it is only a reason to look at the
process list sooner: then a backup that fails within a few milliseconds is seen too. Programs that are not in PATH, or that an
interpreter runs (`python3 -m borg`), are found at the next look.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Iterator

from tray.engines import ENGINES, Notice

GENERAL = frozenset(known.name for known in ENGINES if known.notice != Notice.AT_ONCE)
"""Engines whose calls of a moment are no backups and would fill the list of jobs."""
BURST_SECONDS = (0.002, 0.005, 0.01, 0.03, 0.06)
"""Pauses between looks after a program was opened: the process gets its own name and command line a moment later."""

_OPEN, _ATTRIB, _DELETE_SELF = 0x20, 0x4, 0x400
_EVENT = struct.Struct("=iIII")
_MOST = 100
_USUAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/snap/bin"


class Execs:
    """The notices of inotify. `fd` becomes readable when a program of *engines* (default: all) is opened; None without inotify."""

    def __init__(self, engines: Iterable[str] | None = None) -> None:
        chosen = {known.name for known in ENGINES} if engines is None else set(engines)
        self._begins = tuple(begin for known in ENGINES if known.name in chosen for begin in known.begins)
        self.fd = _inotify()
        self._names: dict[int, str] = {}
        self._add()

    def drain(self) -> list[str]:
        """Return the engines whose programs were opened since the last call. Programs replaced by an upgrade are watched anew."""
        if self.fd is None:
            return []
        try:
            raw = os.read(self.fd, 65536)
        except OSError:
            return []
        masks, at, opened = 0, 0, []
        while at + _EVENT.size <= len(raw):
            which, mask, _, length = _EVENT.unpack_from(raw, at)
            masks |= mask
            opened += [self._names.get(which, "")] if mask & _OPEN else []
            at += _EVENT.size + length
        if masks & ~_OPEN:
            self._add()
        return opened

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def _add(self) -> None:
        if self.fd is None or sys.platform != "linux":
            return
        libc = ctypes.CDLL(None, use_errno=True)
        for path in self._programs():
            which = libc.inotify_add_watch(self.fd, os.fsencode(path), _OPEN | _ATTRIB | _DELETE_SELF)
            name = os.path.basename(path).lower()
            self._names[which] = next((known.name for known in ENGINES if name.startswith(known.begins)), "")

    def _programs(self) -> list[str]:
        folders = filter(None, f"{os.environ.get('PATH', '')}:{_USUAL}".split(":"))
        programs = (
            os.path.realpath(path)
            for folder in dict.fromkeys(map(os.path.realpath, folders))
            for path in self._in(folder)
        )
        return list(dict.fromkeys(programs))[:_MOST]

    def _in(self, folder: str) -> Iterator[str]:
        try:
            names = os.listdir(folder)
        except OSError:
            return
        yield from (os.path.join(folder, name) for name in names if name.lower().startswith(self._begins))


def _inotify() -> int | None:
    if sys.platform != "linux":
        return None
    fd: int = ctypes.CDLL(None, use_errno=True).inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    return None if fd < 0 else fd
