"""Check a new target before anything is made there: whether it can be reached and written, and has room for the sources.

A folder is looked at; an address is asked by restic itself, so the login, keys and settings are those of the later backups.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tray.core import regex
from tray.core.errors import JobSetupError
from tray.engines import causes
from tray.jobs import remote_room
from tray.wording import size

ANSWER_SECONDS = 30.0
MEASURE_SECONDS = 20.0
ROOM = 64 << 20
"""Bytes that stay free beside the backup."""
_LOGIN = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION"),
    "b2": ("B2_ACCOUNT_",),
    "azure": ("AZURE_ACCOUNT_",),
    "gs": ("GOOGLE_PROJECT_ID", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_ACCESS_TOKEN"),
    "swift": ("OS_", "ST_"),
    "rest": ("RESTIC_REST_",),
}
"""The beginnings of the variables that hold the login, by the kind of an address."""
_ACCESS = causes.causes("<access>\n")
_ABSENT = regex.compile(r"(?i)(?:<config/>|file|key|bucket) does not exist|nosuchkey|nosuchbucket|\b404\b")
"""The answers about a place that can be reached and holds no repository."""
_KEY = regex.compile(r"(?i)access key|accesskey|signature|_key_id|secret_access")
"""The answers about a login that is known by variables."""
_DENIED = regex.compile(r"(?i)access ?denied|key id .{0,40}is empty")
_NO_REMOTE = regex.compile(r"(?i)didn't find section in config file")
_PRESENT = regex.compile(r"(?i)wrong password|no key found")


def kind(repository: str) -> str:
    """Return the kind of a target: "folder", or the scheme of its address: "sftp", "s3", "rest", "rclone" or another one."""
    return "folder" if os.path.isabs(repository) else repository.partition(":")[0]


def login(repository: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of *environ* with which restic logs in at the address *repository*; a schedule has none of them."""
    prefixes = _LOGIN.get(kind(repository), ())
    return {name: value for name, value in environ.items() if value and name.startswith(prefixes)} if prefixes else {}


def reach(repository: str, environ: Mapping[str, str]) -> int | None:
    """Check that a repository can be made at *repository* of restic's, an absolute path or an address.

    Returns:
        The bytes that are free there; None if that is not known, as of every S3 storage.

    Raises:
        JobSetupError: It cannot be reached or written, or is a repository already.
    """
    if kind(repository) == "folder":
        return shutil.disk_usage(_writable(Path(repository))).free
    _check_address(repository, environ)
    return remote_room.free(repository, environ, _asked)


def check(repository: str, sources: Sequence[str], environ: Mapping[str, str]) -> None:
    """Check the target *repository* as `reach` does, and that a first backup of *sources* has room there.

    Raises:
        JobSetupError: As `reach`, or there is too little room.
    """
    free = reach(repository, environ)
    if free is not None and measured(sources, limit=max(free - ROOM, 0)) + ROOM > free:
        raise JobSetupError(
            "repository",
            f"There is no room for the backup at {repository}.",
            why=f"{size(free)} are free there, and the sources take more.",
            next="Choose a larger disk, make room on it, or back up fewer folders.",
        )


def measured(sources: Sequence[str], *, limit: int, seconds: float = MEASURE_SECONDS) -> int:
    """Return the bytes that *sources* take on the disk, or at least so many: it stops above *limit*, or after *seconds*."""
    until, total = time.monotonic() + seconds, 0
    for taken in sizes(sources):
        total += taken
        if total > limit or time.monotonic() > until:
            break
    return total


def sizes(sources: Sequence[str]) -> Iterator[int]:
    """Yield the size of each file and folder in *sources*, in bytes; a sparse file counts as its blocks."""
    waiting = list(sources)
    while waiting:
        path = waiting.pop()
        try:
            status = os.lstat(path)
            yield min(status.st_size, getattr(status, "st_blocks", status.st_size) * 512)
            if os.path.isdir(path) and not os.path.islink(path):
                with os.scandir(path) as entries:
                    waiting.extend(entry.path for entry in entries)
        except OSError:
            continue  # the backup itself names it


