"""Judge a run of borg by its own words and its exit code together.

    create: succeeded with exit 0 and the figures of the archive; warning with 1, or 100 to 127 (BORG_EXIT_CODES=modern), those
    figures and at least one file; cancelled if an interrupt or termination came through us, or borg says that such a signal
    stopped it. Everything else failed; an unseen end without figures is lost.

Why so strict: borg exits 1 with all sources missing and still makes an (empty) archive, and 1 or 127 may also come from a program
before it that could not start it.

borg names its errors (`msgid`), and with BORG_EXIT_CODES=modern each has an exit code of its own (both in its "Frontends" manual).
"""

import re

from tray.core import regex
from tray.core.dataclass import replace
from tray.core.model import Outcome
from tray.engines import findings
from tray.engines.base import Exit, Result
from tray.engines.borg.reader import Seen
from tray.engines.causes import causes, no_access, reason
from tray.engines.findings import Verdict, holds_nothing
from tray.engines.program import Inner

_NEVER_BEGAN = regex.compile(r"^Traceback |No module named |^(?:sudo|doas|su): ", re.MULTILINE)
_DAMAGED = regex.compile(r"(?<!no )(?:problems|errors) found")
_DAMAGE = regex.compile(r"(?i)integrity error|mismatch|is corrupt|missing|not found")
"""Names the damaged part, among the lines of a check; the last line says only that there is one."""
_STOPS = (130, 143)
_REMOTE = regex.compile(r"^Remote: (.*\S)", re.MULTILINE)
_LOCKED = "The repository is locked by another borg"
_CLOSED = "The connection to the repository's host broke"
_REASONS = r"""
No space left on device|Insufficient free space to complete transaction
[Repository.InsufficientFreeSpaceError|exit code 14]
    There is no space left on the device; free some space where the repository (or borg's cache) is, then run the backup again.
Failed to create/acquire the lock .*\(timeout\)|Failed to acquire the lock
[LockTimeout|LockError|exit code 70|exit code 73]
    The repository is locked by another borg; wait until that run ends, or give borg more time with `--lock-wait`.
Failed to create/acquire the lock
[LockFailed|LockErrorT|exit code 71|exit code 72]
    borg could not make its lock in the repository; check that you may write there and that its disk is not full.
[Pp]assphrase supplied in .* is incorrect|Exceeded the maximum password retries
[PassphraseWrong|PasswordRetriesExceeded|exit code 52|exit code 53]
    The passphrase is wrong; check BORG_PASSPHRASE, or the command in BORG_PASSCOMMAND.
[Cc]an ?not acquire a passphrase
[NoPassphraseFailure|exit code 50]
    borg got no passphrase; give it one with BORG_PASSPHRASE or BORG_PASSCOMMAND.
Passcommand supplied in BORG_PASSCOMMAND failed
[PasscommandFailure|exit code 51]
    The command in BORG_PASSCOMMAND failed, so borg got no passphrase; run it by hand to see why.
^Repository (.*) does not exist
[Repository.DoesNotExist|Repository.ParentPathDoesNotExist|exit code 13|exit code 18]
    There is no borg repository at {1|this address}; check the address and whether its disk is mounted. Only where there never
    was one: make it with `borg init`.
^(?:(.*) is not a valid repository\. Check repo config|.*does not have a valid configuration)
[Repository.InvalidRepository|Repository.InvalidRepositoryConfig|exit code 15|exit code 16]
    There is no valid borg repository at {1|this address}, or its config file is damaged; check the address.
^Archive .* already exists
[Archive.AlreadyExists|exit code 30]
    An archive of this name exists already; give each archive a name of its own, for example with `::{hostname}-{now}`.
storage quota .* has been exceeded
[Repository.StorageQuotaExceeded|exit code 20]
    The storage quota of the repository is used up; prune and compact it, or ask for more.
Inconsistency detected\. Please run
[Repository.CheckNeeded|exit code 12]
    The repository is inconsistent; look at it with `borg check`.
Connection closed by remote host
[ConnectionClosed|ConnectionClosedWithHint|exit code 80|exit code 81]
    The connection to the repository's host broke or could not be made; check the network, the address, and that borg is
    installed there.
Repository access aborted|encryption method changed since last access
[Cache.RepositoryAccessAborted|Cache.RepositoryReplay|Cache.RepositoryIDNotUnique|Cache.EncryptionMethodMismatch|exit code 61]
[exit code 62|exit code 63|exit code 64]
    borg does not trust this repository: it is new to this account, was moved or was replaced. Run `borg info` on it by hand and
    answer its question.
"""
_CAUSES = causes(_REASONS)


