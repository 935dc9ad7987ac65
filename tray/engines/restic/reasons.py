"""Why a restic run failed, in plain words with a next step."""

import re

from tray.engines.access import ACCESS
from tray.engines.base import Exit
from tray.engines.findings import why_failed

_LOCKED = re.compile(r"already locked(?: exclusively)? by (PID \d+ on .*? by .*?)(?: \(UID|$)", re.MULTILINE)
_LOCK = re.compile("already locked|unable to create lock")
_PLACE = "Is there a repository at the following location?"
_NOT_THERE = (
    r"(?i)repository does not exist|config file does not exist|config file: .*(?:no such file or directory|does not exist"
    r"|\(404\)|404 not found|nosuchkey|cannot find the (?:path|file)|not found)"
)
"""Only an answer that there is no such file means that there is no repository; any other failure to open it says nothing."""
_CAUSES = (
    (
        None,
        "(?i)no space left on device|quota exceeded|insufficient storage",
        (
            "There is no space left on the device; free some space where the repository (or restic's cache) is,"
            " then run the backup again."
        ),
    ),
    *((None, pattern, words) for pattern, words in ACCESS),
    (
        11,
        "already locked|unable to create lock",
        ("The repository is locked{by}; wait until that run ends, then run the backup again."),
    ),
    (
        12,
        "wrong password or no key found",
        (
            "The password is wrong, or the repository has no key for it; check the password file, RESTIC_PASSWORD or the"
            " password command."
        ),
    ),
    (
        None,
        "(?i)^Fatal: .*(?:permission denied|operation not permitted)",
        "Access to the repository{at} was denied; check who owns it, and as which user the backup runs.",
    ),
    (
        10,
        _NOT_THERE,
        (
            "There is no restic repository{at}; check the address and whether its disk is mounted. Only where there never"
            " was one: make it with `restic init`."
        ),
    ),
    (
        None,
        _PLACE,
        "restic could not open the repository{at}{said}; check the address, the network and the login.",
    ),
    (
        None,
        "all (?:target|source) directories/files do not exist",
        "None of the sources exists, so nothing was backed up; check their paths, and whether their disks are mounted.",
    ),
    (
        None,
        "an empty password is not a password|Resolving password failed",
        "restic got no password; give it a password file with `--password-file` or RESTIC_PASSWORD_FILE.",
    ),
    (
        None,
        "Please specify repository location",
        "restic was not told which repository to use; name it with `-r` or RESTIC_REPOSITORY.",
    ),
    (
        None,
        "repository contains errors|packs from index missing in repo",
        (
            "The repository has errors{said}; remove nothing from it, and see what restic's manual says about repairing"
            " (`restic repair index`)."
        ),
    ),
    (None, "snapshot is empty", "There was nothing to save: restic could read none of the sources."),
)
_PATTERNS = tuple((code, re.compile(pattern, re.MULTILINE), words) for code, pattern, words in _CAUSES)


def reason(text: str, exit: Exit, said: str = "") -> str:
    """Return one sentence why a run failed, with the next step where the cause is known.

    Args:
        text: What restic said of it, one message a line, the decisive one first.
        exit: How it ended; restic 0.17 and later have an exit code for some causes.
        said: What it said before all that, where that tells more.
    """
    first = text.strip().partition("\n")[0].removeprefix("Fatal: ")
    for code, pattern, words in _PATTERNS:
        if pattern.search(text) or (code is not None and exit.code == code):
            locked = _LOCKED.search(text)
            place = text.partition(_PLACE)[2].strip().partition("\n")[0]
            by, at = f" by {locked[1]}" if locked else "", f" at {place}" if place else " at this address"
            said = said or (first if code is None and place else "")
            return words.replace("{by}", by).replace("{at}", at).replace("{said}", f" ({said[:300]})" if said else "")
    return why_failed("restic", exit, first) if exit.seen else f"restic stopped: {first[:300]}"


def is_locked(text: str, exit: Exit) -> bool:
    """Whether a lock kept a run out."""
    return bool(exit.code) and (exit.code == 11 or _LOCK.search(text) is not None)


def lock_advice(exit: Exit, text: str, unlock: str) -> str | None:
    """Return what to do about a lock that keeps a run out, or that one may have left behind; None if there is no sign of one.

    Args:
        text: What restic said.
        unlock: restic's own command, which removes only locks whose process is gone.
    """
    if _LOCK.search(text):
        return f"If that restic runs no more, remove its stale lock: `{unlock}`. It spares the lock of one that is at work."
    if exit.signal is not None:
        return f"It may have left its lock in the repository; if no other restic is at work there: `{unlock}`."
    return None
