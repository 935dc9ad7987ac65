"""Run a command in mounts of its own, for tests that mount."""

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def unshare() -> list[str]:
    """Return the command that gives another command mounts of its own.

    In a chroot "/" is no mount, and `unshare` refuses to make it private; there it is told to leave that as it is.
    """
    roots = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return ["unshare", "--mount"] if "/" in roots else ["unshare", "--mount", "--propagation", "unchanged"]


@functools.cache
def _has_sudo() -> bool:
    return (
        shutil.which("sudo") is not None and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0
    )


def mounted(mount: str, *argv: str, more: Sequence[str] = ()) -> list[str]:
    """Return the command that does *mount* (shell) in mounts of its own and then runs *argv* as the present user.

    *more* are further options of `unshare`, for additional namespaces.

    Root mounts; an ordinary user asks sudo, since a user namespace of one's own cannot be had in a chroot. Where sudo is not to be
    had, such a namespace makes the user root for the mount, and a second one makes it the user again.
    """
    if os.geteuid() == 0:
        return [*unshare(), *more, "sh", "-ec", f'{mount}\nexec "$@"', "sh", *argv]
    if not _has_sudo():
        again = f"exec unshare --user --map-user={os.geteuid()} --map-group={os.getegid()}"
        return [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            *more,
            "sh",
            "-ec",
            f'{mount}\n{again} "$@"',
            "sh",
            *argv,
        ]
    back = f"exec setpriv --reuid={os.geteuid()} --regid={os.getegid()} --clear-groups env"
    environ = [f"{name}={value}" for name, value in os.environ.items()]
    return ["sudo", "-n", *unshare(), *more, "sh", "-ec", f'{mount}\n{back} "$@"', "sh", *environ, *argv]