def conclude_create(seen: Seen, exit: Exit, inner: Inner, *, tells: bool) -> Result:
    """Return the result of a backup.

    Args:
        seen: The meaning of its output.
        exit: How it ended.
        inner: The wrappers that stood before borg.
        tells: Its output was to hold the figures of the archive; without, only the exit code is left.
    """
    known = seen.known(exit)
    done, but, verdict = "", "", None
    if seen.saved and known.signal is None and (known.code in (0, None) or _warns(known)):
        done, but, verdict = _finished(seen, known)
    elif known.code == 0 and tells:
        verdict = Outcome.UNKNOWN, "borg ended with exit code 0, but it did not say that it saved an archive."
    elif known.code == 0:
        verdict = Outcome.SUCCEEDED, "borg ended with exit code 0: the archive was saved without warnings."
    elif not tells and _warns(known) and not _began_not(seen, known):
        verdict = _warned_unseen(seen, known)
    result = _judged(seen, known, inner, "borg", done, but, verdict)
    return holds_nothing(result) if seen.saved and seen.files == 0 else result


def conclude_other(name: str, kind: str, seen: Seen, exit: Exit, inner: Inner, *, words: int, repair: bool) -> Result:
    """Return the result of another subcommand.

    Args:
        name: "borg prune".
        kind: The kind of run.
        words: How many paths were to be extracted.
        repair: `--repair` was given.
    """
    known = seen.known(exit)
    done, but, verdict = "", "", None
    if known.code == 0:
        done = "It was a dry run: nothing was saved" if kind == "dry-run" else f"{name} ended with exit code 0"
        if kind == "check" and _DAMAGED.search(seen.complaint):
            but = "problems were found in the repository, and borg repaired what it could; see the log"
    elif _warns(known) and not _began_not(seen, known):
        verdict = _warned(name, kind, seen, known, words, repair)
    return replace(
        _judged(seen, known, inner, name, done, but, verdict), files=None, bytes_processed=None, bytes_added=None
    )


def _judged(seen: Seen, exit: Exit, inner: Inner, name: str, done: str, but: str, verdict: Verdict | None) -> Result:
    """Return the result by the rules that all engines share, with borg's reasons."""
    why = _why(seen, exit)
    locked = why.startswith(_LOCKED)
    result = findings.conclude(
        seen, exit, inner, name=name, done=done, but=but, verdict=verdict, stops=_STOPS, why=why, locked=locked
    )
    # `break-lock` removes every lock, also that of a run at work: it is not offered in doubt.
    return (
        replace(result, advice="Wait until the other borg ends, then run the backup again.")
        if result.locked
        else result
    )


def _why(seen: Seen, exit: Exit) -> str:
    """Return why the run failed, with the next step, "" where the cause is not known."""
    why = reason(f"{seen.complaint}\n[exit code {exit.code}]", _CAUSES)
    remote = _REMOTE.findall(seen.complaint)
    if remote and (not why or why.startswith(_CLOSED)) and (why := no_access("\n".join(remote)) or why):
        return f"{why} The other side said: {_line(remote[0])}"
    return why


def _warns(exit: Exit) -> bool:
    """Whether this code is borg's for "done, with warnings"."""
    return exit.code is not None and (exit.code == 1 or 100 <= exit.code <= 127)


def _finished(seen: Seen, exit: Exit) -> tuple[str, str, Verdict | None]:
    """Return the achievement of a run that saved an archive, a doubt about it, or else a verdict."""
    done = f"Archive {seen.archive} was saved"
    if not (_warns(exit) or (exit.code is None and (seen.errors or seen.remarks))):
        return done, "", None
    if not seen.files:
        first = f": {_first_problem(seen)}" if seen.errors else ""
        words = f"No file was backed up{first}. Check the paths of the sources, and whether their disks are mounted."
        return "", "", (Outcome.FAILED, words)
    return (
        done,
        f"with a warning: {_line(seen.remarks[0] if seen.remarks else f'borg ended with exit code {exit.code}')}",
        None,
    )


def _warned_unseen(seen: Seen, exit: Exit) -> Verdict:
    """Judge a run that ended with warnings and whose figures were not to be seen."""
    ended = f"borg ended with exit code {exit.code}, with warnings"
    if seen.counted:
        first = f": {_first_problem(seen)}" if seen.errors else ""
        return Outcome.WARNING, f"{ended}{first}; it saved {seen.counted} files or more."
    return Outcome.UNKNOWN, f"{ended}. How many files it saved was not seen; it may be none, if a source is missing."


def _first_problem(seen: Seen) -> str:
    return _line(seen.problems[0].message).rstrip(".") if seen.problems else "see the log"


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def _warned(name: str, kind: str, seen: Seen, exit: Exit, words: int, repair: bool) -> Verdict:
    warning = _line(seen.problems[0].message if seen.problems else seen.first)
    if kind == "check" and not repair:
        warning = next((_line(line) for line in seen.lines if _DAMAGE.search(line)), warning)
        return Outcome.FAILED, "The repository has problems" + (
            f": {warning}" if warning else "; see the log of the check."
        )
    if kind == "restore" and 0 < words <= seen.unmatched:
        return Outcome.FAILED, f"Nothing was restored: {warning}"
    return Outcome.WARNING, f"{name} ended with exit code {exit.code}, with warnings" + (
        f": {warning}" if warning else "."
    )


def _began_not(seen: Seen, exit: Exit) -> bool:
    """Whether the exit code is that of a program that could not start borg, or of an interpreter without it."""
    return exit.code in (124, 125, 126, 127) or bool(_NEVER_BEGAN.search(seen.complaint))
