"""What works here, what does not, and the command that mends it.

Each check answers one question and changes nothing. A check that fails in an unforeseen way says so as its result, so one broken
thing never hides the others. What needs a desktop is in `doctor_desktop`.
"""

import os
import platform
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tray import config, doctor_desktop, jobs, paths, wording
from tray.doctor_desktop import Finding
from tray.engines import ENGINES
from tray.errors import (
    AuditMissingError,
    BackupTrayError,
    ConfigError,
    NotInGroupError,
    SystemViewError,
    TrackerGoneError,
    UnsafeFolderError,
)
from tray.fetch.conversation import connect
from tray.paths import Places, check_private

_VERSION_COMMAND = ("restic", "rclone")
"""Engines that are asked by a command; the others have an option for it."""
_EVERYWHERE = {"tar", "rsync"}
"""Engines that are there on machines that nobody backs up."""
_ANSWER_SECONDS = 2.0
_TELLS_EXITS = (6, 15)  # the first Linux that tells how somebody else's process ended
QUICK_BYTES = 10_000_000
"""A log up to this size is verified whole (0.2 s or so); of a larger one only the end is looked at."""


class Level(StrEnum):
    """How good a check's answer is. `OK` also for what is merely not needed here."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One answer.

    Attributes:
        name: What was looked at.
        level: How good it is.
        what: One sentence for a person.
        remedy: The command or step that mends it; empty if all is well.
    """

    name: str
    level: Level
    what: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the check as `doctor --json` shows it."""
        return {"name": self.name, "level": self.level.value, "what": self.what, "remedy": self.remedy}


def examine(places: Places) -> list[Check]:
    """Return all checks, in the order in which to read them. Never raises."""
    checks: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("Python", _python),
        ("folders", lambda: _folders(places)),
        ("configuration", lambda: _configuration(places)),
        ("audit log", lambda: _audit_log(places)),
        ("records waiting", lambda: _spool(places)),
        ("runs", lambda: _runs(places)),
        ("tracker", lambda: _tracker(places)),
        ("runs of others", lambda: _observation(places)),
        ("system's instance", _system),
        ("backup engines", _engines),
        ("command", _command),
        ("tray", lambda: _desktop("tray", doctor_desktop.tray())),
        ("window", lambda: _desktop("window", doctor_desktop.web_view())),
        ("start at login", lambda: _desktop("start at login", doctor_desktop.autostart())),
    ]
    return [check for name, ask in checks for check in _safely(name, ask)]


def fine(checks: Iterable[Check]) -> bool:
    """Whether there is nothing to mend."""
    return all(check.level is Level.OK for check in checks)


def _safely(name: str, ask: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return list(ask())
    except BackupTrayError as error:
        return [Check(name, Level.BAD, f"{error.what} {error.why}".strip(), error.next)]
    except OSError as error:
        about = f" ({error.filename})" if error.filename else ""
        return [
            Check(
                name,
                Level.BAD,
                f"It cannot be looked at: {error.strerror or error}{about}.",
                "Look at that place with `ls -ld`.",
            )
        ]
    except Exception as error:  # a doctor who faints helps nobody
        what = f"The check itself failed: {type(error).__name__}: {error}."
        return [Check(name, Level.BAD, what, "Please report this with the output of `backup-tray doctor`.")]


def _desktop(name: str, finding: Finding) -> list[Check]:
    level = Level.OK if finding.fine else Level.WARN
    return [Check(name, level, finding.what, finding.remedy)]


def _python() -> list[Check]:
    what = f"Python {platform.python_version()} ({sys.executable}) on {platform.system()} {platform.release()}."
    return [Check("Python", Level.OK, what)]


def _folders(places: Places) -> Iterable[Check]:
    for name, folder in (("configuration", places.config), ("state", places.state), ("runtime", places.runtime)):
        yield _folder(f"{name} folder", folder)


def _folder(name: str, folder: Path) -> Check:
    """Look whether *folder* is ours, private and writable, or can be made so."""
    try:
        check_private(folder, folder.lstat())
    except FileNotFoundError:
        return _missing_folder(name, folder)
    except UnsafeFolderError as error:
        return Check(name, Level.BAD, f"{error.what} {error.why}", error.next)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(name, Level.BAD, f"{folder} cannot be written{_read_only(folder)}.", _writable_again(folder))
    return Check(name, Level.OK, f"{folder} is private and can be written.")


def _missing_folder(name: str, folder: Path) -> Check:
    parent = next(above for above in folder.parents if above.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        return Check(name, Level.OK, f"{folder} is made when it is needed.")
    return Check(
        name,
        Level.BAD,
        f"{folder} cannot be made: {parent} cannot be written{_read_only(parent)}.",
        _writable_again(parent),
    )


def _read_only(folder: Path) -> str:
    if sys.platform != "win32" and os.statvfs(folder).f_flag & os.ST_RDONLY:
        return ", its file system is read-only"
    return ""


def _writable_again(folder: Path) -> str:
    place = shlex.quote(str(folder))
    return (
        f"sudo mount -o remount,rw {shlex.quote(str(_mount_point(folder)))}"
        if _read_only(folder)
        else f"ls -ld {place}  (records wait in a spool meanwhile)"
    )


def _mount_point(folder: Path) -> Path:
    """The place where the file system that holds *folder* is mounted; only that can be remounted."""
    real = folder.resolve()
    return next((above for above in (real, *real.parents) if os.path.ismount(above)), folder)


def _configuration(places: Places) -> Iterable[Check]:
    found = config.load(places).jobs
    names = ", ".join(sorted(found))
    yield Check(
        "configuration",
        Level.OK,
        f"{wording.plural(len(found), 'job')}: {names}." if found else "No jobs configured; none are needed.",
    )
    for job in found.values():
        if job.password_file is not None:
            yield from _password_file(job.name, Path(job.password_file).expanduser())


def _password_file(name: str, file: Path) -> Iterable[Check]:
    place = shlex.quote(str(file))
    try:
        mode = file.stat().st_mode
    except OSError as error:
        what = f"The password file of job {name}, {file}, cannot be read: {error.strerror}."
        yield Check(
            "configuration", Level.BAD, what, "Put the password back there; without it the backups cannot be restored."
        )
        return
    if sys.platform != "win32" and stat.S_IMODE(mode) & 0o077:
        yield Check(
            "configuration", Level.WARN, f"Others can read {file}, the password of job {name}.", f"chmod 600 {place}"
        )


def _audit_log(places: Places) -> list[Check]:
    from tray.audit.store import AuditLog

    try:
        with AuditLog.read(places.audit_db) as log:
            size, _, _ = log.head()
    except AuditMissingError:
        return [Check("audit log", Level.OK, "There is none yet; the first run under watch makes it.")]
    if places.audit_db.stat().st_size > QUICK_BYTES:
        what = f"{_entries(size)}, readable; it is large, so it was not verified now."
        return [Check("audit log", Level.OK, what + " Verify it: `backup-tray audit verify`.")]
    from tray.audit.database import damaged
    from tray.audit.verdict import Kind
    from tray.audit.verify import verify

    verdict = verify(places.audit_db, places.audit_key)
    if str(verdict.result) == "tampered":
        if verdict.kind is Kind.DAMAGED:
            return [Check("audit log", Level.BAD, verdict.why, damaged(places.audit_db))]
        return [Check("audit log", Level.BAD, f"It was altered: {verdict.why}", "backup-tray audit verify")]
    return [Check("audit log", Level.OK, f"{_entries(size)}, intact in {'itself' if size == 1 else 'themselves'}.")]


def _entries(size: int) -> str:
    return f"{wording.count(size)} {'entry' if size == 1 else 'entries'}"


def _spool(places: Places) -> Iterable[Check]:
    from tray.audit import spool

    count, bad = len(spool.pending(places)), spool.pending_bad(places)
    if count:
        remedy = "Mend what is named above; the next run appends them."
        yield Check(
            "records waiting",
            Level.WARN,
            f"Waiting for the audit log, which could not take them: {wording.plural(count, 'record')}.",
            remedy,
        )
    if bad:
        what = f"Damaged and set aside in the spool: {wording.plural(len(bad), 'record')}, {bad[0]}."
        yield Check("records waiting", Level.WARN, what, f"less {shlex.quote(str(bad[0]))}")
    if not count and not bad:
        yield Check("records waiting", Level.OK, "None.")


def _runs(places: Places) -> list[Check]:
    from tray import runs

    live, orphaned = 0, []
    for folder in runs.live(places):
        try:
            running = folder.running(folder.info())
        except (OSError, ValueError):
            running = folder.wrapped
        live += running
        if not folder.wrapped:
            orphaned.append(folder.run)
    if orphaned:
        what = f"Lost their wrapper (killed, or a power cut): {wording.plural(len(orphaned), 'run')}, {orphaned[0]}."
        return [Check("runs", Level.WARN, what, "backup-tray tracker  (closes them; so does the icon)")]
    return [Check("runs", Level.OK, f"{wording.plural(live, 'run')} now." if live else "None is going on.")]


def _tracker(places: Places) -> list[Check]:
    from tray import ipc

    try:
        client = ipc.Client(places, "cli")
    except TrackerGoneError as error:
        if error.why == "No tracker is running.":
            return [Check("tracker", Level.OK, "None is running; icon and window start one when they need it.")]
        return [Check("tracker", Level.BAD, f"{error.what} {error.why}", error.next)]
    client.close()
    return [
        Check(
            "tracker",
            Level.OK,
            f"It answers (version {_text(client.tracker, 'version')}, process {_text(client.tracker, 'pid')}).",
        )
    ]


def _text(message: Any, key: str) -> str:
    return str(message.get(key, "unknown"))


def _observation(places: Places) -> list[Check]:
    """Say whether runs that others started are seen, and how well their end can be known."""
    from tray.observe.scope import VARIABLE, Scope

    name = "runs of others"
    if sys.platform != "linux":
        return [
            Check(name, Level.OK, "They are seen on Linux only; put yours under watch: `backup-tray run -- COMMAND`.")
        ]
    if Scope.of(os.environ).off or not _observes(places):
        what = f"Nobody looks for them: {VARIABLE} or [observe] in {places.config_file} says so."
        return [Check(name, Level.OK, what)]
    release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
    if release >= _TELLS_EXITS:
        return [Check(name, Level.OK, "A tracker sees them, with their exact exit status.")]
    what = "A tracker sees them; this kernel (before 6.15) seldom tells how they ended, so many end as unknown."
    return [Check(name, Level.OK, f"{what} Put yours under watch: `backup-tray run -- COMMAND`.")]


def _observes(places: Places) -> bool:
    try:
        return config.load(places).observe
    except ConfigError:
        return True  # the tracker then does as if nothing stood there; what is wrong is said above


def _system() -> list[Check]:
    """Look whether root's backups are shown to this user, or, as root, to others."""
    name = "system's instance"
    folder = paths.system_view() or paths.view_folder()
    try:
        talk = connect(folder, "cli")
        if talk is None:
            what = "None is set up: root's own backups are shown to root alone. Set it up: `sudo installers/linux/install.sh`."
            return [Check(name, Level.OK, what)]
        try:
            talk.send({"type": "status"})
            jobs = talk.receive(_ANSWER_SECONDS)["status"]["jobs"]
        finally:
            talk.close()
    except NotInGroupError as error:
        if error.added:
            return [Check(name, Level.WARN, error.what, error.next)]
        return [Check(name, Level.OK, f"{error.what} {error.next}")]
    except SystemViewError as error:
        remedy = "sudo systemctl restart backup-tray  (why it ended: journalctl -u backup-tray)"
        return [Check(name, Level.WARN, f"{error.what} {error.why}", remedy)]
    return [Check(name, Level.OK, f"It answers; it shows {wording.plural(len(jobs), 'job')} of root's.")]


