"""Write the file of a report: complete or not at all, over another file only if the user says so, and on record."""

import contextlib
import os
import stat
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from tray.core import clock
from tray.core.errors import ReportExistsError, ReportUnwritableError

STDOUT = "-"
_NEW = ".new"


def deliver(content: bytes, output: str, *, force: bool) -> str:
    """Write *content* to the file *output* (`-`: standard output) and return its SHA-256 in hex.

    The file appears under its name when all of it is on the disk; only this user can read it.

    Raises:
        ReportExistsError: There is such a file, and *force* is not set.
        ReportUnwritableError: It cannot be written.
    """
    if output == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        put(Path(output), content, force=force)
    return sha256(content).hexdigest()


def free(output: str, *, force: bool) -> None:
    """Make sure, before any work, that *output* can be written.

    Raises:
        ReportExistsError, ReportUnwritableError: As `deliver`.
    """
    if output == STDOUT:
        return
    target = Path(output)
    try:
        _check(target, force=force)
    except (OSError, ValueError) as error:
        raise ReportUnwritableError(target, _why(error)) from error


def _check(target: Path, *, force: bool) -> None:
    try:
        if stat.S_ISDIR(target.stat().st_mode):
            raise ReportUnwritableError(target, "It is a folder", "Name a file in it: `--output FOLDER/report.pdf`.")
    except (FileNotFoundError, NotADirectoryError):
        pass
    if not force and os.path.lexists(target):
        raise ReportExistsError(target)
    if not target.parent.is_dir():
        raise ReportUnwritableError(
            target, f"There is no folder {target.parent}", "Make the folder, or choose another."
        )


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def put(target: Path, content: bytes, *, force: bool) -> None:
    """Write *content* to *target* through a file beside it.

    Raises:
        ReportExistsError, ReportUnwritableError: As `deliver`.
    """
    free(str(target), force=force)
    _clear(target)
    beside = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=_NEW, dir=target.parent)
        beside = Path(name)
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _name(beside, target, force=force)
    except (OSError, ValueError) as error:
        raise ReportUnwritableError(target, _why(error)) from error
    finally:
        if beside is not None:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)


def _clear(target: Path) -> None:
    """Remove files that killed processes began to write for *target*; a day later none of those is still running."""
    with contextlib.suppress(OSError, ValueError):
        for item in os.scandir(target.parent):
            if item.name.startswith(f".{target.name[:80]}.") and item.name.endswith(_NEW):
                if item.stat(follow_symlinks=False).st_mtime_ns // 1_000_000 < clock.now_ms() - clock.DAY_MS:
                    os.unlink(item.path)


def _name(beside: Path, target: Path, *, force: bool) -> None:
    """Give the file its name; without *force* a file that came there meanwhile stays."""
    if not force:
        try:
            os.link(beside, target)
            return
        except FileExistsError:
            raise ReportExistsError(target) from None
        except OSError:
            free(str(target), force=False)  # a file system without links, such as a stick's
    os.replace(beside, target)
