"""Who holds a lock in a local repository, from its own files, without a password.

restic: one file for each lock in `locks/`, encrypted, so that its name and time are all that can be read; restic writes it anew
every 5 minutes and calls one stale that was not for 30 minutes (restic/doc/design.rst, "Locks"). borg 1.x: the folder
`lock.exclusive` holds one empty file "HOST@NODE.PID-THREAD", `lock.roster` lists who shares (src/borg/locking.py). The other
engines keep no lock in the repository.
"""

import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from tray import engines
from tray.core.dataclass import dataclass, replace
from tray.core.files import opened
from tray.core.locks import process_start
from tray.repository import local

_GRAIN_MS = 2000
"""Some file systems keep times in steps of two seconds."""
_RESTIC_LOCK = r"[0-9a-f]{64}"
_BORG_HOLDER = r"(?P<host>[^/]*)@(?P<node>\d+)\.(?P<pid>\d+)-(?P<thread>[0-9a-f]+)"
_MAX_ROSTER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock.

    Attributes:
        name: What the engine calls it, or "exclusive" and "shared".
        since_ms: When it was taken or last renewed.
        holder: "process 4711 on nas", None where that is not readable.
        gone: The holder surely runs no more: its process was on this machine and does not exist.
    """

    name: str
    since_ms: int
    holder: str | None = None
    gone: bool = False


def left_behind(engine: str, repository: str | None, since_ms: int, where: str | None = None) -> str | None:
    """Return one sentence about a lock in the repository that was made after *since_ms*; None if there is none or nobody can say.

    For the end of a run that was killed or cancelled. Looks at two names at most and only on a local disk, so it takes no time.

    Args:
        engine: The engine's name.
        repository: Its address.
        since_ms: When the run began.
        where: The folder that a relative address starts from.
    """
    folder = local.folder(engine, repository, where)
    if folder is None or engines.named(engine).repository not in _READERS or not local.on_a_disk(folder):
        return None
    found = [lock for lock in held(engine, folder) if lock.since_ms >= since_ms - _GRAIN_MS]
    if not found:
        return None
    lock = found[-1]
    who = f", by {lock.holder}" if lock.holder else f" (lock {lock.name[:8]})"
    return f"The repository is still locked{who}."


def held(engine: str, folder: Path) -> list[Lock]:
    """Return the locks in the repository *folder*, the oldest first; none if it cannot be read. Never raises."""
    return read(engines.named(engine).repository, folder)


def read(kind: str, folder: Path) -> list[Lock]:
    """Return the same, by what the engine says of its repository (`Traits.repository`)."""
    reader = _READERS.get(kind)
    return [] if reader is None else sorted(reader(folder), key=lambda lock: lock.since_ms)


def _restic(folder: Path) -> list[Lock]:
    found = []
    with suppress(OSError):
        for name in os.listdir(folder / "locks"):
            if re.fullmatch(_RESTIC_LOCK, name):
                with suppress(OSError):  # it was given back meanwhile
                    found.append(Lock(name, os.stat(folder / "locks" / name).st_mtime_ns // 1_000_000))
    return found


def _borg(folder: Path) -> list[Lock]:
    found = []
    with suppress(OSError):
        for name in os.listdir(folder / "lock.exclusive"):
            if holder := re.fullmatch(_BORG_HOLDER, name):
                since = os.stat(folder / "lock.exclusive" / name).st_mtime_ns // 1_000_000
                lock = Lock("exclusive", since)
                found.append(with_holder(lock, holder["host"], int(holder["pid"]), node=int(holder["node"])))
    if found:
        return found
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        with opened(folder / "lock.roster", follow=False) as file:
            shared = json.loads(file.read(_MAX_ROSTER)).get("shared") or []
            since = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
        for holder_id, pid, _ in shared:
            host, _, node = str(holder_id).rpartition("@")
            found.append(with_holder(Lock("shared", since), host, int(pid), node=int(node)))
    return found


_READERS: Mapping[str, "Callable[[Path], list[Lock]]"] = MappingProxyType({"restic": _restic, "borg": _borg})


def with_holder(lock: Lock, host: str, pid: int, *, node: int | None = None) -> Lock:
    """Return *lock* with its holder, and whether that is surely gone: only of this machine can that be known.

    Args:
        host: The machine's name as the engine wrote it.
        pid: The process there.
        node: A hardware address of that machine, where the engine wrote one.
    """
    shown = host.partition(".")[0] if host.isprintable() else ""
    here = shown == socket.gethostname().partition(".")[0] and (node is None or node in _nodes())
    holder = f"process {pid} on {shown}" if shown else f"process {pid}"
    return replace(lock, holder=holder, gone=here and pid > 0 and process_start(pid) is None)


def _nodes() -> set[int]:
    """Return the hardware addresses of this machine; borg names one of them, so that two machines of one name are told apart."""
    import psutil

    found = set()
    with suppress(OSError):
        for addresses in psutil.net_if_addrs().values():
            for address in addresses:
                if address.family == psutil.AF_LINK:
                    with suppress(ValueError):
                        found.add(int(address.address.replace(":", "").replace("-", ""), 16))
    return found - {0}
