"""Whether a program is GNU tar.

Adapters do no I/O, with this one exception of a few looks at file names (some 20 µs): the tar of busybox, toybox, BSD and macOS
goes by the same name and refuses our options, and then there is no backup.
"""

import os
import sys
from collections.abc import Mapping

from tray.engines.text import program_name

_OTHERS = ("busybox", "toybox", "bsdtar")
_FOLDERS = ("/bin", "/usr/bin")


def is_gnu(program: str, environ: Mapping[str, str]) -> bool:
    """Whether *program* certainly is GNU tar: called `gtar`, or the `tar` of a Linux that has no other one under this name."""
    name = program_name(program)
    if name in ("gtar", "gnutar"):
        return True
    if name != "tar" or sys.platform != "linux":
        return False
    try:
        found = os.path.realpath(_find(program, environ))
        return os.path.basename(found) in ("tar", "gtar") and os.path.isfile(found) and not _shared(found)
    except (OSError, ValueError):
        return False


def _find(program: str, environ: Mapping[str, str]) -> str:
    """Return the file that is started, as the system would find it."""
    if "/" in program:
        return program
    folders = (environ.get("PATH") or os.defpath).split(os.pathsep)
    paths = (os.path.join(folder, program) for folder in folders)
    return next((path for path in paths if os.access(path, os.X_OK)), "")


def _shared(path: str) -> bool:
    """Whether the file is a hard link to a program that is many in one, or not GNU's."""
    this = os.stat(path)
    for folder in {os.path.dirname(path), *_FOLDERS}:
        for other in _OTHERS:
            try:
                if os.path.samestat(this, os.stat(os.path.join(folder, other))):
                    return True
            except OSError:
                continue
    return False
