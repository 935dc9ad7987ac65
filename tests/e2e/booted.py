"""A machine of its own with a real systemd, for end-to-end tests: it boots in seconds, and nothing that happens in it stays.

systemd runs as process 1 in namespaces, over copy-on-write views of this machine's files (overlayfs), with a cgroup tree of its
own. So it starts timers and services, knows sessions, and lets users linger as on any machine. It can be switched off and on again:
its files stay until the test ends. Needs root or sudo, and the packages systemd, libpam-systemd and dbus-user-session.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import own_home
from tests.e2e.conftest import Installed
from tests.mounts import unshare
from tests.waiting import wait_for

ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
USERS = {"ann": 54_311, "bob": 54_312}
"""Users of the machine; none of them has a password."""

_POWER = """
set -eu
base=$1; shift
if ! mountpoint -q /; then  # a chroot; systemd's root has to take the place of a mount
    mount --rbind / "$base"
    exec chroot "$base" sh -c "$POWER" power "$base" "$@"
fi
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$base"
while read -r words; do
    export BEFORE="$words"
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --uts --ipc --cgroup --propagation private \
        sh -euc "$BOOT" boot "$base" "$@" >"$base/console" 2>&1 </dev/null &
    echo "$!"
    wait "$!" || :
    echo off
done
"""
"""Each line on its standard input, a command to run before, switches the machine on. With this process all of it ends."""

_BOOT = """
base=$1; shift
view() { # view FOLDER: a copy-on-write view of it, which keeps its changes
    mark=$(echo "$1" | tr / _)
    mkdir -p "$base/up$mark" "$base/work$mark"
    mkdir -p "$root$1"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$base/up$mark,workdir=$base/work$mark,metacopy=on" "$root$1"
}
root=$base/root
mkdir -p "$root"
view /
for folder in "$@"; do view "$folder"; done
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
for unit in systemd-udevd systemd-udev-trigger systemd-modules-load systemd-remount-fs systemd-timesyncd networking; do
    ln -sfn /dev/null "$root/etc/systemd/system/$unit.service"
done
for timer in "$root"/lib/systemd/system/*.timer; do ln -sfn /dev/null "$root/etc/systemd/system/${timer##*/}"; done
services="dbus.service systemd-logind.service systemd-user-sessions.service"  # and none of those that this machine has beside
printf '[Unit]\\nRequires=basic.target\\nWants=%s\\nAfter=basic.target %s\\nAllowIsolate=yes\\n' "$services" "$services" \
    >"$root/etc/systemd/system/tests.target"
