"""Why a command could not be started, and what helps: it is not there, a folder, not executable, or no program for this machine.

The exit codes are the shell's (POSIX, 2.9.1): 127 where there is no such program, 126 where there is one that cannot be executed.
"""

import errno
import os
import shlex
import shutil
import stat
import sys
from contextlib import suppress

from tray.core import files
from tray.core.errors import CommandNotFoundError

_FIRST_LINE = 256
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


def explained(command: str, error: OSError, path: str) -> CommandNotFoundError:
    """Return *error*, with which the system refused to start *command*, as it is told to a person.

    Args:
        path: The folders that a command without a slash is looked for in, as in PATH.
    """
    file = _file(command, path)
    if error.errno == errno.ENOTDIR:
        code, why = _NOT_EXECUTABLE, "A part of its path is a file, not a folder."
        then = f"Look at its path: `namei -l {shlex.quote(command)}`."
    elif file is None:
        code, (why, then) = _NOT_FOUND, _missing(command)
    elif os.path.isdir(file):
        code, why = _NOT_EXECUTABLE, "It is a folder, not a program."
        then = f"Put the program before it, for example `backup-tray run -- restic backup {shlex.quote(file)}`."
    elif error.errno == errno.EACCES:
        code, (why, then) = _NOT_EXECUTABLE, _not_permitted(file)
    elif error.errno == errno.ENOEXEC:
        code, why = _NOT_EXECUTABLE, "It is no program for this machine: made for another processor, damaged or empty."
        then = f"Look at what it is: `file {shlex.quote(file)}`."
    elif error.errno == errno.ENOENT:
        code, (why, then) = _NOT_FOUND, _without_interpreter(file)
    else:
        code, why, then = _NOT_EXECUTABLE, f"{error.strerror or error}.", f"Look at it: `ls -l {shlex.quote(file)}`."
    refusal = CommandNotFoundError(command, why, then)
    refusal.exit_code = code
    return refusal


def which(command: str) -> str:
    """Return the file of *command*."""
    return shutil.which(command) or command


def is_text(file: str) -> bool:
    """Whether a file that the system cannot execute may be a script without `#!`: shells ask whether its first line has a NUL."""
    with suppress(OSError), files.opened(file) as opened:
        line = opened.read(_FIRST_LINE).partition(b"\n")[0]
        return bool(line) and b"\0" not in line
    return True


def _file(command: str, path: str) -> str | None:
    """Return the file that *command* means, whether it can be executed or not."""
    if not command:
        return None
    folders = [""] if "/" in command else [folder or "." for folder in path.split(os.pathsep)]
    candidates = (os.path.join(folder, command) for folder in folders)
    there = [file for file in candidates if os.path.lexists(file)]
    return next((file for file in there if not os.path.isdir(file)), there[0] if there and "/" in command else None)


def _missing(command: str) -> tuple[str, str]:
    name, quoted = os.path.basename(command), shlex.quote(command)
    if "/" in command:
        return "There is no such file.", f"Look at what is there: `ls {shlex.quote(os.path.dirname(command) or '/')}`."
    why = "No such program is installed, or it is not in PATH (cron and systemd have a short one)."
    if command and os.path.isfile(command):
        return why, f"A file of that name lies in this folder; if it is meant, write `./{quoted}`."
    then = f"Check with `command -v {name}`; install it (for restic: `sudo apt install restic`), or give its full path."
    return why, then


def _not_permitted(file: str) -> tuple[str, str]:
    quoted, mounted = shlex.quote(file), 0
    try:
        mode = os.stat(file).st_mode
        if sys.platform != "win32":
            mounted = os.statvfs(file).f_flag
    except OSError:
        return "You may not enter a folder above it.", f"Look at them: `namei -l {quoted}`."
    if not stat.S_ISREG(mode):
        return "It is no file that can be executed.", f"Look at what it is: `ls -l {quoted}`."
    if not mode & 0o111:
        return (
            f"The file is not executable (mode {stat.S_IMODE(mode):04o}).",
            f"If it is a program or a script: `chmod +x {quoted}`; or name what reads it: `backup-tray run -- sh {quoted}`.",
        )
    if mounted & getattr(os, "ST_NOEXEC", 0):
        return (
            "It lies on a file system that is mounted so that nothing on it is executed (noexec).",
            f"Name what reads it, `backup-tray run -- sh {quoted}`, or put it elsewhere.",
        )
    return f"You may not execute it (mode {stat.S_IMODE(mode):04o}).", f"Look at whose it is: `ls -l {quoted}`."


def _without_interpreter(file: str) -> tuple[str, str]:
    """Say why a file that is there is "not found": what is to read it is not."""
    line = b""
    with suppress(OSError), files.opened(file) as opened:
        line = opened.read(_FIRST_LINE).partition(b"\n")[0]
    quoted = shlex.quote(file)
    if line.startswith(b"#!") and line.endswith(b"\r"):
        return "Its lines end as on Windows, so its first line names no program.", f"`sed -i 's/\\r$//' {quoted}`"
    if line.startswith(b"#!"):
        words = line[2:].decode("utf-8", "backslashreplace").split()
        return (
            f"The program that its first line names is not there: {words[0] if words else 'none'}.",
            f"Mend its first line, or install that program: `head -1 {quoted}`.",
        )
    if os.path.islink(file):
        return "It is a link to a file that is not there.", f"Look where it leads: `ls -l {quoted}`."
    return "A library or loader that it needs is not there: it was made for another system.", f"`ldd {quoted}`"
