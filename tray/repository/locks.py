"""Read the locks in a local repository and their holders from its own files, without a password.

restic: one file for each lock in `locks/`, encrypted, so that its name and time are all that can be read; restic writes it anew
every 5 minutes and calls one stale that was not for 30 minutes (restic/doc/design.rst, "Locks"). borg 1.x: the folder
`lock.exclusive` holds one empty file "HOST@NODE.PID-THREAD", `lock.roster` lists the holders of a shared lock
(src/borg/locking.py). The other engines keep no lock in the repository.
"""

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from tray import engines
from tray.core.codec import Coded
from tray.core.dataclass import dataclass, replace
from tray.core.files import content, opened
from tray.core.locks import process_start
from tray.repository import local

if sys.platform != "linux":
    from uuid import getnode

_GRAIN_MS = 2000
"""Some file systems keep times in steps of two seconds."""
_RESTIC_LOCK = r"[0-9a-f]{64}"
_BORG_HOLDER = r"(?P<host>[^/]*)@(?P<node>\d+)\.(?P<pid>\d+)-(?P<thread>[0-9a-f]+)"
_MAX_ROSTER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Lock(Coded):
    """One lock.

    Attributes:
        name: Its name in the engine's words, or "exclusive" and "shared".
        since_ms: Time when it was taken or last renewed.
        holder: "process 4711 on nas", None where that is not readable.
        gone: Whether the holder surely runs no more: its process was on this machine and does not exist.
    """

    name: str
    since_ms: int
    holder: str | None = None
    gone: bool = False


def left_behind(engine: str, repository: str | None, since_ms: int, where: str | None = None) -> str | None:
    """Return one sentence about a lock in the repository that was made after *since_ms*; None if none is known.

    For the end of a run that was killed or cancelled. Looks at two names at most and only on a local disk, so it takes no time.
    A relative address starts from *where*.
    """
    folder = local.folder(engine, repository, where)
    if folder is None or engines.named(engine).repository not in _READERS or not local.on_a_disk(folder):
        return None
    locks = [lock for lock in held(engine, folder) if lock.since_ms >= since_ms - _GRAIN_MS]
    if not locks:
        return None
    lock = locks[-1]
    who = f", by {lock.holder}" if lock.holder else f" (lock {lock.name[:8]})"
    return f"The repository is still locked{who}."


def held(engine: str, folder: Path) -> list[Lock]:
    """Return the locks in the repository *folder*, the oldest first; none if it cannot be read. Never raises."""
    return read(engines.named(engine).repository, folder)


def read(kind: str, folder: Path) -> list[Lock]:
    """Return the same, by the kind of repository (`Traits.repository`)."""
    reader = _READERS.get(kind)
    return [] if reader is None else sorted(reader(folder), key=lambda lock: lock.since_ms)


def _restic(folder: Path) -> list[Lock]:
    locks = []
    with suppress(OSError):
        for name in os.listdir(folder / "locks"):
            if re.fullmatch(_RESTIC_LOCK, name):
                with suppress(OSError):  # it was given back meanwhile
                    locks.append(Lock(name, os.stat(folder / "locks" / name).st_mtime_ns // 1_000_000))
    return locks


def _borg(folder: Path) -> list[Lock]:
    locks = []
    with suppress(OSError):
        for name in os.listdir(folder / "lock.exclusive"):
            if holder := re.fullmatch(_BORG_HOLDER, name):
                since = os.stat(folder / "lock.exclusive" / name).st_mtime_ns // 1_000_000
                lock = Lock("exclusive", since)
                locks.append(with_holder(lock, holder["host"], int(holder["pid"]), node=int(holder["node"])))
    if locks:
        return locks
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        with opened(folder / "lock.roster", follow=False) as file:
            shared = json.loads(file.read(_MAX_ROSTER)).get("shared") or []
            since = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
        for holder_id, pid, _ in shared:
            host, _, node = str(holder_id).rpartition("@")
            locks.append(with_holder(Lock("shared", since), host, int(pid), node=int(node)))
    return locks


_READERS: Mapping[str, "Callable[[Path], list[Lock]]"] = MappingProxyType({"restic": _restic, "borg": _borg})


def with_holder(lock: Lock, host: str, pid: int, *, node: int | None = None) -> Lock:
    """Return *lock* with its holder, and whether that is surely gone, which can only be known of this machine.

    The engine wrote the name of its machine *host*, and borg also one of its hardware addresses *node*.
    """
    shown = host.partition(".")[0] if host.isprintable() else ""
    here = shown == socket.gethostname().partition(".")[0] and (node is None or node in _nodes())
    holder = f"process {pid} on {shown}" if shown else f"process {pid}"
    return replace(lock, holder=holder, gone=here and pid > 0 and process_start(pid) is None)


def _nodes() -> set[int]:
    """Return the hardware addresses of this machine; borg names one of them, so that two machines of one name are told apart."""
    nodes = set[int]()
    if sys.platform != "linux":
        nodes.add(getnode())
    for path in Path("/sys/class/net").glob("*/address"):
        with suppress(OSError, ValueError):
            nodes.add(int(content(path, 64).strip().replace(b":", b""), 16))
    return nodes - {0}
