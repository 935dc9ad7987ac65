"""Why a restic run failed, in plain words with a next step."""

import re
from collections.abc import Callable

from tray.engines.base import Exit
from tray.engines.command import why_failed

_LOCKED = re.compile(r"already locked(?: exclusively)? by (PID \d+ on .*? by .*?)(?: \(UID|$)")
_CAUSES: tuple[tuple[int | None, "re.Pattern[str] | None", Callable[[str], str]], ...] = (
    (11, re.compile("already locked|unable to create lock"), lambda text: _locked(text)),
    (12, re.compile("wrong password or no key found"), lambda text: _WRONG_PASSWORD),
    (None, re.compile("no space left on device"), lambda text: _NO_SPACE),
    (10, re.compile("Is there a repository at the following location|repository does not exist"), lambda text: _no_repository(text)),
    (None, re.compile("all (?:target|source) directories/files do not exist"), lambda text: _NO_SOURCE),
    (None, re.compile("an empty password is not a password|Resolving password failed|empty password"), lambda text: _NO_PASSWORD),
    (None, re.compile("snapshot is empty"), lambda text: _EMPTY),
)
_WRONG_PASSWORD = (
    "The password is wrong, or the repository has no key for it; check the password file, RESTIC_PASSWORD or the password command."
)
_NO_PASSWORD = "restic got no password; give it a password file with `--password-file` or RESTIC_PASSWORD_FILE."
_NO_SPACE = "There is no space left on the device; free some space where the repository (or restic's cache) is, then run the backup again."
_NO_SOURCE = "None of the sources exists, so nothing was backed up; check their paths, and whether their disks are mounted."
_EMPTY = "There was nothing to save: restic could read none of the sources."


def reason(text: str, exit: Exit) -> str:
    """Return one sentence why a run failed.

    Args:
        text: What restic said of it, one message a line, the decisive one first.
        exit: How it ended; restic 0.17 and later have an exit code for some causes.
    """
    for code, pattern, say in _CAUSES:
        if (code is not None and exit.code == code) or (pattern is not None and pattern.search(text)):
            return say(text)
    first = text.strip().partition("\n")[0].removeprefix("Fatal: ")
    return why_failed("restic", exit, first) if exit.seen else f"restic stopped: {first[:300]}"


def _locked(text: str) -> str:
    found = _LOCKED.search(text)
    who = f" by {found[1]}" if found else ""
    return f"The repository is locked{who}; wait until that run ends, or, if none is running, remove the stale lock with `restic unlock`."


def _no_repository(text: str) -> str:
    place = text.partition("Is there a repository at the following location?")[2].strip().partition("\n")[0]
    where = f" at {place}" if place else " at this address"
    return f"There is no restic repository{where}; check the address and whether its disk is mounted, or make one with `restic init`."
