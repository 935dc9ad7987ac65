"""Install a missing engine by the package manager of the system. The user is asked before, and sees the exact command."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence

from tray.core.errors import EngineInstallError, EngineMissingError

_MANAGERS: tuple[tuple[str, ...], ...] = (
    ("apt-get", "install", "-y"),
    ("dnf", "install", "-y"),
    ("zypper", "--non-interactive", "install"),
    ("pacman", "-S", "--noconfirm"),
    ("apk", "add"),
)
"""Package managers that only root may use, with the words that install."""
_USERS = ("brew", "install")
"""A package manager that refuses to run as root."""
_SECONDS = 900.0
_REFUSED = {
    126: "The permission was not given.",
    127: "The permission was not given, or the program that asks for it is missing.",
}
"""Exit codes of pkexec."""


def missing(engine: str) -> EngineMissingError | None:
    """Return the error that *engine* is not installed, with the command of this system that installs it; None if it is."""
    if shutil.which(engine) is not None:
        return None
    return EngineMissingError(engine, by_hand(engine))


def by_hand(engine: str) -> str:
    """Return the command that installs *engine* when a user types it, "" where no package manager is known."""
    argv = _plain(engine)
    return shlex.join(argv if not argv or _as_we_are(argv) else ["sudo", *argv])


def command(engine: str, *, terminal: bool) -> list[str]:
    """Return the command that installs *engine* from here; empty where none can.

    Args:
        terminal: The user sits at a terminal, where sudo can ask for the password; else pkexec opens a window for it.
    """
    argv = _plain(engine)
    if not argv or _as_we_are(argv):
        return argv
    asks = "sudo" if terminal else "pkexec"
    return [asks, *argv] if shutil.which(asks) is not None else []


def install(engine: str, argv: Sequence[str], *, terminal: bool) -> None:
    """Run *argv*, which `command` made, and make sure that *engine* is there afterwards.

    Args:
        terminal: Let the command use this terminal; else its words are kept for the error.

    Raises:
        EngineInstallError: It is not installed.
    """
    try:
        if terminal:
            done = subprocess.run(argv, check=False, timeout=_SECONDS)
        else:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        why = f"{error.strerror}." if isinstance(error, OSError) else f"It was not done after {_SECONDS:.0f} s."
        raise EngineInstallError(engine, why, by_hand(engine)) from error
    if done.returncode == 0 and shutil.which(engine) is not None:
        return
    said = [line for line in (done.stderr or b"").decode("utf-8", "replace").splitlines() if line.strip()]
    why = _REFUSED.get(done.returncode, "") if argv[0] == "pkexec" else ""
    why = why or (said[-1].strip()[:300] if said else f"{argv[0]} ended with exit code {done.returncode}.")
    raise EngineInstallError(engine, why, by_hand(engine))


def _plain(engine: str) -> list[str]:
    """Return the command of the package manager alone."""
    if shutil.which(_USERS[0]) is not None and not _root():
        return [*_USERS, engine]
    known = next((words for words in _MANAGERS if shutil.which(words[0]) is not None), None)
    return [] if known is None else [*known, engine]


def _as_we_are(argv: Sequence[str]) -> bool:
    """Whether the command needs no other user than this one."""
    return argv[0] == _USERS[0] or _root()


def _root() -> bool:
    return bool(getattr(os, "geteuid", lambda: -1)() == 0)
