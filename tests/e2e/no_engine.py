"""A machine on which restic is not installed, and whose package manager brings it."""

import os
import shlex
import shutil
from pathlib import Path

from tests.e2e.machine import ROOT

CALLED = "called"
"""The file with the words of the package manager, in the folder that `without_restic` was given."""


def without_restic(folder: Path) -> tuple[str, str]:
    """Return the mounts that hide restic, and the search path with a package manager that brings it back.

    Only the package manager is a stand-in, since the real one would change the machine; the engine that it brings is the real one.
    """
    restic = os.path.realpath(shutil.which("restic") or "/usr/bin/restic")
    programs = folder / "programs"
    programs.mkdir()
    root = shlex.join([shutil.which(ROOT[0]) or "", *ROOT[1:]] if ROOT else [])
    scripts = {
        "apt-get": f'echo "$@" >{shlex.quote(str(folder / CALLED))}\n{root} umount {restic}',
        "sudo": 'exec "$@"',
        "pkexec": 'exec "$@"',
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    return f"mount --bind /dev/null {restic}", f"{programs}:{os.environ['PATH']}"
