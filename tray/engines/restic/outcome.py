"""Judge a restic backup by its own words and its exit code together.

    Succeeded: exit 0, a summary, no problem. Warning: exit 3 with a summary, or 0 with one and a problem. Cancelled: an
    interrupt or termination came through us, or restic says that such a signal stopped it. Everything else failed; an
    unseen end without a summary is lost.

Why so strict: restic before 0.19 exits 0 with one of several sources missing, and a killed one may have saved nothing.
"""

from tray.core import regex
from tray.core.dataclass import dataclass, field, replace
from tray.core.model import Outcome
from tray.engines import findings
from tray.engines.base import Event, Exit, Problem, Result
from tray.engines.causes import causes, reason
from tray.engines.findings import Findings, holds_nothing
from tray.engines.program import Inner

MAX_ITEMS = 50_000
_MAX_NAMESAKES = 100
STOPS = (130,)
"""Exit codes by which restic says that a signal stopped it."""
_STOPPED = regex.compile(r"\bsignal (?:\w+ ){1,3}received, cleaning up")
_DECISIVE = regex.compile("^Fatal: |^unable to create lock|already locked|^unknown |^invalid argument")
_LOCK = regex.compile("already locked|unable to create lock")
_REASONS = r"""
(?i)no space left on device|quota exceeded|insufficient storage
    There is no space left on the device; free some space where the repository (or restic's cache) is, then run the backup again.
<access>
already locked(?: exclusively)?( by PID \d+ on .*? by .*?)(?: \(UID|$)
    The repository is locked{1}; wait until that run ends, then run the backup again.
already locked|unable to create lock
[exit code 11]
    The repository is locked; wait until that run ends, then run the backup again.
wrong password or no key found
[exit code 12]
    The password is wrong, or the repository has no key for it; check the password file, RESTIC_PASSWORD or the password command.
(?i)^Fatal: .*(?:permission denied|operation not permitted)@
    Access to the repository at {1|this address} was denied; check who owns it, and as which user the backup runs.
(?i)(?:repository does not exist|config file does not exist|config file: .*(?:no such file or directory|does not exist|\(404\)
404 not found|nosuchkey|cannot find the (?:path|file)|not found))@
[exit code 10]
    There is no restic repository at {1|this address}; check the address and whether its disk is mounted. Only where there never
    was one: make it with `restic init`.
Is there a repository at the following location\?\n *(.*\S)
    restic could not open the repository at {1}{said}; check the address, the network and the login.
all (?:target|source) directories/files do not exist
    None of the sources exists, so nothing was backed up; check their paths, and whether their disks are mounted.
an empty password is not a password|Resolving password failed
    restic got no password; give it a password file with `--password-file` or RESTIC_PASSWORD_FILE.
Please specify repository location
    restic was not told which repository to use; name it with `-r` or RESTIC_REPOSITORY.
repository contains errors|packs from index missing in repo
    The repository has errors{said}; remove nothing from it, and see what restic's manual says about repairing (`restic repair
    index`).
snapshot is empty
    There was nothing to save: restic could read none of the sources.
"""
"""`@` stands for the address, which restic prints two lines later. Only an answer that there is no such file means that there is no
repository; any other failure to open it says nothing."""
_AT = r"(?:[\s\S]*Is there a repository at the following location\?\n *(.*\S))?"
_CAUSES = causes(_REASONS.replace("@", _AT))


