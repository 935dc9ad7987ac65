"""The program as a user starts it, for end-to-end tests."""

import atexit
import functools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.e2e.restic_keys import make_quick
from tests.waiting import wait_for
from tray import runs
from tray.core import ourselves, paths
from tray.core.paths import Places
from tray.status import StatusSource

TRAY = [sys.executable, "-m", "tray"]
PASSWORD = "correct horse"  # of test repositories


def started_itself(words: "list[str] | None", verb: str) -> bool:
    """Whether this is the command line of a process that the program started itself, with the command *verb*."""
    return ourselves.PROGRAM in (words or ()) and verb in (words or ())


def tray(*arguments: str | Path, check: bool = False, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end."""
    options = {"capture_output": True, "text": True, "timeout": 120, **options}
    return subprocess.run([*TRAY, *map(str, arguments)], check=check, **options)


def start(*arguments: str | Path, **options: Any) -> "subprocess.Popen[bytes]":
    """Start one command."""
    return subprocess.Popen([*TRAY, *map(str, arguments)], **options)


def status() -> dict[str, Any]:
    """Return the object that `status --json` prints, without starting a process: tests ask again and again."""
    source = StatusSource(paths.places(), role="cli", start_tracker=False)
    try:
        return dict(json.loads(json.dumps(source.poll().to_json())))
    finally:
        source.close()


def last() -> dict[str, Any]:
    """Return the last run in the status."""
    run = status()["last"]
    assert run is not None, "no run is on record"
    return dict(run)


def engine_pid(places: Places) -> int:
    """Return the process of the engine of the one run that goes on; its wrapper notes it a moment after the start."""

    def noted() -> int:
        child = next(runs.live(places)).info().child
        return 0 if child is None else child.pid

    return wait_for(noted, what="the engine's process")


def make_tree(folder: Path, *, files: int = 30, size: int = 3000, seed: int = 1) -> Path:
    """Fill *folder* with *files* files of incompressible bytes."""
    chance = random.Random(seed)
    for number in range(files):
        path = folder / f"d{number % 5}" / f"file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(size))
    return folder


def make_repository(path: Path) -> Path:
    """Make a restic repository at *path*: a copy of one that was made once, with a key that is quick to derive."""
    shutil.copytree(_template(), path)
    return path


@functools.cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="restic-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environ = {**os.environ, "RESTIC_PASSWORD": PASSWORD}
    subprocess.run(["restic", "init", "-q", "-r", folder / "repo"], check=True, env=environ, stdin=subprocess.DEVNULL)
    make_quick(folder / "repo", PASSWORD)
    return folder / "repo"


@functools.cache
def wrong_password() -> int:
    """Return restic's exit code for a wrong password: one of its own since 0.17.1."""
    said = subprocess.check_output(["restic", "version"], text=True)
    version = re.match(r"restic (\d+)\.(\d+)(?:\.(\d+))?", said)
    assert version is not None, said
    return 12 if tuple(int(part or 0) for part in version.groups()) >= (0, 17, 1) else 1


def snapshots(repository: Path) -> list[Any]:
    """Return the repository's snapshots, as restic itself lists them."""
    output = subprocess.check_output(["restic", "-r", repository, "snapshots", "--json", "--no-lock"])
    return list(json.loads(output) or [])
