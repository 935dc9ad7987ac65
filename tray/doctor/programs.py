"""Which programs are there: Python, the backup engines, our own command."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tray.doctor.check import Check, Level
from tray.engines import ENGINES, Engine, added, problems
from tray.jobs import configured


def python() -> list[Check]:
    """Name the Python and the system that we run on."""
    what = f"Python {platform.python_version()} ({sys.executable}) on {platform.system()} {platform.release()}."
    return [Check("Python", Level.OK, what)]


def engines() -> Iterable[Check]:
    """Name the engines that are installed; nobody needs all of them."""
    found = [(known.load(), program) for known in ENGINES if (program := shutil.which(known.name)) is not None]
    with ThreadPoolExecutor(max_workers=max(len(found), 1)) as threads:
        versions = list(threads.map(lambda one: _version(*one), found))
    for (_, program), version in zip(found, versions, strict=True):
        yield Check("backup engines", Level.OK, f"{program}: {version}.")
    if all(engine.common for engine, _ in found):
        what = "None that is made for backups is installed (such as restic or borg)."
        yield Check("backup engines", Level.WARN, what, "sudo apt install restic")
    yield from _added_engines()


def _added_engines() -> Iterable[Check]:
    """Name the engines that the user has added, and what is wrong with them."""
    plugins = added()
    for name in () if plugins is None else plugins.names():
        yield Check("added engines", Level.OK, f"{name}.")
    for said in problems():
        yield Check("added engines", Level.WARN, said, "Update or remove the package that brings it.")


def _version(engine: Engine, program: str) -> str:
    ask = "version" if engine.version_word else "--version"
    try:
        done = subprocess.run([program, ask], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not answer ({error})"
    lines = done.stdout.decode("utf-8", "backslashreplace").strip().split("\n")
    return " ".join(lines[0][:80].split()) or "it does not say its version"


def command() -> list[Check]:
    """Look whether `backup-tray` is installed and found."""
    installed = next((path for path in configured.launcher_places() if os.access(path, os.X_OK)), None)
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
