"""Where the system-wide instance shows itself: a folder that a group may enter, with a socket that it may connect to."""

import os
import socket
import stat
import sys
from pathlib import Path

from tray.core import paths
from tray.core.errors import SystemServiceError
from tray.ipc import endpoint

GROUP = "backup-tray"
"""The group's name by default; its members see the names of root's files and jobs, and no secrets."""


def group_id(name: str) -> int:
    """Return the number of the group *name*, which may be a number already.

    Raises:
        SystemServiceError: There is no such group.
    """
    if name.isascii() and name.isdigit():
        return int(name)
    if sys.platform != "win32":
        import grp

        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            pass
    raise SystemServiceError(
        f"There is no group {name!r} on this system.", f"Make it: `sudo groupadd --system {name}`, then try again."
    )


def check_user(folder: Path) -> None:
    """Make sure that whoever runs this may be the system's instance: root, except in a trial.

    Raises:
        SystemServiceError: It is an ordinary user.
    """
    if folder == paths.VIEW_FOLDER and sys.platform != "win32" and os.geteuid() != 0:
        raise SystemServiceError(
            "Only root can be the system's instance.",
            "Have systemd start it: `sudo systemctl start backup-tray`; or by hand: `sudo backup-tray system`.",
        )


def prepare(folder: Path, group: int) -> None:
    """Make *folder* if it is missing, ours alone to write and the *group*'s to enter.

    Raises:
        SystemServiceError: Something else stands there, or it cannot be given to the group.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISDIR(found.st_mode) or (sys.platform != "win32" and found.st_uid != os.geteuid()):
            raise _unusable(folder, f"it belongs to user {found.st_uid}")
        if sys.platform != "win32":
            os.fchown(handle, -1, group)
            os.fchmod(handle, 0o750)
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error
    finally:
        os.close(handle)


def listen(folder: Path, group: int) -> socket.socket:
    """Return the listening socket.

    Raises:
        SystemServiceError: It cannot be made.
    """
    try:
        return endpoint.listen_to_group(folder / paths.VIEW_SOCKET, group)
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error


def _unusable(folder: Path, why: str) -> SystemServiceError:
    return SystemServiceError(
        f"{folder}: {why}.", f"Look at it with `ls -ld {folder}` and move it away, then try again."
    )
