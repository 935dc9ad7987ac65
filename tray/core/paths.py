"""Name the places of configuration, state, sockets, logs and our own assets.

`BACKUP_TRAY_HOME=DIR` puts all of it under DIR. Root gets the system folders and neither `HOME` nor `XDG_*` is asked, so that
`sudo` never leaves root's files in a user's home. An ordinary user gets the XDG folders, on other systems than Linux those of
platformdirs. Without `HOME` the password database names the home, so cron and systemd find what the desktop session uses.
"""

import os
import stat
import sys
import zlib
from pathlib import Path

from tray.core.dataclass import dataclass
from tray.core.errors import UnsafeFolderError

if sys.platform == "win32":
    import tempfile
else:
    import pwd
if sys.platform != "linux":
    from platformdirs import PlatformDirs

HOME_VARIABLE = "BACKUP_TRAY_HOME"
SYSTEM_VARIABLE = "BACKUP_TRAY_SYSTEM"
"""Names the folder in which a system-wide instance shows itself, for trials and tests."""
TRIAL_MARK = "this-is-the-trial"
SOCKET = "tracker.sock"
VIEW_FOLDER = Path("/run/backup-tray-view")
VIEW_SOCKET = "view.sock"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one installation: of one user, of root, or of a trial.

    Attributes:
        config: Folder of `config.toml` and of the password files that we made.
        state: Folder of all that must survive a reboot: audit log, signing key, run folders, spool.
        runtime: Sockets and locks; gone after a reboot.
        log: Our own diagnostics (not the logs of runs).
        makeshift: Why these are not the usual folders, as the end of a sentence; empty if they are.
    """

    config: Path
    state: Path
    runtime: Path
    log: Path
    makeshift: str = ""

    @property
    def config_file(self) -> Path:
        """The configuration, TOML."""
        return self.config / "config.toml"

    @property
    def audit_db(self) -> Path:
        """The audit log, an SQLite database."""
        return self.state / "audit.db"

    @property
    def audit_key(self) -> Path:
        """The Ed25519 signing key of the audit log, mode 0600."""
        return self.state / "audit.key"

    @property
    def audit_standing(self) -> Path:
        """The result of the last verification of the audit log, and the point from which the next one may go on; JSON."""
        return self.state / "audit.standing"

    @property
    def awake_log(self) -> Path:
        """The moments that tell when the machine was awake and when it slept; may be deleted, then that is not known."""
        return self.state / "awake.log"

    @property
    def awake_beat(self) -> Path:
        """The tracker's last sign of life."""
        return self.state / "awake.beat"

    @property
    def baselines(self) -> Path:
        """Copies of the newest checkpoint and of the public keys, in a place apart from the log."""
        return self.config / "baselines"

    @property
    def search_index(self) -> Path:
        """The words of the audit log's entries, for searching; derived, may be deleted at any time."""
        return self.state / "search.db"

    @property
    def runs(self) -> Path:
        """One folder for each run, named by its id."""
        return self.state / "runs"

    @property
    def socket(self) -> Path:
        """The tracker's Unix socket in the runtime folder that this process would use."""
        return self.runtime / SOCKET

    @property
    def socket_pointer(self) -> Path:
        """A file that names the tracker's socket, for callers whose environment names another runtime folder."""
        return self.state / "tracker.path"

    @property
    def spools(self) -> tuple[Path, ...]:
        """Folders for audit records that the log could not take, in order of preference."""
        return (self.state / "spool", self.runtime / "spool", self._last_resort / "spool")

    @property
    def run_roots(self) -> tuple[Path, ...]:
        """Folders that may hold run folders, in order of preference."""
        return (self.runs, self.runtime / "runs", self._last_resort / "runs")

    @property
    def _last_resort(self) -> Path:
        """A folder that most systems can write; its name depends on the state folder: a trial never mixes with real records."""
        mark = zlib.crc32(os.fsencode(self.state))
        if sys.platform == "win32":
            return Path(tempfile.gettempdir()) / f"backup-tray-{mark:08x}"
        return Path(f"/var/tmp/backup-tray-{os.geteuid()}-{mark:08x}")  # noqa: S108 - private() checks owner and mode before use


def places(environ: "os._Environ[str] | dict[str, str] | None" = None) -> Places:
    """Return the folders for this process; nothing is created.

    Args:
        environ: The environment to ask, `os.environ` by default.
    """
    environ = os.environ if environ is None else environ
    if home := environ.get(HOME_VARIABLE):
        base = Path(home).absolute()
        return Places(base / "config", base / "state", base / "runtime", base / "log")
    if sys.platform == "linux" and os.geteuid() == 0:
        return Places(
            Path("/etc/xdg/backup-tray"),
            Path("/var/lib/backup-tray"),
            Path("/run/backup-tray"),
            Path("/var/log/backup-tray"),
        )
    try:
        return _of_user()
    except (RuntimeError, KeyError, OSError, ImportError) as error:
        if sys.platform == "win32":
            raise
        why = "this user has no home folder (no HOME, no entry in passwd)"
        return _homeless(
            why if isinstance(error, RuntimeError | KeyError) else f"the home folder was not found: {error}"
        )


def _of_user() -> Places:
    """Return the folders of an ordinary user.

    Raises:
        RuntimeError: There is no home folder, or its path is relative.
    """
    if sys.platform == "linux":
        config, state = _xdg("XDG_CONFIG_HOME", ".config"), _xdg("XDG_STATE_HOME", ".local/state")
        runtime, log = _xdg("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}"), state / "log"
    else:
        dirs = PlatformDirs("backup-tray", appauthor=False, use_site_for_root=sys.platform == "darwin")
        config, state = Path(dirs.user_config_dir), Path(dirs.user_state_dir)
        runtime, log = Path(dirs.user_runtime_dir), Path(dirs.user_log_dir)
    if not runtime.parent.is_dir() or _planted(runtime) is not None:  # no login, as for cron; or a trap of another user
        runtime = state / "runtime"
    places = Places(config, state, runtime, log)
    if not (places.config.is_absolute() and state.is_absolute() and runtime.is_absolute()):
        raise RuntimeError("HOME is no absolute path")
    return places


