"""Everything that must pass: the README's test command, then the unit tests on the newest Python that this machine has.

Needs neither a screen nor a user: works as root in a bare machine. Whatever the tests leave running is ended, and named.
The last line is pytest's own.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
PR_SET_CHILD_SUBREAPER = 36
TOGETHER = ("-n", "2", "--dist", "worksteal")
"""The second run is as long as the first one only so; it takes what the first one's end-to-end tests leave of the processors."""


def main() -> int:
    """Run both, the second one beside the first; the first failure decides."""
    # Orphans become our children instead of init's, so that none can hide.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.chdir(ROOT)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what the tests start needs half the time with bytecode
    # Temporary files of the second run are apart: the first one looks whether it leaves any.
    with (
        tempfile.TemporaryDirectory(prefix="newest-") as apart,
        tempfile.TemporaryFile() as told,
        ThreadPoolExecutor(1) as beside,
    ):
        newest = beside.submit(on_newest, told, {**os.environ, "TMPDIR": apart})
        try:
            return run([str(ROOT / "installers/linux/check.sh")]) or said(newest.result(), told)
        finally:
            newest.result()
            end_orphans()


def said(code: int, told: IO[bytes]) -> int:
    """Print what the second run told, after the first, and return its exit code."""
    told.seek(0)
    sys.stdout.buffer.write(told.read())
    sys.stdout.flush()
    return code


def run(argv: list[str], told: IO[bytes] | None = None, environ: dict[str, str] | None = None) -> int:
    """Run one command and return its exit code; *told* takes its output in place of ours."""
    sys.stdout.flush()
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=told, stderr=told, env=environ, check=False).returncode


def on_newest(told: IO[bytes], environ: dict[str, str]) -> int:
    """Run the unit tests on the newest Python, if there is one newer than the system's."""
    system = version("/usr/bin/python3")
    newest = max(pythons(), key=version, default="/usr/bin/python3")
    if version(newest) <= system:
        print(f"\n== No newer Python here than {text(system)}: the unit tests run on the newest one.", flush=True)
        return 0
    told.write(f"\n== Unit tests on Python {text(version(newest))}\n".encode())
    told.flush()
    venv = ROOT / f".venv-{text(version(newest))}"
    python = str(venv / "bin/python")
    wanted = (ROOT / "pyproject.toml").read_text()
    made_from = venv / "made-from"
    if not made_from.exists() or made_from.read_text() != wanted:
        pip = [python, "-m", "pip", "-qq", "--disable-pip-version-check", "install", "-e", ".[test]"]
        if code := run([newest, "-m", "venv", "--clear", str(venv)], told, environ) or run(pip, told, environ):
            return code
        made_from.write_text(wanted)
    return run(
        [
            "nice",
            "-n",
            "3",
            python,
            "-m",
            "pytest",
            "-q",
            *TOGETHER,
            "-p",
            "tests.no_skips",
            "-p",
            "no:cacheprovider",
            "tests/unit",
        ],
        told,
        environ,
    )


def pythons() -> list[str]:
    """Return every Python 3 that works, from PATH and from pyenv."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(":")]
    folders += sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin"))
    found = [path for folder in folders if folder.name != "shims" for path in folder.glob("python3*")]
    return [str(path) for path in found if re.fullmatch(r"python3(\.\d+t?)?", path.name) and version(str(path))]


def version(python: str) -> tuple[int, ...]:
    """Return the version of *python*, () if it does not run or is no finished release with the usual threads."""
    ask = (
        "import sys, sysconfig; v = sys.version_info; usual = not sysconfig.get_config_var('Py_GIL_DISABLED');"
        "print(*v[:3]) if usual and v.releaselevel == 'final' else None"
    )
    try:
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else ()


def text(found: tuple[int, ...]) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, found))


def end_orphans() -> None:
    """End what is still running below us."""
    for _ in range(100):
        left = [pid for pid in children() if not ended(pid)]
        if not left:
            return
        for pid in left:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            print(f"left running by the tests, ended now: {pid} {line}", file=sys.stderr)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def children() -> list[int]:
    """Return our children, adopted ones included."""
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def ended(pid: int) -> bool:
    """Reap *pid* if it has ended."""
    return os.waitpid(pid, os.WNOHANG)[0] != 0


if __name__ == "__main__":
    sys.exit(main())