def _writable(path: Path) -> Path:
    """Return the folder in which *path* is to be made, or *path* itself if it is there.

    Raises:
        JobSetupError: It cannot be written.
    """
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if os.access(there, os.W_OK | os.X_OK):
        return there
    raise JobSetupError(
        "repository",
        f"The folder {there} cannot be written.",
        why="Its rights do not allow it, or its disk is mounted read-only.",
        next=f"Choose another folder, or look at its rights: `ls -ld {shlex.quote(str(there))}`.",
    )


def _check_address(repository: str, environ: Mapping[str, str]) -> None:
    """Ask restic for the repository that is not to be there; a password that nothing was made with keeps it from opening one."""
    argv = ["restic", "--repo", repository, "cat", "config"]
    code, _, said = _asked(argv, {**environ, "RESTIC_PASSWORD": "unknown"})
    if code == 0 or _PRESENT.search(said):
        raise JobSetupError(
            "repository",
            f"{repository} is a restic repository already.",
            why="Its password is the one that it was made with, so it cannot be made anew.",
            next="Choose another place; or keep your own restic command, with `backup-tray run --` before it.",
        )
    untold = code != 0 and _cause(said) is None and not _ABSENT.search(said) and not _NO_REMOTE.search(said)
    if untold and kind(repository) in _HELPERS:
        said += _asked(_HELPERS[kind(repository)](repository), environ)[
            2
        ]  # restic may have ended before it passed on these words
    why = _cause(said)
    if why is None and _ABSENT.search(said):
        return
    without = kind(repository) == "s3" and not login(repository, environ) and _DENIED.search(said)
    if without:
        why = "restic found no access key: it takes it from the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    if _NO_REMOTE.search(said):
        why = "rclone has no such remote: see `rclone listremotes`, or make it with `rclone config`."
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    shown = next((line for line in lines if "Fatal" in line), lines[-1] if lines else "restic did not answer")
    raise JobSetupError(
        "login" if without or _KEY.search(said) else "repository",
        f"{repository} cannot be used: {shown[:300]}",
        why=why
        or f"restic said so{'' if code is not None else f', and had no other answer within {ANSWER_SECONDS:.0f} s'}.",
        next=f"Try it by hand: `restic -r {shlex.quote(repository)} cat config`.",
    )


def _cause(said: str) -> str | None:
    """Return why a place cannot be reached, None if it is not known; a bucket that is not there will be made."""
    return next((words for pattern, words in _ACCESS if "bucket does not" not in words and pattern.search(said)), None)


def _rclone(repository: str) -> list[str]:
    """Return the command by which rclone looks at the place of an rclone address."""
    return ["rclone", "lsf", "--max-depth", "1", "--", repository.partition(":")[2]]


def _ssh(repository: str) -> list[str]:
    """Return the command by which restic opens an sftp address, without questions."""
    host, port, _ = remote_room.sftp_parts(repository)
    return ["ssh", "-o", "BatchMode=yes", *(["-p", port] if port else []), "-s", "--", host, "sftp"]


_HELPERS = {"sftp": _ssh, "rclone": _rclone}
"""By kind of address: the command of the program by which restic reaches it."""


def _asked(argv: Sequence[str], environ: Mapping[str, str], typed: bytes = b"") -> tuple[int | None, str, str]:
    """Run *argv* without a terminal, so that no helper of it can ask.

    Args:
        typed: The bytes on its standard input.

    Returns:
        Exit code, None after the time limit; standard output; standard error.
    """
    process = subprocess.Popen(
        argv,
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    code: int | None
    try:
        out, said = process.communicate(typed, timeout=ANSWER_SECONDS)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        if sys.platform != "win32":
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        out, said = process.communicate()
        code = None
    return code, out.decode("utf-8", "replace"), said.decode("utf-8", "backslashreplace")