def _xdg(variable: str, default: str) -> Path:
    """Return our folder in the one that *variable* names; the XDG specification has relative paths ignored."""
    named = os.environ.get(variable, "")
    if not os.path.isabs(named):
        named = default
    if not os.path.isabs(named) and sys.platform != "win32":  # an empty HOME names no folder
        named = os.path.join(os.environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir, named)
    return Path(named) / "backup-tray"


def _homeless(why: str) -> Places:
    """Return folders for a user without a home: below /var/tmp, where `private` refuses the folders of other users."""
    uid = getattr(os, "geteuid", int)()
    base = Path(f"/var/tmp/backup-tray-{uid}")  # noqa: S108 - private() checks owner and mode before use
    return Places(base / "config", base / "state", base / "runtime", base / "log", why)


def view_folder(environ: "os._Environ[str] | dict[str, str] | None" = None) -> Path:
    """Return the folder in which this process, as the system-wide instance, shows its status to a group; nothing is created."""
    environ = os.environ if environ is None else environ
    if named := environ.get(SYSTEM_VARIABLE):
        return Path(named).absolute()
    home = environ.get(HOME_VARIABLE)
    return Path(home).absolute() / "view" if home else VIEW_FOLDER


def system_view(environ: "os._Environ[str] | dict[str, str] | None" = None) -> Path | None:
    """Return the folder in which the system-wide instance would show itself to this process; None where there can be none.

    Root's own status is the system's, a trial knows nothing of the machine, and other systems than Linux have none.
    """
    environ = os.environ if environ is None else environ
    if environ.get(SYSTEM_VARIABLE):
        return view_folder(environ)
    if sys.platform != "linux" or environ.get(HOME_VARIABLE) or os.geteuid() == 0:
        return None
    return VIEW_FOLDER


def is_trial(environ: "os._Environ[str] | dict[str, str] | None" = None) -> bool:
    """Whether this process shows the trial of the installer, which says so in a file of its folder, and no real backups."""
    home = (os.environ if environ is None else environ).get(HOME_VARIABLE)
    return bool(home) and os.path.exists(os.path.join(home or "", TRIAL_MARK))


def system_readable() -> bool:
    """Whether a system-wide instance shows itself to this user, who then need not look at other users' processes; cheap."""
    folder = system_view()
    return folder is not None and os.access(folder / VIEW_SOCKET, os.W_OK)


def private(folder: Path) -> Path:
    """Make *folder* with mode 0700 if it is missing, make sure that it is ours alone, and return it.

    Raises:
        UnsafeFolderError: It exists but belongs to another user, others can enter it, or it is no folder.
        OSError: It cannot be made.
    """
    try:
        # lstat first: mkdir on a read-only file system fails even where the folder stands already.
        status = folder.lstat()
    except FileNotFoundError:
        # Missing parents get the same mode, as the XDG specification asks; mkdir(parents=True) would leave that to the umask.
        for missing in reversed([folder, *folder.parents]):
            if not missing.exists():
                missing.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    check_private(folder, status)
    return folder


def session_bus() -> str | None:
    """Return the address of this user's session bus (D-Bus): as the environment names it, else the one that systemd keeps.

    cron and systemd's services start us without that variable. None: the bus can only be found by the desktop's own means.
    """
    if sys.platform == "win32":
        return None
    if named := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return named
    folder = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return f"unix:path={folder}/bus" if Path(folder, "bus").is_socket() else None


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable, where the system can."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_private(folder: Path, status: os.stat_result) -> None:
    """Raise UnsafeFolderError unless *status*, the lstat of *folder*, is a folder that only this user can enter."""
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafeFolderError(folder, "it is not a folder")
    if sys.platform != "win32":
        if status.st_uid != os.geteuid():
            raise UnsafeFolderError(folder, f"it belongs to user {status.st_uid}")
        if status.st_mode & 0o077:
            raise UnsafeFolderError(folder, f"others can enter it (mode {status.st_mode & 0o777:04o})")
        if (stranger := _planted(folder)) is not None:
            raise UnsafeFolderError(
                folder,
                f"{stranger}, on the way to it, was made by another user ({stranger.lstat().st_uid})",
                next=f"Look at it with `ls -ld {stranger}`, have an administrator remove it, then try again.",
            )


def _planted(folder: Path) -> Path | None:
    """Return a name on the way to *folder* that another user has made in a place like /tmp, where all users can make names.

    Its owner could exchange anything below it at any time. A missing name belongs to no user.
    """
    if sys.platform == "win32":
        return None
    for name in (folder, *folder.parents):
        try:
            if name.parent.stat().st_mode & stat.S_IWOTH and name.lstat().st_uid not in (0, os.geteuid()):
                return name
        except OSError:
            continue  # missing, or nothing that this user could be led through
    return None


def assets() -> Path:
    """Return the folder of web pages, icons and fonts: in the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "assets"
    return installed if installed.is_dir() else package.parent / "assets"


def expand(path: str) -> str:
    """Replace a leading `~`; for root by root's home, since sudo may keep the caller's HOME."""
    if sys.platform != "win32" and os.geteuid() == 0 and (path == "~" or path.startswith("~/")):
        return pwd.getpwuid(0).pw_dir.rstrip("/") + path[1:]
    return os.path.expanduser(path)
