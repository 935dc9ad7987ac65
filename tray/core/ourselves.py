"""Start processes of this program, isolated from the caller's folder, Python settings and modules.

Python looks for modules in the working folder (`-m`, `-c`), in PYTHONPATH and, of an ordinary user, in a folder of that user's. A
file `argparse.py` in the folder in which a tray was started would so run at the first click, and as root that of any user who may
write there. So each process of ours is started isolated (`-I`), by the absolute path of this very copy, in the root folder.
Programs that it starts in turn, such as engines, get the environment unchanged but for our own variables, which become absolute.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tray.core.paths import HOME_VARIABLE, SYSTEM_VARIABLE

FOLDER = os.path.abspath(os.sep)
"""The working folder of each process of ours: only root can put a module there, and it keeps no disk from being unmounted."""
HOME = str(Path(__file__).resolve().parents[2])
"""The folder that holds the package: `site-packages`, or a checkout."""
PROGRAM = str(Path(__file__).resolve().parents[1] / "__main__.py")
"""The file that is run: the program itself, or one of `PARTS`."""
PARTS = (
    *("tray.repository.files", "tray.baselines.far_copies"),
    *("tray.jobs.proof", "tray.jobs.first_run", "tray.metrics.textfile", "tray.notify.sender"),
    *("tray.notify.apprise_process", "tray.notify.desktop.trial"),
)
"""Modules with a `main` that run as a process of their own without the command line, since its import costs as much as they do."""


def python() -> list[str]:
    """Return the interpreter, isolated: it takes no module from the working folder and no setting from the environment."""
    return [sys.executable, *(("-E", "-P") if _needs_user_site() else ("-I",))]


def command(*arguments: str) -> list[str]:
    """Return the command that runs this program with *arguments*; the first may also be one of `PARTS`."""
    return [*python(), PROGRAM, *arguments]


def start(
    *arguments: str,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    session: bool = True,
    environment: Mapping[str, str] | None = None,
    descriptors: Sequence[int] = (),
) -> "subprocess.Popen[bytes]":
    """Start this program with *arguments* and return its process.

    Args:
        session: Put it into a session of its own, so that it outlives the terminal and this process.
        environment: Replaces `environ()`.
        descriptors: Open files that it gets too, under the same numbers.
    """
    return subprocess.Popen(
        command(*arguments),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=session,
        cwd=FOLDER,
        env=environ() if environment is None else environment,
        pass_fds=tuple(descriptors),
    )


def environ() -> dict[str, str]:
    """Return the environment for it: our own folders are named from the root, as it works in another folder than we do."""
    variables = dict(os.environ)
    for name in (HOME_VARIABLE, SYSTEM_VARIABLE):
        if variables.get(name):
            variables[name] = os.path.abspath(variables[name])
    return variables


def _needs_user_site() -> bool:
    """Whether what we need may be installed in the user's own folder (`pip install --user`), which `-I` leaves out."""
    site = sys.modules.get("site")
    folder = getattr(site, "USER_SITE", None)
    if not getattr(site, "ENABLE_USER_SITE", False) or not folder or folder not in sys.path:
        return False
    return os.path.realpath(folder) == HOME or not hasattr(os, "geteuid") or os.geteuid() != 0
