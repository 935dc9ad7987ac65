"""Tell which repositories are folders on a disk of this machine: only those may be looked at beside a backup.

A file system that lives on another machine, or in a program, may hang for minutes when it is asked for a name. So the mounts come
from the kernel's own list, before any name is asked for. No function here raises.
"""

import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from tray import engines
from tray.engines.text import words

_REMOTE = r"[A-Za-z][A-Za-z0-9+.-]+:|[^/]*@[^/]*:|[^/:]+:"
"""`rest:http://…`, `ssh://…`, `user@host:path`, `host:path`, `remote:path` of rclone."""

_ON_A_DISK = words(
    """bcachefs btrfs ecryptfs exfat ext2 ext3 ext4 f2fs fuseblk hfsplus iso9660 jfs msdos nilfs2 ntfs ntfs3 overlay ramfs reiserfs
    squashfs tmpfs udf ufs vfat xfs zfs"""
)
"""File systems that answer from a disk or from memory. Any other may ask a network or a program first."""

_LINKS = 40  # as many as Linux follows in one name


def folder(engine: str, repository: str | None, where: str | None = None) -> Path | None:
    """Return the absolute folder that is the repository; None if it is elsewhere, not named, or not known to be a folder.

    A relative address starts from *where*; without that it is not known. This reads nothing: `on_a_disk` tells whether the folder
    may be looked at.
    """
    if not repository or "\0" in repository or repository.startswith("named in "):
        return None
    known = engines.known(engine)
    if known is not None and known.prefix and repository.startswith(known.prefix):
        repository = repository.removeprefix(known.prefix)
    elif (known is not None and known.addressed) or (not os.path.isabs(repository) and re.match(_REMOTE, repository)):
        return None
    if not os.path.isabs(repository):
        if where is None or repository.startswith("~"):
            return None
        repository = os.path.join(where, repository)
    return Path(os.path.normpath(repository))


def on_a_disk(path: Path) -> bool:
    """Return whether *path* and the way to it are on file systems that answer at once; False also where that is not known.

    Follows symbolic links by hand, so that no name is asked for on a mount that may hang.
    """
    if sys.platform != "linux":
        return not str(path).startswith(("\\\\", "//", "/Volumes/", "/net/"))
    types = _mounts()
    if types is None:
        return False
    return _way_on_disks(path, types)


def _way_on_disks(path: Path, types: Mapping[str, str]) -> bool:
    todo, here, links = list(reversed(path.parts[1:])), "/", 0
    while True:
        mount = _mount_of(here, types)
        if mount != "/" and types[mount] not in _ON_A_DISK:  # "/" holds the programs that run, so it answers
            return False
        if not todo:
            return True
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        beyond = os.path.join(here, name)
        if beyond in types:  # a mount: it is judged before it is asked
            here = beyond
            continue
        try:
            if not stat.S_ISLNK(os.lstat(beyond).st_mode):
                here = beyond
                continue
            target = os.readlink(beyond)
        except OSError:
            return True  # what is not there does not hang
        links += 1
        if links > _LINKS:
            return False
        if target.startswith("/"):
            here = "/"
        todo.extend(reversed([part for part in target.split("/") if part]))


def _mount_of(path: str, types: Mapping[str, str]) -> str:
    while path not in types and path != "/":
        path = os.path.dirname(path)
    return path


def _mounts() -> dict[str, str] | None:
    """Return the type of the file system on each mount point that the last mount there left on top; None if that is not known."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return None
    types = {}
    for line in lines:
        before, _, after = line.partition(b" - ")
        fields = before.split()
        if len(fields) > 4 and after:
            types[os.fsdecode(_unescape(fields[4]))] = after.split(None, 1)[0].decode("ascii", "replace")
    return types


def _unescape(name: bytes) -> bytes:
    """Undo the kernel's octal escapes of space, tab, line end and backslash (proc(5))."""
    if b"\\" not in name:
        return name
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8) & 0xFF]), name)
