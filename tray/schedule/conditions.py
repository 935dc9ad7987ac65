"""Check the conditions of a scheduled start: mains power, a network that is not metered, a target that is there.

systemd's own conditions skip a start without a word; these are checked within the run, so a skip is on record. A condition
that cannot be known counts as met: the backup then says by itself if it cannot run. No check waits longer than `LIMIT_SECONDS`,
also not for a network disk that hangs.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import psutil

from tray import engines
from tray.config.jobs import Job
from tray.core.errors import ConfigError, JobWatchedError
from tray.core.paths import expand
from tray.core.redact import Redactor
from tray.jobs import configured
from tray.recording import skips
from tray.repository import files
from tray.schedule.turn import Unmet
from tray.wrapper import fallback

LIMIT_SECONDS = 5.0
_METERED = ("u 1", "u 3")
"""NetworkManager's words for "yes" and "yes, as a guess" (NMMetered)."""
_BY_SSH = r"sftp:|ssh://|(?:[^@/:]+@)[^:/]+:(?!//)"
"""Addresses whose host is a name for ssh."""
_OWN_SSH = ("sftp.command", "sftp.args", "--rsh")
"""Options of engines that name another ssh, or another way for it."""
_PORTS = {
    "sftp": 22,
    "ssh": 22,
    "rest:http": 8000,
    "rest:https": 8000,
    "s3:http": 80,
    "s3:https": 443,
    "http": 80,
    "https": 443,
}


def unmet(job: Job) -> Unmet | None:
    """Return the first condition of *job* that does not hold now, None if all do."""
    if "power" in job.conditions and not on_mains():
        return Unmet(skips.ON_BATTERY, "The machine runs on battery.")
    if "unmetered" in job.conditions and metered():
        return Unmet(skips.METERED, "The network is metered.")
    if "target" in job.conditions:
        engine, repository = target(job)
        own = any(word in part for part in (*job.options, *job.command) for word in _OWN_SSH)
        if repository is not None and not own and not reachable(repository, engine):
            return Unmet(skips.TARGET_AWAY, f"The target {Redactor((), {}).text(repository)} is not there.")
    return None


def on_mains() -> bool:
    """Whether the machine has mains power; also where it has no battery, or does not tell."""
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):  # not every system tells
        return True
    return battery is None or battery.power_plugged is not False


def metered() -> bool:
    """Whether NetworkManager calls the network metered; False where there is none to ask."""
    if sys.platform != "linux":
        return False
    name, path = "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager"
    limit = f"--timeout={LIMIT_SECONDS:.0f}"
    argv = ["busctl", "--system", "--auto-start=no", limit, "get-property", name, path, name, "Metered"]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * LIMIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.decode("ascii", "replace").strip() in _METERED


def target(job: Job) -> tuple[str, str | None]:
    """Return the engine of *job* and its repository; None if the command does not show one."""
    if job.repository is not None:
        return job.engine or "", expand(job.repository)
    try:
        adapter, plan, _, _ = fallback.taken_in(configured.command(job), os.environ, job.engine)
    except (ConfigError, JobWatchedError):
        return "", None
    return adapter.name, plan.repository


def reachable(repository: str, engine: str) -> bool:
    """Whether *repository* is there, as far as it can be told: one of which only the engine can tell counts as there."""
    return answer(repository, engine) is not False


def answer(repository: str, engine: str) -> bool | None:
    """Return whether *repository* is there: a folder exists, a server takes a connection; None where only the engine can tell."""
    address = _server(repository)
    if address is not None and re.match(_BY_SSH, repository):
        address = _by_ssh(*address)
        if address is None:
            return None
    if address is not None:
        return _connects(*address)
    if re.match(r"[a-z0-9]{2,}:", repository) and not repository.startswith(("local:", "file:")):
        return None
    path = re.sub(r"^(local:|file://)", "", repository)
    if not os.path.isabs(path):
        return None
    # Such a repository holds a file `config`: an empty folder, where a disk should be mounted, is none.
    has_config = engines.named(engine).repository in files.EMPTY_IS_ONE
    return _exists(str(PurePosixPath(path) / "config") if has_config else path)


def _server(repository: str) -> tuple[str, int] | None:
    """Return host and port of a repository on a server; None if it is none, or names no host."""
    if match := re.match(r"sftp:(?!//)(?:[^@/]*@)?([^:/]+):", repository):
        return match[1], _PORTS["sftp"]
    if match := re.match(r"(?:[^@/:]+@)([^:/]+):(?!//)", repository):  # user@host:path, of borg and rsync
        return match[1], _PORTS["ssh"]
    match = re.match(r"((?:rest:|s3:)?[a-z0-9]+)://", repository)
    if match is None or match[1] not in _PORTS:
        return None
    try:
        address = urlsplit(repository[repository.index("://") - len(match[1].rpartition(":")[2]) :])
        port = address.port
    except ValueError:
        return None
    return None if address.hostname is None else (address.hostname, port or _PORTS[match[1]])


def _by_ssh(host: str, port: int) -> tuple[str, int] | None:
    """Return the server and port that ssh takes for *host*, which may be a name of its own configuration.

    None where ssh would not connect by itself, but over another host or program: then only ssh can tell.
    """
    argv = ["ssh", "-G", *(("-p", str(port)) if port != _PORTS["ssh"] else ()), "--", host]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return host, port
    lines = (line.partition(" ") for line in done.stdout.decode("utf-8", "replace").splitlines())
    known = {name: value for name, _, value in lines}
    if done.returncode or not known.get("port", "").isdecimal():
        return host, port
    direct = all(known.get(name, "none") == "none" for name in ("proxyjump", "proxycommand"))
    return (known.get("hostname", host), int(known["port"])) if direct else None


def _connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), LIMIT_SECONDS).close()
    except (OSError, UnicodeError):
        return False
    return True


def _exists(path: str) -> bool:
    """Whether *path* exists, asked by another process: a lost network disk would hold this one for ever."""
    if sys.platform == "win32":
        return os.path.exists(path)
    try:
        asked = subprocess.Popen(["test", "-e", path], stdin=subprocess.DEVNULL)
    except OSError:
        return True
    try:
        return asked.wait(LIMIT_SECONDS) == 0
    except subprocess.TimeoutExpired:
        asked.kill()  # it ends once the disk answers, which we do not wait for
        return False