class Items:
    """The items with errors so far, each counted once. Takes a bounded amount of memory and of time for each item."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._namesakes: dict[str, list[str]] = {}  # by the last part of the path
        self._folder = ""  # the folder of relative paths, once a pair showed it

    def is_new(self, item: str, *, scan: bool = False) -> bool:
        """Whether *item* was not named before; remembers it.

        When too many are known, an item counts when it is read and no longer in the scan, where its double would be missed.
        """
        item = item.removeprefix("./").rstrip("/") or item
        key = item if item.startswith("/") or not self._folder else self._folder + item
        if key in self._known or self._twin(item) is not None:
            return False
        if len(self._known) >= MAX_ITEMS:
            return not scan
        self._known.add(key)
        same_name = self._namesakes.setdefault(item.rpartition("/")[2], [])
        if len(same_name) < _MAX_NAMESAKES:
            same_name.append(item)
        return True

    def _twin(self, item: str) -> str | None:
        """Return the other form of *item*, absolute or relative, and learn from it where relative paths begin."""
        if self._folder:
            return None
        for other in self._namesakes.get(item.rpartition("/")[2], ()):
            long, short = (item, other) if item.startswith("/") else (other, item)
            if long.startswith("/") and not short.startswith("/") and long.endswith("/" + short):
                self._folder = long[: -len(short)]
                self._known = {name if name.startswith("/") else self._folder + name for name in self._known}
                return other
        return None


@dataclass(slots=True)
class Seen(Findings):
    """The meaning of the output of a run.

    Attributes:
        dry: Nothing is to be saved.
        may_skip: It makes no snapshot when nothing changed, as the user asked.
        summary: restic said that it is done.
        incomplete: restic said that at least one file could not be read.
        opening: The very first complaint, which names the trouble where the decisive one only says that there is some.
    """

    dry: bool = False
    may_skip: bool = False
    summary: bool = False
    incomplete: bool = False
    opening: str = ""
    _items: Items = field(default_factory=Items)

    @property
    def first(self) -> str:
        """The complaint that says most."""
        return next(iter(self.complaints), "").removeprefix("Fatal: ")

    def problem(self, message: str, item: str | None = None, *, scan: bool = False) -> tuple[Event, ...]:
        """Count a problem once, though restic may name it in the scan and again when it reads the item."""
        return self._count(Problem(message[:2000], item)) if self._items.is_new(item or message, scan=scan) else ()

    def complained(self, text: str) -> tuple[Event, ...]:
        """Remember a line that may say why the run fails, after the decisive one only the lines that follow it."""
        self.opening = self.opening or text[:300]
        decisive = not self._decisive and _DECISIVE.search(text) is not None
        if decisive:
            self.complaints.clear()
        self.complain(text, decisive=decisive)
        if not text.startswith("Fatal: "):
            return ()
        self.fatal = True
        return (Problem(text[7:], fatal=True),)

    def stops(self, text: str) -> bool:
        """Whether restic says in *text* that a signal stops it; remembers it."""
        stops = _STOPPED.search(text) is not None
        self.stopped = self.stopped or stops
        return stops


def conclude(seen: Seen, exit: Exit, inner: Inner, *, watched: bool, unlock: str) -> Result:
    """Return the result of a backup.

    Args:
        seen: The meaning of its output.
        exit: How it ended.
        inner: The wrappers that stood before restic.
        watched: Its output came to us.
        unlock: restic's own command that removes a lock.
    """
    known = seen.known(exit)
    done, but = _done(seen, known) if seen.summary and known.code in (0, 3, None) else ("", "")
    verdict = None
    if known.code == 0 and watched:
        verdict = Outcome.FAILED, "restic ended with exit code 0, but it did not say that it saved a snapshot."
    elif known.code == 0:
        ended = "restic ended with exit code 0, but its output was not seen, so a missing source would not be known."
        verdict = Outcome.UNKNOWN, ended
    elif known.code == 3 and not watched:
        verdict = Outcome.WARNING, "restic saved a snapshot, but at least one file could not be read."
    result = judged(seen, exit, inner, "restic", unlock, done=done, but=but, verdict=verdict)
    return holds_nothing(result) if seen.summary and seen.files == 0 else result


def judged(
    seen: Seen,
    exit: Exit,
    inner: Inner,
    name: str,
    unlock: str,
    *,
    done: str = "",
    but: str = "",
    verdict: findings.Verdict | None = None,
) -> Result:
    """Return the result by the rules that all engines share, with restic's reasons and its advice about locks."""
    known = seen.known(exit)
    result = findings.conclude(
        seen,
        exit,
        inner,
        name=name,
        done=done,
        but=but,
        verdict=verdict,
        stops=STOPS,
        why=_why(seen, known) if known.seen or seen.fatal else "",
        locked=exit.code == 11 or _LOCK.search(seen.complaint) is not None,
    )
    return replace(result, advice=_lock_advice(exit, seen.complaint, unlock))


def _done(seen: Seen, exit: Exit) -> tuple[str, str]:
    """Return the achievement of a run that ended well, and a doubt about it."""
    done = "Nothing had changed, so no new snapshot was made"
    if seen.dry:
        done = "It was a dry run: nothing was saved"
    elif seen.snapshot:
        done = f"Snapshot {seen.snapshot[:8]} was saved"
    elif not seen.may_skip:
        return "restic ended well", "it did not name the snapshot that it saved"
    if seen.fatal:
        return done, f"then restic failed: {seen.first[:300]}"
    return done, "at least one file could not be read" if seen.incomplete or exit.code == 3 else ""


def _why(seen: Seen, exit: Exit) -> str:
    """Return why the run failed, with the next step, "" where the cause is not known; restic 0.17 and later have codes for some."""
    complaint = seen.complaint if seen.opening in seen.complaint else f"{seen.complaint}\n{seen.opening}"
    opening = seen.opening.removeprefix("Fatal: ").rstrip(":")
    why = reason(f"{complaint}\n[exit code {exit.code}]", _CAUSES)
    return why.replace("{said}", f" ({opening})" if opening else "")


def _lock_advice(exit: Exit, text: str, unlock: str) -> str | None:
    """Return advice about a lock that keeps a run out, or that one may have left behind; None without a sign of a lock.

    Args:
        text: restic's complaints.
        unlock: restic's own command, which removes only locks whose process is gone.
    """
    if _LOCK.search(text):
        return f"If that restic runs no more, remove its stale lock: `{unlock}`. It spares the lock of one that is at work."
    if exit.signal is not None:
        return f"It may have left its lock in the repository; if no other restic is at work there: `{unlock}`."
    return None
