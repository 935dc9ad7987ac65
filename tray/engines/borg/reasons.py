"""Why a borg run failed, in plain words with a next step.

borg names its errors (`msgid`), and with BORG_EXIT_CODES=modern each has an exit code of its own
(both in its "Frontends" manual).
"""

import re
from typing import NamedTuple

from tray.engines import access
from tray.engines.base import Exit
from tray.engines.findings import why_failed


class Cause(NamedTuple):
    """One known cause: borg's name for it, its modern exit codes, its words, and ours."""

    names: tuple[str, ...]
    codes: tuple[int, ...]
    pattern: "re.Pattern[str] | None"
    words: str


def _cause(names: str, codes: tuple[int, ...], pattern: str, words: str) -> Cause:
    return Cause(tuple(names.split()), codes, re.compile(pattern) if pattern else None, words)


LOCKED = _cause(
    "LockTimeout LockError",
    (70, 73),
    r"Failed to create/acquire the lock .*\(timeout\)|Failed to acquire the lock",
    "The repository is locked by another borg; wait until that run ends, or give borg more time with `--lock-wait`.",
)
_CAUSES = (
    _cause(
        "Repository.InsufficientFreeSpaceError",
        (14,),
        r"No space left on device|Insufficient free space to complete transaction",
        (
            "There is no space left on the device; free some space where the repository (or borg's cache) is, then run the"
            " backup again."
        ),
    ),
    LOCKED,
    _cause(
        "LockFailed LockErrorT",
        (71, 72),
        r"Failed to create/acquire the lock",
        "borg could not make its lock in the repository; check that you may write there and that its disk is not full.",
    ),
    _cause(
        "PassphraseWrong PasswordRetriesExceeded",
        (52, 53),
        r"(?i)passphrase supplied in .* is incorrect|Exceeded the maximum password retries",
        "The passphrase is wrong; check BORG_PASSPHRASE, or the command in BORG_PASSCOMMAND.",
    ),
    _cause(
        "NoPassphraseFailure",
        (50,),
        r"[Cc]an ?not acquire a passphrase",
        "borg got no passphrase; give it one with BORG_PASSPHRASE or BORG_PASSCOMMAND.",
    ),
    _cause(
        "PasscommandFailure",
        (51,),
        r"Passcommand supplied in BORG_PASSCOMMAND failed",
        "The command in BORG_PASSCOMMAND failed, so borg got no passphrase; run it by hand to see why.",
    ),
    _cause(
        "Repository.DoesNotExist Repository.ParentPathDoesNotExist",
        (13, 18),
        r"^Repository .* does not exist",
        (
            "There is no borg repository{at}; check the address and whether its disk is mounted. Only where there never was"
            " one: make it with `borg init`."
        ),
    ),
    _cause(
        "Repository.InvalidRepository Repository.InvalidRepositoryConfig",
        (15, 16),
        r"is not a valid repository\. Check repo config|does not have a valid configuration",
        "What is{at} is no borg repository, or its config file is damaged; check the address.",
    ),
    _cause(
        "Archive.AlreadyExists",
        (30,),
        r"^Archive .* already exists",
        (
            "An archive of this name exists already; give each archive a name of its own, for example with"
            " `::{hostname}-{now}`."
        ),
    ),
    _cause(
        "Repository.StorageQuotaExceeded",
        (20,),
        r"storage quota .* has been exceeded",
        "The storage quota of the repository is used up; prune and compact it, or ask for more.",
    ),
    _cause(
        "Repository.CheckNeeded",
        (12,),
        r"Inconsistency detected\. Please run",
        "The repository is inconsistent; look at it with `borg check`.",
    ),
    _cause(
        "ConnectionClosed ConnectionClosedWithHint",
        (80, 81),
        r"Connection closed by remote host",
        (
            "The connection to the repository's host broke or could not be made; check the network, the address, and that"
            " borg is installed there.{said}"
        ),
    ),
    _cause(
        "Cache.RepositoryAccessAborted Cache.RepositoryReplay Cache.RepositoryIDNotUnique Cache.EncryptionMethodMismatch",
        (61, 62, 63, 64),
        r"Repository access aborted|encryption method changed since last access",
        (
            "borg does not trust this repository: it is new to this account, was moved or was replaced. Run `borg info` on"
            " it by hand and answer its question."
        ),
    ),
)
_PLACE = re.compile(r"^Repository (.*) does not exist|^(.*) is not a valid repository", re.MULTILINE)
_REMOTE = re.compile(r"^Remote: (.*\S)", re.MULTILINE)
_MULTILINE = {cause: re.compile(cause.pattern.pattern, re.MULTILINE) for cause in _CAUSES if cause.pattern}


def cause(text: str, names: "set[str]", exit: Exit) -> Cause | None:
    """Return the known cause of a failure: by borg's name for it, else by its words, else by its exit code."""
    for known in _CAUSES:
        if names.intersection(known.names):
            return known
    for known, pattern in _MULTILINE.items():
        if pattern.search(text):
            return known
    return next((known for known in _CAUSES if exit.code in known.codes), None)


def reason(text: str, names: "set[str]", exit: Exit, first: str) -> str:
    """Return one sentence why a run failed, with the next step where the cause is known.

    Args:
        text: What borg said of it, one message a line.
        names: Its names of the errors.
        exit: How it ended.
        first: The message that says most.
    """
    known = cause(text, names, exit)
    remote = _REMOTE.findall(text)
    said = f" The other side said: {remote[0]}" if remote else ""
    if (known is None or known.names[0] == "ConnectionClosed") and (why := access.why("\n".join(remote))):
        return why + said
    if known is None:
        return why_failed("borg", exit, first) if exit.seen else f"borg stopped: {first[:300]}"
    found = _PLACE.search(text)
    at = f" at {found[1] or found[2]}" if found else " at this address"
    return known.words.replace("{at}", at).replace("{said}", said)
