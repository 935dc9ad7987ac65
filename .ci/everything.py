"""Run everything that must pass: the README's test command, then the unit tests on the newest Python that this machine has.

Needs neither a screen nor a user: works as root on a bare machine. Ends and names the processes that the tests leave running.
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
"""With two workers the second run ends before the first, whose end-to-end tests leave the processors idle for much of the time."""


def main() -> int:
    """Run both at the same time; return the first failure's exit code, else 0."""
    # The kernel gives orphans to us instead of init, so that none can hide.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.chdir(ROOT)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # programs that the tests start need half the time with bytecode
    # The second run has a folder of its own for temporary files, since the first one checks whether it leaves any.
    with (
        tempfile.TemporaryDirectory(prefix="newest-") as apart,
        tempfile.TemporaryFile() as output,
        ThreadPoolExecutor(1) as beside,
    ):
        newest = beside.submit(on_newest, output, {**os.environ, "TMPDIR": apart})
        try:
            return run([str(ROOT / "installers/linux/check.sh")]) or printed(newest.result(), output)
        finally:
            newest.result()
            end_orphans()


def printed(code: int, output: IO[bytes]) -> int:
    """Print the output of the second run after that of the first, and return its exit code."""
    output.seek(0)
    sys.stdout.buffer.write(output.read())
    sys.stdout.flush()
    return code


def run(argv: list[str], output: IO[bytes] | None = None, environ: dict[str, str] | None = None) -> int:
    """Run one command and return its exit code; *output* takes its output in place of ours."""
    sys.stdout.flush()
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ, check=False
    ).returncode


def on_newest(output: IO[bytes], environ: dict[str, str]) -> int:
    """Run the unit tests on the newest Python, if there is one newer than the system's."""
    system = version("/usr/bin/python3")
    newest = max(pythons(), key=version, default="/usr/bin/python3")
    if version(newest) <= system:
        print(f"\n== No newer Python here than {text(system)}: the unit tests run on the newest one.", flush=True)
        return 0
    output.write(f"\n== Unit tests on Python {text(version(newest))}\n".encode())
    output.flush()
    venv = ROOT / f".venv-{text(version(newest))}"
    python = str(venv / "bin/python")
    wanted = (ROOT / "pyproject.toml").read_text()
    made_from = venv / "made-from"
    if not made_from.exists() or made_from.read_text() != wanted:
        pip = [python, "-m", "pip", "-qq", "--disable-pip-version-check", "install", "-e", ".[test]"]
        if code := run([newest, "-m", "venv", "--clear", str(venv)], output, environ) or run(pip, output, environ):
            return code
        made_from.write_text(wanted)
    pytest = [python, "-m", "pytest", "-q", *TOGETHER, "-p", "tests.no_skips", "-p", "no:cacheprovider", "tests/unit"]
    return run(["nice", "-n", "3", *pytest], output, environ)


def pythons() -> list[str]:
    """Return every Python 3 that works, from PATH and from pyenv."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(":")]
    folders += sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin"))
    paths = [path for folder in folders if folder.name != "shims" for path in folder.glob("python3*")]
    return [str(path) for path in paths if re.fullmatch(r"python3(\.\d+t?)?", path.name) and version(str(path))]


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


def text(numbers: tuple[int, ...]) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, numbers))


def end_orphans() -> None:
    """End the processes that still run below this one."""
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
