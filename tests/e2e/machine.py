"""A machine with root and other users for end-to-end tests: root's service, its members, and attackers.

The users are real to the kernel (their ids are); they need no accounts. Root can run these tests, or an ordinary user
with sudo. A machine has a folder of its own, and ends every process that it started.
"""

import contextlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import own_home
from tests.mounts import unshare
from tests.waiting import wait_for
from tray import ipc

CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
GROUP = 54_300
"""A number that no group has; members have it among their groups."""


class Machine:
    """One machine.

    Args:
        group: The group that may look on, as `backup-tray system --group` takes it.
    """

    def __init__(self, group: str = str(GROUP)) -> None:
        # Root trusts nothing in a folder that another user made in a place like /tmp.
        self.base = Path(
            self.as_root("mktemp", "-d", Path(os.environ[own_home.SHARED]) / "machine-XXXXXXXX").stdout.strip()
        )
        self.group = group
        self.home, self.view, self.ours = self.base / "root", self.base / "root/view", self.base / "ours"
        for folder in (self.base, self.home, self.base / "venv", self.base / "checkout"):
            self.as_root("install", "-d", "-m", "755", folder)
        self.as_root("install", "-d", "-m", "755", "-o", str(os.geteuid()), self.ours)
        self._started: list[subprocess.Popen[Any]] = []
        self.open = contextlib.ExitStack()

    # Commands of root.

    def as_root(self, *argv: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command as root, to its end."""
        options = {"check": True, "capture_output": True, "text": True, "timeout": 60, **options}
        return subprocess.run([*ROOT, *map(str, argv)], **options)

    def root_tray(self, *arguments: str | Path) -> list[str]:
        """Return the command that runs our program as root."""
        return [*ROOT, "env", *self._environ(self.home), sys.executable, "-m", "tray", *map(str, arguments)]

    def root_status(self) -> dict[str, Any]:
        """Return root's own status."""
        return dict(json.loads(self.as_root(*self.root_tray("status", "--json")[len(ROOT) :], check=False).stdout))

    def start(self, argv: list[str], **options: Any) -> "subprocess.Popen[Any]":
        """Start a command that is ended with the machine."""
        process = subprocess.Popen(argv, **options)
        self._started.append(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                self.open.callback(pipe.close)
        return process

    def end_started(self, word: str) -> None:
        """End the commands that were started with *word* in one of their words, as a person would who pulls the plug."""
        for process in self._started:
            if process.poll() is None and any(word in str(each) for each in list(process.args)):  # type: ignore[arg-type] # a list here
                self.as_root("pkill", "-KILL", "--parent", str(process.pid), check=False)
                self.as_root("kill", "-KILL", str(process.pid), check=False)
                process.wait(60)

    def serve(self) -> "subprocess.Popen[Any]":
        """Start root's service and wait until it answers; its log goes to the file `service.log`."""
        with (self.ours / "service.log").open("ab") as log:
            service = self.start(self.root_tray("system", "--group", self.group), stderr=log)
        wait_for(lambda: self.view_is_served() or service.poll() is not None, what="root's service")
        assert service.poll() is None, (self.ours / "service.log").read_text()
        return service

    def view_is_served(self) -> bool:
        """Whether a process listens on the socket of the view."""
        ask = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        return self.as_root(sys.executable, "-c", ask, self.view / "view.sock", check=False).returncode == 0

    def service_pid(self) -> int:
        """Return the process of the service, as it says itself."""
        return int(self.talk(ipc.hello("cli"), answers=1)[0]["pid"])

    def log(self) -> str:
        """Return the service's log."""
        return (self.ours / "service.log").read_text()

    # Commands of other users.

    def as_user(self, uid: int, *argv: str | Path, member: bool = True, **environ: str) -> list[str]:
        """Return the command that runs *argv* as the user *uid*.

        The checkout and its Python may be in a home that others cannot enter, so they are mounted where they can.
        """
        home = self.base / f"user-{uid}"
        if not home.exists():
            self.as_root("install", "-d", "-m", "755", "-o", str(uid), "-g", str(uid), home)
        binds = ((sys.prefix, "venv"), (str(CHECKOUT), "checkout"))
        mount = "\n".join(f"mount --bind {shlex.quote(what)} {self.base}/{where}" for what, where in binds)
        groups = ["--groups", self.group if self.group.isdecimal() else str(GROUP)] if member else ["--clear-groups"]
        drop = ["setpriv", f"--reuid={uid}", f"--regid={uid}", *groups]
        settings = [*self._environ(home, self.base / "checkout"), f"BACKUP_TRAY_SYSTEM={self.view}"]
        settings += [f"{name}={value}" for name, value in environ.items()]
        return [*ROOT, *unshare(), "sh", "-ec", f'{mount}\nexec "$@"', "sh", *drop, "env", *settings, *map(str, argv)]

    @property
    def python(self) -> Path:
        """The Python that users other than the present one can run."""
        return self.base / "venv/bin" / Path(sys.executable).name

    def user_tray(self, uid: int, *arguments: str | Path, member: bool = True, **environ: str) -> list[str]:
        """Return the command that runs our program as the user *uid*."""
        return self.as_user(uid, self.python, "-m", "tray", *arguments, member=member, **environ)

    def run(self, argv: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            argv, **{"check": False, "capture_output": True, "text": True, "timeout": 60, "cwd": "/", **options}
        )

    def status(self, uid: int, *, member: bool = True) -> dict[str, Any]:
        """Return `status --json` as the user *uid* sees it."""
        done = self.run(self.user_tray(uid, "status", "--json", member=member))
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout))

    def talk(self, *messages: ipc.Message | bytes, uid: int = 54_301, answers: int = 100) -> list[dict[str, Any]]:
        """Send lines to the service as the user *uid*; return its output until it hung up or had given *answers* answers."""
        lines = [message if isinstance(message, bytes) else ipc.encode(message) for message in messages]
        argv = self.as_user(uid, self.python, "-c", _TALK, self.view / "view.sock", str(answers))
        done = subprocess.run(argv, input=b"".join(lines), capture_output=True, timeout=60, check=False, cwd="/")
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    def end(self) -> None:
        """End every process of this machine, and take its folder away."""
        ours = 'for pid in $(grep -lzsx "BACKUP_TRAY_HOME=$1/.*" /proc/[0-9]*/environ | cut -d/ -f3); do kill $2 $pid || :; done'
        for signal in ("-TERM", "-KILL"):
            self.as_root("sh", "-c", ours, "sh", self.base, signal)
            for process in self._started:
                if signal == "-KILL":
                    process.wait(60)
        self.open.close()
        self.as_root("rm", "-rf", self.base)

    def _environ(self, home: Path, checkout: Path = CHECKOUT) -> list[str]:
        kept = [f"{name}={os.environ[name]}" for name in ("PATH", "LANG") if name in os.environ]
        ours = [f"BACKUP_TRAY_HOME={home}", f"HOME={home}", f"PYTHONPATH={checkout}", "PYTHONDONTWRITEBYTECODE=1"]
        return ["-i", *kept, *ours]


_TALK = """
import socket, sys
talk = socket.socket(socket.AF_UNIX)
talk.connect(sys.argv[1])
said = sys.stdin.buffer.read()
try:
    talk.sendall(said)
except OSError:
    pass
talk.settimeout(20)
heard = b""
try:
    while heard.count(b"\\n") < int(sys.argv[2]) and (chunk := talk.recv(1 << 20)):
        heard += chunk
except ConnectionError:
    pass
sys.stdout.buffer.write(heard)
"""