def _engines() -> Iterable[Check]:
    """Name the engines that are installed; nobody needs all of them."""
    found = [(name, program) for name in (one.name for one in ENGINES) if (program := shutil.which(name)) is not None]
    with ThreadPoolExecutor(max_workers=max(len(found), 1)) as threads:
        versions = list(threads.map(lambda one: _version(*one), found))
    for (_, program), version in zip(found, versions, strict=True):
        yield Check("backup engines", Level.OK, f"{program}: {version}.")
    if {name for name, _ in found} <= _EVERYWHERE:
        what = "None that is made for backups is installed (such as restic or borg)."
        yield Check("backup engines", Level.WARN, what, "sudo apt install restic")
    yield from _added_engines()


def _added_engines() -> Iterable[Check]:
    """Name the engines that the user has added, and what is wrong with them."""
    from tray.engines import plugins

    for name in plugins.names():
        yield Check("added engines", Level.OK, f"{name}.")
    for said in plugins.problems():
        yield Check("added engines", Level.WARN, said, "Update or remove the package that brings it.")


def _version(name: str, program: str) -> str:
    ask = "version" if name in _VERSION_COMMAND else "--version"
    try:
        done = subprocess.run([program, ask], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not answer ({error})"
    lines = done.stdout.decode("utf-8", "backslashreplace").strip().split("\n")
    return " ".join(lines[0][:80].split()) or "it does not say its version"


def _command() -> list[Check]:
    installed = next((path for path in jobs.launcher_places() if os.access(path, os.X_OK)), None)
    if installed is None:
        return [
            Check(
                "command",
                Level.WARN,
                "backup-tray is not installed for good.",
                "installers/linux/install.sh in the checkout",
            )
        ]
    found = shutil.which("backup-tray")
    if found is None:
        what = f"{installed} is there, but {installed.parent} is not in PATH."
        return [
            Check(
                "command",
                Level.WARN,
                what,
                f"Log in anew; if that is not enough: echo 'PATH=\"{installed.parent}:$PATH\"' >>~/.profile",
            )
        ]
    if not os.path.samefile(found, installed):
        what = f"The command line finds {found}, but {installed} is installed."
        return [Check("command", Level.WARN, what, f"Call it in full, or remove the other: ls -l {shlex.quote(found)}")]
    return [Check("command", Level.OK, f"{installed} is installed and in PATH.")]
