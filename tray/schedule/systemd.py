"""Have systemd start a job: write its units, enable the timer, read back how systemd understood it, and take it away.

An ordinary user's timers belong to the user's manager (`systemctl --user`), root's to the system's. The user's manager is
looked for under the user's number and not where the environment says: after `su`, and in cron, that names another one or none.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from tray.core.dataclass import dataclass
from tray.core.errors import NotScheduledError, SchedulerError
from tray.core.files import content
from tray.core.paths import expand
from tray.schedule import units
from tray.schedule.plan import Plan
from tray.status.schedules import Key

if sys.platform != "win32":
    import pwd

RUNS = Path("/run/systemd/system")
"""This folder is there if systemd runs: sd_booted(3)."""
LINGER = Path("/var/lib/systemd/linger")
_SECONDS = 30.0
_ASKED = (
    *("Id", "LoadState", "ActiveState", "UnitFileState", "FragmentPath", "DropInPaths", "NeedDaemonReload", "Result"),
    *("LastTriggerUSec", "NextElapseUSecRealtime", "ExecMainStatus"),
)


@dataclass(frozen=True, slots=True)
class Systemd:
    """One manager of systemd's.

    Attributes:
        system: The system's, for root; else the user's.
        folder: Folder of the unit files.
    """

    system: bool
    folder: Path

    @classmethod
    def ours(cls) -> "Systemd":
        """Return the manager for this user; root gets the system's."""
        if _uid() == 0:
            return cls(True, Path("/etc/systemd/system"))
        base = os.environ.get("XDG_CONFIG_HOME", "")
        return cls(False, Path(base if os.path.isabs(base) else expand("~/.config")) / "systemd/user")

    @property
    def title(self) -> str:
        """The kind of timer, for people."""
        return "systemd timer of the system" if self.system else "systemd timer of this user"

    def command(self, *words: str) -> list[str]:
        """Return the `systemctl` command for *words*."""
        return ["systemctl", *(() if self.system else ("--user",)), *words]

    def check(self) -> None:
        """Make sure that the manager can be reached.

        Raises:
            SchedulerError: It cannot: systemd does not run, or the user has no manager now.
        """
        if not present():
            raise SchedulerError(
                "systemd does not run here.",
                why="The system was started by another program, as containers are.",
                next="Have cron start the job: `backup-tray schedule JOB --by cron`.",
            )
        if not self.system and not os.path.exists(f"{_runtime()}/systemd/private"):
            raise SchedulerError(
                f"systemd does not run for {user()} now.",
                why=f"{user()} is not logged in, and has no right to keep programs running without (linger).",
                next=f"Run `sudo loginctl enable-linger {shlex.quote(user())}`, or log in as {user()}; then try again.",
            )

    def install(self, plan: Plan) -> None:
        """Write the units of *plan*, start its timer now and at each start of the manager, and make sure that systemd took it.

        Raises:
            SchedulerError: systemd cannot be reached or refuses, or a file of that name is not ours. Nothing has changed then.
        """
        self.check()
        if self.system:
            _check_trusted(plan)
        made = units.of(plan)
        before = {path: None if is_mask(path) else _text(path) for path in made.files(self.folder)}
        for path, text in before.items():
            if text is not None and not units.is_ours(text):
                raise SchedulerError(
                    f"{path} exists and is not ours.",
                    next=f"Look at it, and move it away: `mv {shlex.quote(str(path))} ~`.",
                )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path, text in made.files(self.folder).items():
                _write(path, text)
            self._take_over(made, before)
        except (OSError, SchedulerError) as error:
            self._put_back(made, before)
            if isinstance(error, SchedulerError):
                raise
            why = f"{error.filename or self.folder}: {error.strerror}."
            raise SchedulerError(
                "The schedule could not be written.", why=why, next=f"Look at the folder: `ls -ld {self.folder}`."
            ) from error

    def _take_over(self, made: units.Units, before: Mapping[Path, str | None]) -> None:
        timer = f"{made.name}.timer"
        self.ask("daemon-reload")
        old = before[self.folder / timer]
        if old is None or units.times_of(old) != units.times_of(made.timer):
            # systemd counts from the last start; by new times that start would be late at once, and a backup begin now.
            self._forget_last(timer)
        self.ask("reenable", "--quiet", timer)
        self.ask("restart", timer)
        state = self.states([made.name]).get(timer, {})
        if state.get("ActiveState") != "active" or Path(state.get("FragmentPath", "")).parent != self.folder:
            why = f"It says of {timer}: {state.get('LoadState')}, {state.get('ActiveState')}, {state.get('FragmentPath')}."
            raise SchedulerError(
                "systemd did not take the timer.",
                why=why,
                next=f"Ask it: `{shlex.join(self.command('status', timer))}`.",
            )

    def _forget_last(self, timer: str) -> None:
        """Stop *timer* and have systemd forget when it last started its service."""
        self.ask("stop", timer, tolerate=True)
        self.ask("clean", "--what=state", timer, tolerate=True)

    def _put_back(self, made: units.Units, before: Mapping[Path, str | None]) -> None:
        """Undo as much as can be undone."""
        try:
            if all(text is None for text in before.values()):
                self.ask("disable", "--now", "--quiet", f"{made.name}.timer", tolerate=True)
            for path, text in before.items():
                if text is None:
                    path.unlink(missing_ok=True)
                else:
                    _write(path, text)
            self.ask("daemon-reload", tolerate=True)
        except (OSError, SchedulerError):
            return  # the error that led here says more

    def remove(self, key: Key) -> None:
        """Take the schedule of *key* away; a run that goes on is left alone.

        Raises:
            NotScheduledError: It has none here.
            SchedulerError: systemd cannot be reached.
        """
        name = units.name(*key)
        files = [self.folder / f"{name}{ending}" for ending in (".timer", ".service")]
        ours = [path for path in files if units.is_ours(_text(path) or "")]
        if not ours:
            raise NotScheduledError(*key)
        self.check()
        self.ask("disable", "--now", "--quiet", f"{name}.timer", tolerate=True)
        self._forget_last(f"{name}.timer")
        try:
            for path in ours:
                path.unlink()
                shutil.rmtree(f"{path}.d", ignore_errors=True)
        except OSError as error:
            self.ask("enable", "--now", "--quiet", f"{name}.timer", tolerate=True)  # as it was
            step = f"Look at the folder: `ls -ld {shlex.quote(str(self.folder))}`."
            raise SchedulerError(
                "The schedule was not taken away.", why=f"{error.filename}: {error.strerror}.", next=step
            ) from error
        self.ask("daemon-reload")
        self.ask("reset-failed", f"{name}.timer", f"{name}.service", tolerate=True)

    def scheduled(self) -> dict[str, Key]:
        """Return the names of our units, without ending, and whose they are. A trial sees those of its own only."""
        names: dict[str, Key] = {}
        for path in sorted(self.folder.glob(units.GLOB)):
            key = units.owner(_text(path) or "")
            if key is not None and units.name(*key) == path.stem:
                names[path.stem] = key
        return names

    def states(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return systemd's own words about the timers and services called *names*, by unit and property.

        Raises:
            SchedulerError: systemd cannot be reached.
        """
        asked = [f"{name}{ending}" for name in names for ending in (".timer", ".service")]
        if not asked:
            return {}
        text = self.ask("show", "--timestamp=utc", "--property", ",".join(_ASKED), *asked)
        blocks = [
            dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")
        ]
        return dict(zip(asked, blocks, strict=False))

    def text(self, unit: str) -> str | None:
        """Return the text of the file of *unit*, None if there is none."""
        return _text(self.folder / unit)

    def ask(self, *words: str, tolerate: bool = False) -> str:
        """Run `systemctl` with *words* and return its answer.

        Args:
            tolerate: A refusal is fine.

        Raises:
            SchedulerError: It refuses or does not answer.
        """
        argv = self.command("--no-pager", "--no-ask-password", *words)
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False, env=_environ()
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            step = f"Ask it yourself: `{shlex.join(self.command('status'))}`."
            raise SchedulerError("systemd does not answer.", why=f"{error}.", next=step) from error
        if done.returncode and not tolerate:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())
            step = f"Try it yourself: `{shlex.join(self.command(*words))}`."
            raise SchedulerError("systemd refused.", why=said or f"Its exit code is {done.returncode}.", next=step)
        return done.stdout.decode("utf-8", "replace")


def present() -> bool:
    """Whether systemd runs this system."""
    return RUNS.is_dir() and shutil.which("systemctl") is not None


def user() -> str:
    """Return the name of this user."""
    if sys.platform != "win32":
        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            pass
    return str(_uid())


def lingers() -> bool:
    """Whether this user's timers run without a login; root's always do."""
    return _uid() == 0 or (LINGER / user()).exists()


def let_linger() -> None:
    """Have this user's timers run without a login.

    Raises:
        SchedulerError: The system does not let this user do so.
    """
    argv = ["loginctl", "--no-ask-password", "enable-linger"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
        said = " ".join(done.stderr.decode("utf-8", "replace").split()) if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said or not lingers():
        step = f"Have an administrator run `sudo loginctl enable-linger {shlex.quote(user())}`."
        raise SchedulerError("The schedule still needs your login.", why=said or "loginctl changed nothing.", next=step)


def moment_ms(text: str | None) -> int | None:
    """Return a time as `systemctl show --timestamp=utc` prints it, in milliseconds; None for none."""
    match = re.fullmatch(r"\w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? UTC", text or "")
    if match is None:
        return None
    return int(datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp()) * 1000


def _check_trusted(plan: Plan) -> None:
    """Raise SchedulerError unless only root can change the program that root's timer starts, and the folders on the way to it."""
    for word in plan.launcher:
        for path in (Path(word), *Path(word).parents) if os.path.isabs(word) else ():
            state = path.stat()
            if state.st_uid != 0 or state.st_mode & stat.S_IWOTH:  # Debian lets its group staff write below /usr/local
                raise SchedulerError(
                    "The program is not safe to be started by root's timer.",
                    why=f"Others than root can change {path}, and so would become root.",
                    next="Install it for everybody: `sudo installers/linux/install.sh --system`.",
                )


def _uid() -> int:
    return int(getattr(os, "geteuid", lambda: -1)())


def _runtime() -> str:
    return f"/run/user/{_uid()}"


def _environ() -> dict[str, str]:
    """Return an environment in which `systemctl --user` finds this user's manager and speaks English."""
    own = {
        "XDG_RUNTIME_DIR": _runtime(),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={_runtime()}/bus",
        "LC_ALL": "C.UTF-8",
    }
    return {**os.environ, **own}


def _text(path: Path) -> str | None:
    """Return the text of a file; None if it is missing, "" if it cannot be ours."""
    try:
        return content(path).decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        return ""


def is_mask(path: Path) -> bool:
    """Whether the user has masked the unit: `systemctl mask` puts a link to nothing in the place of its file."""
    try:
        return os.readlink(path) == os.devnull
    except OSError:
        return False


def _write(path: Path, text: str) -> None:
    """Put *text* into the place of *path*, whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8", newline="\n")
    beside.chmod(0o644)
    os.replace(beside, path)
