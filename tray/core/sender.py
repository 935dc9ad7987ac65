"""Start the process that sends messages (`tray.notify.sender`), where any could arrive. It is never waited for.

When a service of systemd ends, systemd kills every process that was started in it. So the sender of a run that is such a service
goes into a unit of its own (`systemd-run --scope`), and its starter ends only when it is there: some hundredths of a second. Where
no manager does that, the sender is asked to end (SIGTERM), and sends the messages that are due before it does.
"""

import os
import signal
import subprocess
import sys
import time

from tray.core import clock, ourselves
from tray.core.errors import UnsafeFolderError
from tray.core.files import content
from tray.core.locks import FileLock
from tray.core.paths import HOME_VARIABLE, Places, private, session_bus

PART = "tray.notify.sender"
LOGIN = "login"
"""The argument that tells the sender of the begin of a session."""
NEXT, LOOK = "next", "look"
"""Locks below `notify` in the state folder: of the process that waits for its turn to look for news, and of the one that looks."""
TURN = "BACKUP_TRAY_TURN"
"""The variable with the descriptor by which the starter passes on the first of these locks."""
_WORDS_OF_UNIT = "--description=Messages of Backup Tray"
_MOVE_SECONDS, _LOOK_SECONDS = 1.0, 0.002
_WORDS = b"channels"
"""The configuration is not parsed for this: a word of it decides whether there may be channels."""


def start(places: Places, *, login: bool = False, ends: bool = False) -> "subprocess.Popen[bytes] | None":
    """Start the sender and return its process; None where nothing could be told (no channel, and no desktop session),
    or where another one has been started and has not looked yet.

    Its caller reaps it, or ends soon. A sender that cannot be started costs nothing but the message: the next one sends it.

    Args:
        login: A session of the user begins.
        ends: The calling process ends soon, and with it perhaps the service that it is in.
    """
    if not _may_tell(places):
        return None
    environ = ourselves.environ()
    if HOME_VARIABLE in os.environ:
        environ[HOME_VARIABLE] = str(places.config.parent)
    try:
        if login:
            return ourselves.start(PART, LOGIN, environment=environ)
        with FileLock(places.state / "notify" / NEXT) as turn:
            if not _took(turn):
                return None  # the one that waits has not looked yet, and will see the same
            if ends and _in_service():
                turn.release()
                return _apart(environ) or _patient(environ)
            return _with_turn(turn, environ)
    except OSError:
        return None


def _took(turn: FileLock) -> bool:
    """Take the place of the process that looks next; True also where locks do not work, and the sender finds another place."""
    try:
        private(private(turn.path.parent.parent) / turn.path.parent.name)
        return turn.acquire()
    except (OSError, UnsafeFolderError):
        return True


def _with_turn(turn: FileLock, environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start the sender with the lock on its turn: of a thousand runs that end together, few start one."""
    descriptor = turn.fileno()
    if descriptor is None or sys.platform == "win32":
        turn.release()
        return ourselves.start(PART, environment=environ)
    environ[TURN] = str(descriptor)
    return ourselves.start(PART, environment=environ, descriptors=(descriptor,))


def _in_service() -> bool:
    """Whether this process is part of a service of systemd."""
    return _unit("self").endswith(".service")


def _unit(process: object) -> str:
    """Return the path of the control group of *process*, as systemd names its units; "" where there is none."""
    try:
        lines = content(f"/proc/{process}/cgroup").decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return next((line[3:] for line in lines if line.startswith("0::")), "")


def _apart(environ: dict[str, str]) -> "subprocess.Popen[bytes] | None":
    """Start the sender in a unit of its own, and return its process once it is there; None if systemd does not do that."""
    if sys.platform == "win32":
        return None
    manager = [] if os.geteuid() == 0 else ["--user"]
    argv = ["systemd-run", *manager, "--scope", "--quiet", "--collect", _WORDS_OF_UNIT, "--", *ourselves.command(PART)]
    null = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            argv, stdin=null, stdout=null, stderr=null, start_new_session=True, cwd=ourselves.FOLDER, env=environ
        )
    except OSError:
        return None
    own, until = _unit("self"), clock.monotonic() + _MOVE_SECONDS
    while clock.monotonic() < until:
        code = process.poll()
        if code is not None:
            return process if code == 0 else None
        if _unit(process.pid) != own:
            return process
        time.sleep(_LOOK_SECONDS)
    return process


def _patient(environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start the sender with SIGTERM held back until it can deal with it: systemd then leaves it some time."""
    if sys.platform == "win32":
        return ourselves.start(PART, environment=environ)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        return ourselves.start(PART, environment=environ)  # it inherits that
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _may_tell(places: Places) -> bool:
    if sys.platform != "linux" or session_bus() is not None:  # other systems have a desktop of another kind
        return True
    try:
        return _WORDS in content(places.config_file)
    except OSError:
        return False