mkdir -p "$root/etc/tmpfiles.d"
ln -sfn /dev/null "$root/etc/tmpfiles.d/tmp.conf"  # it would empty /tmp
printf '%032x\\n' 47110815 >"$root/etc/machine-id"  # random delays of timers depend on it
mkdir -p "$root/etc/systemd/logind.conf.d"
printf '[Login]\\nUserStopDelaySec=0\\n' >"$root/etc/systemd/logind.conf.d/test.conf"
cd "$root"
chroot . sh -c "$BEFORE"
mkdir -p before
pivot_root . before
umount -l /before
exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --log-target=console --log-level=warning --unit=tests.target
"""


class Booted:
    """One machine, which is on.

    Args:
        installed: The installed program, of which ann's home becomes a copy.
    """

    def __init__(self, installed: Installed) -> None:
        self._installed = installed
        self.homes = {"root": Path("/root"), "ann": installed.home, "bob": Path("/home/bob")}
        self._base = subprocess.run(
            [*ROOT, "mktemp", "-d", Path(os.environ[own_home.SHARED]) / "bt-booted-XXXXXXXX"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        environ = [f"POWER={_POWER}", f"BOOT={_BOOT}", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        argv = [*unshare(), "sh", "-c", _POWER, "power", self._base, str(installed.home.parent)]
        self._power = subprocess.Popen(
            [*ROOT, "env", "-i", *environ, "setpriv", "--pdeathsig", "KILL", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._init = 0
        self._is_on = False
        self.on()
        self.root("chown", "0:0", *installed.home.parents[:2])  # of the user who runs the tests, a stranger in it
        for name, uid in USERS.items():
            self.root("useradd", f"--uid={uid}", f"--home-dir={self.homes[name]}", "--shell=/bin/sh", name)
            self.root("install", "-d", self.homes[name])
            self.root("chown", "-R", f"{uid}:{uid}", self.homes[name])
        for place in ("/etc/xdg", "/var/lib", "/var/log"):
            self.root("rm", "-rf", f"{place}/backup-tray")
        self.root("install", installed.launcher, "/usr/local/bin/backup-tray")

    def on(self, before: str = ":") -> None:
        """Switch it on, and wait until it has started; *before* is a shell command that changes its files while it is off."""
        assert self._power.stdin is not None
        assert self._power.stdout is not None
        self._power.stdin.write(f"{before}\n")
        self._power.stdin.flush()
        outer = int(self._power.stdout.readline())
        self._is_on = True

        def started() -> bool:
            for line in Path(f"/proc/{outer}/task/{outer}/children").read_text().split():
                self._init = int(line)
            state = self.root("systemctl", "is-system-running", check=False).stdout.strip() if self._init else ""
            return state in ("running", "degraded")

        wait_for(started, what="the start of systemd")

    def off(self) -> None:
        """Switch it off as a user does, and wait until it is."""
        assert self._power.stdout is not None
        if self._is_on:
            self.root("systemctl", "--no-block", "exit", check=False)
            assert self._power.stdout.readline() == "off\n"
            self._is_on = False

    def end(self) -> None:
        """Switch it off and forget its files."""
        self.off()
        assert self._power.stdin is not None
        assert self._power.stdout is not None
        self._power.stdin.close()
        self._power.wait(60)
        self._power.stdout.close()
        subprocess.run([*ROOT, "rmdir", self._base], check=True)

    def root(self, *argv: str | Path, check: bool = True, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command in it as root, outside of every session."""
        its_root = f"/proc/{self._init}/root"
        enter = ["nsenter", f"--target={self._init}", f"--root={its_root}", f"--wd={its_root}"]
        enter += ["--mount", "--pid", "--uts", "--ipc", "--cgroup"]
        environ = ["HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        options = {"capture_output": True, "text": True, "timeout": 120, **options}
        done = subprocess.run([*ROOT, *enter, "env", "-i", *environ, *map(str, argv)], check=False, **options)
        assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done

    def user(
        self, name: str, *argv: str | Path, check: bool = True, **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in it as *name*, outside of every session and with no more in the environment than cron gives."""
        settings = [
            f"HOME={self.homes[name]}",
            f"LOGNAME={name}",
            f"USER={name}",
            *(f"{key}={value}" for key, value in environ.items()),
        ]
        drop = ["setpriv", f"--reuid={USERS[name]}", f"--regid={USERS[name]}", "--init-groups"]
        return self.root(*drop, "env", *settings, *argv, check=check)

    def log_in(self, name: str) -> None:
        """Begin a session of *name*, and wait for the manager that systemd starts for it."""
        self.root(
            "systemd-run",
            "--quiet",
            "--collect",  # a session that failed would keep its name
            f"--unit=login-{name}",
            f"--uid={name}",
            "--property=PAMName=login",
            "sleep",
            "infinity",
        )
        wait_for(lambda: self.has_manager(name), what="the manager of the user")

    def log_out(self, name: str) -> None:
        """End the session of *name*."""
        self.root("systemctl", "stop", f"login-{name}")

    def has_manager(self, name: str) -> bool:
        """Whether systemd runs for *name*."""
        return (
            self.root("systemctl", "is-active", f"user@{USERS[name]}.service", check=False).stdout.strip() == "active"
        )

    def until(self, ask: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait until *ask* says so; a question takes a process, so it is not asked too often."""
        wait_for(lambda: ask() or time.sleep(0.1), seconds=seconds, what=what)

    def systemctl(self, name: str, *words: str, check: bool = True) -> str:
        """Ask the manager of *name*, or the system's for root, by a command line of the test's own."""
        if name == "root":
            return self.root("systemctl", *words, check=check).stdout
        runtime = f"/run/user/{USERS[name]}"
        return self.user(name, "systemctl", "--user", *words, check=check, XDG_RUNTIME_DIR=runtime).stdout

    def tray(self, name: str, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run the installed program as *name*, root included."""
        program = "/usr/local/bin/backup-tray" if name != "ann" else self._installed.launcher
        if name == "root":
            return self.root(program, *arguments, check=check)
        return self.user(name, program, *arguments, check=check)

    def status(self, name: str) -> dict[str, Any]:
        """Return the status that *name* sees."""
        return dict(json.loads(self.tray(name, "status", "--json", check=False).stdout))

    def schedule(self, name: str, job: str) -> dict[str, Any]:
        """Return how the schedule of *job* stands, as the program says."""
        return dict(json.loads(self.tray(name, "schedule", job, "--show", "--json", check=False).stdout)[0])

    def runs(self, name: str, job: str) -> list[dict[str, Any]]:
        """Return the ended runs of *job*, the newest first."""
        lines = self.tray(name, "history", "--json", "--job", job, check=False).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def write(self, name: str, path: str, text: str, mode: str = "600") -> Path:
        """Write a file in the home of *name*."""
        file = self.homes[name] / path
        owner = str(USERS.get(name, 0))
        for folder in reversed(list(file.relative_to(self.homes[name]).parents)[:-1]):
            self.root("install", "-d", "-m", "700", "-o", owner, "-g", owner, self.homes[name] / folder)
        self.root("install", "-m", mode, "-o", owner, "-g", owner, "/dev/stdin", file, input=text)
        return file
