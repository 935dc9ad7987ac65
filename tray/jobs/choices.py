"""List choices for a first backup: folders that most people want to keep, connected drives, and remotes of rclone."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from tray.core.dataclass import dataclass
from tray.core.files import content
from tray.core.paths import expand

MOUNT_ROOTS = (Path("/media"), Path("/run/media"), Path("/mnt"), Path("/Volumes"))
"""Folders below which systems mount drives that are not part of the machine."""
_LABELS = Path("/dev/disk/by-label")
_USUAL = ("DOCUMENTS", "PICTURES", "MUSIC", "VIDEOS", "DESKTOP", "DOWNLOAD")
"""Folders of a user, as xdg-user-dirs calls them."""
_NAMED = re.compile(r'^XDG_(\w+)_DIR="\$HOME/(.+)"$', re.MULTILINE)
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Drive:
    """A connected drive.

    Attributes:
        name: Its label, or the last part of its folder.
        path: The folder in which it is mounted.
        free, total: Bytes.
    """

    name: str
    path: str
    free: int
    total: int


def folders() -> list[str]:
    """Return the user's own folders that exist, such as that for documents, under the names that the desktop gives them."""
    home, names = Path(expand("~")), {"DOWNLOAD": "Downloads"}
    try:
        names |= dict(_NAMED.findall(content(home / ".config" / "user-dirs.dirs").decode("utf-8", "replace")))
    except OSError:
        pass
    return [str(path) for key in _USUAL if (path := home / names.get(key, key.capitalize())).is_dir() and path != home]


def drives() -> list[Drive]:
    """Return the connected drives that are no part of the machine and can be written, that with the most free space first."""
    labels = dict(_labels())
    connected = {}
    for part in psutil.disk_partitions():
        options = part.opts.split(",")
        if not (on_external_drive(part.mountpoint) or "removable" in options) or "ro" in options:
            continue
        try:
            usage = shutil.disk_usage(part.mountpoint)
        except OSError:
            continue  # it is being pulled out
        if os.access(part.mountpoint, os.W_OK | os.X_OK):
            name = labels.get(os.path.realpath(part.device)) or os.path.basename(part.mountpoint) or part.mountpoint
            connected[part.mountpoint] = Drive(name, part.mountpoint, usage.free, usage.total)
    return sorted(connected.values(), key=lambda drive: -drive.free)


def on_external_drive(path: str) -> bool:
    """Whether the absolute *path* lies where systems mount drives that are not part of the machine."""
    return any(Path(path).is_relative_to(root) and Path(path) != root for root in MOUNT_ROOTS)


def on_drive(path: str, job: str) -> str:
    """Return a folder for the repository of *job* on the drive at *path* that nothing takes yet."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", job).strip("-.") or "home"
    names = (f"backup-{slug}{'' if number == 1 else f'-{number}'}" for number in range(1, 1000))
    return next(place for name in names if not os.path.lexists(place := os.path.join(path, name)))


def remotes() -> list[str]:
    """Return the remotes that rclone knows, such as "drive:"; none without rclone."""
    try:
        done = subprocess.run(
            shlex.split("rclone listremotes"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.decode("utf-8", "replace").splitlines() if done.returncode == 0 else []
    return [line.strip() for line in lines if line.strip().endswith(":")]


def _labels() -> Iterator[tuple[str, str]]:
    """Yield each labelled device of Linux with its label, as udev links it."""
    if sys.platform != "linux" or not _LABELS.is_dir():
        return
    for link in _LABELS.iterdir():
        label = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), link.name)
        yield os.path.realpath(link), label.encode("latin-1", "replace").decode("utf-8", "replace")
